"""Every function of the app, once: triggers, packaging, infrastructure, the embedded Azure and the tests read it from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trigger(StrEnum):
    """Binding types of the Functions host."""

    BLOB = "blobTrigger"
    EVENT_HUB = "eventHubTrigger"
    HTTP = "httpTrigger"
    QUEUE = "queueTrigger"
    TIMER = "timerTrigger"


class Group(StrEnum):
    """Identity groups: each has a user-assigned identity of its own, and only the rights that its work needs."""

    DETECT = "detect"
    RESPOND = "respond"
    NETWORK = "network"
    IDENTITY = "identity"
    DATA = "data"
    UNDO = "undo"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function.

    Attributes
    ----------
    name : str
    module : str
        In ``azure_functions/``; holds its blueprint.
    trigger : Trigger
    source : str
        What feeds it: event hub, queue, container, route or schedule.
    group : Group
        Under whose identity it works (containment actions choose their own).
    dead_letters : str
        Queue of what can never succeed; ``""`` for a function that nothing is sent to.
    connection : str
        Settings under this prefix tell the host where the trigger's service is; ``""`` where there is none.
    """

    name: str
    module: str
    trigger: Trigger
    source: str
    group: Group
    dead_letters: str = ""
    connection: str = ""


#: Tables, queues and containers of the state account.
MEMORY, SIGNALS, JOURNAL, PROGRESS = "memory", "signals", "journal", "progress"
#: Undos that were decided on, and anchors of the journal: only who undoes adds to them.
UNDOS, ANCHORS = "undos", "anchors"
TABLES = (MEMORY, SIGNALS, JOURNAL, PROGRESS, UNDOS, ANCHORS)
VERDICTS, CONTAINMENTS, ANSWERS = "verdicts", "containments", "answers"
#: What people who signed in to the page answer, and want undone. It alone may send here, beside whoever takes the messages (what
#: hides one suffices to send one): so what it says of them is attested, to the extent that their taker is believed.
LINK_ANSWERS, LINK_UNDOS = "link-answers", "link-undos"
LAKE, POLICY = "lake", "policy"
CONTAINERS = (LAKE, POLICY)
POLICY_BLOB = "policy.yaml"

#: Event hubs, and the consumer group that reads each.
API_CALLS, SYSTEM_LOGS, FINDINGS = "api-calls", "system-logs", "findings"
EVENT_HUBS = (API_CALLS, SYSTEM_LOGS, FINDINGS)
CONSUMER_GROUP = "breakwater"
#: Container of the host's own storage in which its event hub triggers keep how far they have read.
CHECKPOINTS = "azure-webjobs-eventhub"

#: Containers that Network Watcher writes flow logs to.
VNET_FLOW_LOGS, NSG_FLOW_LOGS = "insights-logs-flowlogflowevent", "insights-logs-networksecuritygroupflowevent"

#: Connections of triggers, and the settings that each needs behind ``<connection>__``, besides ``credential``
#: (``managedidentity``) and ``clientId`` (of the group that stands here).
STATE_CONNECTION, FLOW_LOG_CONNECTION, HUB_CONNECTION = "BREAKWATER_STATE", "BREAKWATER_FLOW_LOGS", "BREAKWATER_EVENT_HUBS"
#: The same account, as who undoes: an identity that may take messages may send them too, and who contains shall ask for no undo.
UNDO_CONNECTION = "BREAKWATER_UNDO_STATE"
CONNECTIONS: dict[str, tuple[Group, tuple[str, ...]]] = {
    STATE_CONNECTION: (Group.RESPOND, ("queueServiceUri",)),
    UNDO_CONNECTION: (Group.UNDO, ("queueServiceUri",)),
    FLOW_LOG_CONNECTION: (Group.DETECT, ("blobServiceUri", "queueServiceUri")),
    HUB_CONNECTION: (Group.DETECT, ("fullyQualifiedNamespace",)),
}

SCHEDULE = "0 */5 * * * *"


def dead_letters_of(source: str) -> str:
    """Return the queue of what a source brought and what can never succeed."""
    return f"{source}-dead-letters"


_FLOW_LETTERS, _FINDING_LETTERS = dead_letters_of("flow-logs"), dead_letters_of(FINDINGS)
_HUB, _BLOB, _STATE = HUB_CONNECTION, FLOW_LOG_CONNECTION, STATE_CONNECTION

FUNCTIONS: tuple[FunctionSpec, ...] = (
    FunctionSpec("detect_flows", "detect_flows", Trigger.BLOB, VNET_FLOW_LOGS, Group.DETECT, _FLOW_LETTERS, _BLOB),
    FunctionSpec("detect_nsg_flows", "detect_flows", Trigger.BLOB, NSG_FLOW_LOGS, Group.DETECT, _FLOW_LETTERS, _BLOB),
    FunctionSpec(
        "detect_api_calls", "detect_api_calls", Trigger.EVENT_HUB, API_CALLS, Group.DETECT, dead_letters_of(API_CALLS), _HUB
    ),
    FunctionSpec(
        "detect_system_logs",
        "detect_system_logs",
        Trigger.EVENT_HUB,
        SYSTEM_LOGS,
        Group.DETECT,
        dead_letters_of(SYSTEM_LOGS),
        _HUB,
    ),
    FunctionSpec("triage_findings", "triage_findings", Trigger.HTTP, "triage_findings", Group.DETECT, _FINDING_LETTERS),
    FunctionSpec("triage_alerts", "triage_findings", Trigger.EVENT_HUB, FINDINGS, Group.DETECT, _FINDING_LETTERS, _HUB),
    FunctionSpec("respond", "respond", Trigger.QUEUE, VERDICTS, Group.RESPOND, dead_letters_of(VERDICTS), _STATE),
    FunctionSpec("answer_proposals", "answer_proposals", Trigger.QUEUE, ANSWERS, Group.RESPOND, dead_letters_of(ANSWERS), _STATE),
    FunctionSpec(
        "answer_links", "answer_proposals", Trigger.QUEUE, LINK_ANSWERS, Group.RESPOND, dead_letters_of(LINK_ANSWERS), _STATE
    ),
    FunctionSpec("expire_containments", "expire_containments", Trigger.TIMER, SCHEDULE, Group.RESPOND),
    FunctionSpec(
        "undo_containment",
        "expire_containments",
        Trigger.QUEUE,
        CONTAINMENTS,
        Group.RESPOND,
        dead_letters_of(CONTAINMENTS),
        UNDO_CONNECTION,
    ),
    FunctionSpec(
        "undo_links",
        "expire_containments",
        Trigger.QUEUE,
        LINK_UNDOS,
        Group.RESPOND,
        dead_letters_of(LINK_UNDOS),
        UNDO_CONNECTION,
    ),
    FunctionSpec("show_proposal", "proposal_page", Trigger.HTTP, "proposals/{proposal}", Group.PAGE),
    FunctionSpec("answer_proposal", "proposal_page", Trigger.HTTP, "proposals/{proposal}", Group.PAGE),
    FunctionSpec("health", "health", Trigger.HTTP, "health", Group.DETECT),
)

#: Queues of the state account.
QUEUES: tuple[str, ...] = (
    VERDICTS,
    CONTAINMENTS,
    ANSWERS,
    LINK_ANSWERS,
    LINK_UNDOS,
    *dict.fromkeys(spec.dead_letters for spec in FUNCTIONS if spec.dead_letters),
)

#: What the host gave up, of each queue that feeds a function.
POISON_QUEUES: tuple[str, ...] = tuple(f"{spec.source}-poison" for spec in FUNCTIONS if spec.trigger is Trigger.QUEUE)

#: What the app carries: distribution names (versions come from ``requirements/azure_functions.lock``), and our own folders.
REQUIREMENTS: tuple[str, ...] = (
    "ai-edge-litert",
    "azure-data-tables",
    "azure-functions",
    "azure-identity",
    "azure-mgmt-authorization",
    "azure-mgmt-compute",
    "azure-mgmt-network",
    "azure-monitor-ingestion",
    "azure-storage-blob",
    "azure-storage-queue",
    "azurefunctions-extensions-base",
    "drain3",
    "isal",
    "numpy",
    "pydantic",
    "pyyaml",
)
PACKAGES: tuple[str, ...] = ("azure_functions", "shared_model", "response", "model_artifacts")
ROOT_FILES: tuple[str, ...] = ("function_app.py", "host.json")


def spec_of(name: str) -> FunctionSpec:
    """Return the function of that name. Raises KeyError."""
    return {spec.name: spec for spec in FUNCTIONS}[name]
