"""The ground that a deployment stands on: what is there already, and what becomes of each of its resources."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from offline.azure.callers import Caller
from offline.azure.resource_manager.store import Resource, Store
from offline.azure.templates.deployment import Deployed
from offline.azure.templates.expressions import Later, Platform
from offline.azure.web import Answer, Request

_GROUPS = "Microsoft.Resources/resourceGroups"
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
#: What a template says of a resource, and its body does not.
_NOT_BODY = ("apiVersion", "name", "type")


class NotMade(Exception):
    """A resource was refused; ``error`` is its answer's, with the resource as its target."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", ""))
        self.error = error


class Ground(Platform):
    """What one deployment meets.

    Parameters
    ----------
    send
        Answers a request as if it had come over the network.
    serve
        Lets resources of a type be kept.
    looking
        Nothing is made: what is not there stays :class:`~offline.azure.templates.expressions.Later`.

    Attributes
    ----------
    made : list of str
        Ids, in order.
    refused : dict of str to dict
        The one that was refused, with its error.
    """

    def __init__(
        self,
        store: Store,
        send: Callable[[Request], Answer],
        serve: Callable[[str], None],
        tenant: str,
        caller: Caller,
        request: Request,
        looking: bool,
    ) -> None:
        self._store, self._send, self._serve, self._request, self._looking = store, send, serve, request, looking
        self.deployer, self.tenant = caller.object_id, tenant
        self.made: list[str] = []
        self.refused: dict[str, dict[str, Any]] = {}

    def location(self, group_id: str) -> str:
        """Region of a resource group; of one that the same deployment is to make it is not known yet."""
        group = self._store.get(group_id)
        return str(group["location"]) if group else str(Later(group_id))

    def read(self, identifier: str) -> Any:
        """A resource as it is answered now."""
        answer = self._ask("GET", identifier, "2025-04-01")
        if answer.status == 200:
            return answer.body
        if self._looking:
            return Later(identifier)
        raise NotMade(_error(answer, identifier))

    def make(self, deployed: Deployed) -> None:
        """Put a resource.

        Raises
        ------
        NotMade
        """
        if self._looking:
            return
        self._serve(deployed.type)
        path, body = _where(deployed), {key: part for key, part in deployed.content.items() if key not in _NOT_BODY}
        if not self._holds(deployed, path):
            answer = self._ask("PUT", path, deployed.content["apiVersion"], body)
            if answer.status not in (200, 201, 202):
                self.refused[path] = _error(answer, path)
                raise NotMade(self.refused[path])
        self.made.append(path)

    def change(self, deployed: Deployed) -> Resource:
        """What would become of a resource, as what-if tells it."""
        path = _where(deployed)
        after = {"id": path, **deployed.content}
        answer = self._ask("GET", path, deployed.content["apiVersion"])
        if answer.status != 200 or not isinstance(answer.body, dict):
            return {"resourceId": path, "changeType": "Create", "after": _plain(after)}
        before = answer.body
        delta = list(_differences("", {key: after[key] for key in after if key not in _NOT_BODY}, before))
        return {
            "resourceId": path,
            "changeType": "Modify" if delta else "NoChange",
            "before": before,
            "after": _plain(after),
            "delta": delta,
        }

    def _holds(self, deployed: Deployed, path: str) -> bool:
        """Whether an assignment is there under its name already: Azure takes it again, and this service would refuse it."""
        if deployed.type != _ASSIGNMENTS:
            return False
        answer = self._ask("GET", path, deployed.content["apiVersion"])
        if answer.status != 200 or not isinstance(answer.body, dict):
            return False
        there, wanted = answer.body["properties"], deployed.properties
        same = str(there["roleDefinitionId"]).rpartition("/")[2] == str(wanted["roleDefinitionId"]).rpartition("/")[2]
        return same and there["principalId"] == wanted["principalId"]

    def _ask(self, method: str, path: str, version: str, body: Any = None) -> Answer:
        headers = {name: self._request.headers[name] for name in ("authorization", "host") if name in self._request.headers}
        content = b"" if body is None else json.dumps(body, default=str).encode()
        return self._send(Request(method, path, {"api-version": version}, headers, content))


def _where(deployed: Deployed) -> str:
    """The path that a resource is put to: a resource group is no resource of a provider."""
    if deployed.type == _GROUPS:
        return deployed.id.replace(f"/providers/{_GROUPS}/", "/resourceGroups/")
    return deployed.id


def _error(answer: Answer, path: str) -> dict[str, Any]:
    body = answer.body if isinstance(answer.body, dict) else {}
    return {"target": path, **body.get("error", {"code": str(answer.status), "message": ""})}


def _plain(content: Any) -> Any:
    return json.loads(json.dumps(content, default=str))


def _differences(path: str, wanted: Any, there: Any) -> Iterator[Resource]:
    """Where what a template says differs from what is there; what it does not say is left as it is."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        for key, part in wanted.items():
            yield from _differences(f"{path}.{key}".strip("."), part, there.get(key))
    elif isinstance(wanted, Later) or wanted == there or (isinstance(wanted, str) and str(there).lower() == wanted.lower()):
        return
    else:
        kind = "Create" if there is None else "Modify"
        yield {"path": path, "propertyChangeType": kind, "before": there, "after": _plain(wanted), "children": None}
