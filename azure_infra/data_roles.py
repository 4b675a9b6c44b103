"""Rights on Breakwater's own data: which identity may do what with which table, queue, container and hub.

Built-in roles where one fits; where the smallest is too large, a role of our own that is assignable in this resource
group only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from azure_functions import registry
from azure_functions.registry import CONNECTIONS, Group, Trigger
from azure_infra import names
from azure_infra.arm import Json, Ref, Template, resource, text, value
from shared_model.lake import ANCHORS

_TABLES = "Microsoft.Storage/storageAccounts/tableServices/tables/entities"
_QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"

_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

BUILT_IN = {
    "Azure Event Hubs Data Receiver": "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Queue Data Message Sender": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "Storage Queue Data Reader": "19e7f393-937e-4f77-808e-94535e297925",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Storage Table Data Reader": "76199698-9eea-4c19-bc75-cec21354c6b6",
}


@dataclass(frozen=True, slots=True)
class DataRole:
    """A role of our own on data.

    Attributes
    ----------
    title, description : str
    data_actions, actions : tuple of str
    """

    title: str
    description: str
    data_actions: tuple[str, ...]
    actions: tuple[str, ...] = ()


APPEND = DataRole(
    "table appender",
    "Reads a table and inserts rows; cannot change or delete one: the journal, undos that were decided on, anchors.",
    (f"{_TABLES}/add/action", f"{_TABLES}/read"),
)
KEEP = DataRole(
    "table keeper",
    "Reads and writes rows of a table; deletes none.",
    tuple(f"{_TABLES}/{verb}" for verb in ("add/action", "read", "update/action", "write")),
)
FORGET = DataRole(
    "table purger", "Reads rows of a table and deletes those that are out of date.", (f"{_TABLES}/delete", f"{_TABLES}/read")
)
TAKE = DataRole(
    "queue consumer",
    "Takes messages off a queue, hides and deletes them. With what hides a message one can also be sent: to oneself.",
    tuple(f"{_QUEUES}/messages/{verb}" for verb in ("delete", "process/action", "read", "write")),
    (f"{_QUEUES}/read",),
)
WRITE = DataRole(
    "lake writer",
    "Writes blobs; cannot read or delete one.",
    (f"{_BLOBS}/add/action", f"{_BLOBS}/write"),
)
OWN_ROLES = (APPEND, KEEP, FORGET, TAKE, WRITE)


@dataclass(frozen=True, slots=True)
class DataGrant:
    """One right: an identity, a role, on one thing.

    Attributes
    ----------
    group : str
    role : str or DataRole
        Title of a built-in role, or one of ours.
    on : Ref
    below : tuple of str
        Where it is a container: path patterns that alone are covered.
    """

    group: str
    role: str | DataRole
    on: Ref
    below: tuple[str, ...] = ()


def grants() -> Iterator[DataGrant]:
    """Every right of the app's identities on Breakwater's own data, beside those on its host's storage."""
    detect, respond = Group.DETECT, Group.RESPOND
    for group, prefixes in (
        (detect, ("ocsf/*", "rejected/*", "dead-letters/*")),
        (respond, ("ocsf/class=7001/*", "dead-letters/*")),
        (Group.UNDO, (f"{ANCHORS}/*",)),
    ):
        yield DataGrant(group, WRITE, names.container(names.STATE, registry.LAKE), prefixes)
    yield DataGrant(respond, "Storage Blob Data Reader", names.container(names.STATE, registry.POLICY))
    yield DataGrant(detect, KEEP, names.table(registry.MEMORY))
    yield DataGrant(detect, KEEP, names.table(registry.PROGRESS))
    for table in (registry.MEMORY, registry.PROGRESS, registry.SIGNALS):
        yield DataGrant(respond, FORGET, names.table(table))  # the schedule takes out what has ended
    yield DataGrant(respond, KEEP, names.table(registry.SIGNALS))
    yield DataGrant(respond, APPEND, names.table(registry.JOURNAL))
    for table in (registry.UNDOS, registry.ANCHORS):  # who contains must not be able to add to either
        yield DataGrant(Group.UNDO, APPEND, names.table(table))
    for table in (registry.JOURNAL, registry.UNDOS):
        yield DataGrant(Group.PAGE, "Storage Table Data Reader", names.table(table))
    for queue in (registry.LINK_ANSWERS, registry.LINK_UNDOS):
        yield DataGrant(Group.PAGE, "Storage Queue Data Message Sender", names.queue(queue))
    for spec in registry.FUNCTIONS:
        if spec.trigger is Trigger.EVENT_HUB:
            yield DataGrant(spec.group, "Azure Event Hubs Data Receiver", names.hub(spec.source))
        if spec.trigger is Trigger.QUEUE:  # the host takes the messages, as the identity of the connection
            host = CONNECTIONS[spec.connection][0]
            yield DataGrant(host, TAKE, names.queue(spec.source))
            yield DataGrant(host, "Storage Queue Data Message Sender", names.queue(f"{spec.source}-poison"))
    yield DataGrant(detect, "Storage Queue Data Message Sender", names.queue(registry.VERDICTS))
    for queue, group in dict.fromkeys((spec.dead_letters, spec.group) for spec in registry.FUNCTIONS if spec.dead_letters):
        yield DataGrant(group, "Storage Queue Data Message Sender", names.queue(queue))
    for group in (detect, respond):
        yield DataGrant(group, "Monitoring Metrics Publisher", names.RULE)
    for group in dict.fromkeys(app.host for app in names.APPS):
        yield DataGrant(group, "Monitoring Metrics Publisher", names.INSIGHTS)
    for app in names.APPS:
        for role in ("Storage Blob Data Owner", "Storage Queue Data Contributor", "Storage Table Data Contributor"):
            yield DataGrant(app.host, role, names.host_account(app.name))


def flow_log_grants() -> Iterator[DataGrant]:
    """Rights on the account of the flow logs, where it is ours. The trigger keeps poison of its own in a queue there."""
    for role in ("Storage Blob Data Reader", "Storage Queue Data Contributor"):
        yield DataGrant(Group.DETECT, role, names.FLOW_LOGS)
    yield DataGrant(names.FLOW_LOG_WRITER, "Storage Blob Data Contributor", names.FLOW_LOGS)


def built_in(title: str) -> str:
    """Expression of a built-in role's id."""
    return f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{BUILT_IN[title]}')"


def add_roles(template: Template) -> None:
    """Define our own roles."""
    template.add(*(role_definition(role) for role in OWN_ROLES))


#: What such an assignment says of itself: the operator finds those of earlier deployments by it (docs/deploy-azure.md).
SWITCH_HOLDER = "Breakwater: turns the master switch, an entry of the journal."


def operator_grants() -> Iterator[tuple[str, Ref]]:
    """What an operator needs: to see the journal, to answer and ask for an undo, to set the policy, to see what is stuck."""
    for table in (registry.JOURNAL, registry.UNDOS, registry.ANCHORS, registry.PROGRESS):
        yield "Storage Table Data Reader", names.table(table)
    for queue in (registry.CONTAINMENTS, registry.ANSWERS):
        yield "Storage Queue Data Message Sender", names.queue(queue)
    yield "Storage Blob Data Contributor", names.container(names.STATE, registry.POLICY)
    yield "Storage Blob Data Reader", names.checkpoints()
    for queue in (*registry.QUEUES, *registry.POISON_QUEUES):
        yield "Storage Queue Data Reader", names.queue(queue)


def add_operators(template: Template) -> None:
    """The people who may, by their own Entra identity; and those who also turn the master switch."""
    _add_people(template)
    given = template.take(
        "disarmPrincipalIds",
        "array",
        "Object ids of the users or groups that turn the master switch (disarm, arm). It is an entry of the journal, and Azure "
        "has no conditions for tables: whoever has this right can insert any entry, an approval among them. Everybody else in "
        "operatorPrincipalIds stops all changes within a minute by uploading a policy that observes. Empty: whoever deploys, so "
        "that from the first minute somebody can. Name people where a pipeline deploys. Who had the right by an earlier "
        "deployment keeps it, since deployments take no assignment away: docs/deploy-azure.md lists and removes them.",
        defaultValue=[],
    )
    template.define("switchHolders", value(f"if(empty({given}), createArray(deployer().objectId), {given})"))
    who = "variables('switchHolders')"
    each, on = f"{who}[copyIndex()]", names.table(registry.JOURNAL)
    definition = _definition(APPEND)
    ref = Ref(_ASSIGNMENTS, (f"guid({on.id}, {each}, {text(APPEND.title)})",))
    properties = {
        "roleDefinitionId": value(f"subscriptionResourceId('{definition.type}', {definition.names[0]})"),
        "principalId": value(each),
        "description": SWITCH_HOLDER,
    }
    copy = {"name": "master-switch", "count": value(f"length({who})")}
    template.add(resource(ref, names.AUTHORIZATION, properties, after=[definition, on], scope=value(on.id), copy=copy))


def _add_people(template: Template) -> None:
    people = template.take(
        "operatorPrincipalIds",
        "array",
        "Object ids of the users or groups that set the policy, answer proposals and approve an undo; nobody else may.",
        defaultValue=[],
    )
    who = f"{people}[copyIndex()]"
    for role, on in operator_grants():
        ref = Ref(_ASSIGNMENTS, (f"guid({on.id}, {who}, {text(role)})",))
        properties = {
            "roleDefinitionId": value(built_in(role)),
            "principalId": value(who),
            "description": f"Breakwater: an operator is {role} here.",
        }
        copy = {"name": f"{on.names[-1][1:-1]}-{role.rpartition(' ')[2]}", "count": value(f"length({people})")}
        template.add(resource(ref, names.AUTHORIZATION, properties, after=[on], scope=value(on.id), copy=copy))


def role_definition(role: DataRole) -> Json:
    """The role, assignable in this resource group."""
    return resource(
        _definition(role),
        names.AUTHORIZATION,
        {
            "roleName": value(f"format('{{0}} {role.title} ({{1}})', parameters('name'), parameters('suffix'))"),
            "description": role.description,
            "type": "CustomRole",
            "permissions": [
                {"actions": list(role.actions), "notActions": [], "dataActions": list(role.data_actions), "notDataActions": []}
            ],
            "assignableScopes": ["[resourceGroup().id]"],
        },
    )


def add_grants(template: Template, given: Sequence[DataGrant], *, condition: str = "") -> None:
    """Assign the roles."""
    for grant in given:
        template.add(_assignment(grant, condition))


def _definition(role: DataRole) -> Ref:
    return Ref("Microsoft.Authorization/roleDefinitions", (f"guid(resourceGroup().id, parameters('name'), {text(role.title)})",))


def _assignment(grant: DataGrant, condition: str) -> Json:
    if isinstance(grant.role, DataRole):
        title, after = grant.role.title, [_definition(grant.role)]
        definition = f"subscriptionResourceId('{after[0].type}', {after[0].names[0]})"  # a role's own id is the subscription's
    else:
        title, after = grant.role, []
        definition = built_in(title)
    ref = Ref(_ASSIGNMENTS, (f"guid({grant.on.id}, {text(grant.group)}, {text(title)})",))
    properties: Json = {
        "roleDefinitionId": value(definition),
        "principalId": value(names.principal(grant.group)),
        "principalType": "ServicePrincipal",
        "description": f"Breakwater: {grant.group} is {title} here.",
    }
    if grant.below:
        properties |= {"condition": path_condition(grant.below), "conditionVersion": "2.0"}
    more: Json = {"scope": value(grant.on.id)}
    if condition:
        more["condition"] = condition
    return resource(ref, names.AUTHORIZATION, properties, after=[*after, grant.on, names.identity(grant.group)], **more)


def path_condition(patterns: Sequence[str]) -> str:
    """A condition on the path of a blob (Azure ABAC, format 2.0)."""
    others = " AND ".join(f"!(ActionMatches{{'{action}'}})" for action in WRITE.data_actions)
    path = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]"
    fits = " OR ".join(f"{path} StringLike '{pattern}'" for pattern in patterns)
    return f"(({others}) OR ({fits}))"
