"""The subscription's template: where telemetry comes from, and what the identities may do to the customer's resources."""

from __future__ import annotations

from collections.abc import Sequence

from azure_functions.registry import Group
from azure_infra import names
from azure_infra.arm import Json, Ref, Template, nested, resource, text, value
from azure_infra.feeds import add_activity_log, add_comments, add_existing_flow_logs, add_flow_logs, add_workspace_exports
from azure_infra.permissions import ActionRole, action_roles, assignment_condition

TOUCHES = (
    "Touches the subscription: defines custom roles and assigns those that read; those that change something only when "
    "`armed`, and those that write firewall policies on the policies alone that are named. By parameter, and not otherwise: a "
    "diagnostic setting of the activity log, flow logs of the virtual networks that are named, the right to read an existing "
    "account of flow logs, an export of the workspace's tables that are named, and the right to comment on its incidents."
)


def subscription() -> Template:
    """Build it."""
    template = Template("subscription", TOUCHES)
    template.take(
        "name", "string", "Prefix of every name, as in the resource group.", defaultValue="breakwater", minLength=2, maxLength=16
    )
    template.take(
        "armed",
        "bool",
        "Let the identities change the customer's resources. The policy decides which action does; without this none can.",
        defaultValue=False,
    )
    for group in Group:
        template.take(
            f"{group}PrincipalId", "string", f"Object id of the identity {group}: an output of the resource group's template."
        )
    template.take(
        "protectedPrincipalIds",
        "array",
        "Object ids of break-glass principals: no role assignment of theirs can be removed.",
        defaultValue=[],
    )
    template.take(
        "restorableRoles",
        "array",
        "Ids of the role definitions that undo may assign back, and no others. Empty: Contributor, Reader and further "
        "ordinary built-in roles (docs/deploy-azure.md); none of your own, since nobody sees here what such a role may do.",
        defaultValue=[],
    )
    template.take(
        "firewallPolicyIds",
        "array",
        "Ids of the firewall policies (of Application Gateways or Front Door, in this subscription) that block_address_in_waf "
        "may write once armed: those that the policy names. None by default. Whoever may write one may switch it off, so the "
        "right is given on these alone.",
        defaultValue=[],
    )
    of_firewalls = [role for role in action_roles() if role.of_firewalls]
    for role in action_roles():
        template.add(_definition(role))
        if role not in of_firewalls:
            template.add(_assignment(role))
    template.add(_on_firewalls(of_firewalls))
    add_activity_log(template)
    add_flow_logs(template)
    add_existing_flow_logs(template)
    add_workspace_exports(template)
    add_comments(template)
    return template


def _role(role: ActionRole) -> Ref:
    return Ref("Microsoft.Authorization/roleDefinitions", (f"guid(subscription().id, parameters('name'), {text(role.title)})",))


def _role_id(role: ActionRole) -> str:
    ref = _role(role)
    return f"subscriptionResourceId('{ref.type}', {ref.names[0]})"


def _definition(role: ActionRole) -> Json:
    return resource(
        _role(role),
        names.AUTHORIZATION,
        {
            "roleName": value(f"format('{{0}} {role.title} ({{1}})', parameters('name'), subscription().subscriptionId)"),
            "description": role.description,
            "type": "CustomRole",
            "permissions": [{"actions": list(role.operations), "notActions": [], "dataActions": [], "notDataActions": []}],
            "assignableScopes": ["[subscription().id]"],
        },
    )


def _on_firewalls(roles: Sequence[ActionRole]) -> Json:
    """Assign the roles on each firewall policy that is named, in its own group."""
    inner = Template("resourceGroup", "Lets Breakwater write one firewall policy.")
    inner.take("policy", "string", "Id of the firewall policy.")
    given = {"policy": "[parameters('firewallPolicyIds')[copyIndex()]]"}
    for role in roles:
        inner.take(f"{role.group}PrincipalId", "string", f"Object id of the identity {role.group}.")
        inner.take(f"{role.group}Role", "string", f"Id of the role {role.title}.")
        given |= {
            f"{role.group}PrincipalId": f"[parameters('{role.group}PrincipalId')]",
            f"{role.group}Role": value(_role_id(role)),
        }
        who = f"parameters('{role.group}PrincipalId')"
        name = f"guid(parameters('policy'), {who}, {text(role.title)})"
        properties = {
            "roleDefinitionId": f"[parameters('{role.group}Role')]",
            "principalId": value(who),
            "principalType": "ServicePrincipal",
            "description": f"Breakwater: {role.description}",
        }
        assignment = Ref("Microsoft.Authorization/roleAssignments", (name,))
        inner.add(resource(assignment, names.AUTHORIZATION, properties, scope="[parameters('policy')]"))
    return nested(
        "[format('breakwater-firewall-{0}', copyIndex())]",
        inner,
        given,
        resourceGroup="[split(parameters('firewallPolicyIds')[copyIndex()], '/')[4]]",
        condition="[parameters('armed')]",
        copy={"name": "firewalls", "count": "[length(parameters('firewallPolicyIds'))]"},
        dependsOn=[value(_role_id(role)) for role in roles],
    )


def _assignment(role: ActionRole) -> Json:
    who = f"parameters('{role.group}PrincipalId')"
    # With the principal in its name: an assignment cannot be given another, so an identity that is made anew gets a new one.
    ref = Ref("Microsoft.Authorization/roleAssignments", (f"guid(subscription().id, {who}, {text(role.title)})",))
    properties: Json = {
        "roleDefinitionId": value(_role_id(role)),
        "principalId": value(who),
        "principalType": "ServicePrincipal",
        "description": f"Breakwater: {role.description}",
    }
    if role.assigns:
        own = [f"parameters('{group}PrincipalId')" for group in Group]
        condition = assignment_condition(own, "parameters('protectedPrincipalIds')", "parameters('restorableRoles')")
        properties |= {"condition": value(condition), "conditionVersion": "2.0"}
    made = {
        "type": ref.type,
        "apiVersion": names.AUTHORIZATION,
        "name": ref.name,
        "dependsOn": [value(_role_id(role))],
        "properties": properties,
    }
    return {**made, "condition": "[parameters('armed')]"} if role.armed else made
