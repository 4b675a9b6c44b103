"""``main.bicep`` and ``azure.yaml`` fit the templates. pycep, of checkov's environment, reads what no compiler here can."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from azure_infra.names import APPS
from infra_tests.azure_infra.conftest import FOLDER, read

ROOT = FOLDER.parent
PYTHON = ROOT / ".venv-checkov" / "bin" / "python"
#: Modules, and the template of each.
MODULES = {"sentinel": "workspace", "room": "resource_group", "rights": "subscription", "entra": "tenant"}
_READ = "import json, sys, pycep; print(json.dumps(pycep.BicepParser().parse(text=sys.stdin.read()), default=str))"


@cache
def text() -> str:
    return (FOLDER / "main.bicep").read_text()


@cache
def _parsed() -> dict[str, Any]:
    done = subprocess.run([PYTHON, "-c", _READ], input=text(), capture_output=True, text=True, check=True)
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


@pytest.fixture
def bicep() -> dict[str, Any]:
    if not PYTHON.is_file():
        pytest.skip("checkov's environment is not here: make test makes it")
    return _parsed()


def params(bicep: dict[str, Any], module: str) -> dict[str, Any]:
    """What a module is given; of one with a condition the configuration is a level deeper."""
    config = bicep["modules"][module]["config"]
    given: dict[str, Any] = config.get("config", config)["params"]
    return given


def test_the_modules_are_the_templates(bicep: dict[str, Any]) -> None:
    assert {name: module["detail"]["path"] for name, module in bicep["modules"].items()} == {
        name: f"{template}.json" for name, template in MODULES.items()
    }
    assert bicep["globals"]["scope"]["value"] == "subscription"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_gets_what_its_template_needs_and_knows(bicep: dict[str, Any], module: str) -> None:
    given = params(bicep, module)
    declared = read(MODULES[module])["parameters"]
    assert set(given) <= set(declared)
    assert {name for name, rules in declared.items() if "defaultValue" not in rules} <= set(given)


def test_outputs_that_are_asked_for_are_given(bicep: dict[str, Any]) -> None:
    asked = re.findall(r"\b(\w+)\.outputs\.(\w+)", text())
    assert asked
    for module, output in asked:
        assert output in read(MODULES[module])["outputs"], output


def test_a_parameter_is_bounded_as_its_template_bounds_it(bicep: dict[str, Any]) -> None:
    words = {"min_value": "minValue", "max_value": "maxValue", "min_length": "minLength", "max_length": "maxLength"}
    for module, template in MODULES.items():
        declared = read(template)["parameters"]
        for name, source in params(bicep, module).items():
            if name != source or name not in bicep["parameters"]:
                continue
            ours = bicep["parameters"][name]
            assert ours["type"] == declared[name]["type"].replace("String", "string"), name
            bounds = {words[one["type"]]: one["argument"] for one in ours["decorators"] if one["type"] in words}
            rules = declared[name]
            for word, bound in bounds.items():
                assert bound >= rules[word] if word.startswith("min") else bound <= rules[word], (name, word)
            for word in words.values():
                assert word not in rules or word in bounds, (name, word)
            (allowed,) = [one["argument"] for one in ours["decorators"] if one["type"] == "allowed"] or [None]
            assert allowed == rules.get("allowedValues"), name


def test_every_parameter_says_what_it_is_for_and_is_used(bicep: dict[str, Any]) -> None:
    for name, parameter in bicep["parameters"].items():
        (description,) = [one["argument"] for one in parameter["decorators"] if one["type"] == "description"]
        assert description.endswith((".", ".'")), name
        assert len(re.findall(rf"\b{name}\b", re.sub(r"@description\('.*?(?<!\\)'\)", "", text()))) > 1, name


def test_nothing_is_armed_or_turned_on_by_default(bicep: dict[str, Any]) -> None:
    defaults = {name: parameter.get("default") for name, parameter in bicep["parameters"].items()}
    for name in ("armed", "activityLog", "entraRecords"):
        assert str(defaults[name]).lower() == "false"
    assert defaults["flowLogNetworks"] == defaults["exportTables"] == []


def test_azd_gives_parameters_that_there_are(bicep: dict[str, Any]) -> None:
    given = json.loads((FOLDER / "main.parameters.json").read_text())["parameters"]
    assert set(given) <= set(bicep["parameters"])
    assert {name for name, parameter in bicep["parameters"].items() if parameter.get("default") is None} <= set(given)


def test_azd_deploys_the_package_to_every_app() -> None:
    project = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert set(project["services"]) == {app.name for app in APPS}
    assert {service["project"] for service in project["services"].values()} == {"build/azure/cloud"}
    assert {service["host"] for service in project["services"].values()} == {"function"}
    assert {service["remoteBuild"] for service in project["services"].values()} == {False}
    assert (ROOT / project["infra"]["path"] / f"{project['infra']['module']}.bicep").is_file()
    first, _, publish = project["hooks"]["predeploy"]["run"].partition(" && ")
    for command in (publish, project["hooks"]["postdeploy"]["run"]):
        assert os.access(ROOT / command.split()[0], os.X_OK)
    assert first == project["hooks"]["prepackage"]["run"]
    assert re.search(rf"^{first.removeprefix('make ')}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = {name for hook in project["hooks"].values() for name in re.findall(r'"\$(\w+)"', hook["run"])}
    assert asked - {"AZURE_SUBSCRIPTION_ID"} <= set(re.findall(r"^output (\w+)", text(), re.MULTILINE))


def test_azd_takes_its_steps_one_by_one() -> None:
    """It would package while it provisions, and `predeploy` waits for what is provisioned alone."""
    project = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert project["workflows"]["up"]["steps"] == [{"azd": "package --all"}, {"azd": "provision"}, {"azd": "deploy --all"}]


def test_azd_can_read_each_resource_before_it_deploys() -> None:
    """It reads template and what Bicep foresees into types of its own (local_preflight.go), most of which take no expression."""
    kinds = {"dependsOn": list, "kind": str, "location": str, "scope": str, "sku": dict, "tags": (dict, str), "zones": list}
    found = list(_resources(read("main")))
    assert len(found) > 200
    for one in found:
        assert all(isinstance(one[name], kind) for name, kind in kinds.items() if name in one), one
        assert isinstance((one.get("sku") or {}).get("capacity", 1), int), one


def _resources(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in template["resources"] if isinstance(template["resources"], list) else template["resources"].values():
        yield one
        yield from _resources(one["properties"]["template"]) if "template" in one.get("properties", {}) else ()


def test_what_publishing_leaves_out_it_leaves_out_at_the_root_alone() -> None:
    """azd packs build/azure/cloud by this file, and a dependency may have a folder of such a name."""
    lines = (ROOT / ".funcignore").read_text().splitlines()
    assert all(line.startswith(("#", "/")) for line in lines)


def test_the_provider_that_no_template_registers_is_registered_first() -> None:
    delegated = set(re.findall(r'"serviceName": "([\w.]+)/', json.dumps(read("resource_group"))))
    made = {resource["type"].partition("/")[0] for resource in read("resource_group")["resources"]}
    hook = yaml.safe_load((ROOT / "azure.yaml").read_text())["hooks"]["preprovision"]["run"]
    (missing,) = delegated - made
    told, _, where = hook.partition(" ${")
    assert told == f"az provider register --namespace {missing} --wait"
    assert where == 'AZURE_SUBSCRIPTION_ID:+--subscription "$AZURE_SUBSCRIPTION_ID"}'
    assert told in (ROOT / "docs" / "deploy-azure.md").read_text()


@pytest.mark.parametrize("script", ["connect.sh", "publish.sh"])
def test_a_script_is_one_that_the_shell_understands(script: str) -> None:
    assert subprocess.run(["sh", "-n", FOLDER / script], check=False).returncode == 0


def test_the_template_that_is_deployed_after_the_package_gets_what_it_needs() -> None:
    script = (FOLDER / "connect.sh").read_text()
    given = set(re.findall(r'"(\w+)": \{"value"', script))
    assert given == set(read("flow_log_events")["parameters"])
    assert "umask 077" in script
    assert Path(FOLDER / "flow_log_events.json").name in script
