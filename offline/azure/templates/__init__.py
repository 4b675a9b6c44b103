"""A template evaluated as Azure would: its expressions, and everything that it deploys, in order."""
