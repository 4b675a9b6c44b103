"""What the parts of the local Microsoft Graph have in common: objects of the directory, how they are shown, and refusals."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from offline.azure.endpoint import Refusal
from offline.azure.web import Answer, Request

CONTEXT = "https://graph.microsoft.com/v1.0/$metadata"
#: The part of a path that names an object.
ID = r"([^/()]+)"

DirectoryObject = dict[str, Any]


class GraphError(Refusal):
    """A request that Graph refuses: its error body carries what its support asks for."""

    def answer(self) -> Answer:
        inner = {"date": "2026-11-01T08:00:00", "request-id": str(uuid4())}
        return Answer(self.status, {"error": {"code": self.code, "message": self.message, "innerError": inner}}, self.headers)


def not_found(key: str) -> GraphError:
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{key}' does not exist or one of its queried reference-property objects are not present.",
    )


def selected(found: DirectoryObject, request: Request, default: tuple[str, ...], collection: str) -> DirectoryObject:
    """An object as it is answered: with what ``$select`` names, else with the default, else whole.

    Raises
    ------
    GraphError
    """
    names = tuple(filter(None, request.query.get("$select", "").split(","))) or default or tuple(found)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise GraphError(
            400, "BadRequest", f"Could not find a property named '{unknown[0]}' on type '{found['@odata.type'][1:]}'."
        )
    context = f"{CONTEXT}#{collection}/$entity"
    return {"@odata.context": context, **{name: found[name] for name in names if name != "@odata.type"}}
