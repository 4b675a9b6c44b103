"""Sentinel's incidents and comments on the local Resource Manager."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError

from azure_functions.rest import RestClient
from offline.azure.incidents import LONGEST_COMMENT
from offline.azure.seed import made_up
from offline.azure.services import Services

VERSION = {"api-version": "2024-09-01"}


@pytest.fixture
def arm(services: Services) -> RestClient:
    from azure.identity import ManagedIdentityCredential

    credential = ManagedIdentityCredential(client_id=services.identities["respond"].client_id)
    return RestClient(services.arm.url, credential, "https://management.azure.com/.default")


def comment(arm: RestClient, incident: str, name: str, message: str) -> dict[str, object]:
    path = f"{incident}/comments/{made_up(name)}"
    made: dict[str, object] = arm.call("PUT", path, query=VERSION, body={"properties": {"message": message}})
    return made


def test_a_comment_is_written_once_however_often_it_is_sent(services, arm):
    incident = services.world.incident
    for message in ("planned", "planned", "applied"):
        comment(arm, incident, "entry-1", message)
    comment(arm, incident, "entry-2", "undone")
    assert services.arm.incidents.comments(incident) == ["applied", "undone"]
    listed = list(arm.each(f"{incident}/comments", query=VERSION))
    assert [one["properties"]["message"] for one in listed] == ["applied", "undone"]
    assert listed[0]["properties"]["author"]["objectId"] == services.identities["respond"].object_id
    assert arm.call("GET", incident, query=VERSION)["properties"]["additionalData"]["commentsCount"] == 2


def test_incidents_are_listed_and_found_in_any_letter_case(services, arm):
    [one] = list(arm.each(f"{services.world.workspace}/providers/Microsoft.SecurityInsights/incidents", query=VERSION))
    assert one["properties"]["title"] == "Suspicious sign-in"
    assert arm.call("GET", services.world.incident.lower(), query=VERSION)["id"] == services.world.incident


@pytest.mark.parametrize("message", ["", "x" * (LONGEST_COMMENT + 1)])
def test_a_comment_of_no_or_too_many_characters_is_refused(services, arm, message):
    with pytest.raises(HttpResponseError) as refused:
        comment(arm, services.world.incident, "entry", message)
    assert refused.value.status_code == 400
    assert services.arm.incidents.comments(services.world.incident) == []


def test_an_incident_that_is_not_there_is_not_found(services, arm):
    with pytest.raises(HttpResponseError) as refused:
        comment(arm, services.world.incident[:-4] + "0000", "entry", "hello")
    assert refused.value.status_code == 404


def test_comments_need_their_own_right(services, arm):
    services.grants.allow(services.identities["respond"].client_id, ["Microsoft.SecurityInsights/incidents/read"])
    arm.call("GET", services.world.incident, query=VERSION)
    with pytest.raises(HttpResponseError) as refused:
        comment(arm, services.world.incident, "entry", "hello")
    assert refused.value.status_code == 403
    services.grants.allow(services.identities["respond"].client_id, ["Microsoft.SecurityInsights/incidents/comments/write"])
    comment(arm, services.world.incident, "entry", "hello")
