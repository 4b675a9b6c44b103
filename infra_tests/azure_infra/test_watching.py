"""What people see and hear: Sentinel's table, rule, workbook and playbook, and the alerts."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from azure_functions.adapters.sentinel import action_row, verdict_row
from azure_functions.registry import FUNCTIONS
from azure_infra.__main__ import FOLDER
from azure_infra.columns import COLUMNS, RESERVED
from infra_tests.azure_infra.conftest import FLOW_LOGS, MOST, WORKSPACE, deployed, read
from infra_tests.response.world import Site, verdict
from offline.azure.templates.deployment import Deployment
from offline.azure.templates.expressions import Later
from response.actions import Mode
from response.journal import JournalEntry, Step
from shared_model.events import Telemetry


def test_the_table_and_the_stream_that_fills_it_have_the_same_columns(most: dict[str, Deployment]) -> None:
    table = most["workspace"].named("Microsoft.OperationalInsights/workspaces/tables", "/Breakwater_CL")
    (rule,) = most["resource_group"].of("Microsoft.Insights/dataCollectionRules")
    columns = {column["name"]: column["type"].lower() for column in table.properties["schema"]["columns"]}
    assert columns == {
        column["name"]: column["type"] for column in rule.properties["streamDeclarations"]["Custom-Breakwater_CL"]["columns"]
    }
    assert columns == COLUMNS
    assert rule.properties["destinations"]["logAnalytics"][0]["workspaceResourceId"] == WORKSPACE
    assert rule.properties["dataFlows"][0]["outputStream"] == "Custom-Breakwater_CL"


def test_no_column_has_a_name_that_azure_keeps_for_itself() -> None:
    assert not RESERVED & {name.lower() for name in COLUMNS}
    assert all(re.fullmatch(r"[A-Za-z]\w{0,44}", name) for name in COLUMNS)


def test_the_columns_are_those_of_the_rows_that_are_sent() -> None:
    found = verdict("i-1", "v-1", Telemetry.FLOW_LOGS)
    stream = f"block_address#{found.entity.key}"
    entry = JournalEntry(stream, 1, "c", Step.APPLIED, 0, "correlation", found.id, "policy:rule", None, {})
    rows = (verdict_row(found, {}, decision_ms=1.5), action_row(entry, {}))
    assert {name for row in rows for name in row} == set(COLUMNS)


def test_queries_know_the_steps_of_the_journal(most: dict[str, Deployment]) -> None:
    (book,) = most["workspace"].of("Microsoft.Insights/workbooks")
    alerts = [alert.properties["criteria"] for alert in most["resource_group"].of("Microsoft.Insights/scheduledQueryRules")]
    said = set(re.findall(r'"([A-Z_]{4,})"', json.dumps([book.properties, alerts], default=str).replace("\\", "")))
    assert said >= {"APPLIED", "REFUSED", "EXPIRY_DUE"}
    assert said <= {str(step) for step in Step}


def _queues_that_are_watched(deployment: Deployment) -> list[str]:
    """Kinds of the accounts (the two letters in their names) whose queues' messages are logged."""
    settings = deployment.of("Microsoft.Insights/diagnosticSettings")
    logged = [one.id for one in settings if one.properties["logs"] == [{"category": "StorageWrite", "enabled": True}]]
    return sorted(re.findall(r"/storageAccounts/breakwate(..)\w*/queueServices/default/providers", " ".join(logged)))


def test_poison_is_seen_wherever_the_host_puts_it(most: dict[str, Deployment]) -> None:
    assert _queues_that_are_watched(most["resource_group"]) == ["fl", "st"]
    theirs = deployed("resource_group", **MOST["resource_group"], flowLogAccountId=FLOW_LOGS)
    assert _queues_that_are_watched(theirs) == ["st"]


@pytest.mark.parametrize(
    ("mode", "policy", "population"),
    [
        ("enforce", {"containments_per_hour": 0}, 3),
        ("approve", {"containments_per_hour": 0}, 3),
        ("enforce", {"percent_at_once": 1}, 3),
        ("enforce", {"percent_at_once": 1}, 0),
    ],
)
def test_the_budgets_alert_knows_what_came_beyond_it(
    most: dict[str, Deployment], mode: str, policy: dict[str, int], population: int
) -> None:
    (alert,) = [
        one for one in most["resource_group"].of("Microsoft.Insights/scheduledQueryRules") if "budget" in one.content["name"]
    ]
    query = alert.properties["criteria"]["allOf"][0]["query"]
    words = re.findall(r'"([^"]+)"', query.partition("has_any")[2])
    site = Site(mode=Mode(mode))
    site.policy = replace(site.policy, **policy)
    plan, counted = site.action.plan, {"kind": "machines", "population": population}
    site.action.plan = lambda target, verdict: replace(plan(target, verdict), **counted)  # type: ignore[method-assign]
    for machine in ("i-1", "i-2"):
        site.contain(machine)
    last = site.stream("i-2").entries[-1]
    assert f'Step == "{last.step}"' in query
    assert any(word in last.detail["reason"] for word in words)


def test_queries_ask_only_for_columns_that_there_are(most: dict[str, Deployment]) -> None:
    (rule,) = most["workspace"].of("Microsoft.SecurityInsights/alertRules")
    made = {"Address", "Principal", "Machine", "Severity"}
    for mapping in rule.properties["entityMappings"]:
        assert {field["columnName"] for field in mapping["fieldMappings"]} <= made
    assert set(rule.properties["customDetails"].values()) <= COLUMNS.keys()
    told = re.findall(r"\{\{(\w+)\}\}", json.dumps(rule.properties["alertDetailsOverride"]))
    assert told
    assert set(told) <= COLUMNS.keys()
    (book,) = most["workspace"].of("Microsoft.Insights/workbooks")
    queries = [item["content"]["query"] for item in json.loads(book.properties["serializedData"])["items"] if item["type"] == 3]
    assert len(queries) == 10
    ours = {
        "Verdicts",
        "Steps",
        "Times",
        "Incidents",
        "Nothing",
        "Harmless",
        "FalseAlarmRate",
        "Said",
        "Done",
        "Seconds",
        "Containments",
    }
    sentinels = {
        "SecurityIncident",
        "IncidentNumber",
        "Title",
        "Status",
        "Closed",
        "Classification",
        "ClosedTime",
        "FalsePositive",
        "BenignPositive",
    }
    for query in queries:
        plain = re.sub(r'"[^"]*"|\'[^\']*\'|\{\w+:\w+\}', "", query)
        words = set(re.findall(r"\b[A-Z]\w+\b", plain))
        assert words <= COLUMNS.keys() | ours | sentinels | {"Breakwater_CL"}, words


def test_an_incident_of_our_own_does_not_call_ourselves(most: dict[str, Deployment]) -> None:
    (rule,) = most["workspace"].of("Microsoft.SecurityInsights/alertRules")
    (playbook,) = most["workspace"].of("Microsoft.Logic/workflows")
    (right,) = [
        one
        for one in most["workspace"].of("Microsoft.Authorization/roleAssignments")
        if "Automation" in one.properties["description"]
    ]
    automations = most["workspace"].of("Microsoft.SecurityInsights/automationRules")
    assert len({one.id for one in automations}) == len(automations) == 2
    for automation in automations:
        condition, *_ = automation.properties["triggeringLogic"]["conditions"]
        assert condition["conditionProperties"] == {
            "propertyName": "IncidentRelatedAnalyticRuleIds",
            "operator": "NotContains",
            "propertyValues": [rule.id],
        }
        assert automation.properties["actions"][0]["actionConfiguration"]["logicAppResourceId"] == playbook.id
        assert right.id in automation.after


def test_a_right_that_sentinel_has_already_is_not_assigned_again() -> None:
    given = {**MOST["workspace"], "sentinelMayRun": True}
    assigned = deployed("workspace", **given).of("Microsoft.Authorization/roleAssignments")
    assert [one.properties["description"] for one in assigned] == ["Breakwater: Microsoft Sentinel Reader."]
    assert len(deployed("workspace", **given).of("Microsoft.SecurityInsights/automationRules")) == 2


def test_a_playbook_that_is_made_anew_does_not_take_over_the_right_of_the_one_before() -> None:
    (made,) = [one for one in read("workspace")["resources"] if one["type"] == "Microsoft.Resources/deployments"]
    (assignment,) = made["properties"]["template"]["resources"]
    assert "parameters('principal')" in assignment["name"]
    assert assignment["properties"]["principalId"] == "[parameters('principal')]"


def test_incidents_are_triaged_when_they_are_new_and_when_alerts_are_added(most: dict[str, Deployment]) -> None:
    automations = most["workspace"].of("Microsoft.SecurityInsights/automationRules")
    more = {
        one.properties["triggeringLogic"]["triggersWhen"]: one.properties["triggeringLogic"]["conditions"][1:]
        for one in automations
    }
    added = {"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": "Alerts", "changeType": "Added"}}
    assert more == {"Created": [], "Updated": [added]}


def test_the_playbook_calls_as_itself_and_keeps_no_incident(most: dict[str, Deployment]) -> None:
    (playbook,) = most["workspace"].of("Microsoft.Logic/workflows")
    definition = playbook.properties["definition"]
    call = definition["actions"]["Triage"]["inputs"]
    assert call["uri"] == "https://breakwater-detect-x.azurewebsites.net/api/triage_findings"
    assert call["body"] == "@triggerBody()"
    assert call["authentication"]["type"] == "ManagedServiceIdentity"
    assert call["authentication"]["audience"] == "api://88888888-0000-4000-8000-000000000000"
    (connection,) = most["workspace"].of("Microsoft.Web/connections")
    assert (
        connection.properties["parameterValueType"] == "Alternative"
    )  # by identity: it holds no values, so no account and no secret
    assert set(connection.properties) == {"api", "displayName", "parameterValueType"}
    assert list(playbook.content["identity"]["userAssignedIdentities"]) == [call["authentication"]["identity"]]
    for step in (*definition["triggers"].values(), *definition["actions"].values()):
        assert step["runtimeConfiguration"] == {"secureData": {"properties": ["inputs", "outputs"]}}
    assert most["workspace"].outputs["playbookPrincipalId"] == Later(f"{call['authentication']['identity']}.principalId")


def test_the_way_to_the_function_is_as_the_host_routes_it() -> None:
    host = json.loads((FOLDER.parent / "host.json").read_text())
    assert host["extensions"]["http"]["routePrefix"] == "api"
    assert host["extensions"]["queues"]["messageEncoding"] == "base64"


def test_a_person_hears_of_what_is_lost_failing_or_silent(most: dict[str, Deployment], least: dict[str, Deployment]) -> None:
    room = most["resource_group"]
    alerts = {
        resource.content["name"].removeprefix("breakwater-"): resource.properties
        for resource in room.of("Microsoft.Insights/scheduledQueryRules")
    }
    silent = {"expire-containments-silent", "detect-api-calls-silent", "detect-flows-silent", "detect-system-logs-silent"}
    lost = {"dead-letters", "poison", "journal-touched", "journal-broken", "budget-used-up"}
    lost |= {"detect-failures", "contain-failures", "undo-failures", "page-failures"}
    assert set(alerts) == silent | lost
    for name, alert in alerts.items():
        (criterion,) = alert["criteria"]["allOf"]
        assert (criterion["operator"], criterion["threshold"]) == (("LessThan", 1) if name in silent else ("GreaterThan", 0))
        assert alert["actions"]["actionGroups"][0].endswith("actionGroups/breakwater-notify")
    assert alerts["budget-used-up"]["scopes"] == [WORKSPACE]
    by_default = {resource.content["name"] for resource in least["resource_group"].of("Microsoft.Insights/scheduledQueryRules")}
    assert by_default == {f"breakwater-{name}" for name in lost | {"expire-containments-silent"}}
    (group,) = room.of("Microsoft.Insights/actionGroups")
    assert [receiver["emailAddress"] for receiver in group.properties["emailReceivers"]] == ["soc@example.com"]


def test_every_function_is_watched_for_failures(most: dict[str, Deployment]) -> None:
    queries = [
        alert.properties["criteria"]["allOf"][0]["query"]
        for alert in most["resource_group"].of("Microsoft.Insights/scheduledQueryRules")
        if alert.content["name"].endswith("-failures")
    ]
    watched = re.findall(r'"(\w+)"', " ".join(queries))
    assert sorted(watched) == sorted(spec.name for spec in FUNCTIONS)
