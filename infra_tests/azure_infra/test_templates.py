"""The templates as such: current, valid, whole, without secrets, and careful by default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from azure_functions.adapters.sentinel import action_row, verdict_row
from azure_functions.registry import CONSUMER_GROUP, CONTAINERS, EVENT_HUBS, FUNCTIONS, QUEUES, TABLES, Trigger
from azure_infra.__main__ import FOLDER, TEMPLATES
from azure_infra.arm import SCHEMA
from azure_infra.columns import COLUMNS
from infra_tests.azure_infra.conftest import FLOW_LOGS, LEAST, MOST, PLAYBOOK, WORKSPACE, WRITER, deployed, read
from infra_tests.azure_infra.deployment import SUBSCRIPTION, Deployment, ParameterRefused, deploy
from infra_tests.azure_infra.expressions import Later, calls, parse
from infra_tests.azure_infra.schemas import BY_DEFINITION, MISTAKEN, WITHOUT_SCHEMA, Schemas, SchemaUnknown
from infra_tests.response.world import verdict
from response.journal import JournalEntry, Step
from shared_model.events import Telemetry
from training.data_root import data_root

NAMES = [file.partition(".")[0] for file in TEMPLATES]
each_template = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    root = data_root()
    if root is None or not (root / "arm_schemas").is_dir():
        pytest.skip("the published schemas of Azure's resource types are not here")
    return Schemas(root / "arm_schemas")


def texts(content: Any) -> Iterator[str]:
    """Every text in a template, keys too."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from texts(part)
    elif isinstance(content, dict):
        for key, part in content.items():
            yield key
            yield from texts(part)


def expressions(template: dict[str, Any]) -> Iterator[Any]:
    """Trees of the expressions of a template, without those of the templates nested in it."""
    own = dict(template, resources=[without_nested(one) for one in template["resources"]])
    for text in texts(own):
        if text.startswith("[") and not text.startswith("[[") and text.endswith("]"):
            yield parse(text[1:-1])


def without_nested(resource: dict[str, Any]) -> dict[str, Any]:
    properties = resource.get("properties", {})
    return {**resource, "properties": {key: part for key, part in properties.items() if key != "template"}}


def nested_templates(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield template
    for resource in template["resources"]:
        if resource["type"] == "Microsoft.Resources/deployments":
            yield from nested_templates(resource["properties"]["template"])


@pytest.mark.parametrize("file", TEMPLATES)
def test_a_template_is_what_the_declarations_say_now(file: str) -> None:
    """Written anew by `python -m azure_infra`."""
    assert (FOLDER / file).read_text(encoding="utf-8") == TEMPLATES[file]().to_text()


@each_template
def test_every_resource_is_as_its_published_schema_wants_it(schemas: Schemas, most: dict[str, Deployment], name: str) -> None:
    checked = 0
    for resource in most[name].resources:
        if resource.type in WITHOUT_SCHEMA:
            continue
        assert list(schemas.problems(resource.content)) == [], resource.id
        checked += 1
    assert checked or name == "tenant"


def test_a_wrong_resource_is_found(schemas: Schemas) -> None:
    account: dict[str, Any] = {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2025-08-01", "name": "state"}
    assert not list(schemas.problems({**account, "kind": "StorageV2", "properties": {"minimumTlsVersion": "TLS1_2"}}))
    assert list(schemas.problems({**account, "kind": "StorageV2", "properties": {"minimumTlsVersion": "TLS9"}}))
    with pytest.raises(SchemaUnknown):
        list(schemas.problems({**account, "apiVersion": "2001-01-01"}))
    with pytest.raises(SchemaUnknown):
        list(schemas.problems({**account, "type": "Microsoft.Storage/cupboards"}))


def test_the_exceptions_from_the_schemas_are_all_needed(schemas: Schemas, most: dict[str, Deployment]) -> None:
    resources = [resource for deployment in most.values() for resource in deployment.resources]
    used = {resource.type for resource in resources} | {"Microsoft.Resources/deployments"}
    assert used >= WITHOUT_SCHEMA.keys() | BY_DEFINITION.keys()
    for kind in WITHOUT_SCHEMA.keys() - {"Microsoft.Resources/deployments"}:
        one = next(resource for resource in resources if resource.type == kind)
        with pytest.raises(SchemaUnknown):
            list(schemas.problems(one.content))
    found = [
        problem
        for resource in resources
        if resource.type not in WITHOUT_SCHEMA
        for problem in schemas.all_problems(resource.content)
    ]
    for begin in MISTAKEN:
        assert any(problem.startswith(begin) for problem in found), begin


@each_template
def test_expressions_name_only_what_the_template_has_and_all_of_it(name: str) -> None:
    for template in nested_templates(read(name)):
        asked: dict[str, set[str]] = {"parameters": set(), "variables": set()}
        for tree in expressions(template):
            for call in calls(tree):
                if call.name in asked:
                    asked[call.name].update(call.arguments)
        assert asked["parameters"] == set(template["parameters"])
        assert asked["variables"] == set(template["variables"])


@each_template
@pytest.mark.parametrize("given", [LEAST, MOST], ids=["least", "most"])
def test_whatever_is_waited_for_or_asked_is_there_before(name: str, given: dict[str, dict[str, Any]]) -> None:
    deployment = deployed(name, **given[name])
    for resource in deployment.resources:
        assert resource.after <= deployment.declared, resource.id
        assert resource.asks & deployment.declared <= deployment.made_before(resource.id), resource.id


@each_template
def test_no_two_resources_are_one(most: dict[str, Deployment], name: str) -> None:
    ids = [resource.id.lower() for resource in most[name].resources]
    assert len(ids) == len(set(ids))


@each_template
def test_loops_have_names_of_their_own(name: str) -> None:
    loops = [resource["copy"]["name"] for resource in read(name)["resources"] if "copy" in resource]
    assert len(loops) == len(set(loops))


def test_roles_of_two_deployments_in_one_tenant_have_different_names() -> None:
    """Azure wants a custom role's name to be the only one in its tenant."""
    twins = [deploy(read("resource_group"), SUBSCRIPTION, group, **LEAST["resource_group"]) for group in ("one", "two")]
    twins += [deploy(read("subscription"), subscription, "", **LEAST["subscription"]) for subscription in (SUBSCRIPTION, "other")]
    titles = [one.properties["roleName"] for twin in twins for one in twin.of("Microsoft.Authorization/roleDefinitions")]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("prefix", ["bw", "breakwater", "a-long-prefix-it"])
def test_names_fit_into_what_azure_takes(prefix: str) -> None:
    deployment = deployed("resource_group", **LEAST["resource_group"], name=prefix)
    for kind, pattern in (
        ("Microsoft.Storage/storageAccounts", r"[a-z0-9]{3,24}"),
        ("Microsoft.Web/sites", r"[a-z0-9][a-z0-9-]{0,58}[a-z0-9]"),
        ("Microsoft.EventHub/namespaces", r"[a-z][a-z0-9-]{4,48}[a-z0-9]"),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", r"[a-z0-9][a-z0-9_-]{2,127}"),
        ("Microsoft.Insights/actionGroups", r".{1,260}"),
    ):
        found = [resource.content["name"] for resource in deployment.of(kind)]
        assert found
        assert all(re.fullmatch(pattern, one) for one in found), found


@each_template
def test_every_parameter_says_what_it_is_for(name: str) -> None:
    for template in nested_templates(read(name)):
        assert template["metadata"]["description"].startswith(("Touches", "Turns", "Lets", "Streams"))
        for parameter, rules in template["parameters"].items():
            assert rules["metadata"]["description"].endswith("."), parameter


@each_template
def test_a_template_is_for_the_scope_that_it_names(name: str) -> None:
    scopes = {"subscription": "subscription", "tenant": "tenant"}
    assert read(name)["$schema"] == SCHEMA[scopes.get(name, "resourceGroup")]


@each_template
def test_there_is_no_secret_and_nothing_asks_for_one(name: str) -> None:
    """The one secure parameter is the web hook's address; it has no default and goes nowhere but to Event Grid."""
    template = read(name)
    everything = "\n".join(texts(template))
    assert not re.search(
        r"listKeys|listAccountSas|listSecrets|AccountKey|SharedAccessKey|clientSecret|password", everything, re.IGNORECASE
    )
    secure = {key: rules for key, rules in template["parameters"].items() if rules["type"].lower().startswith("secure")}
    assert set(secure) == ({"webhook"} if name == "flow_log_events" else set())
    assert all("defaultValue" not in rules for rules in secure.values())
    assert not any("webhook" in text for output in template["outputs"].values() for text in texts(output))


def test_a_parameter_out_of_its_bounds_is_refused() -> None:
    for wrong in ({"name": "x"}, {"rawDays": 0}, {"storageRedundancy": "Standard_Cheap"}, {"armed": True}, {"location": 7}):
        with pytest.raises(ParameterRefused):
            deployed("resource_group", **LEAST["resource_group"], **wrong)
    with pytest.raises(ParameterRefused):
        deployed("resource_group")


def test_by_default_nothing_of_the_customers_is_changed(least: dict[str, Deployment]) -> None:
    """Custom roles, and the right to read: no diagnostic setting, no flow log, no export, no right to change."""
    subscription = least["subscription"]
    assert {resource.type for resource in subscription.resources} == {
        "Microsoft.Authorization/roleDefinitions",
        "Microsoft.Authorization/roleAssignments",
    }
    roles = {
        resource.id.rpartition("/")[2]: resource.properties
        for resource in subscription.of("Microsoft.Authorization/roleDefinitions")
    }
    for assignment in subscription.of("Microsoft.Authorization/roleAssignments"):
        operations = roles[assignment.properties["roleDefinitionId"].rpartition("/")[2]]["permissions"][0]["actions"]
        assert all(one.endswith("/read") or one.endswith("/effectiveNetworkSecurityGroups/action") for one in operations)
    for name in ("resource_group", "workspace"):
        group = "/resourceGroups/soc/" if name == "workspace" else "/resourceGroups/breakwater/"
        assert all(group in resource.id for resource in least[name].resources)
    assert not least["workspace"].of("Microsoft.SecurityInsights/automationRules")


def test_what_is_named_in_the_registry_is_there_and_nothing_else(most: dict[str, Deployment]) -> None:
    room = most["resource_group"]

    def last(kind: str, of: str = "") -> set[str]:
        return {resource.id.rpartition("/")[2] for resource in room.of(kind) if of in resource.id}

    poison = {f"{spec.source}-poison" for spec in FUNCTIONS if spec.trigger is Trigger.QUEUE}
    account = "storageAccounts/breakwatest"
    assert last("Microsoft.Storage/storageAccounts/tableServices/tables") == set(TABLES)
    assert last("Microsoft.Storage/storageAccounts/queueServices/queues") == set(QUEUES) | poison
    assert last("Microsoft.Storage/storageAccounts/blobServices/containers", account) == {*CONTAINERS, "undelivered-events"}
    assert last("Microsoft.EventHub/namespaces/eventhubs") == set(EVENT_HUBS)
    groups = [resource.id.rpartition("/")[2] for resource in room.of("Microsoft.EventHub/namespaces/eventhubs/consumergroups")]
    assert groups == [CONSUMER_GROUP] * len(EVENT_HUBS)


def test_storage_lets_in_nobody_without_entra_and_nobody_from_elsewhere(most: dict[str, Deployment]) -> None:
    accounts = most["resource_group"].of("Microsoft.Storage/storageAccounts")
    assert len(accounts) == 5
    for account in accounts:
        properties = account.properties
        assert (
            properties["allowSharedKeyAccess"] is properties["allowBlobPublicAccess"] is properties["isLocalUserEnabled"] is False
        )
        assert properties["minimumTlsVersion"] in ("TLS1_2", "TLS1_3")
        assert properties["supportsHttpsTrafficOnly"] is True
        rules = properties["networkAcls"]
        assert rules["defaultAction"] == "Deny"
        assert [rule["id"].rpartition("/")[2] for rule in rules["virtualNetworkRules"]] == ["functions"]
        assert rules["ipRules"] == [{"value": "203.0.113.7", "action": "Allow"}]
    hierarchical = [account.content["name"] for account in accounts if account.properties.get("isHnsEnabled")]
    assert [name[:11] for name in hierarchical] == ["breakwatest"]


def test_private_endpoints_close_the_accounts_altogether() -> None:
    room = deployed("resource_group", **LEAST["resource_group"], storageAccess="PrivateEndpointsOnly")
    assert {account.properties["publicNetworkAccess"] for account in room.of("Microsoft.Storage/storageAccounts")} == {"Disabled"}


def test_the_journals_account_is_locked_unless_one_says_otherwise(least: dict[str, Deployment]) -> None:
    (lock,) = least["resource_group"].of("Microsoft.Authorization/locks")
    assert "storageAccounts/breakwatest" in lock.id
    assert lock.properties["level"] == "CanNotDelete"
    assert not deployed("resource_group", **LEAST["resource_group"], lockState=False).of("Microsoft.Authorization/locks")


def test_a_subnet_of_ones_own_and_flow_logs_of_ones_own_are_used_instead_of_made() -> None:
    subnet = "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/functions"
    room = deployed("resource_group", **LEAST["resource_group"], subnetId=subnet, flowLogAccountId=FLOW_LOGS)
    assert not room.of("Microsoft.Network/virtualNetworks")
    assert len(room.of("Microsoft.Storage/storageAccounts")) == 4
    assert {site.properties["virtualNetworkSubnetId"] for site in room.of("Microsoft.Web/sites")} == {subnet}
    (topic,) = room.of("Microsoft.EventGrid/systemTopics")
    assert topic.properties["source"] == room.outputs["flowLogAccountId"] == FLOW_LOGS


def test_the_lake_keeps_what_was_made_and_forgets_what_is_raw(most: dict[str, Deployment]) -> None:
    deleted, cooled = set(), set()
    for policy in most["resource_group"].of("Microsoft.Storage/storageAccounts/managementPolicies"):
        for rule in policy.properties["policy"]["rules"]:
            prefixes = rule["definition"]["filters"]["prefixMatch"]
            (deleted if "delete" in rule["definition"]["actions"]["baseBlob"] else cooled).update(prefixes)
    assert deleted == {"undelivered-events/", "lake/dead-letters/", "insights-logs-"}
    assert cooled == {"lake/ocsf/", "lake/rejected/"}


def test_flow_logs_are_written_by_identity_since_the_account_takes_no_keys(most: dict[str, Deployment]) -> None:
    (flow_log,) = most["subscription"].of("Microsoft.Network/networkWatchers/flowLogs")
    assert flow_log.content["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {WRITER: {}}}
    keys = deployed("subscription", **{**MOST["subscription"], "flowLogIdentityId": ""})
    assert "identity" not in keys.of("Microsoft.Network/networkWatchers/flowLogs")[0].content
    assert most["resource_group"].outputs["flowLogIdentityId"].endswith("/breakwater-flow-log-writer")


def test_event_grid_tells_each_function_of_its_own_container(most: dict[str, Deployment]) -> None:
    told = {}
    for subscription in most["flow_log_events"].of("Microsoft.EventGrid/systemTopics/eventSubscriptions"):
        url = subscription.properties["destination"]["properties"]["endpointUrl"]
        told[re.findall(r"functionName=Host\.Functions\.(\w+)&code=c$", url)[0]] = subscription.properties["filter"][
            "subjectBeginsWith"
        ]
        assert subscription.properties["deadLetterWithResourceIdentity"]["identity"] == {"type": "SystemAssigned"}
    assert told == {
        spec.name: f"/blobServices/default/containers/{spec.source}/" for spec in FUNCTIONS if spec.trigger is Trigger.BLOB
    }


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


def test_the_budgets_alert_knows_its_refusal(most: dict[str, Deployment]) -> None:
    (alert,) = [
        one for one in most["resource_group"].of("Microsoft.Insights/scheduledQueryRules") if "budget" in one.content["name"]
    ]
    (word,) = re.findall(r'Reason has "(\w+)"', alert.properties["criteria"]["allOf"][0]["query"])
    assert f"the {word} of" in (FOLDER.parent / "response" / "settling.py").read_text()


def test_queries_ask_only_for_columns_that_there_are(most: dict[str, Deployment]) -> None:
    (rule,) = most["workspace"].of("Microsoft.SecurityInsights/alertRules")
    made = {"Address", "Principal", "Machine", "Severity"}
    for mapping in rule.properties["entityMappings"]:
        assert {field["columnName"] for field in mapping["fieldMappings"]} <= made
    assert set(rule.properties["customDetails"].values()) <= COLUMNS.keys()
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
    (automation,) = most["workspace"].of("Microsoft.SecurityInsights/automationRules")
    (condition,) = automation.properties["triggeringLogic"]["conditions"]
    assert condition["conditionProperties"] == {
        "propertyName": "IncidentRelatedAnalyticRuleIds",
        "operator": "NotContains",
        "propertyValues": [rule.id],
    }
    (playbook,) = most["workspace"].of("Microsoft.Logic/workflows")
    assert automation.properties["actions"][0]["actionConfiguration"]["logicAppResourceId"] == playbook.id
    (right,) = [
        one
        for one in most["workspace"].of("Microsoft.Authorization/roleAssignments")
        if "Automation" in one.properties["description"]
    ]
    assert right.id in automation.after


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
    lost = {"dead-letters", "poison", "journal-touched", "budget-used-up", "detect-failures", "contain-failures", "undo-failures"}
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


def test_audit_records_of_all_kinds_reach_the_hub(most: dict[str, Deployment]) -> None:
    (entra,) = most["tenant"].of("microsoft.aadiam/diagnosticSettings")
    assert entra.properties["eventHubName"] == "api-calls"
    assert {log["category"] for log in entra.properties["logs"]} == {
        "SignInLogs",
        "NonInteractiveUserSignInLogs",
        "ServicePrincipalSignInLogs",
        "ManagedIdentitySignInLogs",
        "AuditLogs",
    }
    (activity,) = most["subscription"].of("Microsoft.Insights/diagnosticSettings")
    assert activity.properties["eventHubName"] == "api-calls"
    assert {"Administrative", "Security"} <= {log["category"] for log in activity.properties["logs"]}
    (export,) = most["subscription"].of("Microsoft.OperationalInsights/workspaces/dataExports")
    assert export.properties["destination"]["metaData"] == {"eventHubName": "system-logs"}
    (flow_log,) = most["subscription"].of("Microsoft.Network/networkWatchers/flowLogs")
    assert flow_log.properties["storageId"] == FLOW_LOGS


def test_nobody_is_a_caller_by_default(least: dict[str, Deployment], most: dict[str, Deployment]) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"

    def admitted(deployment: Deployment) -> dict[str, list[str]]:
        return {
            config.id.split("/sites/")[1].split("-")[1]: config.properties["identityProviders"]["azureActiveDirectory"][
                "validation"
            ]["defaultAuthorizationPolicy"]["allowedPrincipals"]["identities"]
            for config in deployment.of("Microsoft.Web/sites/config")
        }

    assert admitted(least["resource_group"]) == {"detect": [nobody], "contain": [nobody], "undo": [nobody]}
    assert admitted(most["resource_group"])["detect"][0] == PLAYBOOK
    assert admitted(most["resource_group"])["undo"] == [nobody]
    for config in most["resource_group"].of("Microsoft.Web/sites/config"):
        validation = config.properties["globalValidation"]
        assert (validation["requireAuthentication"], validation["unauthenticatedClientAction"]) == (True, "Return401")
        hooks = ["/runtime/webhooks/blobs"] if "-detect-" in config.id else []
        assert validation["excludedPaths"] == hooks
