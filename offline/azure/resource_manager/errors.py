"""Azure Resource Manager's refusals, with the codes and words that the SDKs turn into exceptions."""

from __future__ import annotations

from collections.abc import Sequence

from offline.azure.callers import Caller
from offline.azure.endpoint import Link, Refusal


class ArmError(Refusal):
    """A request that Azure Resource Manager refuses."""


def bad_request(code: str, message: str) -> ArmError:
    """400 as the network provider words it, with an empty list of details."""
    return ArmError(400, code, message, details=[])


def not_found(path: str) -> ArmError:
    """404 of a resource: the message names its type and name below the resource group."""
    group, _, rest = path.rpartition("/providers/")
    words = rest.split("/")
    name = "/".join([*words[0:2], *words[2:]])
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{name}' under resource group '{group.rsplit('/', 1)[-1]}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def group_not_found(group: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def reference_not_found(reference: str, resource: str) -> ArmError:
    """400 of a resource that points to one that is not there, or is in another region."""
    message = (
        f"Resource {reference} referenced by resource {resource} was not found. Please make sure that the referenced "
        "resource exists, and that both resources are in the same region."
    )
    return bad_request("InvalidResourceReference", message)


def stale_etag(sent: str, current: str, resource: str) -> ArmError:
    """412 of a write whose If-Match does not name the present state."""
    detail = {
        "code": "PreconditionFailedEtagMismatch",
        "message": f"Etag provided in if-match header {sent} does not match etag {current} of resource {resource}.",
    }
    return ArmError(412, "PreconditionFailed", "Precondition failed.", details=[detail])


def another_operation(status: int, operation_url: str, retry_after_s: float) -> ArmError:
    """409 or 429 of a write that meets another operation on the same resource: the platform answers either."""
    return ArmError(
        status,
        "AnotherOperationInProgress",
        "Another operation on this or dependent resource is in progress. "
        f"To retrieve status of the operation use uri: {operation_url}.",
        details=[],
        headers={"Retry-After": f"{retry_after_s:g}"} if status == 429 else {},
    )


def unknown_type(namespace: str, types: Sequence[str]) -> ArmError:
    """404 of a type that there is not, or that is not served here."""
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{'/'.join(types)}' could not be found in the namespace '{namespace}', or is not served here.",
    )


def scope_locked(path: str, verb: str, scope: str) -> ArmError:
    """409 of a write below a management lock."""
    return ArmError(
        409,
        "ScopeLocked",
        f"The scope '{path}' cannot perform {verb} operation because following scope(s) are locked: '{scope}'. Please remove the "
        "lock and try again.",
    )


def unauthorized(caller: Caller, operation: str, scope: str) -> ArmError:
    """403 of a caller who lacks the operation."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{caller.client_id}' with object id '{caller.object_id}' does not have authorization to perform action "
        f"'{operation}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
    )


def link_unauthorized(caller: Caller, operation: str, scope: str, link: Link) -> ArmError:
    """403 of a caller who may change a resource, but not join it to one that it points to."""
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{caller.client_id}' with object id '{caller.object_id}' has permission to perform action '{operation}' on "
        f"scope '{scope}'; however, it does not have permission to perform action(s) '{link.operation}' on the linked scope(s) "
        f"'{link.scope}' (respectively) or the linked scope(s) are invalid.",
    )
