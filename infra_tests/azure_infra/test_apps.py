"""The function apps: each with its own functions, identities and nothing else, told exactly what it reads."""

from __future__ import annotations

from dataclasses import fields

import pytest

from azure_functions.actions.catalogue import GROUPS, UNDO_GROUP
from azure_functions.registry import CONNECTIONS, FUNCTIONS, Group
from azure_functions.settings import Settings, variable
from azure_infra.names import APPS, App
from offline.azure.templates.deployment import Deployed, Deployment

each_app = pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)


@pytest.fixture(scope="module")
def sites(most: dict[str, Deployment]) -> dict[str, Deployed]:
    return {site.content["tags"]["azd-service-name"]: site for site in most["resource_group"].of("Microsoft.Web/sites")}


def told(site: Deployed) -> dict[str, str]:
    """App settings, as texts."""
    settings = site.properties["siteConfig"]["appSettings"]
    assert len({setting["name"] for setting in settings}) == len(settings)
    return {setting["name"]: str(setting["value"]) for setting in settings}


def attached(site: Deployed) -> set[str]:
    return {identity.rpartition("/breakwater-")[2] for identity in site.content["identity"]["userAssignedIdentities"]}


def test_every_function_runs_in_one_app(sites: dict[str, Deployed]) -> None:
    assert set(sites) == {app.name for app in APPS}
    assert sorted(spec.name for app in APPS for spec in app.functions) == sorted(spec.name for spec in FUNCTIONS)


@each_app
def test_an_app_is_told_exactly_the_settings_that_there_are(sites: dict[str, Deployed], app: App) -> None:
    host = {
        "AzureWebJobsStorage",
        "AzureWebJobs",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    }
    connections = {spec.connection for spec in app.functions if spec.connection}
    ours = {name for name in told(sites[app.name]) if name.partition("__")[0].partition(".")[0] not in host | connections}
    assert ours == {variable(field.name) for field in fields(Settings)}


@each_app
def test_an_app_finds_its_triggers_by_identity(sites: dict[str, Deployed], app: App) -> None:
    settings = told(sites[app.name])
    for name in {spec.connection for spec in app.functions if spec.connection}:
        group, needed = CONNECTIONS[name]
        parts = {key.partition("__")[2] for key in settings if key.startswith(f"{name}__")}
        assert parts == {*needed, "credential", "clientId"}
        assert settings[f"{name}__credential"] == "managedidentity"
        assert f"breakwater-{group}.clientId" in settings[f"{name}__clientId"]
        assert group in attached(sites[app.name])


@each_app
def test_an_app_runs_its_own_functions_only(sites: dict[str, Deployed], app: App) -> None:
    off = {name.split(".")[1] for name, value in told(sites[app.name]).items() if name.endswith(".Disabled") and value == "true"}
    assert off == {spec.name for spec in FUNCTIONS} - {spec.name for spec in app.functions}


@each_app
def test_an_app_has_the_identities_that_its_functions_work_under(sites: dict[str, Deployed], app: App) -> None:
    assert attached(sites[app.name]) == set(app.groups)
    assert {spec.group for spec in app.functions} <= set(app.groups)


def test_what_detects_contains_and_undoes_is_apart(sites: dict[str, Deployed]) -> None:
    """An identity that is attached can be used by all that runs in an app: so none has another's rights to change."""
    containing = set(GROUPS.values())
    assert attached(sites["detect"]) == {Group.DETECT}
    assert containing <= attached(sites["contain"])
    assert not {Group.DETECT, UNDO_GROUP} & attached(sites["contain"])
    assert not {Group.DETECT, *containing} & attached(sites["undo"])


@each_app
def test_an_app_is_flex_consumption_on_python_3_13(sites: dict[str, Deployed], most: dict[str, Deployment], app: App) -> None:
    site = sites[app.name]
    config = site.properties["functionAppConfig"]
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    (plan,) = [
        plan for plan in most["resource_group"].of("Microsoft.Web/serverfarms") if plan.id == site.properties["serverFarmId"]
    ]
    assert plan.content["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    storage = config["deployment"]["storage"]
    assert storage["authentication"]["type"] == "UserAssignedIdentity"
    assert storage["authentication"]["userAssignedIdentityResourceId"].endswith(f"/breakwater-{app.host}")
    assert str(storage["value"]).endswith("primaryEndpoints.blob>packages")
    assert f"breakwateh{app.name[0]}" in str(storage["value"])


def test_apps_join_their_subnet_one_after_the_other(sites: dict[str, Deployed], most: dict[str, Deployment]) -> None:
    room = most["resource_group"]
    before = {app.id: {other.id for other in sites.values()} & room.made_before(app.id) for app in sites.values()}
    assert sorted(len(waited_for) for waited_for in before.values()) == [*range(len(sites))]


@each_app
def test_no_setting_is_a_secret(sites: dict[str, Deployed], app: App) -> None:
    for name, value in told(sites[app.name]).items():
        assert not any(word in value for word in ("AccountKey", "SharedAccess", "listKeys", "InstrumentationKey=")), name
    # Nothing is let in by that text: the component takes telemetry by Entra only.


def test_telemetry_of_the_apps_is_taken_by_entra_only(most: dict[str, Deployment]) -> None:
    (insights,) = most["resource_group"].of("Microsoft.Insights/components")
    assert insights.properties["DisableLocalAuth"] is True
    assert insights.properties["WorkspaceResourceId"].endswith("workspaces/breakwater-operations")


def test_breakwaters_own_are_known_to_its_guard(sites: dict[str, Deployed]) -> None:
    settings = told(sites["contain"])
    own = settings["BREAKWATER_OWN_PRINCIPAL_IDS"]
    assert all(f"breakwater-{group}.principalId" in own for group in Group)
    resources = settings["BREAKWATER_OWN_RESOURCE_IDS"].split(",")
    assert any(one.endswith("/resourcegroups/breakwater") for one in resources)
    assert all(one == one.lower() for one in resources)
