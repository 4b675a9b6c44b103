"""Microsoft Sentinel's incidents and their comments (``Microsoft.SecurityInsights``), below a Log Analytics workspace."""

from __future__ import annotations

import copy
from typing import Any

from offline.azure.callers import Caller
from offline.azure.resource_manager.addresses import Address
from offline.azure.resource_manager.errors import ArmError, unknown_type
from offline.azure.resource_manager.store import Resource, new_guid
from offline.azure.web import EMPTY, Answer, Request, member

LONGEST_COMMENT = 30_000
"""Characters [Sentinel's service limits]."""

MOST_COMMENTS = 100
_WHEN = "2026-11-01T08:00:00.0000000Z"


class Incidents:
    """All incidents. Whoever uses it holds the store's lock."""

    def __init__(self) -> None:
        self._incidents: dict[str, Resource] = {}
        self._comments: dict[str, dict[str, Resource]] = {}

    def add(self, workspace_id: str, name: str, properties: dict[str, Any]) -> str:
        """Seed an incident under its GUID; return its id. ``properties`` as the API's, with title and severity at least."""
        incident_id = f"{workspace_id}/providers/Microsoft.SecurityInsights/Incidents/{name}"
        self._incidents[incident_id.lower()] = {
            "id": incident_id,
            "name": name,
            "etag": f'"{new_guid()}"',
            "type": "Microsoft.SecurityInsights/Incidents",
            "properties": {
                "status": "New",
                "incidentNumber": len(self._incidents) + 1,
                "labels": [],
                "owner": {"objectId": None, "email": None, "assignedTo": None, "userPrincipalName": None},
                "createdTimeUtc": _WHEN,
                "lastModifiedTimeUtc": _WHEN,
                "relatedAnalyticRuleIds": [],
                **properties,
            },
        }
        self._comments[incident_id.lower()] = {}
        return incident_id

    def comments(self, incident_id: str) -> list[str]:
        """The messages on an incident, in the order in which they came."""
        return [one["properties"]["message"] for one in self._comments[incident_id.lower()].values()]

    def answer(self, address: Address, request: Request, caller: Caller) -> Answer:
        """Answer a request for this namespace.

        Raises
        ------
        ArmError
        """
        kind = "/".join(address.types).lower()
        if kind == "incidents":
            return self._incident(address, request)
        if kind == "incidents/comments":
            return self._comment(address, request, caller)
        raise unknown_type(address.namespace, address.types)

    def _incident(self, address: Address, request: Request) -> Answer:
        if request.method != "GET":
            raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served here for {address.type}.")
        if address.is_list:
            below = f"{address.scope}/".lower()
            return Answer(200, {"value": [self._shown(key) for key in self._incidents if key.startswith(below)]})
        return Answer(200, self._shown(self._key(address)))

    def _comment(self, address: Address, request: Request, caller: Caller) -> Answer:
        key = self._key(address)
        comments = self._comments[key]
        if address.is_list:
            return Answer(200, {"value": list(comments.values())})
        name = address.names[1].lower()
        if request.method == "PUT":
            return self._put(key, address.names[1], request, caller)
        if request.method == "DELETE":
            return Answer(200 if comments.pop(name, None) else 204, EMPTY)
        if name not in comments:
            raise ArmError(404, "NotFound", f"Comment '{address.names[1]}' was not found.")
        return Answer(200, comments[name])

    def _put(self, key: str, name: str, request: Request, caller: Caller) -> Answer:
        """Idempotent by name: the same name again replaces the message and keeps the time of its making."""
        message = member(request.object(), "properties").get("message")
        if not isinstance(message, str) or not 0 < len(message) <= LONGEST_COMMENT:
            raise ArmError(400, "BadRequest", f"A comment's message has 1 to {LONGEST_COMMENT} characters.")
        comments = self._comments[key]
        before = comments.get(name.lower())
        if before is None and len(comments) >= MOST_COMMENTS:
            raise ArmError(400, "BadRequest", f"An incident takes at most {MOST_COMMENTS} comments.")
        sent_etag = request.headers.get("if-match")
        if before and sent_etag not in (None, "*", before["etag"]):
            raise ArmError(409, "Conflict", "Newer instance of the comment exists for data connector.")
        comments[name.lower()] = {
            "id": f"{self._incidents[key]['id']}/Comments/{name}",
            "name": name,
            "etag": f'"{new_guid()}"',
            "type": "Microsoft.SecurityInsights/Incidents/Comments",
            "properties": {
                "message": message,
                "createdTimeUtc": before["properties"]["createdTimeUtc"] if before else _WHEN,
                "lastModifiedTimeUtc": _WHEN,
                "author": {"objectId": caller.object_id, "email": None, "name": caller.client_id, "userPrincipalName": None},
            },
        }
        return Answer(200 if before else 201, comments[name.lower()])

    def _key(self, address: Address) -> str:
        key = f"{address.scope}/providers/Microsoft.SecurityInsights/Incidents/{address.names[0]}".lower()
        if key not in self._incidents:
            raise ArmError(404, "NotFound", f"Incident '{address.names[0]}' was not found.")
        return key

    def _shown(self, key: str) -> Resource:
        shown = copy.deepcopy(self._incidents[key])
        alerts = shown["properties"].get("alerts") or []
        shown["properties"]["additionalData"] = {
            "alertsCount": len(alerts),
            "bookmarksCount": 0,
            "commentsCount": len(self._comments[key]),
            "alertProductNames": sorted({one["properties"].get("productName", "Azure Sentinel") for one in alerts}),
            "tactics": shown["properties"].get("tactics", []),
        }
        return shown
