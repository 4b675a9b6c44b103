"""Deployments of templates to the local Resource Manager: their course, their refusals, and what is there afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from offline.azure.credential import make_token
from offline.azure.resource_manager.roles import BUILT_IN
from offline.azure.services import Services
from offline.azure.web import Answer, Request

DEPLOYER = "deployer"
IDENTITIES, ASSIGNMENTS = "Microsoft.ManagedIdentity/userAssignedIdentities", "Microsoft.Authorization/roleAssignments"
IDENTITY = {"type": IDENTITIES, "apiVersion": "2024-11-30", "name": "robot", "location": "westeurope"}
DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
_PRINCIPAL = f"[reference(resourceId('{IDENTITIES}', 'robot'), '2024-11-30').principalId]"


def template(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    return {"$schema": schema, "contentVersion": "1.0.0.0", "parameters": {}, "resources": list(resources), **more}


def assignment(role: str) -> dict[str, Any]:
    """Of a role to the identity; it stands before it in the template, and waits for it."""
    return {
        "type": ASSIGNMENTS,
        "apiVersion": "2022-04-01",
        "name": "00000000-0000-4000-8000-000000000001",
        "dependsOn": [f"[resourceId('{IDENTITIES}', 'robot')]"],
        "properties": {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": _PRINCIPAL,
        },
    }


class Asked:
    """Requests of somebody who deploys to the seeded resource group."""

    def __init__(self, services: Services) -> None:
        self._services, self.group = services, services.world.group
        self.deployment = f"{self.group}/providers/Microsoft.Resources/deployments/one"

    def __call__(self, method: str, path: str, body: Any = None, more: Mapping[str, str] | None = None) -> Answer:
        arm = self._services.arm
        token = make_token(arm.audiences[0], DEPLOYER, now_s=arm.clock())
        headers = {"authorization": f"Bearer {token}", "host": "127.0.0.1"}
        content = b"" if body is None else json.dumps(body).encode()
        return arm.answer(Request(method, path, {"api-version": "2025-04-01", **(more or {})}, headers, content))

    def deploy(self, sent: dict[str, Any], **parameters: Any) -> Any:
        """Properties of the deployment when it has ended, or the error by which it was refused."""
        given = {name: {"value": chosen} for name, chosen in parameters.items()}
        body = {"properties": {"mode": "Incremental", "template": sent, "parameters": given}}
        accepted = self("PUT", self.deployment, body)
        return self.shown(accepted) if accepted.status >= 400 else self.shown(self("GET", self.deployment))["properties"]

    @staticmethod
    def shown(answer: Answer) -> Any:
        assert isinstance(answer.body, dict)
        return answer.body


@pytest.fixture
def asked(services: Services) -> Asked:
    return Asked(services)


def test_each_resource_is_made_after_what_it_waits_for_and_takes_what_that_has_become(services: Services, asked: Asked) -> None:
    outputs = {"who": {"type": "string", "value": _PRINCIPAL}}
    made = asked.deploy(template(assignment(BUILT_IN["Reader"]), IDENTITY, outputs=outputs))
    assert made["provisioningState"] == "Succeeded"
    who = services.arm.resource(f"{asked.group}/providers/{IDENTITIES}/robot")["properties"]["principalId"]
    assert made["outputs"]["who"] == {"type": "String", "value": who}
    (given,) = services.arm.roles.assignments(who)
    assert given["properties"]["scope"] == asked.group
    assert [one["id"].rpartition("/")[2] for one in made["outputResources"]] == ["robot", assignment("")["name"]]


def test_it_runs_until_it_was_looked_at_often_enough(services: Services, asked: Asked) -> None:
    services.arm.faults.slow(2, path="/deployments/")
    accepted = asked("PUT", asked.deployment, {"properties": {"mode": "Incremental", "template": template(IDENTITY)}})
    status = accepted.headers["Azure-AsyncOperation"].removeprefix("https://127.0.0.1").partition("?")[0]
    seen = [asked.shown(asked("GET", status))["status"] for _ in range(3)]
    assert seen == ["Running", "Succeeded", "Succeeded"]


def test_the_first_refusal_ends_it_and_is_told_with_its_place(services: Services, asked: Asked) -> None:
    nobody = "00000000-0000-4000-8000-00000000dead"
    failed = asked.deploy(template(IDENTITY, assignment(nobody)))
    assert (failed["provisioningState"], failed["error"]["code"]) == ("Failed", "DeploymentFailed")
    (detail,) = failed["error"]["details"]
    assert detail["code"] == "RoleDefinitionDoesNotExist"
    assert detail["target"] == f"{asked.group}/providers/{ASSIGNMENTS}/{assignment('')['name']}"
    steps = asked.shown(asked("GET", f"{asked.deployment}/operations"))["value"]
    assert [one["properties"]["provisioningState"] for one in steps] == ["Succeeded", "Failed"]
    assert services.arm.has(f"{asked.group}/providers/{IDENTITIES}/robot")


def test_who_may_deploy_may_not_therefore_make_everything(services: Services, asked: Asked) -> None:
    services.grants.allow(DEPLOYER, ["Microsoft.Resources/deployments/*", "*/read", f"{IDENTITIES}/write"])
    failed = asked.deploy(template(IDENTITY, assignment(BUILT_IN["Reader"])))
    assert [one["code"] for one in failed["error"]["details"]] == ["AuthorizationFailed"]


def test_deploying_again_changes_nothing(services: Services, asked: Asked) -> None:
    sent = template(IDENTITY, assignment(BUILT_IN["Reader"]))
    first = asked.deploy(sent)
    before = services.arm.roles.assignments()
    assert asked.deploy(sent)["outputResources"] == first["outputResources"]
    assert services.arm.roles.assignments() == before


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"parameters": {"size": {"type": "int", "maxValue": 3}}}, "'size' is not provided"),
        ({"parameters": {"size": {"type": "int", "defaultValue": 4, "maxValue": 3}}}, "less than or equal to '3'"),
        ({"resources": [{"type": 7}]}, "KeyError"),
        ({"outputs": {"x": {"type": "string", "value": "[nonsense()]"}}}, "no function nonsense"),
        ({"resources": [IDENTITY | {"dependsOn": [f"[resourceId('{IDENTITIES}', 'robot')]"]}]}, "Circular dependency"),
    ],
)
def test_a_template_that_cannot_be_deployed_is_refused_before_anything_is_made(
    services: Services, asked: Asked, sent: dict[str, Any], said: str
) -> None:
    error = asked.deploy(template(IDENTITY, **({} if "resources" in sent else sent)) | sent)["error"]
    assert error["code"] == "InvalidTemplate"
    assert said in error["message"]
    assert not services.arm.has(f"{asked.group}/providers/{IDENTITIES}/robot")


def test_a_name_of_a_role_is_the_only_one_of_the_tenant(asked: Asked) -> None:
    role = {"properties": {"roleName": "mine", "permissions": [{"actions": ["*/read"]}], "assignableScopes": [asked.group]}}
    path = f"{asked.group}{DEFINITIONS}/"
    guid = "00000000-0000-4000-8000-00000000000"
    assert asked("PUT", f"{path}{guid}1", role).status == 201
    assert asked("PUT", f"{path}{guid}1", role).status == 201
    assert asked.shown(asked("PUT", f"{path}{guid}2", role))["error"]["code"] == "RoleDefinitionWithSameNameExists"
    assert asked("PUT", f"{path}{BUILT_IN['Owner']}", role).status == 403
    assert asked("DELETE", f"{path}{guid}1").status == 200


def test_a_group_with_something_locked_in_it_cannot_be_deleted(asked: Asked) -> None:
    lock = f"{asked.group}/providers/Microsoft.Network/networkSecurityGroups/edge/providers/Microsoft.Authorization/locks/keep"
    assert asked("PUT", lock, {"properties": {"level": "CanNotDelete"}}).status == 201
    assert asked.shown(asked("DELETE", asked.group))["error"]["code"] == "ScopeLocked"
    assert asked("DELETE", lock).status == 200
    assert asked("DELETE", asked.group).status == 202


SITE = {
    "type": "Microsoft.Web/sites",
    "apiVersion": "2024-11-01",
    "name": "one",
    "location": "westeurope",
    "properties": {"serverFarmId": "plan", "functionAppConfig": {}, "siteConfig": {"minTlsVersion": "1.2", "appSettings": []}},
}


def site(name: str = "one", **config: Any) -> dict[str, Any]:
    return {**SITE, "name": name, "properties": {**SITE["properties"], "siteConfig": config}}


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (site(ftpsState="Disabled", linuxFxVersion="PYTHON|3.13"), "(Site.SiteConfig.FtpsState, Site.SiteConfig.LinuxFxVersion)"),
        (
            site(appSettings=[{"name": "FUNCTIONS_WORKER_RUNTIME", "value": "python"}]),
            "(Site.SiteConfig.AppSettings.FUNCTIONS_WORKER_RUNTIME)",
        ),
    ],
)
def test_what_flex_consumption_takes_of_no_app_is_refused_though_the_schema_has_it(
    asked: Asked, app: dict[str, Any], said: str
) -> None:
    made = asked.deploy(template(app))
    (detail,) = made["error"]["details"]
    assert said in detail["message"]
    assert "for Flex Consumption sites is invalid" in detail["message"]


def test_a_plan_of_flex_consumption_has_one_app(asked: Asked) -> None:
    assert asked.deploy(template(SITE))["provisioningState"] == "Succeeded"
    assert asked.deploy(template(SITE))["provisioningState"] == "Succeeded"
    (detail,) = asked.deploy(template({**SITE, "name": "two"}))["error"]["details"]
    assert "only be one site per Flex Consumption serverfarm" in detail["message"]


def test_what_somebody_wrote_on_a_deployment_is_kept_with_a_number_of_its_template(asked: Asked) -> None:
    sent = template(IDENTITY)
    body = {"tags": {"azd-env-name": "soc"}, "properties": {"mode": "Incremental", "template": sent, "parameters": {}}}
    asked("PUT", asked.deployment, body)
    shown = asked.shown(asked("GET", asked.deployment))
    assert shown["tags"] == {"azd-env-name": "soc"}
    path = "/providers/Microsoft.Resources/calculateTemplateHash"
    assert shown["properties"]["templateHash"] == asked.shown(asked("POST", path, sent))["templateHash"]
    assert shown["properties"]["templateHash"] != asked.shown(asked("POST", path, template()))["templateHash"]


def test_what_stands_in_a_group_is_found_by_a_tag(asked: Asked) -> None:
    asked.deploy(template({**IDENTITY, "tags": {"azd-service-name": "detect"}}))
    listed = asked.shown(asked("GET", f"{asked.group}/resources", more={"$filter": _tagged("azd-service-name", "detect")}))
    assert [(one["name"], one["type"]) for one in listed["value"]] == [("robot", IDENTITIES)]
    assert asked.shown(asked("GET", f"{asked.group}/resources", more={"$filter": _tagged("a", "b")}))["value"] == []
    assert len(asked.shown(asked("GET", f"{asked.group}/resources"))["value"]) > 1
    assert asked("GET", f"{asked.group}/resources", more={"$filter": "kind eq 'x'"}).status == 400


def _tagged(name: str, value: str) -> str:
    return f"tagName eq '{name}' and tagValue eq '{value}'"
