"""What watches over Breakwater: alerts that a person hears of. Something was lost, is failing, or nothing comes at all."""

from __future__ import annotations

from dataclasses import dataclass

from azure_functions.registry import FUNCTIONS, JOURNAL
from azure_infra import names
from azure_infra.arm import Json, Ref, Template, resource, value
from azure_infra.events import TOPIC
from azure_infra.names import APPS, App


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert on a query.

    Attributes
    ----------
    name, description, query : str
    severity : int
        0 (critical) to 4 (verbose).
    window : str
        ISO 8601 duration that the query looks back over; it is asked that often too, but not more than every 5 minutes.
    silence : bool
        Too few rows is what is wrong, not too many.
    sentinel : bool
        Ask Sentinel's workspace instead of our own.
    when : str
        Expression of the condition under which the alert is made.
    """

    name: str
    description: str
    query: str
    severity: int = 2
    window: str = "PT15M"
    silence: bool = False
    sentinel: bool = False
    when: str = ""


_WRITES = 'StorageQueueLogs | where OperationName == "PutMessage" and StatusText == "Success"'
#: Telemetry whose arrival must not end, and the parameter that says it was turned on.
_HEARTBEATS = {
    "detect_api_calls": "watchApiCalls",
    "detect_flows": "watchFlows",
    "detect_system_logs": "watchSystemLogs",
}


def alerts() -> tuple[Alert, ...]:
    """Every alert on a query."""
    return (
        Alert(
            "dead-letters",
            "A message can never be handled: it waits among the dead letters with the reason.",
            f'{_WRITES} | where ObjectKey contains "-dead-letters"',
        ),
        Alert(
            "poison",
            "A message failed again and again, and the host gave up: it waits in a poison queue.",
            f'{_WRITES} | where ObjectKey contains "-poison"',
            severity=1,
        ),
        Alert(
            "journal-touched",
            "Somebody deleted from the journal, which no identity of Breakwater may.",
            f'StorageTableLogs | where OperationName startswith "Delete" and ObjectKey has "{JOURNAL}"',
            severity=0,
        ),
        Alert(
            "journal-broken",
            "The journal does not verify: an entry was altered, is missing, or was put in.",
            'AppTraces | where Message has "journal does not verify"',
            severity=0,
        ),
        Alert(
            "budget-used-up",
            "The budget of containments is used up: what comes after waits for a person's word.",
            f'{names.TABLE} | where Step == "PROPOSED" and Reason has_any ("budget", "the most", "more than")',
            severity=1,
            sentinel=True,
        ),
        *(_failures(app) for app in APPS),
        Alert(
            "expire-containments-silent",
            "The timer did not run for an hour: containments do not end, and nothing else may be running either.",
            _calls("expire_containments"),
            severity=1,
            window="PT1H",
            silence=True,
        ),
        *(
            Alert(
                f"{name.replace('_', '-')}-silent",
                f"{name} was not called for an hour: its telemetry stopped. That looks exactly like an estate without intruders.",
                _calls(*(spec.name for spec in FUNCTIONS if spec.module == name)),
                window="PT1H",
                silence=True,
                when=f"parameters('{switch}')",
            )
            for name, switch in _HEARTBEATS.items()
        ),
    )


def add_observability(template: Template) -> None:
    """The people who are told, and the alerts."""
    template.take("notifyEmails", "array", "Mail addresses that are told of alerts.", defaultValue=[])
    for switch, what in zip(_HEARTBEATS.values(), ("audit records", "flow logs", "system logs"), strict=True):
        template.take(
            switch, "bool", f"Raise an alert when no {what} come for an hour; true once they are delivered.", defaultValue=False
        )
    receivers = (
        "map(parameters('notifyEmails'), lambda('mail', createObject('name', lambdaVariables('mail'), 'emailAddress', "
        "lambdaVariables('mail'), 'useCommonAlertSchema', true())))"
    )
    template.add(
        resource(
            names.ACTION_GROUP,
            names.ACTION_GROUPS,
            {"groupShortName": "Breakwater", "enabled": True, "emailReceivers": value(receivers)},
            location="Global",
            tags=value("variables('tags')"),
        )
    )
    template.add(*(_query_alert(alert) for alert in alerts()), _undelivered())


def _failures(app: App) -> Alert:
    called = ", ".join(f'"{spec.name}"' for spec in app.functions)
    return Alert(
        f"{app.name}-failures",
        f"Functions of the app {app.name} fail. What they were given is not lost, but waits.",
        f"AppRequests | where Success == false and OperationName in ({called})",
    )


def _calls(*functions: str) -> str:
    called = ", ".join(f'"{name}"' for name in functions)
    return f"AppRequests | where OperationName in ({called})"


def _query_alert(alert: Alert) -> Json:
    operator, threshold = ("LessThan", 1) if alert.silence else ("GreaterThan", 0)
    scope = "parameters('workspaceId')" if alert.sentinel else names.LOGS_WORKSPACE.id
    more: Json = {"condition": value(alert.when)} if alert.when else {}
    return resource(
        Ref("Microsoft.Insights/scheduledQueryRules", (names.own(alert.name),)),
        names.QUERY_ALERTS,
        {
            "displayName": value(names.own(alert.name)),
            "description": alert.description,
            "severity": alert.severity,
            "enabled": True,
            "scopes": [value(scope)],
            "evaluationFrequency": "PT15M" if alert.silence else "PT5M",
            "windowSize": alert.window,
            "criteria": {
                "allOf": [
                    {
                        "query": alert.query,
                        "timeAggregation": "Count",
                        "operator": operator,
                        "threshold": threshold,
                        "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
                    }
                ]
            },
            "autoMitigate": alert.silence,
            # Tables of a workspace appear with their first row: a query on one must not be refused before.
            "skipQueryValidation": True,
            "actions": {"actionGroups": [value(names.ACTION_GROUP.id)]},
        },
        after=[names.LOGS_WORKSPACE, names.ACTION_GROUP],
        location=value("parameters('workspaceLocation')" if alert.sentinel else "parameters('location')"),
        tags=value("variables('tags')"),
        kind="LogAlert",
        **more,
    )


def _undelivered() -> Json:
    """Flow logs that Event Grid could not announce."""
    criterion = {
        "criterionType": "StaticThresholdCriterion",
        "name": "dead-lettered",
        "metricNamespace": "Microsoft.EventGrid/systemTopics",
        "metricName": "DeadLetteredCount",
        "timeAggregation": "Total",
        "operator": "GreaterThan",
        "threshold": 0,
    }
    return resource(
        Ref("Microsoft.Insights/metricAlerts", (names.own("flow-logs-undelivered"),)),
        names.METRIC_ALERTS,
        {
            "description": "Flow logs were written that the detectors could not be told of.",
            "severity": 2,
            "enabled": True,
            "scopes": [value(TOPIC.id)],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "criteria": {"odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": [criterion]},
            "actions": [{"actionGroupId": value(names.ACTION_GROUP.id)}],
        },
        after=[TOPIC, names.ACTION_GROUP],
        location="global",
        tags=value("variables('tags')"),
    )
