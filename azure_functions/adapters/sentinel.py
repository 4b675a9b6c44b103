"""Microsoft Sentinel: verdicts and actions as rows of a table, and comments on the incident that began it.

Both are for people. The lake and the journal are the record, so a workspace that is out of service holds nothing up: what
it did not take is logged as an error and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from azure_functions.clients import Clients
from azure_functions.cloud_errors import CloudRefusal, in_core_words
from azure_functions.registry import Group
from response.journal import JournalEntry
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity
from shared_model.verdicts import Verdict

if TYPE_CHECKING:
    from azure_functions.logger import Logger

STREAM = "Custom-Breakwater_CL"
#: A column takes 64 KB; what is longer would be cut in the middle.
_LARGEST_OCSF = 60_000
_API_VERSION = "2024-03-01"
#: Sentinel takes 30,000 characters a comment.
_LONGEST_COMMENT = 29_000
#: Namespace of comment ids: the same notice is the same comment, however often it is told.
_COMMENTS = UUID("5d3f0a52-6a9f-4f0e-9f0c-3f2b6d1c8e47")
_INCIDENT = re.compile(r"/providers/microsoft\.securityinsights/incidents/[\w-]{1,64}", re.IGNORECASE)


class SentinelTable:
    """Table ``Breakwater_CL``, through the Logs Ingestion API. Without a rule, nothing is sent."""

    def __init__(self, clients: Clients, rule_id: str, group: Group, logger: Logger) -> None:
        self._clients = clients
        self._rule_id = rule_id
        self._group = group
        self._logger = logger

    def put(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Send rows; say whether they were taken. A row that is sent twice has the same VerdictId, ContainmentId and Step."""
        if not rows or not self._rule_id:
            return True
        try:
            with in_core_words("Sentinel table"):
                self._clients("logs", self._group).upload(rule_id=self._rule_id, stream_name=STREAM, logs=list(rows))
        except (CloudRefusal, CloudUnavailable):
            self._logger.exception("rows not taken by Sentinel", extra={"rows": len(rows)})
            return False
        return True


class Incidents:
    """Comments on incidents of the workspace that the app was given, and of no other."""

    def __init__(self, clients: Clients, workspace_id: str, logger: Logger) -> None:
        self._clients = clients
        self._workspace = workspace_id.rstrip("/")
        self._logger = logger

    def is_one(self, resource_id: str) -> bool:
        """Whether the id is of an incident in the workspace."""
        begins = self._workspace and resource_id.lower().startswith(self._workspace.lower())
        return bool(begins and _INCIDENT.fullmatch(resource_id[len(self._workspace) :]))

    def comment(self, incident_id: str, about: str, text: str) -> bool:
        """Write what there is to say about something; say whether it was taken. Telling it again changes nothing."""
        if not self.is_one(incident_id):
            return False
        name = uuid5(_COMMENTS, f"{incident_id.lower()}\n{about}")
        try:
            with in_core_words("incident comment"):
                self._clients("arm", Group.RESPOND).call(
                    "PUT",
                    f"{incident_id}/comments/{name}",
                    query={"api-version": _API_VERSION},
                    body={"properties": {"message": text[:_LONGEST_COMMENT]}},
                )
        except CloudRefusal as refusal:
            if refusal.is_conflict:  # it is there: comments are not written over without their ETag
                return True
            self._logger.exception("comment not taken by Sentinel", extra={"incident": incident_id})
            return False
        except CloudUnavailable:
            self._logger.exception("comment not taken by Sentinel", extra={"incident": incident_id})
            return False
        return True


def verdict_row(verdict: Verdict, ocsf: Mapping[str, Any], *, decision_ms: float) -> dict[str, Any]:
    """Return the row of a verdict. ``decision_ms`` is the time from its event to now."""
    return {
        "TimeGenerated": _time(verdict.time_ms),
        "Kind": "verdict",
        "CorrelationId": verdict.correlation_id,
        "Detector": verdict.detector,
        **_entity(verdict.entity),
        "Probability": verdict.probability,
        "Threshold": verdict.threshold,
        "Technique": verdict.technique,
        "VerdictTitle": verdict.title,
        "VerdictId": verdict.id,
        "DecisionMs": decision_ms,
        "Ocsf": _bounded(ocsf),
    }


def action_row(entry: JournalEntry, ocsf: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a journal entry."""
    action, _, target = entry.stream.partition("#")
    return {
        "TimeGenerated": _time(entry.time_ms),
        "Kind": "action",
        "CorrelationId": entry.correlation_id,
        **_entity(Entity.from_key(target)),
        "VerdictId": entry.verdict_id,
        "Action": action,
        "Step": str(entry.step),
        "ContainmentId": entry.containment_id,
        "Reason": str(entry.detail.get("reason", "")),
        "Actor": entry.actor,
        "Ocsf": _bounded(ocsf),
    }


def _entity(entity: Entity) -> dict[str, str]:
    return {"EntityKind": str(entity.kind), "EntityId": entity.id, "Account": entity.account}


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bounded(ocsf: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object, or only what names it where it is too large for a column: the lake has the whole of it."""
    if len(json.dumps(ocsf)) <= _LARGEST_OCSF:
        return ocsf
    return {name: ocsf[name] for name in ("class_uid", "time", "metadata") if name in ocsf}
