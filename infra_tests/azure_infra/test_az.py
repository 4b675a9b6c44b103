"""The templates deployed by the real Azure CLI, as docs/deploy-azure.md says, into the embedded Azure."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_infra.__main__ import COMPILED
from infra_tests.azure_infra.azure_cli import AZ, ROOT, Az, commands_of_the_guide, line_of_the_guide
from infra_tests.azure_infra.conftest import APPLICATION, LEAST, SENTINEL, WORKSPACE, deployed, read
from offline.azure.certificates import make_certificates
from offline.azure.services import Services
from offline.azure.templates.deployment import SUBSCRIPTION, deploy

pytestmark = pytest.mark.skipif(not AZ.is_file(), reason="Azure CLI's environment is not here: make test makes it")
SUFFIX = "x1y2z3"
ROOM = "deployment", "group", "create", "-g", "breakwater", "-f", "azure_infra/resource_group.json"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Services(make_certificates(tmp_path_factory.mktemp("certificates"))) as services:
        yield services


@pytest.fixture(scope="module")
def az(cloud: Services, tmp_path_factory: pytest.TempPathFactory) -> Az:
    return Az(cloud, tmp_path_factory.mktemp("az"))


@pytest.fixture(scope="module")
def by_itself(cloud: Services, az: Az) -> Az:
    """Each template by itself, with the commands of the guide as they stand there."""
    block = commands_of_the_guide("region=REGION soc=GROUP_OF_THE_WORKSPACE")
    soc, workspace = cloud.world.workspace.split("/")[4], cloud.world.workspace.split("/")[8]
    for placeholder, chosen in (
        ("region=REGION", "region=westeurope"),
        ("GROUP_OF_THE_WORKSPACE", soc),
        ("NAME_OF_THE_WORKSPACE", workspace),
        ("suffix=SUFFIX", f"suffix={SUFFIX}"),
    ):
        assert placeholder in block
        block = block.replace(placeholder, chosen)
    az.sh(block)
    return az


def test_each_template_by_itself_ends_in_success(by_itself: Az) -> None:
    shown = by_itself("deployment", "group", "list", "-g", "breakwater", "--query", "[].[name, properties.provisioningState]")
    assert shown == [["breakwater-resource-group", "Succeeded"]]
    shown = by_itself("deployment", "sub", "list", "--query", "[].[name, properties.provisioningState]")
    assert shown == [["breakwater-subscription", "Succeeded"]]
    assert by_itself("deployment", "tenant", "show", "-n", "breakwater-tenant")["properties"]["provisioningState"] == "Succeeded"


def test_what_az_deployed_is_what_the_tests_of_the_templates_evaluate(cloud: Services, by_itself: Az) -> None:
    listed = by_itself("deployment", "operation", "group", "list", "-g", "breakwater", "-n", "breakwater-resource-group")
    made = [one["properties"]["targetResource"]["id"] for one in listed]
    evaluated = deployed("resource_group", **LEAST["resource_group"], suffix=SUFFIX, playbookPrincipalId="p")
    assert len(made) == len(set(made)) == len(evaluated.resources)
    assert Counter(map(_kind, made)) == Counter(one.type.lower() for one in evaluated.resources)
    rights = {one for one in made if "/Microsoft.Authorization/" in one}
    assert all(cloud.arm.has(one) for one in made if one not in rights)
    assert {one for one in rights if "/roleAssignments/" in one} <= {one["id"] for one in cloud.arm.roles.assignments()}


def test_rights_in_the_subscription_go_to_the_identities_that_were_made(cloud: Services, by_itself: Az) -> None:
    subscription = f"/subscriptions/{cloud.world.subscription_id}"
    identities = (
        f"{subscription}/resourceGroups/breakwater/providers/Microsoft.ManagedIdentity/userAssignedIdentities/breakwater-"
    )
    made = {
        cloud.arm.resource(f"{identities}{group}")["properties"]["principalId"]
        for group in ("detect", "respond", "network", "identity", "data", "undo", "page")
    }
    theirs = [one["properties"] for one in cloud.arm.roles.assignments() if one["properties"]["principalId"] in made]
    at_subscription = [one for one in theirs if one["scope"] == subscription]
    evaluated = deployed("subscription", **LEAST["subscription"]).of("Microsoft.Authorization/roleAssignments")
    assert len(at_subscription) == len(evaluated) > 0
    assert len(theirs) > len(at_subscription)


def test_a_parameter_that_is_missing_is_named(by_itself: Az) -> None:
    refused = by_itself.tried(*ROOM)
    assert refused.returncode == 1
    assert "Missing input parameters: workspaceId" in refused.stderr


def test_az_asks_for_a_missing_parameter_with_our_description_of_it(by_itself: Az) -> None:
    """In a terminal; a question mark asks what the parameter is."""
    try:
        terminal, other_end = pty.openpty()
    except OSError as none:  # a container without devpts
        pytest.skip(f"az asks only in a terminal, and none can be opened here: {none}")
    asked = subprocess.Popen(
        [AZ, *ROOM], env=by_itself.environment, cwd=ROOT, stdin=other_end, stdout=other_end, stderr=other_end
    )
    os.close(other_end)
    try:
        _read_until(terminal, "Please provide string value for 'workspaceId' (? for help): ")
        os.write(terminal, b"?\n")
        said = read("resource_group")["parameters"]["workspaceId"]["metadata"]["description"]
        _read_until(terminal, said)
    finally:
        asked.kill()
        asked.wait()
        os.close(terminal)


def test_a_value_that_is_not_allowed_is_refused_with_those_that_are(by_itself: Az) -> None:
    refused = by_itself.tried(*ROOM, "-p", "workspaceId=/w", "storageAccess=Public")
    assert refused.returncode == 1
    assert "InvalidTemplate" in refused.stderr
    assert "'storageAccess'" in refused.stderr
    assert "'SelectedNetworks,PrivateEndpointsOnly'" in refused.stderr


def test_what_azure_refuses_of_a_deployment_is_told_with_its_place_and_deploying_again_mends_it(
    cloud: Services, by_itself: Az
) -> None:
    again = (*ROOM, "-n", "again", "-p", f"workspaceId={cloud.world.workspace}", f"suffix={SUFFIX}")
    cloud.arm.faults.fail(500, path="/queueServices/default/queues/verdicts")
    refused = by_itself.tried(*again)
    assert refused.returncode == 1
    error = json.loads(refused.stderr.partition("ERROR: ")[2])
    assert (error["status"], error["error"]["code"]) == ("Failed", "DeploymentFailed")
    assert error["error"]["target"].endswith("/deployments/again")
    (detail,) = error["error"]["details"]
    assert detail["code"] == "InternalServerError"
    assert detail["target"].lower().endswith("/queueservices/default/queues/verdicts")
    before = len(cloud.arm.roles.assignments())
    assert by_itself(*again)["properties"]["provisioningState"] == "Succeeded"
    assert len(cloud.arm.roles.assignments()) == before


def test_the_script_that_connects_flow_logs_finds_the_app_and_its_key(cloud: Services, by_itself: Az) -> None:
    """connect.sh as it is. The key is what the host makes when the package is there."""
    room = f"/subscriptions/{cloud.world.subscription_id}/resourceGroups/breakwater/providers"
    app = f"breakwater-detect-{SUFFIX}"
    cloud.arm.put(f"{room}/Microsoft.Web/sites/{app}/host/default", {"properties": {"systemKeys": {"blobs_extension": "a/b=="}}})
    assert by_itself.sh("azure_infra/connect.sh breakwater").splitlines() == [f"Flow logs are announced to {app}."]
    topic = f"{room}/Microsoft.EventGrid/systemTopics/breakwater-flow-logs/eventSubscriptions"
    listed = by_itself("rest", "--url", f"{cloud.arm.url}{topic}?api-version=2025-02-15")["value"]
    addresses = {one["properties"]["destination"]["properties"]["endpointUrl"] for one in listed}
    assert len(addresses) == 2
    assert all(one.startswith(f"https://{app}.azurewebsites.net/") and one.endswith("&code=a%2Fb%3D%3D") for one in addresses)


def test_the_provider_that_no_template_registers_can_be_registered(by_itself: Az) -> None:
    by_itself.sh("az provider register --namespace Microsoft.App")  # with --wait it looks after ten seconds
    assert by_itself("provider", "show", "-n", "Microsoft.App")["registrationState"] == "Registered"


def test_rights_under_the_lock_are_taken_away_as_the_guide_says(cloud: Services, by_itself: Az) -> None:
    """The block after an update; here it takes those of the app that undoes, since no new deployment has the old ones."""
    (state,) = by_itself("storage", "account", "list", "-g", "breakwater", "--query", "[?isHnsEnabled].name")
    block = commands_of_the_guide('queues="$(az storage account show').replace("STATE_ACCOUNT", state)
    assert "respond is" in block

    def holders() -> list[str]:
        wanted = f"/storageaccounts/{state}/queueservices/default/queues/containments"
        there = (one["properties"] for one in cloud.arm.roles.assignments())
        return [one["description"] for one in there if one["scope"].lower().endswith(wanted) and one["description"]]

    assert any("undo is" in one for one in holders())
    by_itself.sh(block.replace("respond is", "undo is"))
    assert not any("undo is" in one for one in holders())
    levels = by_itself("lock", "list", "-g", "breakwater", "--query", "[].[name, level]")
    assert levels == [["breakwater-journal", "CanNotDelete"]]


def test_the_two_roles_on_the_key_of_links_can_be_made_and_given(cloud: Services, by_itself: Az) -> None:
    vault, respond, page = f"{cloud.world.group}/providers/Microsoft.KeyVault/vaults/soc", "r" * 8, "p" * 8
    block = commands_of_the_guide('az role definition create --role-definition \'{"Name": "Breakwater link signer"')
    for placeholder, chosen in (("<vault id>", vault), ("<respondPrincipalId>", respond), ("<pagePrincipalId>", page)):
        assert placeholder in block
        block = block.replace(placeholder, chosen)
    by_itself.sh(block)
    for principal in (respond, page):
        (given,) = cloud.arm.roles.assignments(principal)
        assert given["properties"]["scope"] == f"{vault}/keys/breakwater-links"


def test_without_bicep_everything_at_once(tmp_path: Path) -> None:
    """The lines of the guide for main.bicep, with main.json: the compiler of Bicep is what is not here."""
    preview, create = (
        line_of_the_guide(f"az deployment sub {verb}").replace("main.bicep", COMPILED).replace("REGION", "westeurope")
        for verb in ("what-if -l REGION", "create  -l REGION")
    )
    with Services(make_certificates(tmp_path / "certificates")) as services:
        az = Az(services, tmp_path)
        told = az.sh(f"{preview.replace('workspaceId=…', f'workspaceId={services.world.workspace}')}")
        assert "+ Microsoft.OperationalInsights/workspaces/shop-logs/tables/Breakwater_CL" in told
        assert "/deployments/breakwater-resource-group (NestedDeploymentShortCircuited)" in told
        assert "Microsoft.Web/sites" not in told
        assert not services.arm.has(f"/subscriptions/{services.world.subscription_id}/resourceGroups/breakwater")

        given = {"workspaceId": services.world.workspace, "applicationId": APPLICATION, "sentinelPrincipalId": SENTINEL}
        for name, chosen in given.items():
            create = create.replace(f"{name}=…", f"{name}={chosen}")
        made = json.loads(az.sh(create))["properties"]
        assert made["provisioningState"] == "Succeeded"
        assert services.arm.has(made["outputs"]["BREAKWATER_STATE_ACCOUNT_ID"]["value"])
        assert services.arm.has(made["outputs"]["BREAKWATER_PLAYBOOK_ID"]["value"])
        kinds = Counter(_kind(one["id"]) for one in made["outputResources"])
        evaluated = deploy(read("main"), SUBSCRIPTION, "", **(given | {"workspaceId": WORKSPACE}), activityLog=True)
        assert kinds.total() == len(evaluated.resources) > 200
        assert kinds["microsoft.web/sites"] == 4
        assert kinds["microsoft.securityinsights/automationrules"] == 2


def _read_until(terminal: int, wanted: str) -> None:
    shown = ""
    while " ".join(wanted.split()) not in " ".join(shown.split()):
        shown += os.read(terminal, 4096).decode(errors="replace")


def _kind(resource_id: str) -> str:
    provider, *words = resource_id.rpartition("/providers/")[2].lower().split("/")
    return "/".join([provider, *words[::2]])
