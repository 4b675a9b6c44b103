"""The printed consent, run as it stands by the real Azure CLI against the embedded Graph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from azure_infra.consent import consent
from azure_infra.permissions import graph_permissions
from infra_tests.azure_infra.azure_cli import AZ, GUIDE, Az
from offline.azure.app_roles import PERMISSIONS
from offline.azure.certificates import make_certificates
from offline.azure.services import Services

pytestmark = pytest.mark.skipif(not AZ.is_file(), reason="Azure CLI's environment is not here: make test makes it")
_GRANTED = {role: name for name, role in PERMISSIONS.items()}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A tenant whose deployment has made the identities."""
    with Services(make_certificates(tmp_path_factory.mktemp("certificates"))) as services:
        services.arm.groups.add(services.world.subscription_id, "breakwater", "westeurope")
        room = f"/subscriptions/{services.world.subscription_id}/resourceGroups/breakwater/providers"
        for group in graph_permissions():
            identity = f"{room}/Microsoft.ManagedIdentity/userAssignedIdentities/breakwater-{group}"
            services.arm.put(identity, {"location": "westeurope"})
        yield services


@pytest.fixture(scope="module")
def az(cloud: Services, tmp_path_factory: pytest.TempPathFactory) -> Az:
    return Az(cloud, tmp_path_factory.mktemp("az"))


@pytest.fixture(scope="module")
def said(az: Az) -> str:
    """What the whole of it prints; its first failure would end it."""
    return az.sh(consent())


def parameter(name: str, said: str) -> str:
    (found,) = re.findall(rf"^parameter {name}: (\S+)$", said, re.MULTILINE)
    return str(found)


def test_the_application_is_an_audience_and_nothing_more(az: Az, said: str) -> None:
    application = parameter("applicationId", said)
    shown = az("ad", "app", "show", "--id", application)
    assert shown["identifierUris"] == [f"api://{application}"]
    assert (shown["api"]["requestedAccessTokenVersion"], shown["signInAudience"]) == (2, "AzureADMyOrg")
    assert az("ad", "sp", "show", "--id", application)["appId"] == application


def test_sentinels_own_principal_is_named(az: Az, said: str) -> None:
    shown = az("ad", "sp", "show", "--id", parameter("sentinelPrincipalId", said))
    assert shown["displayName"] == "Azure Security Insights"


def test_each_identity_is_granted_what_its_actions_declare_and_is_listed_with_it(said: str) -> None:
    listed = {(who, _GRANTED[role]) for who, role in re.findall(r"^(breakwater-\w+) +([0-9a-f-]{36})$", said, re.MULTILINE)}
    assert listed == {(f"breakwater-{group}", name) for group, names in graph_permissions().items() for name in names}
    assert listed


def test_the_application_of_the_page_can_be_made_as_the_guide_says(az: Az) -> None:
    (command,) = re.findall(r"`(az ad app create --display-name [^`]*)`", GUIDE)
    made = json.loads(az.sh(command.replace("<pageApp>", "breakwater-page-x")))
    assert made["web"]["redirectUris"] == ["https://breakwater-page-x.azurewebsites.net/.auth/login/aad/callback"]
    assert made["web"]["implicitGrantSettings"]["enableIdTokenIssuance"] is True
    assert made["signInAudience"] == "AzureADMyOrg"


def test_the_first_steps_may_be_done_again_and_a_permission_is_not_granted_twice(az: Az, said: str) -> None:
    steps, _, granting = consent().partition("\n# 3.")
    define, _, _ = granting.partition("\n}\n")
    again = az.sh(f"{steps}\n# 3.{define}\n}}\ngrant identity User.Read.All 2>&1 || true")
    assert parameter("applicationId", again) == parameter("applicationId", said)
    assert "Permission being assigned already exists on the object" in again


def test_an_identity_that_is_not_there_is_granted_nothing(cloud: Services, az: Az, said: str) -> None:
    _, _, granting = consent().partition("\n# 3.")
    define, _, _ = granting.partition("\n}\n")
    before = len([one for one in cloud.calls.calls() if one.method == "POST" and "appRoleAssignments" in one.path])
    again = az.sh(f"NAME=breakwater GROUP=breakwater DIRECTORY=unused\n# 3.{define}\n}}\ngrant nobody User.Read.All 2>&1 || true")
    assert "breakwater-nobody" in again
    assert before == len([one for one in cloud.calls.calls() if one.method == "POST" and "appRoleAssignments" in one.path])
