"""``azd up`` from ``azure.yaml`` on a fresh embedded Azure: azd is played (``azd.py``), the az of its hooks is real."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from azure_infra.names import APPS
from infra_tests.azure_infra.azd import Azd
from infra_tests.azure_infra.azd_parameters import AzdFailed
from infra_tests.azure_infra.azure_cli import AZ, ROOT, Az
from infra_tests.azure_infra.conftest import APPLICATION
from offline.azure.certificates import make_certificates
from offline.azure.faults import Fault
from offline.azure.services import Services

pytestmark = pytest.mark.skipif(not AZ.is_file(), reason="Azure CLI's environment is not here: make test makes it")
POST = frozenset({"POST"})
#: Stands for build/azure/cloud, which takes minutes to make: what azd must take as it is, and dependencies with names like ours.
PACKAGE = {
    "azure_functions/__init__.py": "",
    "azure_functions/__pycache__/__init__.cpython-313.pyc": "bytecode",
    "requirements.txt": "",
    ".python_packages/lib/site-packages/azure/mgmt/__init__.pyc": "bytecode alone",
    **{f".python_packages/lib/site-packages/other/{name}/file.py": "" for name in ("build", "docs", "policy", "training")},
    ".python_packages/lib/site-packages/other/LICENSE.md": "licence",
}


@dataclass
class Up:
    """An environment of azd, and what ``azd up`` left."""

    azd: Azd
    services: Services
    said: list[str]

    def app(self, name: str) -> str:
        return str(self.azd.target(name)["id"])

    def rights(self) -> list[str]:
        return sorted(one["id"] for one in self.services.arm.roles.assignments())


def contents(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What azd sees of this repository; making the package is quick."""
    root = tmp_path_factory.mktemp("project") / "breakwater"
    shutil.copytree(ROOT / "azure_infra", root / "azure_infra", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "azure.yaml", root)
    for name, text in PACKAGE.items():
        (root / "staged" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "staged" / name).write_text(text)
    for name in ("host.json", "function_app.py", ".funcignore"):
        shutil.copy(ROOT / name, root / "staged")
    (root / "Makefile").write_text(
        "package-azure: build/azure/cloud\nbuild/azure/cloud:\n\tmkdir -p build/azure && cp -r staged $@\n"
    )
    # Whoever deploys is let in by the addresses of the app that is called, and then not by Entra: az finds it unhealthy.
    written = json.loads((root / "azure_infra" / "main.parameters.json").read_text())
    written["parameters"]["callerRanges"] = {"value": ["127.0.0.0/8"]}
    (root / "azure_infra" / "main.parameters.json").write_text(json.dumps(written))
    return root


@pytest.fixture(scope="module")
def up(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The first ``azd up``, while the apps' rights on their storage are not in force yet."""
    with Services(make_certificates(tmp_path_factory.mktemp("certificates"))) as services:
        other = "ffffffff-0000-4000-8000-000000000000"
        services.arm.groups.add_subscription(other, "where az would go by itself")
        az = Az(services, tmp_path_factory.mktemp("az"), hurried=True)
        az.sh(f"az account set -s {other}")
        services.publishing.faults.order(Fault(403, "Forbidden", path="/api/publish", methods=POST))
        services.publishing.faults.fail_operation("InaccessibleStorageException", path="/api/publish")
        environment = {
            "AZURE_ENV_NAME": "soc-prod",
            "AZURE_SUBSCRIPTION_ID": services.world.subscription_id,
            "AZURE_LOCATION": "westeurope",
            "BREAKWATER_WORKSPACE_ID": services.world.workspace,
            "BREAKWATER_APPLICATION_ID": APPLICATION,
            "BREAKWATER_ACTIVITY_LOG": "true",
        }
        azd = Azd(project, services, az, environment)
        azd.up()
        yield Up(azd, services, list(azd.said))


def test_the_steps_and_hooks_run_in_their_order(up: Up) -> None:
    steps = [one.split(" to ")[0] for one in up.said if one.startswith(("hook: ", "provision: ", "deploy: "))]
    assert steps == [
        "hook: prepackage",
        "hook: preprovision",
        "provision: deployed",
        "hook: predeploy",
        *(f"deploy: {app.name}" for app in APPS),
        "hook: postdeploy",
    ]


def test_the_provider_is_registered_in_the_subscription_of_the_environment(up: Up) -> None:
    (called,) = {one.path for one in up.services.calls.calls() if one.path.endswith("/Microsoft.App/register")}
    assert up.services.world.subscription_id in called


def test_what_azd_set_reaches_the_template_and_comes_back_into_the_environment(up: Up) -> None:
    given = up.azd.parameters()
    assert given["activityLog"] is True
    assert (given["armed"], given["workspaceLocation"], given["environmentName"]) == (False, "westeurope", "soc-prod")
    assert up.azd.environment["AZURE_RESOURCE_GROUP"] == up.azd.environment["BREAKWATER_NAME"] == "breakwater"
    assert up.services.arm.has(up.azd.environment["BREAKWATER_STATE_ACCOUNT_ID"])
    subscription = f"/subscriptions/{up.services.world.subscription_id}"
    assert up.azd.arm("GET", f"{subscription}/resourceGroups/breakwater")["tags"]["azd-env-name"] == "soc-prod"
    assert up.services.arm.has(f"{subscription}/providers/Microsoft.Insights/diagnosticSettings/breakwater")


def test_every_app_runs_the_package_byte_for_byte_and_nothing_is_built_elsewhere(up: Up, project: Path) -> None:
    staged = {
        str(path.relative_to(project / "staged")): path.read_bytes() for path in (project / "staged").rglob("*") if path.is_file()
    }
    by_azd = {name: content for name, content in staged.items() if name != ".funcignore"}
    for app in APPS:
        published = [one for one in up.services.publishing.deployments[up.app(app.name).lower()] if one.status_text == ""]
        assert [contents(one.content) for one in published[:2]] == [staged, by_azd]
        assert contents(up.services.publishing.package(up.app(app.name))) == by_azd
        assert not any(one.remote_build for one in published)


def test_rights_that_are_not_in_force_yet_are_waited_for(up: Up) -> None:
    waited = [one for one in up.said if "may not write its own storage yet" in one]
    assert [one.partition("(")[2].partition(")")[0] for one in waited] == ["try 1 of 60", "try 2 of 60"]
    assert len([one for one in up.said if " has the package" in one]) == len(APPS)


def test_an_app_that_does_not_answer_whoever_deploys_has_the_package_all_the_same(up: Up) -> None:
    told = {one.split("-")[1]: one for one in up.said if " has the package" in one}
    assert "az saw no healthy host" in told["detect"]
    assert told["undo"].endswith(" has the package.")


def test_flow_logs_are_announced(up: Up) -> None:
    app = up.app("detect").rpartition("/")[2]
    assert up.said[-1] == f"Flow logs are announced to {app}."
    topic = f"{up.app('detect').partition('/providers/')[0]}/providers/Microsoft.EventGrid/systemTopics/breakwater-flow-logs"
    for name in ("detect-flows", "detect-nsg-flows"):
        to = up.services.arm.resource(f"{topic}/eventSubscriptions/{name}")["properties"]["destination"]["properties"]
        assert to["endpointUrl"].startswith(f"https://{app}.azurewebsites.net/runtime/webhooks/blobs")


def test_a_second_time_nothing_changes(up: Up) -> None:
    before, packages = up.rights(), {app.name: up.services.publishing.package(up.app(app.name)) for app in APPS}
    since = len(up.azd.said)
    up.azd.up()
    said = up.azd.said[since:]
    assert "provision: unchanged" in said
    assert len([one for one in said if one.endswith(" runs a package already.")]) == len(APPS)
    assert {app.name: up.services.publishing.package(up.app(app.name)) for app in APPS} == packages
    assert up.rights() == before


def test_provisioning_again_regardless_gives_nobody_a_right_twice(up: Up) -> None:
    before = up.rights()
    up.azd.provision(regardless=True)
    assert up.azd.said[-1] == "provision: deployed"
    assert up.rights() == before


def test_azd_itself_gives_up_at_what_the_hook_waits_for(up: Up) -> None:
    up.services.publishing.faults.order(Fault(403, "Forbidden", path="/api/publish", methods=POST))
    with pytest.raises(AzdFailed, match="403"):
        up.azd.publish("detect")


def test_deploying_alone_makes_the_package_that_no_hook_of_packaging_made(up: Up, project: Path) -> None:
    shutil.rmtree(project / "build")
    up.azd.deploy()
    assert up.azd.said[-1].startswith("Flow logs are announced to ")


def test_taking_it_down_is_refused_since_it_would_take_the_workspaces_group_too(up: Up) -> None:
    assert up.azd.written_into() >= {"breakwater", up.services.world.workspace.split("/")[4]}
    with pytest.raises(AzdFailed, match="Nothing was deleted"):
        up.azd.down()


def test_a_value_that_is_missing_is_named_before_anything_is_done(up: Up, project: Path) -> None:
    calls = len(up.services.calls)
    fresh = Azd(
        project, up.services, up.azd.az, {name: up.azd.environment[name] for name in ("AZURE_ENV_NAME", "AZURE_LOCATION")}
    )
    with pytest.raises(AzdFailed, match=r"missing required inputs: workspaceId$"):
        fresh.up()
    assert (fresh.said, len(up.services.calls)) == ([], calls)
