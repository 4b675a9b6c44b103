"""Why a result is not taken."""


class Refused(Exception):
    """A result is not taken into model_artifacts. Says why, and what would help."""
