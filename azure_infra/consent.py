"""What only a tenant administrator can grant, as commands to read and run. Nothing is done here: this prints."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template as Text

from azure_infra.permissions import graph_permissions

#: Microsoft's own applications, the same in every tenant.
GRAPH_APPLICATION = "00000003-0000-0000-c000-000000000000"
SENTINEL_APPLICATION = "98785600-1bb7-4fb9-b9fa-19afe2c8a360"
#: What each permission lets its holder do, for whoever must decide.
MEANING = {
    "User.EnableDisableAccount.All": "block and unblock the sign-in of users",
    "User.Read.All": "read users' profiles (is the account enabled, is it synchronised from on premises)",
    "User.RevokeSessions.All": "end all sessions of a user",
}
_STEPS = Text("""\
# Breakwater: what a tenant administrator grants. Sign in first (az login). Nothing here has been run.
# Set these two as they were chosen for the deployment. Steps 1 and 2 may be done again.
NAME=breakwater GROUP=breakwater
DIRECTORY=$$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)

# 1. An application that stands for triage_findings. It gets no permission and no secret: it is only the audience of tokens.
#    Where the tenant has an application of this name already, az takes that one, and says so. Is it another one than ours, give
#    another --display-name.
APPLICATION=$$(az ad app create --display-name "$$NAME" --sign-in-audience AzureADMyOrg \\
  --requested-access-token-version 2 --query appId --output tsv)
az ad app update --id "$$APPLICATION" --identifier-uris "api://$$APPLICATION"
az ad sp show --id "$$APPLICATION" --output none 2>/dev/null || az ad sp create --id "$$APPLICATION" --output none
echo "parameter applicationId: $$APPLICATION"

# 2. Sentinel's service principal, which may then run the playbook of the workspace's group.
echo "parameter sentinelPrincipalId: $$(az ad sp show --id $sentinel --query id --output tsv)"

# 3. Permissions of Microsoft Graph, for the identities of the deployed resource group. Leave out what you do not want: the
#    actions that need it then fail, and say so. Needs the Entra role Privileged Role Administrator. What was granted before,
#    Graph refuses: "Permission being assigned already exists on the object".
GRAPH=$$(az ad sp show --id $graph --query id --output tsv)
grant() {  # grant IDENTITY PERMISSION
  principal=$$(az identity show --resource-group "$$GROUP" --name "$$NAME-$$1" --query principalId --output tsv) || return
  role=$$(az ad sp show --id $graph --query "appRoles[?value=='$$2'].id" --output tsv) || return
  az rest --method post --url "$${DIRECTORY%/}/v1.0/servicePrincipals/$$principal/appRoleAssignments" --output none \\
    --body "{\\"principalId\\": \\"$$principal\\", \\"resourceId\\": \\"$$GRAPH\\", \\"appRoleId\\": \\"$$role\\"}" &&
    echo "$$NAME-$$1 is granted $$2"
}
$grants

# To see what was granted:
az rest --url "$${DIRECTORY%/}/v1.0/servicePrincipals/$$GRAPH/appRoleAssignedTo" \\
  --query "value[].[principalDisplayName, appRoleId]" --output table
""")


class PermissionUnexplained(LookupError):
    """An action declares a permission of Graph of which nobody has said what it means."""


def consent() -> str:
    """The steps, with a shell command for each.

    Raises
    ------
    PermissionUnexplained
    """
    return _STEPS.substitute(sentinel=SENTINEL_APPLICATION, graph=GRAPH_APPLICATION, grants="\n".join(_grants()))


def _grants() -> Iterator[str]:
    for group, permissions in sorted(graph_permissions().items()):
        for permission in permissions:
            if permission not in MEANING:
                raise PermissionUnexplained(f"{permission}: say in azure_infra/consent.py what it means")
            yield f"grant {group} {permission}  # {MEANING[permission]}"
