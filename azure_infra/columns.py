"""Columns of ``Breakwater_CL``, which ``azure_functions/adapters/sentinel.py`` fills: a row for each verdict and action."""

from __future__ import annotations

from azure_infra.arm import Json

#: What no column of a custom table may be called, in any case.
#: https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table
RESERVED = frozenset({"_resourceid", "id", "_subscriptionid", "tenantid", "type", "uniqueid", "title"})
#: Column → type, in the order in which Sentinel shows them.
COLUMNS = {
    "TimeGenerated": "datetime",
    "Kind": "string",
    "CorrelationId": "string",
    "Detector": "string",
    "EntityKind": "string",
    "EntityId": "string",
    "Account": "string",
    "Probability": "real",
    "Threshold": "real",
    "Technique": "string",
    "VerdictTitle": "string",
    "VerdictId": "string",
    "Action": "string",
    "Step": "string",
    "ContainmentId": "string",
    "Reason": "string",
    "Actor": "string",
    "DecisionMs": "real",
    "Ocsf": "dynamic",
}


def table_columns() -> list[Json]:
    """As a table of the workspace declares them."""
    return [{"name": name, "type": "dateTime" if kind == "datetime" else kind} for name, kind in COLUMNS.items()]


def stream_columns() -> list[Json]:
    """As the stream of a data collection rule declares them."""
    return [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
