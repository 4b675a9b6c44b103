"""What Microsoft publishes about five types whose schema is not among the collected ones: restated, and closed to all else.

Looked up in November 2026: ``schemas/<version>/<provider>.json`` of Azure/azure-resource-manager-schemas; the one type that has
none there (``microsoft.aadiam``) as public templates deploy it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft4Validator

from offline.azure.templates.expressions import Later


def _one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def _object(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_TEXT, _YES_NO, _ID = {"type": "string"}, {"type": "boolean"}, {"type": "string", "pattern": "^/"}
_NETWORK = _one_of("Enabled", "Disabled")

#: Of each type its version, what stands beside name and properties (``True``: needed), and the properties.
RESTATED: dict[str, tuple[str, dict[str, bool], dict[str, Any]]] = {
    "Microsoft.Insights/components": (
        "2020-02-02",
        {"kind": True, "location": True, "tags": False},
        _object(
            ("Application_Type", "WorkspaceResourceId"),  # the second is required "with this API version", in the text only
            Application_Type=_one_of("web", "other"),
            DisableIpMasking=_YES_NO,
            DisableLocalAuth=_YES_NO,
            IngestionMode=_one_of("ApplicationInsights", "ApplicationInsightsWithDiagnosticSettings", "LogAnalytics"),
            RetentionInDays={"type": "integer"},
            SamplingPercentage={"type": "integer"},
            WorkspaceResourceId=_ID,
            publicNetworkAccessForIngestion=_NETWORK,
            publicNetworkAccessForQuery=_NETWORK,
        ),
    ),
    "Microsoft.Insights/workbooks": (
        "2023-06-01",
        {"location": True, "kind": False, "tags": False},
        _object(
            ("category", "displayName", "serializedData"),
            category=_TEXT,
            description=_TEXT,
            displayName=_TEXT,
            serializedData=_TEXT,
            sourceId=_ID,
            version=_one_of("Notebook/1.0"),  # "should match the workbook in serializedData"
        ),
    ),
    "Microsoft.Authorization/locks": (
        "2020-05-01",
        {},
        _object(
            ("level",), level=_one_of("NotSpecified", "CanNotDelete", "ReadOnly"), notes={"type": "string", "maxLength": 512}
        ),
    ),
    "Microsoft.Web/connections": (
        "2016-06-01",
        # `kind` and `parameterValueType` are not in the schema, which is open: a connection that signs in as a managed identity
        # has them ("Authenticate access with managed identities in Azure Logic Apps").
        {"location": False, "tags": False, "kind": False},
        _object(
            ("api",),
            displayName=_TEXT,
            customParameterValues={"type": "object"},
            parameterValues={"type": "object"},
            parameterValueType=_one_of("Alternative"),
            api=_object(("id",), id=_ID),
        ),
    ),
    "microsoft.aadiam/diagnosticSettings": (
        "2017-04-01",
        {},
        _object(
            ("logs",),
            storageAccountId=_ID,
            workspaceId=_ID,
            eventHubAuthorizationRuleId=_ID,
            eventHubName=_TEXT,
            logs={"type": "array", "minItems": 1, "items": _object(("category", "enabled"), category=_TEXT, enabled=_YES_NO)},
        ),
    ),
}


def problems(resource: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a resource of one of these types, whose expressions are evaluated."""
    version, beside, properties = RESTATED[resource["type"]]
    if resource["apiVersion"] != version:
        yield f"version {resource['apiVersion']} was not looked up, {version} was"
    given = resource.keys() - {"type", "apiVersion", "name", "properties"}
    yield from (f"{name} is not known" for name in sorted(given - beside.keys()))
    yield from (f"{name} is needed" for name, needed in beside.items() if needed and name not in given)
    known = {name: "/later" if isinstance(part, Later) else part for name, part in resource["properties"].items()}
    yield from (
        f"{'/'.join(map(str, error.path))}: {error.message}"[:300] for error in Draft4Validator(properties).iter_errors(known)
    )
