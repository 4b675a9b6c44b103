"""Signs of life on Azure that Resource Manager knows: alerts, apps, their functions and settings, hubs, the way to Sentinel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from azure_functions.cloud_errors import CloudForbidden, in_core_words
from azure_functions.health import WATCHED
from azure_functions.registry import CONSUMER_GROUP, EVENT_HUBS, Group
from azure_functions.rest import RestClient
from azure_functions.settings import Settings, variable
from azure_infra.names import APPS, STREAM, App
from console.deployment import Health, Sign

# Versions of the APIs that are asked.
_ALERTS, _QUERY_RULES, _METRIC_RULES = "2019-03-01", "2026-03-01", "2018-03-01"
_IDENTITIES, _STORAGE = "2024-11-30", "2025-08-01"
_WEB, _HUBS, _EVENT_GRID, _COLLECTION = "2024-11-01", "2024-01-01", "2025-02-15", "2024-03-11"
_DEPLOY = "deploy again: what is there stays, what is missing is made"
_PUBLISH = "azure_infra/publish.sh NAME, and the app's log of its start (docs/deploy-azure.md, Deploy)"
_CONNECT = "where flow logs are written: azure_infra/connect.sh NAME"
_NEEDS: Mapping[str, tuple[str, ...]] = {function.name: function.needs for function in WATCHED}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Estate:
    """What of a deployment lies in its resource group, as whoever is signed in may read it.

    Attributes
    ----------
    arm : RestClient
    group : str
        ARM id of the resource group.
    name : str
        Name prefix of the deployment.
    """

    arm: RestClient
    group: str
    name: str
    _listed: dict[tuple[str, str], list[Json]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def subscription(self) -> str:
        """ARM id of its subscription."""
        return "/".join(self.group.split("/")[:3])

    def principals(self) -> dict[Group, str]:
        """Return the object ids of Breakwater's identities that are there. Raises CloudUnavailable, CloudRefusal."""
        found = self.each("Microsoft.ManagedIdentity/userAssignedIdentities", _IDENTITIES)
        known = {str(each["name"]): str(each["properties"]["principalId"]) for each in found}
        return {group: known[f"{self.name}-{group}"] for group in Group if f"{self.name}-{group}" in known}

    def hub_namespace(self) -> Json | None:
        """Return the namespace of the event hubs, None where it is not there. Raises CloudUnavailable, CloudRefusal."""
        spaces = self.each("Microsoft.EventHub/namespaces", _HUBS)
        return next((each for each in spaces if str(each["name"]).startswith(f"{self.name}-events-")), None)

    def hubs(self, space: Json) -> dict[str, Json]:
        """Return those of our event hubs that are there, by name. Raises CloudUnavailable, CloudRefusal."""
        found = {str(each["name"]): each for each in self.each("eventhubs", _HUBS, space["id"])}
        return {name: found[name] for name in EVENT_HUBS if name in found}

    def account(self, kind: str) -> Json | None:
        """Return the storage account of a kind (``azure_infra/names.py``), None where none is there.

        Raises
        ------
        CloudUnavailable, CloudRefusal
        """
        prefix = self.name.replace("-", "")[:9].lower() + kind
        accounts = self.each("Microsoft.Storage/storageAccounts", _STORAGE)
        return next((each for each in accounts if str(each["name"]).startswith(prefix)), None)

    def each(self, kind: str, version: str, under: str = "") -> list[Json]:
        """Return the resources of a type in the group, or the children of one of them: asked for once, however many look there.

        Raises
        ------
        CloudUnavailable, CloudRefusal
        """
        path = f"{under}/{kind}" if under else f"{self.group}/providers/{kind}"
        if (path, version) not in self._listed:
            with in_core_words(kind):
                self._listed[path, version] = list(self.arm.each(path, query={"api-version": version}))
        return self._listed[path, version]


def of_alerts(estate: Estate) -> Iterator[Sign]:
    """Yield what the alerts say: each that has fired since yesterday and was not closed, the others together."""
    rules = [
        *estate.each("Microsoft.Insights/scheduledQueryRules", _QUERY_RULES),
        *estate.each("Microsoft.Insights/metricAlerts", _METRIC_RULES),
    ]
    if not rules:
        yield Sign(Health.BAD, "there are no alerts: nobody would hear of telemetry that stops", _DEPLOY)
        return
    known = {str(rule["id"]).lower(): rule for rule in rules}
    query = {"api-version": _ALERTS, "monitorCondition": "Fired", "timeRange": "1d"}
    with in_core_words("alerts"):
        path = f"{estate.subscription}/providers/Microsoft.AlertsManagement/alerts"
        fired = [each["properties"]["essentials"] for each in estate.arm.each(path, query=query)]
    ringing = {
        str(each["alertRule"]).lower() for each in fired if each["monitorCondition"] == "Fired" and each["alertState"] != "Closed"
    }
    for rule in (known[each] for each in sorted(ringing & known.keys())):
        said = f"{rule['name']}: {rule['properties'].get('description', '')}"
        yield Sign(Health.BAD, said, "look at what it names; close the alert in Azure Monitor when that is mended")
    for rule in rules:
        if rule["properties"].get("enabled") is False:
            yield Sign(Health.UNKNOWN, f"{rule['name']} is turned off", _DEPLOY)
    yield Sign(Health.GOOD, f"{len(rules) - len(ringing & known.keys())} of {len(rules)} alerts are quiet")


def of_apps(estate: Estate) -> Iterator[Sign]:
    """Yield whether each app runs, has loaded its functions, and has the settings that these need."""
    sites = estate.each("Microsoft.Web/sites", _WEB)
    for app in APPS:
        site = next((each for each in sites if str(each["name"]).startswith(f"{estate.name}-{app.name}-")), None)
        if site is None:
            yield Sign(Health.BAD, f"the app {app.name} is not there", _DEPLOY)
            continue
        if (state := site["properties"].get("state", "Running")) != "Running":
            yield Sign(Health.BAD, f"the app {site['name']} is {state}", f"az functionapp start --ids {site['id']}")
            continue
        yield from _of_app(estate, app, site)


def _of_app(estate: Estate, app: App, site: Json) -> Iterator[Sign]:
    loaded = {str(each["name"]).rpartition("/")[2] for each in estate.each("functions", _WEB, site["id"])}
    absent = [spec.name for spec in app.functions if spec.name not in loaded]
    said = f"the app {site['name']}: {len(app.functions) - len(absent)} of {len(app.functions)} functions"
    if absent:
        yield Sign(Health.BAD, f"{said}, without {', '.join(absent)}", _PUBLISH)
    try:
        with in_core_words("settings"):
            path = f"{site['id']}/config/appsettings/list"
            given: Mapping[str, str] = estate.arm.call("POST", path, query={"api-version": _WEB})["properties"]
    except CloudForbidden:
        yield Sign(Health.UNKNOWN, f"{said}; you may not read its settings", "api/health names those that are missing")
        return
    needed = {variable(field) for spec in app.functions for field in _NEEDS.get(spec.name, ()) if field in _FIELDS}
    missing = sorted(name for name in needed if not given.get(name))
    if missing:
        yield Sign(Health.BAD, f"{said}, without the settings {', '.join(missing)}", _DEPLOY)
    elif not absent:
        yield Sign(Health.GOOD, f"{said}, and every setting that they need")


#: Fields that nobody sets have the default of their cloud.
_FIELDS = frozenset(name for name in Settings.__dataclass_fields__ if not getattr(Settings(), name))


def of_hubs(estate: Estate) -> Iterator[Sign]:
    """Yield whether the event hubs are there, with the consumer group that the functions read by, and flow logs are announced."""
    space = estate.hub_namespace()
    if space is None:
        yield Sign(Health.BAD, "the namespace of the event hubs is not there", _DEPLOY)
        return
    hubs = estate.hubs(space)
    wrong = 0
    for name in EVENT_HUBS:
        if name not in hubs:
            said = "is not there"
        elif (state := hubs[name]["properties"].get("status", "Active")) != "Active":
            said = f"is {state}"
        elif not any(each["name"] == CONSUMER_GROUP for each in estate.each("consumergroups", _HUBS, hubs[name]["id"])):
            said = f"has no consumer group {CONSUMER_GROUP}"
        else:
            continue
        wrong += 1
        yield Sign(Health.BAD, f"the event hub {name} {said}: its events are read by nobody", _DEPLOY)
    if not wrong:
        yield Sign(Health.GOOD, f"the event hubs {', '.join(EVENT_HUBS)} take events, and have their consumer group")
    yield from _of_flow_logs(estate)


def _of_flow_logs(estate: Estate) -> Iterator[Sign]:
    topics = estate.each("Microsoft.EventGrid/systemTopics", _EVENT_GRID)
    announced = [each for topic in topics for each in estate.each("eventSubscriptions", _EVENT_GRID, topic["id"])]
    failed = [each["name"] for each in announced if each["properties"].get("provisioningState", "Succeeded") != "Succeeded"]
    if failed:
        yield Sign(Health.BAD, f"Event Grid does not announce flow logs: {', '.join(failed)} did not come up", _CONNECT)
    elif announced:
        yield Sign(Health.GOOD, f"Event Grid announces flow logs to {', '.join(sorted(each['name'] for each in announced))}")
    else:
        yield Sign(Health.UNKNOWN, "Event Grid announces no flow logs to the functions", _CONNECT)


def of_sentinel(estate: Estate) -> Iterator[Sign]:
    """Yield whether the way of verdicts and actions into Sentinel's table is there."""
    rules = [each for each in estate.each("Microsoft.Insights/dataCollectionRules", _COLLECTION) if _is_ours(estate, each)]
    streams = {stream for rule in rules for flow in rule["properties"].get("dataFlows", ()) for stream in flow["streams"]}
    endpoints = estate.each("Microsoft.Insights/dataCollectionEndpoints", _COLLECTION)
    if STREAM in streams and endpoints:
        yield Sign(Health.GOOD, f"Sentinel: a rule takes {STREAM}, and an endpoint is there for it")
        return
    what = f"no rule takes {STREAM}" if STREAM not in streams else "the rule has no endpoint"
    yield Sign(Health.BAD, f"Sentinel: {what}: verdicts and actions are in the journal and the lake alone", _DEPLOY)


def _is_ours(estate: Estate, rule: Json) -> bool:
    return str(rule["name"]).startswith(f"{estate.name}-")
