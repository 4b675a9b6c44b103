"""What Azure refuses of a function app on Flex Consumption, also where the published schema takes it.

Regions took it over one after another: older ones passed over what newer ones refuse with error 51021. Words and properties:
https://github.com/Azure/terraform-azurerm-avm-res-web-site/pull/345, https://github.com/microsoft/azure-pipelines-tasks/issues/21032;
settings: https://learn.microsoft.com/azure/azure-functions/functions-app-settings, "Flex Consumption plan deprecations".
"""

from __future__ import annotations

from typing import Any

from offline.azure.resource_manager.errors import ArmError
from offline.azure.resource_manager.store import Resource, Store

SITES = "Microsoft.Web/sites"
_PROPERTIES = frozenset(
    {
        "alwaysOn",
        "ftpsState",
        "functionAppScaleLimit",
        "functionsRuntimeScaleMonitoringEnabled",
        "linuxFxVersion",
        "netFrameworkVersion",
        "preWarmedInstanceCount",
        "use32BitWorkerProcess",
        "windowsFxVersion",
    }
)
_SETTINGS = frozenset(
    {
        "FUNCTIONS_WORKER_RUNTIME",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_RUN_FROM_PACKAGE",
    }
)


def check_flex_site(resource: Resource, store: Store) -> None:
    """Refuse an app that says how it scales, which only those of Flex Consumption do, and says too much.

    Raises
    ------
    ArmError
    """
    properties = resource["properties"]
    if "functionAppConfig" not in properties:
        return
    config: dict[str, Any] = properties.get("siteConfig") or {}
    _refuse("site configuration", [f"Site.SiteConfig.{_pascal(name)}" for name in config if name in _PROPERTIES])
    told = [str(setting["name"]) for setting in config.get("appSettings") or ()]
    _refuse("app setting", [f"Site.SiteConfig.AppSettings.{name}" for name in told if name in _SETTINGS])
    plan = str(properties.get("serverFarmId", ""))
    for other in store.of_type(SITES):
        theirs = str(other["properties"].get("serverFarmId", ""))
        if plan and theirs.lower() == plan.lower() and other["id"].lower() != resource["id"].lower():
            there = f"There is already a site linked to the specified Flex Consumption Plan serverfarm {plan.rpartition('/')[2]}."
            raise ArmError(400, "BadRequest", f"{there} There can only be one site per Flex Consumption serverfarm.")


def _refuse(kind: str, names: list[str]) -> None:
    if names:
        what = f"The following list of {len(names)} {kind} properties ({', '.join(names)}) for Flex Consumption sites is invalid."
        raise ArmError(400, "BadRequest", f"{what}  Please remove or rename them before retrying.")


def _pascal(name: str) -> str:
    return name[0].upper() + name[1:]
