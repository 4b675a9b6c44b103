"""The operator's command: what is contained, what would have been, and how to end it."""
