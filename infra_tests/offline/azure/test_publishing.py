"""The hosts of function apps: what a package meets there, and what becomes of it."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from azure_functions.registry import FUNCTIONS
from offline.azure.faults import Fault
from offline.azure.publishing import Publishing
from offline.azure.seed import SUBSCRIPTION_ID
from offline.azure.services import Services
from offline.azure.web import Answer, Request

ROOM = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/breakwater"
APP = f"{ROOM}/providers/Microsoft.Web/sites/breakwater-detect-x"
IDENTITY = f"{ROOM}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/breakwater-detect"
ACCOUNT = f"{ROOM}/providers/Microsoft.Storage/storageAccounts/hostx"
SUCCEEDED, PENDING, FAILED = 4, 0, 3


def package(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return written.getvalue()


WHOLE = package("host.json", "function_app.py")


@pytest.fixture
def app(services: Services) -> Publishing:
    """An app whose identity may write where its package is kept."""
    services.arm.groups.add(SUBSCRIPTION_ID, "breakwater", "westeurope")
    services.arm.put(IDENTITY, {"location": "westeurope"})
    storage = {
        "value": "https://hostx.blob.core.windows.net/packages",
        "authentication": {"type": "UserAssignedIdentity", "userAssignedIdentityResourceId": IDENTITY},
    }
    config = {"appSettings": [{"name": "AzureWebJobs.respond.Disabled", "value": "true"}]}
    properties = {"functionAppConfig": {"deployment": {"storage": storage}}, "siteConfig": config}
    services.arm.put(APP, {"location": "westeurope", "properties": properties})
    principal = services.arm.resource(IDENTITY)["properties"]["principalId"]
    services.arm.roles.assign(ACCOUNT, principal, "Storage Blob Data Owner")
    return services.publishing


def ask(services: Services, method: str, asked: str, content: bytes = b"", **query: str) -> Answer:
    token = services.identity.token(services.identities["respond"].client_id, services.publishing.audiences[0])
    headers = {"authorization": f"Bearer {token}", "host": "here"}
    return services.publishing.answer(Request(method, f"/scm{APP}{asked}", query, headers, content))


def published(services: Services, content: bytes, **query: str) -> dict[str, Any]:
    """A deployment when it has been looked at."""
    started = ask(services, "POST", "/api/publish", content, **query)
    assert started.status == 202
    answer = ask(services, "GET", f"/api/deployments/{started.body}")
    assert isinstance(answer.body, dict)
    return answer.body


@pytest.mark.usefixtures("app")
class TestAPackage:
    def test_is_what_the_app_runs_from_then_on(self, services: Services) -> None:
        assert published(services, WHOLE, remotebuild="true")["status"] == SUCCEEDED
        assert services.publishing.package(APP) == WHOLE
        assert services.publishing.deployments[APP.lower()][0].remote_build
        functions = {spec.name: services.arm.resource(f"{APP}/functions/{spec.name}")["properties"] for spec in FUNCTIONS}
        assert [name for name, one in functions.items() if one["isDisabled"]] == ["respond"]
        keys = services.arm.resource(f"{APP}/host/default")["properties"]
        assert keys["masterKey"]
        assert "blobs_extension" in keys["systemKeys"]

    def test_without_the_app_has_no_functions_and_no_error(self, services: Services) -> None:
        published(services, WHOLE)
        assert published(services, package("host.json"))["status"] == SUCCEEDED
        assert not any(services.arm.has(f"{APP}/functions/{spec.name}") for spec in FUNCTIONS)

    def test_does_not_arrive_where_the_app_may_not_keep_it(self, services: Services) -> None:
        (right,) = services.arm.roles.assignments(services.arm.resource(IDENTITY)["properties"]["principalId"])
        services.arm.roles.unassign(right["id"])
        refused = published(services, WHOLE)
        assert (refused["status"], refused["status_text"].split(":")[0]) == (FAILED, "InaccessibleStorageException")
        assert services.publishing.package(APP) == b""

    def test_that_is_none_is_refused(self, services: Services) -> None:
        assert published(services, b"no zip")["status"] == FAILED

    def test_waits_for_no_second_one(self, services: Services) -> None:
        services.publishing.faults.slow(2, path="/api/publish")
        started = ask(services, "POST", "/api/publish", WHOLE)
        assert ask(services, "POST", "/api/publish", WHOLE).status == 409
        looks = [ask(services, "GET", f"/api/deployments/{started.body}").body for _ in range(3)]
        assert [one["status"] for one in looks if isinstance(one, dict)] == [PENDING, PENDING, SUCCEEDED]


@pytest.mark.usefixtures("app")
class TestWhoMayPublish:
    def test_takes_the_right_to_publish(self, services: Services) -> None:
        services.grants.allow(services.identities["respond"].client_id, ("Microsoft.Web/sites/read",))
        assert ask(services, "POST", "/api/publish", WHOLE).status == 403

    def test_takes_a_token(self, services: Services) -> None:
        assert services.publishing.answer(Request("POST", f"/scm{APP}/api/publish")).status == 401

    def test_an_app_that_is_not_there_is_none(self, services: Services) -> None:
        services.arm.remove(APP)
        assert ask(services, "POST", "/api/publish", WHOLE).status == 404

    def test_an_order_befalls_an_upload(self, services: Services) -> None:
        services.publishing.faults.order(Fault(403, "Forbidden", path="/api/publish"))
        assert ask(services, "POST", "/api/publish", WHOLE).status == 403
        assert published(services, WHOLE)["status"] == SUCCEEDED


@pytest.mark.usefixtures("app")
class TestTheFrontDoor:
    def status(self, services: Services, key: str = "") -> Answer:
        return services.publishing.answer(Request("GET", f"/app{APP}/admin/host/status", {}, {"x-functions-key": key}))

    def limit(self, services: Services, **config: Any) -> None:
        services.arm.change(APP, lambda site: site["properties"]["siteConfig"].update(config))

    def test_answers_who_has_the_key_of_a_host_with_a_package(self, services: Services) -> None:
        assert self.status(services).status == 503
        published(services, WHOLE)
        key = services.arm.resource(f"{APP}/host/default")["properties"]["masterKey"]
        assert [self.status(services, one).status for one in ("guessed", key)] == [401, 200]

    def test_is_shut_to_addresses_that_are_not_named(self, services: Services) -> None:
        self.limit(services, ipSecurityRestrictionsDefaultAction="Deny")
        assert (self.status(services).status, self.status(services).reason) == (403, "Ip Forbidden")
        self.limit(services, ipSecurityRestrictions=[{"ipAddress": "AzureEventGrid", "tag": "ServiceTag"}])
        assert self.status(services).status == 403
        self.limit(services, ipSecurityRestrictions=[{"ipAddress": "127.0.0.0/8"}])
        assert self.status(services).status == 503

    def test_asks_who_calls_before_the_host_is_asked(self, services: Services) -> None:
        rules = {"properties": {"globalValidation": {"requireAuthentication": True}}}
        services.arm.put(f"{APP}/config/authsettingsV2", rules)
        assert self.status(services).status == 401
