"""Notices to people: a log line, and a comment on the incident that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure_functions.adapters.sentinel import Incidents
from response.notices import Notice

if TYPE_CHECKING:
    from azure_functions.logger import Logger


class Notices:
    """Tells people. What began without an incident is told by the log and by Sentinel's table of actions."""

    def __init__(self, incidents: Incidents, logger: Logger) -> None:
        self._incidents = incidents
        self._logger = logger

    def __call__(self, notice: Notice) -> None:
        """Tell one notice; told again, it is the same comment."""
        text = "\n".join(line for line in (f"{notice.subject}\n", notice.text, notice.opens, notice.thread) if line)
        commented = self._incidents.comment(notice.correlation_id, notice.id, text)
        said = {"id": notice.id, "case": notice.case, "subject": notice.subject, "text": notice.text, "commented": commented}
        self._logger.info("notice", extra=said)
