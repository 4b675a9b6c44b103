"""Blocking an address before a Front Door: its own rules' spelling, what a client can claim, whole writes that end later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from azure_functions.actions.block_address_in_waf import BlockAddressInWaf
from azure_functions.actions.firewall_policies import RULE, read_policies
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, about, plan
from offline.azure.faults import Fault
from offline.azure.seed import front_door_rule
from offline.azure.web import Request
from response.actions import CannotApply, CloudUnavailable, Verification
from shared_model.events import EntityKind

BLOCK = f"{ATTACKER}/32"
VERDICT = about(EntityKind.ADDRESS, ATTACKER, completed_flow=True)


def action(cloud: Cloud, *policies: str, **settings: Any) -> BlockAddressInWaf:
    named = {"firewall_policies": list(policies or (cloud.front_door,)), **settings}
    return BlockAddressInWaf(cloud.clients, named, persistence=cloud.persistence)


def rules(cloud: Cloud) -> dict[str, tuple[int, str, list[str]]]:
    """Number, variable and blocks of each custom rule."""
    found = cloud.arm.resource(cloud.front_door)["properties"]["customRules"]["rules"]
    return {
        one["name"]: (one["priority"], one["matchConditions"][0]["matchVariable"], one["matchConditions"][0]["matchValue"])
        for one in found
    }


def change(cloud: Cloud, *present: dict[str, Any], **settings: Any) -> None:
    """Somebody gives the policy these rules and settings."""

    def edit(policy: dict[str, Any]) -> None:
        policy["properties"]["customRules"]["rules"] = list(present)
        policy["properties"]["policySettings"].update(settings)

    cloud.arm.change(cloud.front_door, edit)


def by_client(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule about the address that the client says it has."""
    (condition,) = rule["matchConditions"]
    return {**rule, "matchConditions": [{**condition, "matchVariable": "RemoteAddr"}]}


def test_it_is_blocked_by_the_address_that_the_front_door_sees_and_undo_leaves_all_else_to_the_letter(cloud: Cloud) -> None:
    def fill(policy: dict[str, Any]) -> None:
        policy["tags"] = {"Service": "web"}
        policy["properties"]["policySettings"] |= {"customBlockResponseStatusCode": 429, "captchaExpirationInMinutes": 30}
        sets = [{"ruleSetType": "Microsoft_DefaultRuleSet", "ruleSetVersion": "2.1", "ruleSetAction": "Block", "exclusions": []}]
        policy["properties"]["managedRules"] = {"managedRuleSets": sets}

    def seen() -> dict[str, Any]:
        return {name: value for name, value in cloud.arm.resource(cloud.front_door).items() if name not in ("etag", "_power")}

    cloud.arm.change(cloud.front_door, fill)
    blocking, before = action(cloud), seen()
    made = plan(blocking, VERDICT)
    assert made.refusal == ""
    assert f"which is made with number 1: before {cloud.front_door.rpartition('/')[2]}" in made.touches[0]
    assert made.region == "global"
    assert blocking.check(made) == ""
    blocking.apply(made)
    assert rules(cloud) == {"Scanners": (7, "SocketAddr", ["192.0.2.0/24"]), RULE: (1, "SocketAddr", [BLOCK])}
    assert blocking.verify(made) is Verification.VERIFIED
    assert blocking.compare(made)[0].is_changed is False
    assert blocking.undo(made).left == ()
    assert seen() == before


def test_both_kinds_of_firewall_are_written_in_one_containment(cloud: Cloud) -> None:
    blocking = action(cloud, cloud.firewall, cloud.front_door)
    made = plan(blocking, VERDICT)
    assert set(made.after["blocks"]) == {cloud.firewall.lower(), cloud.front_door.lower()}
    blocking.apply(made)
    assert blocking.verify(made) is Verification.VERIFIED
    assert len(blocking.undo(made).restored) == 2


def test_an_address_of_ipv6_is_blocked_where_rules_match_it_and_the_plan_says_where_not(cloud: Cloud) -> None:
    both = action(cloud, cloud.firewall, cloud.front_door)
    made = plan(both, about(EntityKind.ADDRESS, "2001:db8::66"))
    assert made.refusal == ""
    assert set(made.after["blocks"]) == {cloud.front_door.lower()}
    assert f"{cloud.firewall.lower()} knows addresses of IPv4 only: not blocked there" in made.touches
    both.apply(made)
    assert rules(cloud)[RULE] == (1, "SocketAddr", ["2001:db8::66/128"])
    assert both.verify(made) is Verification.VERIFIED
    both.undo(made)
    assert RULE not in rules(cloud)


def test_a_block_of_what_a_client_claims_is_none_and_an_allow_of_it_may_let_in(cloud: Cloud) -> None:
    """Whoever writes X-Forwarded-For chooses its RemoteAddr."""
    change(cloud, by_client(front_door_rule("Claimed", "Block", 3, "198.51.100.0/24")))
    made = plan(action(cloud), VERDICT)
    assert (made.refusal, made.is_noop) == ("", False)
    change(cloud, by_client(front_door_rule("Partner", "Allow", 1, "203.0.113.0/24")))
    (said,) = [text for text in plan(action(cloud), VERDICT).touches if "may let requests in" in text]
    assert "Partner of" in said


@pytest.mark.parametrize(
    ("edit", "settings", "said"),
    [
        (lambda cloud: change(cloud, mode="Detection"), {}, "in detection mode"),
        (lambda cloud: change(cloud, enabledState="Disabled"), {}, "is disabled"),
        (
            lambda cloud: cloud.arm.remove(
                f"{cloud.world.group}/providers/Microsoft.Cdn/profiles/shop-profile/securityPolicies/shopDoor"
            ),
            {},
            "stands before no domain or endpoint of a Front Door: associate it",
        ),
        (lambda cloud: change(cloud, front_door_rule("Office", "Allow", 1, "198.51.100.0/24")), {}, f"lets {ATTACKER} in before"),
        (
            lambda cloud: change(cloud, front_door_rule("Moved", "Redirect", 1, "198.51.100.0/24")),
            {},
            f"redirects {ATTACKER} before",
        ),
        (
            lambda cloud: change(cloud, by_client(front_door_rule("Mine", "Block", 1, "192.0.2.1"))),
            {"rule": "Mine"},
            "asks for RemoteAddr, which a client may write itself",
        ),
        (
            lambda cloud: change(cloud, front_door_rule(RULE, "Block", 1, "192.0.2.1", enabledState="Disabled")),
            {},
            f"rule {RULE} of .* is disabled|is disabled",
        ),
        (
            lambda cloud: change(cloud, front_door_rule(RULE, "Block", 1, *(f"10.1.{n // 256}.{n % 256}" for n in range(600)))),
            {},
            "lists 600 blocks",
        ),
        (lambda cloud: cloud.arm.remove(cloud.front_door), {}, "there is no firewall policy"),
    ],
    ids=["detection", "disabled", "unused", "allowed", "redirected", "claimed", "rule off", "full rule", "gone"],
)
def test_a_block_without_effect_is_refused(
    cloud: Cloud, edit: Callable[[Cloud], Any], settings: dict[str, Any], said: str
) -> None:
    edit(cloud)
    since = len(cloud.calls)
    refusal = plan(action(cloud, **settings), VERDICT).refusal
    assert any(each in refusal for each in said.split("|")), refusal
    assert cloud.writes(since=since) == 0


def test_another_writer_in_between_loses_nothing(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    meanwhile = [front_door_rule("Theirs", "Block", 1, "203.0.113.9")]

    def before(request: Request) -> None:
        if request.method == "PUT" and meanwhile:
            rule = meanwhile.pop()
            cloud.arm.change(cloud.front_door, lambda policy: policy["properties"]["customRules"]["rules"].append(rule))

    cloud.arm.before = before  # type: ignore[method-assign]
    blocking.apply(made)
    assert {name: one[0] for name, one in rules(cloud).items()} == {"Scanners": 7, "Theirs": 1, RULE: 2}
    assert blocking.verify(made) is Verification.VERIFIED


def test_a_write_is_over_when_the_policy_says_so(cloud: Cloud) -> None:
    blocking, looks = action(cloud), 0
    made = plan(blocking, VERDICT)
    cloud.arm.faults.slow(polls=99)

    def before(request: Request) -> None:
        nonlocal looks
        looks += request.method == "GET"
        if looks == 4:  # one read to write, three looks at what was written
            cloud.arm.finish_operations()

    cloud.arm.before = before  # type: ignore[method-assign]
    blocking.apply(made)
    assert looks == 4
    assert blocking.verify(made) is Verification.VERIFIED


def test_a_write_that_azure_took_and_failed_with_is_a_refusal(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    cloud.arm.faults.fail_operation()
    with pytest.raises(CannotApply, match="could not carry it out"):
        blocking.apply(made)
    assert RULE not in rules(cloud)


def test_a_write_that_never_ends_is_left_to_the_next_delivery(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    cloud.arm.faults.slow(polls=9999)
    with pytest.raises(CloudUnavailable, match="not over"):
        blocking.apply(made)
    cloud.arm.finish_operations()
    blocking.apply(made)
    assert blocking.verify(made) is Verification.VERIFIED


def test_a_storm_and_a_conflict_are_waited_out_with_a_fresh_look_each_time(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    cloud.arm.faults.throttle(2)
    cloud.arm.faults.order(Fault(409, "AnotherOperationInProgress", times=2, methods=frozenset({"PUT"})))
    blocking.apply(made)
    assert blocking.verify(made) is Verification.VERIFIED
    assert len(cloud.pauses) >= 4


def test_the_id_may_be_in_any_letters() -> None:
    named = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/FrontDoorWebApplicationFirewallPolicies/p"
    assert read_policies({"firewall_policies": [named]}).ids == (named.lower(),)
