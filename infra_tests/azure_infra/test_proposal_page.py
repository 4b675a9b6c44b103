"""The page behind links: open to read where people can sign in to answer, else closed; and without a right to act."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from azure_functions import registry
from azure_functions.registry import Group
from infra_tests.azure_infra.access import rights
from infra_tests.azure_infra.conftest import LEAST, MOST, OPERATOR, PAGE_APPLICATION, deployed
from offline.azure.templates.deployment import Deployment

NEEDED = ("keyVaultEndpoint", "linkKey", "pageApplicationId", "operatorPrincipalIds")
NOBODY = "00000000-0000-0000-0000-000000000000"


def site(room: Deployment, app: str = "page") -> dict[str, Any]:
    (found,) = [each for each in room.of("Microsoft.Web/sites") if each.content["tags"]["azd-service-name"] == app]
    config: dict[str, Any] = found.properties["siteConfig"]
    return config


def told(room: Deployment, app: str = "page") -> dict[str, str]:
    return {each["name"]: str(each["value"]) for each in site(room, app)["appSettings"]}


def authentication(room: Deployment) -> dict[str, Any]:
    (found,) = [each for each in room.of("Microsoft.Web/sites/config") if "-page-" in each.id]
    properties: dict[str, Any] = found.properties
    return properties


def test_a_link_can_be_opened_by_anybody_and_answered_by_operators_alone(most: dict[str, Deployment]) -> None:
    room = most["resource_group"]
    assert site(room)["ipSecurityRestrictionsDefaultAction"] == "Allow"
    settings = authentication(room)
    validation = settings["globalValidation"]
    assert (validation["requireAuthentication"], validation["unauthenticatedClientAction"]) == (False, "AllowAnonymous")
    entra = settings["identityProviders"]["azureActiveDirectory"]
    assert (entra["enabled"], entra["registration"]["clientId"]) == (True, PAGE_APPLICATION)
    people = entra["validation"]["defaultAuthorizationPolicy"]["allowedPrincipals"]
    assert people == {"identities": [OPERATOR], "groups": [OPERATOR]}
    assert told(room)["BREAKWATER_PAGE_OPERATOR_IDS"] == OPERATOR
    assert told(room)["BREAKWATER_PAGE_URL"].endswith(".azurewebsites.net/api")
    assert told(room, "contain")["BREAKWATER_PAGE_URL"] == told(room)["BREAKWATER_PAGE_URL"]


@pytest.mark.parametrize("missing", NEEDED)
def test_where_one_thing_is_missing_the_page_is_closed_and_no_link_is_told(missing: str) -> None:
    given = {key: value for key, value in MOST["resource_group"].items() if key != missing}
    room = deployed("resource_group", **given)
    assert site(room)["ipSecurityRestrictionsDefaultAction"] == "Deny"
    settings = authentication(room)
    validation = settings["globalValidation"]
    assert (validation["requireAuthentication"], validation["unauthenticatedClientAction"]) == (True, "Return401")
    policy = settings["identityProviders"]["azureActiveDirectory"]["validation"]["defaultAuthorizationPolicy"]
    assert policy["allowedPrincipals"]["identities"] == [NOBODY]
    for app in ("page", "contain"):
        assert told(room, app)["BREAKWATER_PAGE_URL"] == told(room, app)["BREAKWATER_LINK_KEY"] == ""


def test_no_other_app_is_opened(most: dict[str, Deployment]) -> None:
    for app in ("detect", "contain", "undo"):
        assert site(most["resource_group"], app)["ipSecurityRestrictionsDefaultAction"] == "Deny"


def test_the_page_reads_the_journal_sends_answers_and_may_nothing_else(most: dict[str, Deployment]) -> None:
    given = [right for right in rights(most.values()) if right.who == Group.PAGE]
    on_ours = {(right.role, right.on.rpartition("/")[2]) for right in given if "/tables/" in right.on or "/queues/" in right.on}
    assert on_ours == {
        ("Storage Table Data Reader", registry.JOURNAL),
        ("Storage Table Data Reader", registry.UNDOS),  # whether an undo that the journal tells of was ordered
        ("Storage Queue Data Message Sender", registry.LINK_ANSWERS),
        ("Storage Queue Data Message Sender", registry.LINK_UNDOS),
    }
    elsewhere = {right.role for right in given if "/tables/" not in right.on and "/queues/" not in right.on}
    host = {"Storage Blob Data Owner", "Storage Queue Data Contributor", "Storage Table Data Contributor"}  # of its own account
    assert elsewhere == {*host, "Monitoring Metrics Publisher"}
    assert not [right for right in given if right.operations]


@pytest.mark.parametrize("queue", [registry.LINK_ANSWERS, registry.LINK_UNDOS])
def test_only_the_page_sends_to_its_queues(most: dict[str, Deployment], queue: str) -> None:
    sends = {
        right.who
        for right in rights(most.values())
        if right.on.endswith(f"/queues/{queue}") and right.role == "Storage Queue Data Message Sender"
    }
    assert sends == {Group.PAGE}


def test_who_contains_cannot_ask_for_an_undo(most: dict[str, Deployment]) -> None:
    """Not by sending, and not by the right to hide a message, which suffices to send one: only who undoes anyway has that."""
    sends = re.compile(r"/messages/(add/action|write|\*)$|/\*$|^\*$")
    for queue, asks in ((registry.LINK_UNDOS, {Group.PAGE, Group.UNDO}), (registry.CONTAINMENTS, {Group.UNDO, "an operator"})):
        given = [right for right in rights(most.values()) if right.on.endswith(f"/queues/{queue}")]
        named = {right.who for right in given if right.role == "Storage Queue Data Message Sender"}
        assert named | {right.who for right in given if any(sends.search(each) for each in right.data)} == asks


def test_where_there_is_a_page_who_undoes_signs_in_there(most: dict[str, Deployment]) -> None:
    assert told(most["resource_group"], "undo")["BREAKWATER_ATTESTED_UNDO"] == "yes"
    assert told(deployed("resource_group", **LEAST["resource_group"]), "undo")["BREAKWATER_ATTESTED_UNDO"] == ""


def test_by_default_there_is_no_page() -> None:
    room = deployed("resource_group", **LEAST["resource_group"])
    assert told(room)["BREAKWATER_PAGE_URL"] == ""
    assert "AllowAnonymous" not in json.dumps(authentication(room))
