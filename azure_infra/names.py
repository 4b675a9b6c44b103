"""Names of what is deployed, and the versions of the resource types' APIs: each stands here once."""

from __future__ import annotations

from dataclasses import dataclass

from azure_functions.registry import CHECKPOINTS, FUNCTIONS, FunctionSpec, Group, Trigger
from azure_infra.arm import Ref, concat, parameter, text, variable

# Versions whose published schemas the templates are checked against, beside Microsoft's Bicep types.
STORAGE = "2025-08-01"
EVENT_HUBS = "2024-01-01"
EVENT_GRID = "2025-02-15"
WEB = "2024-11-01"
IDENTITIES = "2024-11-30"
NETWORK = "2025-07-01"
AUTHORIZATION = "2022-04-01"
DIAGNOSTICS = "2021-05-01-preview"
COLLECTION = "2024-03-11"
QUERY_ALERTS = "2026-03-01"
METRIC_ALERTS = "2018-03-01"
ACTION_GROUPS = "2023-01-01"
WORKSPACES = "2025-07-01"
SENTINEL = "2025-09-01"
LOGIC = "2017-07-01"
# Versions of which no schema was collected: Bicep's types describe them, the last infra_tests/azure_infra/restated.py.
APPLICATION_INSIGHTS = "2020-02-02"
WORKBOOKS = "2023-06-01"
CONNECTIONS = "2016-06-01"
ENTRA_DIAGNOSTICS = "2017-04-01"

#: Table of the workspace that verdicts and actions are written to, and the rule's stream that fills it.
TABLE = "Breakwater_CL"
STREAM = f"Custom-{TABLE}"

#: Entra identity of the playbook; not one of the app's own groups.
PLAYBOOK = "playbook"
#: Identity with which Network Watcher writes flow logs: without one it would need the account's shared keys.
FLOW_LOG_WRITER = "flow-log-writer"


@dataclass(frozen=True, slots=True)
class App:
    """One function app: the same package as the others, with some of its functions switched on.

    An identity that is attached to an app can be used by everything that runs there. So what reads telemetry, what
    contains, what undoes and what people's browsers reach run apart, and none can have the others' tokens.

    Attributes
    ----------
    name : str
    groups : tuple of Group
        Identities that are attached. The host itself works as the first.
    functions : tuple of FunctionSpec
        Switched on.
    """

    name: str
    groups: tuple[Group, ...]
    functions: tuple[FunctionSpec, ...]

    @property
    def host(self) -> Group:
        """Whose identity the Functions host has: for its own storage, its logs, its package."""
        return self.groups[0]


def _functions(*modules: str) -> tuple[FunctionSpec, ...]:
    return tuple(spec for spec in FUNCTIONS if spec.module in modules)


_CONTAINS, _UNDOES, _SHOWS = ("respond", "answer_proposals"), ("expire_containments",), ("proposal_page",)
APPS: tuple[App, ...] = (
    App("detect", (Group.DETECT,), tuple(spec for spec in FUNCTIONS if spec.module not in _CONTAINS + _UNDOES + _SHOWS)),
    App("contain", (Group.RESPOND, Group.NETWORK, Group.IDENTITY, Group.DATA), _functions(*_CONTAINS)),
    App("undo", (Group.UNDO, Group.RESPOND), _functions(*_UNDOES)),
    App("page", (Group.PAGE,), _functions(*_SHOWS)),
)
#: The one that reads event hubs.
(READER,) = (app for app in APPS if any(spec.trigger is Trigger.EVENT_HUB for spec in app.functions))


def own(kind: str) -> str:
    """Expression of a name below the prefix: unique in the resource group."""
    return concat(parameter("name"), text(f"-{kind}"))


def own_worldwide(kind: str) -> str:
    """Expression of a name that nobody else in Azure may have."""
    return concat(parameter("name"), text(f"-{kind}-"), parameter("suffix"))


def account_name(kind: str) -> str:
    """Expression of a storage account's name: 24 letters and digits at most."""
    return f"toLower(concat(take(replace({parameter('name')}, '-', ''), 9), '{kind}', {parameter('suffix')}))"


def identity(group: str) -> Ref:
    """User-assigned identity of a group."""
    return Ref("Microsoft.ManagedIdentity/userAssignedIdentities", (own(group),))


def principal(group: str) -> str:
    """Expression of an identity's object id."""
    return identity(group).get("principalId", IDENTITIES)


def client(group: str) -> str:
    """Expression of an identity's client id."""
    return identity(group).get("clientId", IDENTITIES)


def app(name: str) -> Ref:
    """A function app."""
    return Ref("Microsoft.Web/sites", (own_worldwide(name),))


def plan(name: str) -> Ref:
    """Plan of a function app: Flex Consumption has one for each."""
    return Ref("Microsoft.Web/serverfarms", (own(f"{name}-plan"),))


def account(kind: str) -> Ref:
    """A storage account, by the variable that holds its name."""
    return Ref("Microsoft.Storage/storageAccounts", (variable(f"{kind}Account"),))


def host_account(app_name: str) -> Ref:
    """Storage of a function app's host: apart from the others', since it holds the app's package."""
    return account(f"{app_name}Host")


STATE = account("state")
FLOW_LOGS = account("flowLog")
NAMESPACE = Ref("Microsoft.EventHub/namespaces", (own_worldwide("events"),))
DIAGNOSTICS_RULE = NAMESPACE.child("authorizationRules", text("diagnostics"))
LOGS_WORKSPACE = Ref("Microsoft.OperationalInsights/workspaces", (own("operations"),))
INSIGHTS = Ref("Microsoft.Insights/components", (own("insights"),))
ENDPOINT = Ref("Microsoft.Insights/dataCollectionEndpoints", (own("logs"),))
RULE = Ref("Microsoft.Insights/dataCollectionRules", (own("sentinel"),))
ACTION_GROUP = Ref("Microsoft.Insights/actionGroups", (own("notify"),))
VNET = Ref("Microsoft.Network/virtualNetworks", (own("network"),))


def hub(name: str) -> Ref:
    """An event hub."""
    return NAMESPACE.child("eventhubs", text(name))


def table(name: str) -> Ref:
    """A table of the state account."""
    return STATE.child("tableServices", text("default")).child("tables", text(name))


def queue(name: str) -> Ref:
    """A queue of the state account."""
    return STATE.child("queueServices", text("default")).child("queues", text(name))


def container(of: Ref, name: str) -> Ref:
    """A container of an account."""
    return of.child("blobServices", text("default")).child("containers", text(name))


def checkpoints() -> Ref:
    """Container in which the host keeps how far its functions have read the event hubs."""
    return container(host_account(READER.name), CHECKPOINTS)
