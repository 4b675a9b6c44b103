"""Inventory, Sentinel's table, comments on incidents and notices, against the local Resource Manager and sink."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azure_functions.adapters.inventory import Inventory
from azure_functions.adapters.notifications import Notices
from azure_functions.adapters.sentinel import Incidents, SentinelTable, action_row, verdict_row
from azure_functions.logger import Logger
from azure_functions.registry import Group
from infra_tests.azure_functions.app import NOW_MS, App
from infra_tests.response.world import verdict
from offline.azure.seed import Subscription
from response.journal import JournalEntry, Step
from response.notices import Notice
from response.remediation import of_entry
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind, Interface, Telemetry
from shared_model.ocsf import of_verdict
from shared_model.verdicts import Verdict

LOGGER = Logger("respond")


class TestInventory:
    def inventory(self, app: App, told: list[str] | None = None) -> Inventory:
        told = [] if told is None else told
        return Inventory(app.clients, now_ms=lambda: app.now_ms, unreadable=lambda _, reason: told.append(reason))

    def interface(self, app: App, resource_id: str) -> Interface:
        found = app.clients("arm", "detect").call("GET", resource_id, query={"api-version": "2024-05-01"})
        address = found["properties"]["macAddress"].replace("-", "").lower()
        return Interface(address, app.services.world.subscription_id, vpc_id="net")

    def lists(self, app: App) -> int:
        return sum(call.path.lower().endswith("/networkinterfaces") for call in app.services.calls.calls())

    def test_a_mac_address_is_an_interface_and_its_machine(self, app: App) -> None:
        world = app.services.world
        front, back = world.database_interfaces
        found = self.inventory(app).resolve([self.interface(app, front), self.interface(app, back)])
        assert [(each.interface_id, each.instance_id, each.vpc_id) for each in found] == [
            (front.lower(), world.database.lower(), "net"),
            (back.lower(), world.database.lower(), "net"),
        ]

    @pytest.mark.parametrize("account", ["", "../../subscriptions", "00000000-0000-4000-8000-00000000000g"])
    def test_what_is_no_subscription_goes_into_no_address(self, app: App, account: str) -> None:
        unknown = Interface("000d3a000000", account)
        assert self.inventory(app).resolve([unknown]) == (unknown,)
        assert self.lists(app) == 0

    def test_unknown_ones_stay_and_the_list_is_kept_for_ten_minutes(self, app: App) -> None:
        inventory, unknown = self.inventory(app), Interface("000d3affffff", app.services.world.subscription_id)
        for minutes, lists in ((0, 1), (9, 1), (10, 2)):
            app.now_ms = NOW_MS + minutes * 60_000
            assert inventory.resolve([unknown]) == (unknown,)
            assert self.lists(app) == lists

    def test_an_interface_without_an_address_answers_to_none(self, app: App) -> None:
        front = app.services.world.database_interfaces[0]
        app.services.arm.change(front, lambda n: n["properties"].pop("macAddress"))
        nameless = Interface("", app.services.world.subscription_id)
        assert self.inventory(app).resolve([nameless]) == (nameless,)

    def test_a_missing_right_is_told_and_detection_goes_on(self, app: App) -> None:
        told: list[str] = []
        app.services.grants.enforced = True
        unknown = Interface("000d3affffff", app.services.world.subscription_id)
        assert self.inventory(app, told).resolve([unknown]) == (unknown,)
        assert "AuthorizationFailed" in told[0]

    def test_a_service_that_does_not_answer_brings_the_flows_back(self, app: App) -> None:
        def down(service: str, group: str) -> Any:
            raise CloudUnavailable("no answer")

        inventory = Inventory(down, now_ms=lambda: NOW_MS, unreadable=lambda *_: None)  # type: ignore[arg-type]
        with pytest.raises(CloudUnavailable):
            inventory.resolve([Interface("000d3affffff", app.services.world.subscription_id)])


class TestInitiators:
    """The database's flow log told of the web server by its address."""

    def inventory(self, app: App) -> Inventory:
        return Inventory(app.clients, now_ms=lambda: app.now_ms, unreadable=lambda *_: None)

    def told(self, app: App, **changes: Any) -> Verdict:
        world = app.services.world
        reached = Entity(EntityKind.INTERFACE, world.database_interfaces[0].lower(), world.subscription_id)
        entity = Entity(EntityKind.ADDRESS, "10.20.1.4", world.subscription_id)
        fields: dict[str, Any] = {"entity": entity, "completed_flow": True, "reached": (reached,), "time_ms": NOW_MS - 60_000}
        return verdict("", "v1", Telemetry.FLOW_LOGS, **fields | changes)

    def names(self, app: App, *, inventory: Inventory | None = None, **changes: Any) -> list[tuple[str, str]]:
        (found,) = (inventory or self.inventory(app)).name_initiators([self.told(app, **changes)])
        assert replace(found, related=()) == self.told(app, **changes | {"related": ()}), "nothing else of a verdict changes"
        return [(entity.kind, entity.id) for entity in found.related]

    def test_an_address_of_the_network_is_its_machine(self, app: App) -> None:
        world = app.services.world
        machine = [(EntityKind.INSTANCE, world.web.lower()), (EntityKind.INTERFACE, world.web_interface.lower())]
        assert self.names(app) == machine

    def test_every_address_of_an_interface_counts_however_it_is_spelled(self, app: App) -> None:
        world, text = app.services.world, "fd00:0020:0000::0009"
        (four,) = app.services.arm.resource(world.web_interface)["properties"]["ipConfigurations"]
        inner = {"privateIPAddress": text, "privateIPAddressVersion": "IPv6", "subnet": four["properties"]["subnet"]}
        six = {"name": "ipconfig6", "properties": inner}
        app.services.arm.change(world.web_interface, lambda nic: nic["properties"].update(ipConfigurations=[four, six]))
        assert self.names(app, entity=Entity(EntityKind.ADDRESS, "fd00:20::9", world.subscription_id))

    @pytest.mark.parametrize("changes", [{"reached": ()}, {"completed_flow": False}])
    def test_a_spoofed_address_names_nobody(self, app: App, changes: dict[str, Any]) -> None:
        assert self.names(app, **changes) == []
        assert not app.services.calls.calls(), "and costs no question"

    def test_an_address_that_two_networks_have_is_left(self, app: App) -> None:
        shop = Subscription(app.services.arm).in_group("shop")
        shop.network("other-net", "10.20.0.0/16", web="10.20.1.0/24")
        shop.machine("namesake", shop.interface("namesake-nic", "other-net", "web", "10.20.1.4"))
        assert self.names(app) == []

    def test_an_address_of_another_network_is_left(self, app: App) -> None:
        shop = Subscription(app.services.arm).in_group("shop")
        shop.network("other-net", "10.30.0.0/16", web="10.30.1.0/24")
        shop.machine("stranger", shop.interface("stranger-nic", "other-net", "web", "10.30.1.4"))
        assert self.names(app, entity=Entity(EntityKind.ADDRESS, "10.30.1.4", app.services.world.subscription_id)) == []

    def peer(self, app: App, *, state: str = "Connected", access: bool = True) -> tuple[str, str]:
        """A machine in a network that is peered with the shop's: its ids, of machine and interface."""
        shop = Subscription(app.services.arm).in_group("shop")
        other = shop.network("other-net", "10.30.0.0/16", web="10.30.1.0/24")
        nic = shop.interface("peer-nic", "other-net", "web", "10.30.1.4")
        machine = shop.machine("peer", nic)
        for one, remote in ((other, app.services.world.network), (app.services.world.network, other)):
            properties = {"remoteVirtualNetwork": {"id": remote}, "peeringState": state, "allowVirtualNetworkAccess": access}
            peerings = [{"name": "to-the-other", "properties": properties}]
            app.services.arm.change(one, lambda net, peerings=peerings: net["properties"].update(virtualNetworkPeerings=peerings))
        return machine.lower(), nic.lower()

    def test_an_address_of_a_peered_network_is_its_machine(self, app: App) -> None:
        machine, nic = self.peer(app)
        inventory, address = self.inventory(app), Entity(EntityKind.ADDRESS, "10.30.1.4", app.services.world.subscription_id)
        for _ in range(2):
            assert self.names(app, inventory=inventory, entity=address) == [
                (EntityKind.INSTANCE, machine),
                (EntityKind.INTERFACE, nic),
            ]
        assert sum(call.path.lower().endswith("/virtualnetworks") for call in app.services.calls.calls()) == 1

    @pytest.mark.parametrize("changes", [{"state": "Initiated"}, {"state": "Disconnected"}, {"access": False}])
    def test_a_peering_that_lets_nothing_in_is_none(self, app: App, changes: dict[str, Any]) -> None:
        self.peer(app, **changes)
        assert self.names(app, entity=Entity(EntityKind.ADDRESS, "10.30.1.4", app.services.world.subscription_id)) == []

    def test_within_one_network_nobody_asks_what_it_is_peered_with(self, app: App) -> None:
        assert self.names(app)
        assert not any(call.path.lower().endswith("/virtualnetworks") for call in app.services.calls.calls())

    @pytest.mark.parametrize("address", ["198.51.100.7", "10.20.1.250"])
    def test_nobodys_address_is_left(self, app: App, address: str) -> None:
        assert self.names(app, entity=Entity(EntityKind.ADDRESS, address, app.services.world.subscription_id)) == []

    def test_an_interface_that_is_not_known_was_reached_from_anywhere(self, app: App) -> None:
        world = app.services.world
        known, unknown = (
            Entity(EntityKind.INTERFACE, name, world.subscription_id)
            for name in (world.database_interfaces[0].lower(), "000d3affffff")
        )
        assert self.names(app, reached=(known, unknown)) == []

    def test_what_has_its_names_keeps_them(self, app: App) -> None:
        own = Entity(EntityKind.INSTANCE, "vm", app.services.world.subscription_id)
        assert self.names(app, related=(own,)) == [(EntityKind.INSTANCE, "vm")]

    def test_an_address_is_who_has_it_now_and_of_young_flows_only(self, app: App) -> None:
        world, inventory = app.services.world, self.inventory(app)
        assert self.names(app, inventory=inventory)
        (configuration,) = app.services.arm.resource(world.web_interface)["properties"]["ipConfigurations"]
        moved = {**configuration, "properties": {**configuration["properties"], "privateIPAddress": "10.20.1.99"}}
        app.services.arm.change(world.web_interface, lambda nic: nic["properties"].update(ipConfigurations=[moved]))
        app.now_ms = NOW_MS + 60_000
        assert self.names(app, inventory=inventory) == []
        then = Entity(EntityKind.ADDRESS, "10.20.1.99", world.subscription_id)
        assert self.names(app, inventory=inventory, entity=then)
        app.now_ms = NOW_MS + 30 * 60_000
        assert self.names(app, inventory=inventory, entity=then) == []


class TestSentinel:
    ENTRY = JournalEntry(
        stream="block_address#00000000-0000-4000-8000-000000000001/address/198.51.100.7",
        sequence=3,
        containment_id="c" * 32,
        step=Step.REFUSED,
        time_ms=NOW_MS + 7,
        correlation_id="event-1",
        verdict_id="v1",
        actor="policy:block-address",
        plan=None,
        detail={"reason": "an Allow stands before it"},
    )

    def table(self, app: App, rule_id: str | None = None) -> SentinelTable:
        rule = app.settings.logs_rule_id if rule_id is None else rule_id
        return SentinelTable(app.clients, rule, Group.RESPOND, LOGGER)

    def test_verdicts_and_actions_are_rows_of_the_declared_columns(self, app: App) -> None:
        found = verdict("vm-1", "v1", Telemetry.FLOW_LOGS)
        rows = [verdict_row(found, of_verdict(found), decision_ms=12.5), action_row(self.ENTRY, of_entry(self.ENTRY))]
        assert self.table(app).put(rows) is True
        said, done = app.rows()
        assert (said["Kind"], said["VerdictId"], said["TimeGenerated"]) == ("verdict", "v1", "2026-09-21T14:13:20.000Z")
        assert (done["Kind"], done["Action"], done["EntityId"]) == ("action", "block_address", "198.51.100.7")
        assert (done["Step"], done["Reason"]) == ("REFUSED", "an Allow stands before it")

    def test_an_object_that_a_column_does_not_take_is_named_only(self, app: App) -> None:
        large = replace(self.ENTRY, detail={"reason": "", "left": ["x" * 70_000]})
        row = action_row(large, of_entry(large))
        assert set(row["Ocsf"]) == {"class_uid", "time", "metadata"}
        assert self.table(app).put([row]) is True

    def test_what_is_not_taken_is_told_and_holds_nothing_up(self, app: App, caplog: pytest.LogCaptureFixture) -> None:
        app.services.grants.enforced = True
        assert self.table(app).put([action_row(self.ENTRY, of_entry(self.ENTRY))]) is False
        assert any("not taken" in record.getMessage() for record in caplog.records)

    def test_without_a_rule_nothing_is_sent(self, app: App) -> None:
        assert self.table(app, "").put([action_row(self.ENTRY, of_entry(self.ENTRY))]) is True
        assert app.rows() == []


class TestNotices:
    def notices(self, app: App) -> Notices:
        return Notices(Incidents(app.clients, app.settings.workspace_id, LOGGER), LOGGER)

    def test_a_notice_told_twice_is_one_comment(self, app: App) -> None:
        notice = Notice("stream/1", "Contained: instance web", "Change: …", app.services.world.incident)
        for _ in range(2):
            self.notices(app)(notice)
        self.notices(app)(replace(notice, id="stream/2"))
        assert app.comments() == ["Contained: instance web\n\nChange: …"] * 2

    @pytest.mark.parametrize(
        "correlation_id",
        [
            "event-1",
            "{workspace}",
            "{workspace}-2/providers/Microsoft.SecurityInsights/incidents/1",
            "{workspace}/providers/Microsoft.SecurityInsights/incidents/1/../../../x",
            "/subscriptions/x/providers/Microsoft.SecurityInsights/incidents/1",
        ],
    )
    def test_only_incidents_of_the_workspace_are_written_to(self, app: App, correlation_id: str) -> None:
        calls = len(app.services.calls)
        place = correlation_id.format(workspace=app.settings.workspace_id)
        self.notices(app)(Notice("stream/1", "Contained", "…", place))
        assert len(app.services.calls) == calls

    def test_an_incident_that_is_gone_holds_nothing_up(self, app: App, caplog: pytest.LogCaptureFixture) -> None:
        gone = f"{app.settings.workspace_id}/providers/Microsoft.SecurityInsights/incidents/gone"
        self.notices(app)(Notice("stream/1", "Contained", "…", gone))
        assert any("comment not taken" in record.getMessage() for record in caplog.records)
