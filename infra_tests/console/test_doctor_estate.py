"""``doctor`` on Azure: what it says of the resource group: rights, apps, alerts, hubs, Sentinel. One thing is wrong at a time."""

from __future__ import annotations

from typing import Any

import pytest

from azure_infra.permissions import ORDINARY_ROLES, PRIVILEGED_ROLES
from infra_tests.azure_infra.conftest import BREAK_GLASS
from infra_tests.console.conftest import Console
from infra_tests.console.deployed import POLICY, ROOM, bad, named, upload
from offline.azure.faults import Fault
from offline.azure.seed import SUBSCRIPTION_ID
from offline.azure.services import Services
from offline.azure.storage import Storage


class TestRights:
    def test_a_right_that_is_missing_is_named_with_its_place(self, alive: Console, services: Services, placed: list[str]) -> None:
        respond = services.identities["respond"].object_id
        for one in services.arm.roles.assignments(respond):
            if one["properties"]["scope"].endswith("/queues/verdicts"):
                services.arm.roles.unassign(one["id"])
        (found,) = bad(alive)
        assert found.startswith("the identity breakwater-respond lacks queue consumer on queues/verdicts -> deploy again")

    def test_of_two_of_a_kind_the_one_that_is_left_is_not_enough(self, alive: Console, services: Services) -> None:
        undo = services.identities["undo"].object_id
        one = next(
            each for each in services.arm.roles.assignments(undo) if each["properties"]["scope"].endswith("/tables/anchors")
        )
        services.arm.roles.unassign(one["id"])
        (found,) = bad(alive)
        assert found.startswith("the identity breakwater-undo lacks table appender on tables/anchors -> ")

    def test_a_role_of_an_older_deployment_lacks_what_the_package_needs(self, alive: Console, services: Services) -> None:
        network = services.identities["network"].object_id
        role = next(
            one["properties"]["roleDefinitionId"]
            for one in services.arm.roles.assignments(network)
            if one["properties"]["scope"] == f"/subscriptions/{SUBSCRIPTION_ID}"
        ).rpartition("/")[2]
        services.arm.roles.define(f"/subscriptions/{SUBSCRIPTION_ID}", role, f"breakwater network reads ({SUBSCRIPTION_ID})", [])
        (found,) = bad(alive)
        assert "the identity breakwater-network lacks " in found
        assert "Microsoft.Network/networkSecurityGroups/read" in found

    def test_an_identity_that_is_gone_is_bad(self, alive: Console, services: Services, placed: list[str]) -> None:
        services.arm.remove(named(placed, "/userAssignedIdentities/breakwater-undo"))
        (found,) = bad(alive)
        assert found.startswith("the identity breakwater-undo is not there")


def of(services: Services, group: str, scope: str) -> dict[str, Any]:
    """The one assignment of an identity whose scope ends so, and that has a condition."""
    (found,) = (
        one
        for one in services.arm.roles.assignments(services.identities[group].object_id)
        if one["properties"]["scope"].endswith(scope) and one["properties"]["condition"]
    )
    return found


class TestConditions:
    """What bounds who may give roles: without it, undo could make anybody Owner."""

    def test_what_each_may_give_and_take_is_said(self, alive: Console) -> None:
        alive("doctor")
        kept = "its condition keeps Breakwater's roles and those of 1 protected principals"
        given = f"lets it give {len(ORDINARY_ROLES)} roles alone, none to Breakwater"
        assert f"good  the identity breakwater-identity, identity changes: {kept}" in alive.printed
        assert f"good  the identity breakwater-undo, undo changes: {kept}, and {given}" in alive.printed

    def test_one_that_is_gone_is_bad(self, alive: Console, services: Services) -> None:
        one = of(services, "undo", SUBSCRIPTION_ID)
        one["properties"] |= {"condition": None, "conditionVersion": None}
        (found,) = bad(alive)
        assert found.startswith(
            "the identity breakwater-undo, undo changes: its condition is gone: it can give anybody any role -> "
        )
        assert f"az role assignment delete --ids {one['id']}, then deploy again with armed=true" in found

    def test_a_second_assignment_without_one_is_found_beside_the_first(self, alive: Console, services: Services) -> None:
        one = of(services, "undo", SUBSCRIPTION_ID)["properties"]
        services.arm.roles.assign(ROOM, one["principalId"], one["roleDefinitionId"])
        (found,) = bad(alive)
        assert "undo changes: its condition is gone" in found
        assert f"{ROOM}/providers/" in found

    def test_one_that_lets_it_give_roles_to_breakwater_is_bad(self, alive: Console, services: Services) -> None:
        one = of(services, "undo", SUBSCRIPTION_ID)["properties"]
        respond = services.identities["respond"].object_id
        one["condition"] = one["condition"].replace(f"{respond}, ", "", 1)
        (found,) = bad(alive)
        assert "its condition was widened: it can give roles to breakwater-respond -> " in found

    def test_one_that_lets_it_take_roles_from_breakwater_is_bad(self, alive: Console, services: Services) -> None:
        one = of(services, "identity", SUBSCRIPTION_ID)["properties"]
        head, _, tail = one["condition"].rpartition(services.identities["detect"].object_id)
        one["condition"] = f"{head}{BREAK_GLASS}{tail}"
        (found,) = bad(alive)
        assert "identity changes: its condition was widened: it can take roles from breakwater-detect -> " in found

    def test_one_of_another_form_is_bad(self, alive: Console, services: Services) -> None:
        one = of(services, "undo", SUBSCRIPTION_ID)["properties"]
        one["condition"] = one["condition"].replace("GuidEquals", "GuidNotEquals", 1)
        (found,) = bad(alive)
        assert "undo changes: its condition is not that of the templates -> " in found

    def test_roles_beyond_the_ordinary_are_named_for_a_person_to_judge(self, alive: Console, services: Services) -> None:
        one = of(services, "undo", SUBSCRIPTION_ID)["properties"]
        reader = ORDINARY_ROLES["Reader"]
        one["condition"] = one["condition"].replace(reader, f"{reader}, {PRIVILEGED_ROLES['Owner']}")
        assert bad(alive) == []
        assert any(
            line.startswith("?     the identity breakwater-undo, undo changes") and line.endswith("beyond the ordinary: Owner")
            for line in alive.printed
        )

    def test_a_part_of_the_lake_that_became_all_of_it_is_bad(self, alive: Console, services: Services) -> None:
        of(services, "detect", "/containers/lake")["properties"]["condition"] = None
        (found,) = bad(alive)
        assert found.startswith(
            "the identity breakwater-detect, lake writer on containers/lake: the condition that limits it to ocsf/*"
        )
        assert "is gone: it can write anywhere there -> " in found


class TestBeyond:
    def test_a_powerful_role_of_one_of_ours_is_bad(self, alive: Console, services: Services) -> None:
        undo = services.identities["undo"].object_id
        services.arm.roles.assign(f"/subscriptions/{SUBSCRIPTION_ID}", undo, "Owner")
        (found,) = bad(alive)
        assert found.startswith(
            f"the identity breakwater-undo has Owner on /subscriptions/{SUBSCRIPTION_ID}, which no template gives"
        )

    def test_another_role_is_told_of(self, alive: Console, services: Services) -> None:
        services.arm.roles.assign(ROOM, services.identities["detect"].object_id, "Reader")
        assert bad(alive) == []
        assert f"?     the identity breakwater-detect has Reader on {ROOM}, which no template gives it" in alive.printed


class TestNotArmed:
    @pytest.fixture
    def armed(self) -> bool:
        return False

    def test_a_policy_that_observes_needs_no_more(self, alive: Console) -> None:
        assert bad(alive) == []
        assert "good  not armed: no identity may change anything of yours" in alive.printed

    def test_one_that_enforces_wants_a_deployment_that_is_armed(self, alive: Console, storage: Storage) -> None:
        upload(storage, POLICY.read_bytes().replace(b"  mode: observe\n", b"  mode: enforce\n"))
        (found,) = bad(alive)
        assert found.startswith(
            "network, identity, data, undo may change nothing, and the policy enforces -> deploy with armed=true"
        )


class TestApps:
    def test_a_setting_that_is_missing_is_named(self, alive: Console, services: Services, placed: list[str]) -> None:
        config = f"{named(placed, '/sites/breakwater-contain-')}/config/appsettings"
        services.arm.change(config, lambda kept: kept["properties"].pop("BREAKWATER_QUEUE_ENDPOINT"))
        (found,) = bad(alive)
        assert "breakwater-contain-" in found
        assert "without the settings BREAKWATER_QUEUE_ENDPOINT" in found

    def test_settings_that_may_not_be_read_are_not_known(self, alive: Console, services: Services) -> None:
        services.arm.faults.order(
            Fault(403, "AuthorizationFailed", times=4, path="/config/appsettings/list", methods=frozenset({"POST"}))
        )
        assert bad(alive) == []
        assert sum("you may not read its settings" in line for line in alive.printed) == 4

    def test_an_app_that_has_loaded_nothing_is_bad(self, alive: Console, services: Services, placed: list[str]) -> None:
        services.arm.remove(f"{named(placed, '/sites/breakwater-undo-')}/functions/expire_containments")
        (found,) = bad(alive)
        assert "2 of 3 functions, without expire_containments" in found

    def test_one_that_is_stopped_is_bad(self, alive: Console, services: Services, placed: list[str]) -> None:
        site = named(placed, "/sites/breakwater-contain-")
        services.arm.change(site, lambda kept: kept["properties"].update(state="Stopped"))
        (found,) = bad(alive)
        assert found.endswith(f"is Stopped -> az functionapp start --ids {site}")


class TestAlerts:
    def test_one_that_rings_is_bad_and_one_that_was_closed_is_not(
        self, alive: Console, services: Services, placed: list[str]
    ) -> None:
        ring(services, named(placed, "/scheduledQueryRules/breakwater-poison"), "Closed")
        assert bad(alive) == []
        ring(services, named(placed, "/scheduledQueryRules/breakwater-poison"), "New")
        (found,) = bad(alive)
        assert found.startswith("breakwater-poison: A message failed again and again")
        assert "good  13 of 14 alerts are quiet" in alive.printed

    def test_without_any_nobody_is_told_that_all_is_well(self, alive: Console, services: Services, placed: list[str]) -> None:
        for each in placed:
            if "/scheduledQueryRules/" in each or "/metricAlerts/" in each:
                services.arm.remove(each)
        (found,) = bad(alive)
        assert found.startswith("there are no alerts")


def ring(services: Services, rule: str, state: str) -> None:
    essentials = {"alertRule": rule.upper(), "monitorCondition": "Fired", "alertState": state}
    alert = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.AlertsManagement/alerts/1"
    services.arm.put(alert, {"properties": {"essentials": essentials}})


def test_a_way_to_sentinel_that_is_gone_is_bad(alive: Console, services: Services, placed: list[str]) -> None:
    services.arm.remove(named(placed, "/dataCollectionRules/"))
    (found,) = bad(alive)
    assert found.startswith("Sentinel: no rule takes Custom-Breakwater_CL")


class TestTelemetry:
    def test_a_hub_that_nobody_can_read_is_bad(self, alive: Console, services: Services, placed: list[str]) -> None:
        services.arm.remove(named(placed, "/eventhubs/api-calls/consumergroups/"))
        (found,) = bad(alive)
        assert found.startswith("the event hub api-calls has no consumer group breakwater")

    def test_flow_logs_that_are_not_announced_are_not_known(self, alive: Console, services: Services) -> None:
        for name in ("detect-flows", "detect-nsg-flows"):
            services.arm.remove(
                f"{ROOM}/providers/Microsoft.EventGrid/systemTopics/breakwater-flow-logs/eventSubscriptions/{name}"
            )
        assert bad(alive) == []
        assert "?     Event Grid announces no flow logs to the functions" in alive.printed
        assert "      -> where flow logs are written: azure_infra/connect.sh NAME" in alive.printed
