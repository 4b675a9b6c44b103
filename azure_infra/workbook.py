"""The workbook: detections, actions, latencies and false alarms, in Sentinel, from ``Breakwater_CL`` and the incidents."""

from __future__ import annotations

import json
from dataclasses import dataclass

from azure_infra.arm import Json
from azure_infra.names import TABLE

#: Every incident of ours begins so: the analytics rule's title does.
TITLE = "Breakwater"


@dataclass(frozen=True, slots=True)
class Chart:
    """One query of the workbook."""

    title: str
    query: str
    look: str = "table"
    width: str = "50"


_VERDICTS = f'{TABLE} | where Kind == "verdict"'
_ACTIONS = f'{TABLE} | where Kind == "action"'
_CLOSED = f"""SecurityIncident
| where Title startswith "{TITLE}"
| summarize arg_max(TimeGenerated, *) by IncidentNumber
| where Status == 'Closed'"""

DETECTIONS = (
    Chart(
        "Verdicts",
        f"""{_VERDICTS}
| summarize Verdicts = dcount(VerdictId) by Detector, bin(TimeGenerated, {{Range:grain}})""",
        "timechart",
    ),
    Chart(
        "Techniques",
        f"""{_VERDICTS}
| summarize Verdicts = dcount(VerdictId) by Technique, Detector
| order by Verdicts""",
        "barchart",
    ),
    Chart(
        "The newest",
        f"""{_VERDICTS}
| summarize arg_max(TimeGenerated, *) by VerdictId
| top 50 by TimeGenerated
| project TimeGenerated, VerdictTitle, EntityKind, EntityId, Probability, Threshold, Technique, Detector, CorrelationId""",
        width="100",
    ),
)
DONE = (
    Chart("Steps", f"{_ACTIONS}\n| summarize Steps = count() by Step, Action", "barchart"),
    Chart(
        "In force",
        f"""{_ACTIONS}
| summarize arg_max(TimeGenerated, *) by ContainmentId
| where Step in ("APPLIED", "VERIFIED", "DRIFTED", "UNREACHABLE", "EXPIRY_DUE")
| project TimeGenerated, Action, EntityId, Step, ContainmentId""",
    ),
    Chart(
        "Refused, and why",
        f"""{_ACTIONS}
| where Step in ("REFUSED", "FAILED")
| summarize Times = count() by Action, Step, Reason
| order by Times""",
        width="100",
    ),
)
LATENCIES = (
    Chart(
        "From the last event to the verdict (ms)",
        f"""{_VERDICTS} and isnotnull(DecisionMs)
| summarize p50 = percentile(DecisionMs, 50), p95 = percentile(DecisionMs, 95), p99 = percentile(DecisionMs, 99) by Detector""",
    ),
    Chart(
        "From the last event to the containment (s)",
        f"""let verdicts = {_VERDICTS} | summarize Said = min(TimeGenerated) by VerdictId;
{_ACTIONS} and Step == "APPLIED"
| summarize Done = min(TimeGenerated) by VerdictId
| join kind=inner verdicts on VerdictId
| extend Seconds = (Done - Said) / 1s
| summarize Containments = count(), p50 = percentile(Seconds, 50), p95 = percentile(Seconds, 95)""",
    ),
)
FALSE_ALARMS = (
    Chart(
        "Of the closed incidents",
        f"""{_CLOSED}
| summarize Incidents = count(), Nothing = countif(Classification == "FalsePositive"),
    Harmless = countif(Classification == "BenignPositive")
| extend FalseAlarmRate = round(100.0 * (Nothing + Harmless) / Incidents, 1)""",
    ),
    Chart(
        "Week by week",
        f"""{_CLOSED}
| summarize Incidents = count() by Classification, bin(ClosedTime, 7d)""",
        "timechart",
    ),
)
SECTIONS = {"Detections": DETECTIONS, "Actions": DONE, "Latencies": LATENCIES, "False alarms": FALSE_ALARMS}


def workbook() -> str:
    """The workbook as Azure keeps it: JSON in a text."""
    items: list[Json] = [
        _text("# Breakwater\nWhat was detected, what was done about it, how fast, and how often it was nothing."),
        _range(),
    ]
    for title, charts in SECTIONS.items():
        items.append(_text(f"## {title}"))
        items.extend(_query(chart) for chart in charts)
    return json.dumps({"version": "Notebook/1.0", "items": items, "isLocked": False, "fallbackResourceIds": []})


def _text(markdown: str) -> Json:
    return {"type": 1, "content": {"json": markdown}}


def _range() -> Json:
    spans = [3_600_000, 86_400_000, 604_800_000, 2_592_000_000, 7_776_000_000]
    choice = {
        "version": "KqlParameterItem/1.0",
        "name": "Range",
        "label": "Time",
        "type": 4,
        "isRequired": True,
        "value": {"durationMs": 604_800_000},
        "typeSettings": {"selectableValues": [{"durationMs": span} for span in spans]},
    }
    return {"type": 9, "content": {"version": "KqlParameterItem/1.0", "parameters": [choice], "style": "pills", "queryType": 0}}


def _query(chart: Chart) -> Json:
    return {
        "type": 3,
        "content": {
            "version": "KqlItem/1.0",
            "title": chart.title,
            "query": chart.query,
            "size": 0,
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
            "timeContextFromParameter": "Range",
            "visualization": chart.look,
            "noDataMessage": "Nothing in this time.",
        },
        "customWidth": chart.width,
        "name": chart.title,
    }
