"""Function apps (``Microsoft.Web/sites``): what the platform adds to one, its settings, and the runtimes that a region has."""

from __future__ import annotations

from typing import Any

from offline.azure.resource_manager.deployed import Deployed
from offline.azure.resource_manager.flex_sites import SITES
from offline.azure.resource_manager.store import Resource, Store
from offline.azure.web import Answer

STACKS = "locations/functionappstacks"


class Sites(Deployed):
    """A function app, with its own host and the one that takes its package.

    Attributes
    ----------
    published_at
        Where :class:`~offline.azure.publishing.Publishing` listens, without ``https://``. On loopback no host has a name of its
        own, so the hosts of an app are folders of that one. Empty: the names that Azure gives.
    """

    def __init__(self) -> None:
        super().__init__(SITES)
        self.published_at = ""

    def show(self, resource: Resource, store: Store) -> Resource:
        shown = super().show(resource, store)
        plan = store.get(str(shown["properties"].get("serverFarmId", ""))) or {}
        own, repository = self._hosts(shown)
        shown["properties"] |= {
            "sku": plan.get("sku", {}).get("tier"),
            "reserved": plan.get("properties", {}).get("reserved", True),
            "enabledHostNames": [own, repository],
            "hostNameSslStates": [
                {"name": own, "hostType": "Standard", "sslState": "Disabled"},
                {"name": repository, "hostType": "Repository", "sslState": "Disabled"},
            ],
        }
        return shown

    def _hosts(self, shown: Resource) -> tuple[str, str]:
        if self.published_at:
            return f"{self.published_at}/app{shown['id']}", f"{self.published_at}/scm{shown['id']}"
        return f"{shown['name']}.azurewebsites.net", f"{shown['name']}.scm.azurewebsites.net"


def settings_in(site: Resource) -> dict[str, str]:
    """The settings that an app was deployed with."""
    told: list[dict[str, str]] = site["properties"].get("siteConfig", {}).get("appSettings") or []
    return {one["name"]: one["value"] for one in told}


def stacks(runtime: str) -> Answer:
    """What ``functionAppStacks`` says of a runtime on Flex Consumption: Python as of November 2026, and nothing else here."""
    versions = ("3.10", "3.11", "3.12", "3.13") if runtime == "python" else ()
    return Answer(200, {"value": [_stack(runtime, versions)] if versions else []})


def _stack(runtime: str, versions: tuple[str, ...]) -> dict[str, Any]:
    minor = [
        {
            "value": version,
            "displayText": f"Python {version}",
            "stackSettings": {
                "linuxRuntimeSettings": {
                    "runtimeVersion": f"Python|{version}",
                    "isDefault": version == "3.12",
                    "appSettingsDictionary": {"FUNCTIONS_WORKER_RUNTIME": runtime},
                    "appInsightsSettings": {"isSupported": True},
                    "gitHubActionSettings": {"isSupported": True, "supportedVersion": version},
                    "Sku": [{"skuCode": "FC1"}],
                }
            },
        }
        for version in versions
    ]
    major = {"value": "3", "displayText": "Python 3", "minorVersions": minor}
    return {"name": runtime, "type": f"{SITES}/functionAppStacks", "properties": {"majorVersions": [major]}}
