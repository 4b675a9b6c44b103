"""Deployments of templates (``Microsoft.Resources/deployments``) at a resource group, the subscription or the tenant.

A template is evaluated as in the tests (:mod:`offline.azure.templates`); each resource is then put by a request of its own, with
the caller's token, so that it is refused, kept and recorded like any other. The first refusal ends a deployment.
Shapes: https://learn.microsoft.com/rest/api/resources/deployments (2025-04-01).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from offline.azure.callers import Caller
from offline.azure.endpoint import base_url
from offline.azure.faults import Faults
from offline.azure.resource_manager.addresses import Address
from offline.azure.resource_manager.errors import ArmError, bad_request
from offline.azure.resource_manager.ground import Ground, NotMade
from offline.azure.resource_manager.operations import Operations
from offline.azure.resource_manager.store import Resource, new_guid
from offline.azure.templates.deployment import DEPLOYMENTS, Deployment, ParameterRefused, carry_out
from offline.azure.templates.expressions import ExpressionInvalid, Scope
from offline.azure.web import Answer, Request, member

_FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)
_SHORT = (
    "A nested deployment got short-circuited and all its resources got skipped from validation. This is due to a nested template "
    "having a parameter that was not fully evaluated (e.g. contains a reference() function)."
)


class Deployments:
    """Answers for deployments. Whoever uses it holds the store's lock.

    Parameters
    ----------
    ground
        Makes the ground of one deployment: who asks, and by which request; whether it only looks.
    """

    def __init__(
        self, operations: Operations, faults: Faults, retry_after_s: float, ground: Callable[[Caller, Request, bool], Ground]
    ) -> None:
        self._operations, self._faults, self._ground = operations, faults, ground
        self._retry_after = str(int(retry_after_s))
        self._kept: dict[str, Resource] = {}
        self._steps: dict[str, list[Resource]] = {}

    def answer(self, address: Address, request: Request, caller: Caller) -> Answer:
        """Answer a request.

        Raises
        ------
        ArmError
        """
        key = f"{address.scope}/providers/{DEPLOYMENTS}/{address.names[0] if address.names else ''}".lower()
        match "/".join(address.types[1:]).lower(), request.method:
            case "", "GET" if address.is_list:
                return Answer(200, {"value": [one for at, one in self._kept.items() if at.rpartition("/")[0] + "/" == key]})
            case "", "PUT":
                return self._put(key, address, request, caller)
            case "", "POST" if address.action == "validate":
                return self._validate(address, request, caller)
            case "", "POST" if address.action == "whatIf":
                return self._what_if(address, request, caller)
        found = self._kept.get(key)
        if found is None:
            raise ArmError(404, "DeploymentNotFound", f"Deployment '{(address.names or ('',))[0]}' could not be found.")
        match "/".join(address.types[1:]).lower(), request.method:
            case "", "GET":
                return Answer(200, found)
            case "operations", "GET":
                return Answer(200, {"value": self._steps[key]})
            case "operationstatuses", "GET":
                return self._status(address, found)
        raise ArmError(405, "HttpMethodNotAllowed", f"{request.method} is not served here for {address.type}.")

    def _put(self, key: str, address: Address, request: Request, caller: Caller) -> Answer:
        self._evaluated(address, request, self._ground(caller, request, True))
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
        properties = {"provisioningState": "Running", "correlationId": new_guid(), "timestamp": now, "mode": "Incremental"}
        made: Resource = {"id": address.path, "name": address.names[0], "type": DEPLOYMENTS, "properties": properties}
        sent = _content(request)
        made |= {part: sent[part] for part in ("location", "tags") if sent.get(part)}
        properties["templateHash"] = template_hash(member(member(sent, "properties"), "template"))
        before = self._kept.get(key)
        self._kept[key], self._steps[key] = made, []
        ground = self._ground(caller, request, False)
        operation = self._operations.begin(
            "",
            self._faults.course(request.path),
            lambda: self._run(made, self._steps[key], address, request, ground),
            lambda: properties.update(provisioningState="Failed", error={"code": "DeploymentFailed", "message": _FAILED}),
        )
        status = f"{base_url(request)}{address.path}/operationStatuses/{operation.id}?api-version={request.query['api-version']}"
        headers = {"Azure-AsyncOperation": status, "Retry-After": self._retry_after}
        return Answer(200 if before else 201, {**made, "properties": dict(properties)}, headers)

    def _run(self, made: Resource, steps: list[Resource], address: Address, request: Request, ground: Ground) -> None:
        """Deploy; what is refused is told in the deployment itself."""
        properties, got = made["properties"], Deployment()
        try:
            self._evaluated(address, request, ground, got)
        except NotMade as refused:
            properties["provisioningState"] = "Failed"
            properties["error"] = {
                "code": "DeploymentFailed",
                "target": made["id"],
                "message": _FAILED,
                "details": [refused.error],
            }
        except ArmError as refused:
            properties |= {"provisioningState": "Failed", "error": _error_of(refused)}
        else:
            outputs = {name: {"type": _kind(content), "value": content} for name, content in got.outputs.items()}
            properties |= {"provisioningState": "Succeeded", "outputs": outputs}
        properties["outputResources"] = [{"id": one} for one in ground.made]
        steps += [_step(made["id"], one, ground.refused.get(one)) for one in (*ground.made, *ground.refused)]

    def _validate(self, address: Address, request: Request, caller: Caller) -> Answer:
        got = self._evaluated(address, request, self._ground(caller, request, True))
        properties = {"provisioningState": "Succeeded", "validatedResources": [{"id": one.id} for one in got.resources]}
        return Answer(200, {"id": address.path, "name": address.names[0], "type": DEPLOYMENTS, "properties": properties})

    def _what_if(self, address: Address, request: Request, caller: Caller) -> Answer:
        ground = self._ground(caller, request, True)
        got = self._evaluated(address, request, ground)
        hidden = {one.id for nested in got.nested.values() if nested.referring for one in nested.resources}
        changes = [ground.change(one) for one in got.resources if one.id not in hidden]
        told = [
            {"level": "Warning", "code": "NestedDeploymentShortCircuited", "message": _SHORT, "target": identifier}
            for identifier, nested in got.nested.items()
            if nested.referring
        ]
        return Answer(200, {"status": "Succeeded", "properties": {"changes": changes, "diagnostics": told}})

    def _status(self, address: Address, found: Resource) -> Answer:
        operation = self._operations.look(address.names[1])
        if operation is None:
            raise ArmError(404, "OperationNotFound", f"Operation {address.names[1]} not found.")
        properties = found["properties"]
        if not operation.ended:
            return Answer(200, {"status": "Running"}, {"Retry-After": self._retry_after})
        error = {"error": properties["error"]} if "error" in properties else {}
        return Answer(200, {"status": properties["provisioningState"], **error})

    def _evaluated(self, address: Address, request: Request, ground: Ground, got: Deployment | None = None) -> Deployment:
        sent = _content(request)
        properties = member(sent, "properties")
        template, given = member(properties, "template"), member(properties, "parameters")
        if properties.get("mode") != "Incremental":
            raise bad_request("InvalidRequestContent", "Only the mode Incremental is served here.")
        if missing := {"$schema", "parameters", "resources"} - template.keys():
            raise _invalid(f"The template has no {', '.join(sorted(missing))}.")
        scope = Scope(
            address.subscription,
            address.group,
            name=address.names[0],
            location=sent.get("location") or "",
            platform=ground,
        )
        if not address.group and not scope.location:
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        try:
            return carry_out(template, scope, {name: one["value"] for name, one in given.items()}, got)
        except (ParameterRefused, ExpressionInvalid) as problem:
            raise _invalid(str(problem)) from problem
        except (AttributeError, LookupError, TypeError, ValueError) as problem:
            raise _invalid(f"{type(problem).__name__} {problem}") from problem


def template_hash(template: dict[str, Any]) -> str:
    """A number that stays the same as long as a template does."""
    return str(int.from_bytes(sha256(json.dumps(template, sort_keys=True).encode()).digest()[:8]))


def _content(request: Request) -> dict[str, Any]:
    """The body; Azure CLI splices the template's file into it as it is, under a name that it does not quote."""
    return replace(request, body=re.sub(rb", template:(?=\s*\{)", b', "template":', request.body, count=1)).object()


def _invalid(problem: str) -> ArmError:
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{problem}'.")


def _error_of(refused: ArmError) -> dict[str, Any]:
    return {"code": refused.code, "message": refused.message}


def _kind(content: Any) -> str:
    for kind, name in ((bool, "Bool"), (int, "Int"), (list, "Array"), (dict, "Object")):
        if isinstance(content, kind):
            return name
    return "String"


def _step(deployment: str, resource_id: str, refused: dict[str, Any] | None) -> Resource:
    """One operation of a deployment, as ``az deployment operation … list`` shows it."""
    number = new_guid()
    target = {"id": resource_id, "resourceName": resource_id.rpartition("/")[2]}
    properties: dict[str, Any] = {"provisioningOperation": "Create", "targetResource": target}
    if refused:
        properties |= {"provisioningState": "Failed", "statusMessage": {"status": "Failed", "error": refused}}
    else:
        properties |= {"provisioningState": "Succeeded", "statusCode": "OK"}
    return {"id": f"{deployment}/operations/{number}", "operationId": number, "properties": properties}
