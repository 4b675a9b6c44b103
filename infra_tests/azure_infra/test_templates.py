"""The templates as such: current, valid, whole, without secrets, and careful by default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from azure_infra.__main__ import FOLDER, TEMPLATES
from azure_infra.arm import SCHEMA
from infra_tests.azure_infra.conftest import LEAST, MOST, deployed, read
from infra_tests.azure_infra.schemas import BY_DEFINITION, MISTAKEN, WITHOUT_SCHEMA, Schemas, SchemaUnknown
from offline.azure.templates.deployment import SUBSCRIPTION, Deployment, ParameterRefused, deploy
from offline.azure.templates.expressions import calls, parse
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
    assert used >= WITHOUT_SCHEMA | BY_DEFINITION.keys()
    for kind in WITHOUT_SCHEMA - {"Microsoft.Resources/deployments"}:
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
