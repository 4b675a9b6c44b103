"""``azd up`` played step by step, as its source says (github.com/Azure/azure-dev, 2026): azd itself is not to be had here.

Each step names the file that it follows, below ``cli/azd``. What azd does for people who watch is left out, and where it would
ask somebody, it fails with what it would ask. Bicep's compiler is our own reader, whose result is ``main.json``.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from infra_tests.azure_infra.azd_parameters import AzdFailed, filled
from infra_tests.azure_infra.azure_cli import Az
from offline.azure.services import Services

_CLOCK = itertools.count(1_796_000_000)
_LANGUAGES = {"py": "python", "python": "python"}


class Azd:
    """One environment of azd (``azd env new``) in one project.

    Parameters
    ----------
    project
        Holds ``azure.yaml``.
    services
        The embedded Azure.
    az
        What the hooks find on their path, signed in.
    environment
        ``.azure/NAME/.env``.

    Attributes
    ----------
    said : list of str
        What the hooks wrote, and each step.
    """

    def __init__(self, project: Path, services: Services, az: Az, environment: Mapping[str, str]) -> None:
        self.project, self.az, self._services = project, az, services
        self.environment = dict(environment)
        self.said: list[str] = []
        self._config = yaml.safe_load((project / "azure.yaml").read_text())
        self._packages: dict[str, bytes] = {}
        self._trust = ssl.create_default_context(cafile=str(services.certificates.authority))
        self._signed_in = services.identity.assign("whoever deploys")

    def up(self) -> None:
        """``azd up``: parameters are asked for first, before any hook (cmd/up.go); then the project's own steps, one by one.

        Raises
        ------
        AzdFailed
        """
        self.parameters()
        for step in self._config["workflows"]["up"]["steps"]:
            verb = step["azd"].split()[0]
            {"package": self.package, "provision": self.provision, "deploy": self.deploy}[verb]()

    def package(self) -> None:
        """``azd package --all`` (cmd/package.go), between its hooks (cmd/middleware/hooks.go)."""
        self._hook("prepackage")
        for name in self._config["services"]:
            self._packages[name] = self._packed(name)
        self._hook("postpackage")

    def provision(self, *, regardless: bool = False) -> None:
        """``azd provision`` (pkg/infra/provisioning/bicep/bicep_provider.go, Deploy): skipped where nothing has changed since.

        Parameters
        ----------
        regardless
            ``--no-state``.
        """
        self._hook("preprovision")
        template, given = self._template(), self.parameters()
        final = {name: given.get(name, declared.get("defaultValue")) for name, declared in template["parameters"].items()}
        tags = {
            "azd-env-name": self.environment["AZURE_ENV_NAME"],
            "azd-layer-name": "",
            "azd-provision-param-hash": sha256(json.dumps(final, sort_keys=True).encode()).hexdigest(),
        }
        done = None if regardless else self._unchanged(template, tags)
        outputs = (done or self._deployed(template, given, tags))["properties"]["outputs"]
        self.said.append("provision: unchanged" if done else "provision: deployed")
        # pkg/infra/provisioning/provider.go: names as the template writes them, whatever case Azure answers them in.
        written = {name.lower(): name for name in template["outputs"]}
        for name, output in outputs.items():
            self.environment[written.get(name.lower(), name.upper())] = str(output["value"])
        self._hook("postprovision")

    def deploy(self) -> None:
        """``azd deploy --all`` (internal/cmd/deploy.go): packages anew, without the hooks of packaging, and uploads."""
        self._hook("predeploy")
        for name in self._config["services"]:
            self._packages[name] = self._packed(name)
            self.publish(name)
        self._hook("postdeploy")

    def down(self) -> set[str]:
        """The resource groups that ``azd down --force`` deletes: all that the last deployment has anything in.

        As bicep_provider.go (Destroy) and bicep_destroy.go; without ``--force`` azd asks, and newer ones leave some out.

        Raises
        ------
        AzdFailed
            By the hook before it.
        """
        self._hook("predown")
        return self.written_into()

    def written_into(self) -> set[str]:
        """The resource groups of what the last deployment of this environment made."""
        listed = self.arm("GET", f"{self._subscription}/providers/Microsoft.Resources/deployments")["value"]
        ours = [one for one in listed if one.get("tags", {}).get("azd-env-name") == self.environment["AZURE_ENV_NAME"]]
        made = (one["id"].split("/") for one in ours[-1]["properties"]["outputResources"])
        return {words[4] for words in made if words[3:4] == ["resourceGroups"]}

    def parameters(self) -> dict[str, Any]:
        """What the template is given.

        Raises
        ------
        AzdFailed
            Where azd would ask, or cannot read a value.
        """
        infra = self._config["infra"]
        file = json.loads((self.project / infra["path"] / f"{infra['module']}.parameters.json").read_text())
        return filled(file["parameters"], self._template()["parameters"], self.environment)

    def _template(self) -> dict[str, Any]:
        infra = self._config["infra"]
        template: dict[str, Any] = json.loads((self.project / infra["path"] / f"{infra['module']}.json").read_text())
        return template

    def _unchanged(self, template: dict[str, Any], tags: Mapping[str, str]) -> dict[str, Any] | None:
        """The last deployment of this environment, where template and parameters are the same (deploymentState)."""
        hashed = self.arm("POST", "/providers/Microsoft.Resources/calculateTemplateHash", template)["templateHash"]
        listed = self.arm("GET", f"{self._subscription}/providers/Microsoft.Resources/deployments")["value"]
        ours = [one for one in listed if one.get("tags", {}).get("azd-env-name") == tags["azd-env-name"]]
        if not ours or ours[-1]["properties"]["provisioningState"] != "Succeeded":
            return None
        same = ours[-1]["properties"]["templateHash"] == hashed and ours[-1]["tags"] == dict(tags)
        return ours[-1] if same else None

    def _deployed(self, template: dict[str, Any], given: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """A deployment at the subscription, validated first (pkg/azapi/standard_deployments.go)."""
        name = f"{tags['azd-env-name']}-{next(_CLOCK)}"[-64:]
        path = f"{self._subscription}/providers/Microsoft.Resources/deployments/{name}"
        values = {parameter: {"value": value} for parameter, value in given.items()}
        properties = {"mode": "Incremental", "template": template, "parameters": values}
        body = {"location": self.environment["AZURE_LOCATION"], "tags": dict(tags), "properties": properties}
        self.arm("POST", f"{path}/validate", body)
        self.arm("PUT", path, body)
        while (made := self.arm("GET", path))["properties"]["provisioningState"] == "Running":
            pass
        if made["properties"]["provisioningState"] != "Succeeded":
            raise AzdFailed(json.dumps(made["properties"]["error"]))
        return made

    def _packed(self, name: str) -> bytes:
        """A service's folder as a zip (pkg/project/framework_service_python.go, project_utils.go): without what it ignores."""
        service = self._config["services"][name]
        assert (service["host"], _LANGUAGES[service["language"]]) == ("function", "python")
        root = self.project / service["project"]
        if not root.is_dir() or not any(root.iterdir()):
            raise AzdFailed(f"package source '{root}' is empty or does not exist")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in kept(root):
                archive.write(path, path.relative_to(root))
        return packed.getvalue()

    def publish(self, name: str) -> None:
        """Upload a service's package to its app: once (service_target_functionapp.go, pkg/azsdk/funcapp_host_client.go)."""
        app = self.target(name)
        hosts = app["properties"]["hostNameSslStates"]
        repository = next(host["name"] for host in hosts if host["hostType"] == "Repository")
        plan = self.arm("GET", app["properties"]["serverFarmId"])
        if plan["sku"]["tier"].lower() != "flexconsumption":
            raise AzdFailed("'remoteBuild' is only supported for Flex Consumption plan function apps")
        remote = "?RemoteBuild=true" if self._config["services"][name].get("remoteBuild", True) else ""
        started = self._ask("POST", f"https://{repository}/api/publish{remote}", self._packages[name], "application/zip")
        while (now := self._ask("GET", f"https://{repository}/api/deployments/{started}"))["status"] in (0, 1, 2):
            pass
        if now["status"] != 4:
            raise AzdFailed(f"publishing zip file: deployment failed: {now['status_text']}")
        self.said.append(f"deploy: {name} to {app['name']}")

    def target(self, name: str) -> dict[str, Any]:
        """The one app that is tagged as the service, in the group of the environment (pkg/project/resource_manager.go)."""
        group = f"{self._subscription}/resourceGroups/{self.environment['AZURE_RESOURCE_GROUP']}"
        wanted = quote(f"tagName eq 'azd-service-name' and tagValue eq '{name}'")
        tagged = self.arm("GET", f"{group}/resources", more=f"&$filter={wanted}")["value"]
        hosts = [one for one in tagged if one["type"] == "Microsoft.Web/sites"]
        if len(hosts) != 1:
            raise AzdFailed(f"expecting only '1' resource tagged with 'azd-service-name: {name}', but found '{len(hosts)}'")
        app: dict[str, Any] = self.arm("GET", hosts[0]["id"])
        return app

    def _hook(self, name: str) -> None:
        """A hook of the project (pkg/ext/hooks_runner.go, models.go): a file of its own, with the environment, at the project."""
        hook = self._config["hooks"].get(name)
        if hook is None:
            return
        assert hook["shell"] == "sh"
        script = self.project.parent / f"azd-{name}.sh"
        script.write_text(f"#!/bin/sh\nset -e\n\n# Auto generated file from Azure Developer CLI\n{hook['run']}\n")
        script.chmod(0o755)
        told = {**self.az.environment, **self.environment}
        done = subprocess.run(
            [script], cwd=self.project, env=told, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        self.said += [f"hook: {name}", *done.stdout.splitlines()]
        if done.returncode:
            raise AzdFailed(f"'{name}' hook failed with exit code: '{done.returncode}'. {done.stderr}")

    @property
    def _subscription(self) -> str:
        return f"/subscriptions/{self.environment['AZURE_SUBSCRIPTION_ID']}"

    def arm(self, method: str, path: str, body: Any = None, more: str = "") -> Any:
        """What Resource Manager answers."""
        content = None if body is None else json.dumps(body).encode()
        return self._ask(method, f"{self._services.arm.url}{path}?api-version=2025-04-01{more}", content)

    def _ask(self, method: str, url: str, content: bytes | None = None, kind: str = "application/json") -> Any:
        """One request, with the token for Resource Manager that azd takes everywhere (pkg/azapi, armruntime.NewPipeline)."""
        token = self._services.identity.token(self._signed_in.client_id, self._services.arm.audiences[0])
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, content, headers, method=method), context=self._trust
            ) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            raise AzdFailed(f"{method} {url}: {refused.code} {refused.read().decode()}") from refused


def kept(root: Path) -> Iterator[Path]:
    """The files of a folder that its ``.funcignore`` does not name, and it names nothing but plain patterns."""
    ignored = root / ".funcignore"
    lines = [line for line in ignored.read_text().splitlines() if line and not line.startswith("#")] if ignored.exists() else []
    assert not any(set(line) & set("!\\[") or "/" in line.lstrip("/") for line in lines), "a pattern that this does not read"
    assert lines, "without one azd leaves out every __pycache__"
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        out = {
            name
            for name in (*folders, *files)
            for line in lines
            if fnmatchcase(name, line.lstrip("/")) and (here == root or not line.startswith("/"))
        } | {".funcignore", "local.settings.json"}
        folders[:] = sorted(set(folders) - out - {".azure"})
        yield from (here / name for name in sorted(set(files) - out))
