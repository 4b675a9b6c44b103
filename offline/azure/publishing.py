"""Where function apps take their packages (``NAME.scm.azurewebsites.net``), and their front door (``NAME.azurewebsites.net``).

One deploy, as Flex Consumption has it: the zip is posted, a deployment is answered, and looked at until it has ended. The app
puts the package into its container as its own identity, so without a right there the deployment fails. Nothing is run here: the
functions that an app has from then on are those of the registry, and its host makes the keys.

What is asked and answered follows Azure CLI (``enable_zip_deploy_flex`` and ``check_flex_app_after_deployment`` in
``azure.cli.command_modules.appservice.custom``) and azd (``cli/azd/pkg/azsdk/funcapp_host_client.go``).
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from azure_functions.registry import FUNCTIONS, Trigger
from offline.azure.callers import Caller
from offline.azure.endpoint import Endpoint, Link, Refusal, Wanted, base_url
from offline.azure.faults import Course
from offline.azure.resource_manager.manager import ResourceManager
from offline.azure.resource_manager.roles import BUILT_IN
from offline.azure.resource_manager.sites import settings_in
from offline.azure.resource_manager.store import Resource, new_guid
from offline.azure.web import Answer, Request

_PATH = re.compile(r"/(?P<host>scm|app)(?P<app>/subscriptions/.+?/sites/[^/]+)(?P<asked>/.*)", re.IGNORECASE)
_RIGHT = "Microsoft.Web/sites/publish/action"
_MAY_WRITE = frozenset({BUILT_IN["Storage Blob Data Contributor"], BUILT_IN["Storage Blob Data Owner"]})
_PENDING, _FAILED, _SUCCEEDED = 0, 3, 4
_CALLER = ip_address("127.0.0.1")


@dataclass(slots=True)
class Published:
    """One deployment of a package.

    Attributes
    ----------
    content : bytes
        The zip, as it came.
    remote_build : bool
        Whether its requirements are to be installed on the other side.
    """

    id: str
    content: bytes
    remote_build: bool
    course: Course
    looks_left: int
    status: int = _PENDING
    status_text: str = ""


class Publishing(Endpoint):
    """The hosts of all function apps of a Resource Manager.

    Attributes
    ----------
    deployments : dict of str to list of Published
        By the app's id, in lower case.
    """

    name = "publishing"
    audiences = ("https://appservice.azure.com", "https://management.azure.com", "https://management.core.windows.net")

    def __init__(self, arm: ResourceManager, **shared: Any) -> None:
        super().__init__(**shared)
        self._arm = arm
        self.deployments: dict[str, list[Published]] = {}

    def package(self, app: str) -> bytes:
        """The package that an app runs; empty where it runs none."""
        done = [one for one in self.deployments.get(app.lower(), []) if one.status == _SUCCEEDED]
        return done[-1].content if done else b""

    def answer(self, request: Request) -> Answer:
        """Answer one request. An app's own host asks for no token of Azure's: who may call is the app's own business."""
        found = _PATH.fullmatch(request.path)
        if found and found["host"] == "app":
            return self._front_door(found["app"], found["asked"], request)
        return super().answer(request)

    def wanted(self, request: Request) -> Wanted:
        found = _PATH.fullmatch(request.path)
        if found is None or not self._arm.has(found["app"]):
            raise Refusal(404, "NotFound", f"There is no app at {request.path}.")
        app, (*_, last) = found["app"], found["asked"].split("/")
        match request.method, found["asked"].rpartition("/")[0]:
            case "POST", "/api" if last == "publish":
                return Wanted(_RIGHT, (), lambda _: self._publish(app, request))
            case "GET", "/api" if last == "deployments":
                return Wanted(_RIGHT, (), lambda _: Answer(200, [self._said(app, one, request) for one in self._of(app)]))
            case "GET", "/api/deployments":
                return Wanted(_RIGHT, (), lambda _: self._look(app, last, request))
        raise Refusal(404, "NotFound", f"{request.method} {found['asked']} is not served here.")

    def denied(self, caller: Caller, wanted: Wanted, link: Link | None, request: Request) -> Refusal:
        return Refusal(403, "Forbidden", f"Client {caller.client_id} may not perform {wanted.operation}.")

    def _of(self, app: str) -> list[Published]:
        return self.deployments.setdefault(app.lower(), [])

    def _publish(self, app: str, request: Request) -> Answer:
        if any(one.status == _PENDING for one in self._of(app)):
            return Answer(409, {"message": "There is a deployment currently in progress. Please try again when it completes."})
        remote = request.query.get("remotebuild", "false").lower() == "true"
        course = self.faults.course(request.path)
        self._of(app).append(Published(new_guid(), request.body, remote, course, course.polls))
        return Answer(202, self._of(app)[-1].id)

    def _look(self, app: str, which: str, request: Request) -> Answer:
        wanted = [one for one in self._of(app) if which in ("latest", one.id)]
        if not wanted:
            return Answer(404)
        one = wanted[-1]
        if one.status == _PENDING:
            one.looks_left -= 1
            if one.looks_left < 0:
                self._end(app, one)
        return Answer(200, self._said(app, one, request))

    def _end(self, app: str, one: Published) -> None:
        site = self._arm.resource(app)
        try:
            held = set(zipfile.ZipFile(io.BytesIO(one.content)).namelist())
        except zipfile.BadZipFile:
            one.status, one.status_text = _FAILED, "ZipFileInvalid: The package is no zip."
            return
        if one.course.fails:
            one.status, one.status_text = _FAILED, f"{one.course.code}: {one.course.message}"
        elif not self._may_keep(site):
            refused = "This request is not authorized to perform this operation using this permission."
            one.status, one.status_text = _FAILED, f"InaccessibleStorageException: Failed to access storage account: {refused}"
        else:
            one.status = _SUCCEEDED
            self._load(site, held)

    def _may_keep(self, site: Resource) -> bool:
        """Whether the identity that the app goes to its package container as may write blobs there."""
        storage = site["properties"]["functionAppConfig"]["deployment"]["storage"]
        account = f"/storageaccounts/{urlsplit(storage['value']).netloc.partition('.')[0]}".lower()
        identity = self._arm.resource(storage["authentication"]["userAssignedIdentityResourceId"])
        given = (one["properties"] for one in self._arm.roles.assignments(identity["properties"]["principalId"]))
        may = [one["scope"].lower() for one in given if str(one["roleDefinitionId"]).rpartition("/")[2] in _MAY_WRITE]
        return any(f"{scope}/".partition(account)[1:] != ("", "") for scope in may)

    def _load(self, site: Resource, held: set[str]) -> None:
        """The host loads the package: it has keys, and functions (none without ``function_app.py``, which is no error)."""
        told = settings_in(site)
        disabled = {spec.name for spec in FUNCTIONS if told.get(f"AzureWebJobs.{spec.name}.Disabled") == "true"}
        for spec in FUNCTIONS:
            function = f"{site['id']}/functions/{spec.name}"
            if {"host.json", "function_app.py"} <= held:
                self._arm.put(function, {"properties": {"name": spec.name, "isDisabled": spec.name in disabled}})
            elif self._arm.has(function):
                self._arm.remove(function)
        key = partial(_key, site["id"])
        blobs = any(spec.trigger is Trigger.BLOB and spec.name not in disabled for spec in FUNCTIONS)
        keys = {"masterKey": key("master"), "functionKeys": {"default": key("default")}}
        keys["systemKeys"] = {"blobs_extension": key("blobs_extension")} if blobs and "function_app.py" in held else {}
        self._arm.put(f"{site['id']}/host/default", {"properties": keys})

    def _said(self, app: str, one: Published, request: Request) -> dict[str, Any]:
        at = f"{base_url(request)}/scm{app}/api/deployments/{one.id}"
        return {
            "id": one.id,
            "status": one.status,
            "status_text": one.status_text,
            "complete": one.status != _PENDING,
            "remoteBuild": one.remote_build,
            "start_time": "2026-11-01T08:00:00Z",
            "url": at,
            "log_url": "",
        }

    def _front_door(self, app: str, asked: str, request: Request) -> Answer:
        """``/admin/host/status`` as whoever calls from this machine gets it: addresses first, then who calls, then the host."""
        if not self._arm.has(app) or asked != "/admin/host/status":
            return Answer(404)
        config = self._arm.resource(app)["properties"].get("siteConfig", {})
        if not _lets_in(config):
            return Answer(403, reason="Ip Forbidden")
        rules = f"{app}/config/authsettingsV2"
        asks = self._arm.resource(rules)["properties"].get("globalValidation", {}) if self._arm.has(rules) else {}
        if asks.get("requireAuthentication"):
            return Answer(401)
        if not self.package(app):
            return Answer(503)
        return Answer(200 if request.headers.get("x-functions-key") == _key(app, "master") else 401, {"state": "Running"})


def _lets_in(config: dict[str, Any]) -> bool:
    ranges = (one["ipAddress"] for one in config.get("ipSecurityRestrictions") or [] if one.get("tag") != "ServiceTag")
    default = config.get("ipSecurityRestrictionsDefaultAction", "Allow")
    return any(_CALLER in ip_network(one, strict=False) for one in ranges) or default == "Allow"


def _key(app: str, name: str) -> str:
    return f"{uuid5(NAMESPACE_URL, f'{name} of {app.lower()}').hex}/+=="
