"""``doctor`` on Azure: what a tenant administrator granted Breakwater's identities of Microsoft Graph."""

from __future__ import annotations

import pytest

from infra_tests.console.conftest import Console
from infra_tests.console.deployed import POLICY, bad, upload
from infra_tests.console.sign_in import SignIn
from offline.azure.faults import Fault
from offline.azure.services import Services
from offline.azure.storage import Storage

GET = frozenset({"GET"})


def principal(services: Services, group: str) -> str:
    return services.identities[group].object_id


def test_what_was_granted_is_said(alive: Console) -> None:
    assert bad(alive) == []
    asked = "User.EnableDisableAccount.All, User.Read.All, User.RevokeSessions.All of Graph"
    assert f"good  the identity breakwater-identity was granted {asked}" in alive.printed
    assert "good  the identity breakwater-undo was granted User.EnableDisableAccount.All, User.Read.All of Graph" in alive.printed


def test_what_a_rule_needs_and_was_not_granted_is_bad_with_the_command(alive: Console, services: Services) -> None:
    services.graph.take_away(principal(services, "identity"), "User.RevokeSessions.All")
    (found,) = bad(alive)
    assert found.startswith(
        "the identity breakwater-identity was not granted User.RevokeSessions.All of Graph (end all sessions of a user): "
        "revoke_sessions cannot work -> "
    )
    assert found.endswith("grant identity User.RevokeSessions.All")


def test_of_an_undo_it_says_so(alive: Console, services: Services) -> None:
    services.graph.take_away(principal(services, "undo"), "User.EnableDisableAccount.All")
    (found,) = bad(alive)
    assert "the undo of block_sign_in cannot work" in found


def test_what_no_rule_needs_may_be_meant_so(alive: Console, services: Services, storage: Storage) -> None:
    services.graph.take_away(principal(services, "identity"), "User.RevokeSessions.All")
    upload(storage, POLICY.read_bytes().replace(b"action: revoke_sessions", b"action: block_sign_in"))
    assert bad(alive) == []
    assert any(
        line.startswith("?     the identity breakwater-identity was not granted User.RevokeSessions.All")
        for line in alive.printed
    )


@pytest.mark.parametrize("group", ["detect", "undo"])
def test_what_nobody_asked_for_is_bad_with_the_command_that_takes_it_away(alive: Console, services: Services, group: str) -> None:
    services.graph.grant(principal(services, group), "RoleManagement.ReadWrite.Directory")
    (found,) = bad(alive)
    assert found.startswith(
        f"the identity breakwater-{group} holds RoleManagement.ReadWrite.Directory of Graph, which nothing here"
    )
    assert (
        f"az rest --method delete --url https://graph.microsoft.com/v1.0/servicePrincipals/{principal(services, group)}/" in found
    )


class TestWhoAsks:
    """Not granted, and could not look, are different answers."""

    def test_who_may_not_read_the_directory_is_told_so(self, alive: Console, services: Services) -> None:
        services.graph.faults.order(
            Fault(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", methods=GET)
        )
        assert bad(alive) == []
        said = "?     consent in Entra: could not look: Graph: 403 Authorization_RequestDenied: "
        assert any(line.startswith(said) for line in alive.printed)
        assert any(line.startswith("      -> the Entra role Directory Readers lets you see it") for line in alive.printed)
        assert not any("granted" in line for line in alive.printed if line.startswith("good"))

    def test_a_guest_whose_directory_is_another_is_told_so(self, alive: Console, services: Services) -> None:
        services.graph.faults.order(Fault(404, "Request_ResourceNotFound", methods=GET, path=principal(services, "detect")))
        assert bad(alive) == []
        assert any("consent in Entra: could not look: Graph: 404" in line for line in alive.printed)

    def test_where_graph_does_not_answer_it_says_so(self, alive: Console, services: Services) -> None:
        services.graph.faults.fail(503, times=9, methods=GET)
        assert bad(alive) == []
        assert any("consent in Entra: could not look: Graph: 503" in line for line in alive.printed)

    def test_who_gets_no_token_for_graph_is_told_of_everything_else(
        self, alive: Console, sign_in: SignIn, services: Services
    ) -> None:
        sign_in.refuses(services.graph.url, "ERROR: AADSTS53003: Access has been blocked by Conditional Access policies.")
        assert bad(alive) == []
        assert any("consent in Entra: could not look: not signed in to Azure (" in line for line in alive.printed)
        assert any(line.startswith("good  armed") for line in alive.printed)
