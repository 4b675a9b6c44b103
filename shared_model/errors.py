"""The errors of the detection core. Each says what to do about it."""


class BreakwaterError(Exception):
    """Base of every error that Breakwater raises on purpose."""


class ArtifactError(BreakwaterError):
    """A detector's folder in ``model_artifacts/`` is missing, incomplete or does not fit this code."""


class UnreadableTelemetry(BreakwaterError):
    """A whole object or message cannot be read at all (not gzip, not JSON, truncated).

    A single bad record inside a readable object is never raised: it becomes a
    :class:`~shared_model.events.Rejected` beside the good ones.

    Parameters
    ----------
    source : str
        Object key, message id or file name.
    reason : str
        What is wrong with it.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class CloudUnavailable(BreakwaterError):
    """The cloud could not be asked, or did not answer in time: what was asked for may succeed later."""


class RefusedByCloud(BreakwaterError):
    """The cloud understood the request and refuses it: a missing resource, a quota, a conflict, a state that does not fit."""

    @property
    def is_missing(self) -> bool:
        """The resource is not there."""
        return False
