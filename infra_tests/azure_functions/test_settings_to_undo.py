"""Actions that the policy gives settings, through respond with the identities of their groups, and back."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra_tests.azure_functions.actions.invoked import AUDIENCE, CustomersFunction
from infra_tests.azure_functions.app import NOW_MS, App
from infra_tests.response.world import verdict
from offline.azure.seed import Subscription, firewall_rule
from offline.azure.web import Answer
from response.journal import JournalEntry, Step
from shared_model.events import Entity, EntityKind, Telemetry


@contextmanager
def customers_function(app: App) -> Iterator[CustomersFunction]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(app.services.certificates.certificate, app.services.certificates.key)
    with CustomersFunction().serve(tls) as made:
        made.lets_in = {app.services.identities[group].client_id for group in ("data", "undo")}
        yield made


@pytest.fixture
def function(app: App) -> Iterator[CustomersFunction]:
    with customers_function(app) as made:
        yield made


def enforce(app: App, action: str, target: EntityKind, **settings: Any) -> None:
    """One action alone is armed, and one signal is enough."""
    app.set_policy(
        rules=[{"name": "only", "action": action, "target": str(target), "alone": True}],
        actions={action: {"mode": "enforce", "settings": settings}},
    )
    app.now_ms += 60_001  # functions read the policy again


def deliver(app: App, target: Entity, number: int = 1) -> list[JournalEntry]:
    one = verdict("", f"v{number}", Telemetry.FLOW_LOGS, entity=target, time_ms=NOW_MS, completed_flow=True)
    app.message("respond", one.to_json())
    return app.journal()


def undo(app: App, entry: JournalEntry) -> None:
    app.message("undo_containment", json.dumps({"undo": entry.containment_id, "approved_by": "alice@example.com"}))


def host(app: App, name: str = "db-1") -> Entity:
    return Entity(EntityKind.HOST, name, app.services.world.subscription_id)


def test_a_function_is_asked_to_contain_to_look_and_to_take_back(app: App, function: CustomersFunction) -> None:
    enforce(app, "invoke_function", EntityKind.HOST, **function.settings)
    entries = deliver(app, host(app))
    assert [entry.step for entry in entries] == [Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert function.contained == {entries[0].containment_id: "db-1"}
    undo(app, entries[0])
    assert app.steps()[-1] == Step.UNDONE
    assert function.contained == {}
    assert [each["phase"] for each in function.asked] == ["contain", "verify", "verify", "undo"]  # what an undo would find


def test_a_change_of_the_settings_is_noticed_and_what_was_done_under_the_former_ones_is_undone(
    app: App, function: CustomersFunction
) -> None:
    enforce(app, "invoke_function", EntityKind.HOST, **function.settings)
    entries = deliver(app, host(app))
    with customers_function(app) as another:
        enforce(app, "invoke_function", EntityKind.HOST, **another.settings)
        deliver(app, host(app, "db-2"), 2)
        assert [*function.contained.values(), *another.contained.values()] == ["db-1", "db-2"]
    undo(app, entries[0])
    assert function.contained == {}


def test_what_a_function_answers_with_an_error_stands_in_the_journal_and_in_the_notice(
    app: App, function: CustomersFunction
) -> None:
    function.says = Answer(500, "the firewall said no")
    enforce(app, "invoke_function", EntityKind.HOST, function=function.address, audience=AUDIENCE)
    failed = deliver(app, host(app))[-1]
    assert failed.step is Step.FAILED
    assert "the firewall said no" in failed.detail["reason"]
    assert any("the firewall said no" in str(line) for line in app.lines("notice"))


def test_an_address_is_blocked_in_the_firewall_that_the_policy_names_and_let_in_again(app: App) -> None:
    world, arm = app.services.world, app.services.arm
    office = firewall_rule("Office", "Allow", 1, "203.0.113.0/24")
    firewall = Subscription(arm, world.subscription_id).in_group("shop").firewall_policy("edge", office, gateway="edge-gateway")
    app.services.grant_deployed(armed=True)
    enforce(app, "block_address_in_waf", EntityKind.ADDRESS, firewall_policies=[firewall])
    entries = deliver(app, Entity(EntityKind.ADDRESS, "198.51.100.66", world.subscription_id))
    assert [entry.step for entry in entries] == [Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    rules = arm.resource(firewall)["properties"]["customRules"]
    assert [(rule["name"], rule["priority"]) for rule in rules] == [("Office", 1), ("BreakwaterBlocked", 2)]
    undo(app, entries[0])
    assert app.steps()[-1] == Step.UNDONE
    assert arm.resource(firewall)["properties"]["customRules"] == [{"state": "Enabled", **office}]
