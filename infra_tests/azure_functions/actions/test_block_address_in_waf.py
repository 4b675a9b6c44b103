"""Blocking an address in the firewall of an Application Gateway: where it takes effect, what is refused, what undo leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from azure_functions.actions.block_address_in_waf import BlockAddressInWaf
from azure_functions.actions.firewall_policies import RULE, read_policies
from infra_tests.azure_functions.actions.cloud import ATTACKER, Cloud, about, plan
from offline.azure.faults import Fault
from offline.azure.resource_manager.firewall_policies import FirewallPolicies
from offline.azure.seed import Subscription, firewall_rule, made_up
from offline.azure.web import Request
from response import guard
from response.actions import CannotApply, CloudUnavailable, Plan, Verification
from response.policy import NeverTouch
from shared_model.events import EntityKind

BLOCK = f"{ATTACKER}/32"
VERDICT = about(EntityKind.ADDRESS, ATTACKER, completed_flow=True)


def action(cloud: Cloud, *policies: str, **settings: Any) -> BlockAddressInWaf:
    named = {"firewall_policies": list(policies or (cloud.firewall,)), **settings}
    return BlockAddressInWaf(cloud.clients, named, persistence=cloud.persistence)


def rules(cloud: Cloud, policy: str = "") -> dict[str, tuple[int, list[str]]]:
    """Number and blocks of each custom rule."""
    found = cloud.arm.resource(policy or cloud.firewall)["properties"]["customRules"]
    return {rule["name"]: (rule["priority"], rule["matchConditions"][0]["matchValues"]) for rule in found}


def change(cloud: Cloud, *present: dict[str, Any], **settings: Any) -> None:
    """Somebody gives the policy these rules and settings."""

    def edit(policy: dict[str, Any]) -> None:
        policy["properties"]["customRules"] = list(present)
        policy["properties"]["policySettings"].update(settings)

    cloud.arm.change(cloud.firewall, edit)


def test_each_policy_blocks_it_by_a_rule_of_its_own_before_all_others_and_undo_takes_just_that_away(cloud: Cloud) -> None:
    other = cloud.shop.firewall_policy("other", firewall_rule("Office", "Allow", 1, "203.0.113.0/24"), gateway="other-gateway")
    blocking = action(cloud, cloud.firewall, other)
    before = [cloud.arm.resource(each)["properties"] for each in (cloud.firewall, other)]
    made = plan(blocking, VERDICT)
    assert (made.refusal, made.before["blocks"]) == ("", {cloud.firewall.lower(): None, other.lower(): None})
    assert "which is made with number 1: before shop-gateway" in made.touches[0]
    blocking.apply(made)
    assert rules(cloud) == {"Scanners": (7, ["192.0.2.0/24"]), RULE: (1, [BLOCK])}
    assert rules(cloud, other) == {"Office": (1, ["203.0.113.0/24"]), RULE: (2, [BLOCK])}
    assert blocking.verify(made) is Verification.VERIFIED
    assert blocking.undo(made).left == ()
    assert [cloud.arm.resource(each)["properties"] for each in (cloud.firewall, other)] == before


def test_two_addresses_share_a_rule_and_each_undo_takes_its_own(cloud: Cloud) -> None:
    blocking = action(cloud)
    plans: list[Plan] = []
    for address in (ATTACKER, "198.51.100.67"):
        plans.append(plan(blocking, about(EntityKind.ADDRESS, address)))
        blocking.apply(plans[-1])
    assert rules(cloud)[RULE] == (1, [BLOCK, "198.51.100.67/32"])
    blocking.undo(plans[0])
    assert rules(cloud)[RULE] == (1, ["198.51.100.67/32"])
    assert blocking.verify(plans[1]) is Verification.VERIFIED
    blocking.undo(plans[1])
    assert RULE not in rules(cloud)


def test_a_rule_of_the_operators_keeps_its_number_and_what_it_lists(cloud: Cloud) -> None:
    blocking = action(cloud, rule="Scanners")
    made = plan(blocking, VERDICT)
    blocking.apply(made)
    assert rules(cloud) == {"Scanners": (7, ["192.0.2.0/24", BLOCK])}
    assert blocking.undo(made).restored == (f"{cloud.firewall.lower()} without {ATTACKER}",)
    assert rules(cloud) == {"Scanners": (7, ["192.0.2.0/24"])}


def test_whatever_else_the_policy_holds_is_written_back_to_the_letter(cloud: Cloud) -> None:
    def fill(policy: dict[str, Any]) -> None:
        policy["tags"] = {"Service": "web"}
        policy["properties"]["policySettings"] |= {"customBlockResponseBody": "SGVsbG8=", "notYetKnownToTheSdk": 7}
        policy["properties"]["managedRules"]["exclusions"] = [
            {"matchVariable": "RequestArgNames", "selectorMatchOperator": "StartsWith", "selector": "hello"}
        ]

    def seen() -> dict[str, Any]:
        return {k: v for k, v in cloud.arm.resource(cloud.firewall).items() if k not in ("etag", "_power")}

    cloud.arm.change(cloud.firewall, fill)
    blocking, before = action(cloud), seen()
    made = plan(blocking, VERDICT)
    blocking.apply(made)
    after = seen()
    assert after["properties"].pop("customRules") != before["properties"]["customRules"]
    assert after == {**before, "properties": {k: v for k, v in before["properties"].items() if k != "customRules"}}
    blocking.undo(made)
    assert seen() == before


@pytest.mark.parametrize("there", [ATTACKER, BLOCK, "198.51.100.0/24"])
def test_what_is_blocked_already_is_left_as_it_is_also_at_undo(cloud: Cloud, there: str) -> None:
    change(cloud, firewall_rule("Mine", "Block", 9, there))
    made = plan(action(cloud), VERDICT)
    assert made.is_noop
    assert "by Mine: left as it is" in made.touches[0]
    action(cloud).undo(made)
    assert rules(cloud) == {"Mine": (9, [there])}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda cloud: change(cloud, mode="Detection"), "in detection mode, in which a block only writes a log"),
        (lambda cloud: change(cloud, state="Disabled"), "is disabled"),
        (
            lambda cloud: cloud.arm.change(
                f"{cloud.world.group}/providers/Microsoft.Network/applicationGateways/shop-gateway",
                lambda gateway: gateway.update(properties={}),
            ),
            "stands before no gateway, listener or path",
        ),
        (
            lambda cloud: change(cloud, firewall_rule("Office", "Allow", 1, "198.51.100.0/24")),
            f"rule Office of .* lets {ATTACKER} in",
        ),
        (lambda cloud: change(cloud, firewall_rule(RULE, "Allow", 1, "192.0.2.1")), "has the action Allow"),
        (
            lambda cloud: change(cloud, firewall_rule(RULE, "Block", 1, "192.0.2.1", state="Disabled")),
            f"rule {RULE} of .* is disabled",
        ),
        (lambda cloud: change(cloud, firewall_rule(RULE, "Block", 1, "198.51.100.0/24", negated=True)), "has other conditions"),
        (
            lambda cloud: change(cloud, *(firewall_rule(f"r{n}", "Block", n, "192.0.2.1") for n in range(1, 101))),
            "has 100 rules, all that it takes",
        ),
        (
            lambda cloud: change(cloud, firewall_rule(RULE, "Block", 1, *(f"10.1.{n // 256}.{n % 256}" for n in range(600)))),
            "lists 600 blocks, all that it takes",
        ),
        (lambda cloud: cloud.arm.remove(cloud.firewall), "there is no firewall policy"),
    ],
    ids=["detection", "disabled", "unused", "defeated", "allows", "rule off", "negated", "full", "full rule", "gone"],
)
def test_a_block_without_effect_is_refused_with_what_to_do_instead(cloud: Cloud, edit: Callable[[Cloud], Any], said: str) -> None:
    edit(cloud)
    since = len(cloud.calls)
    made = plan(action(cloud), VERDICT)
    assert re.search(said, made.refusal)
    assert re.search("use block_address|name |associate it", made.refusal), "what to do instead"
    assert cloud.writes(since=since) == 0


def test_an_older_rule_set_takes_fewer(cloud: Cloud) -> None:
    listed = (f"10.1.{n // 256}.{n % 256}" for n in range(540))
    older = cloud.shop.firewall_policy("older", firewall_rule(RULE, "Block", 1, *listed), version="3.1", gateway="older-gateway")
    assert "lists 540 blocks" in plan(action(cloud, older), VERDICT).refusal


def test_an_allow_that_comes_to_stand_before_it_is_drift_and_what_may_let_in_is_told(cloud: Cloud) -> None:
    path = {"matchVariables": [{"variableName": "RequestUri"}], "operator": "Contains", "matchValues": ["/health"]}
    health = firewall_rule("Health", "Allow", 1, "198.51.100.0/24")
    health["matchConditions"].append(path)
    change(cloud, health)
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    assert made.refusal == ""
    assert any("Health of" in text and "may let requests in" in text for text in made.touches)
    blocking.apply(made)
    ours = cloud.arm.resource(cloud.firewall)["properties"]["customRules"][1]
    change(cloud, firewall_rule("Office", "Allow", 1, "198.51.100.0/24"), ours)
    assert blocking.verify(made) is Verification.DRIFTED
    (found,) = blocking.compare(made)
    assert found.is_changed
    assert found.now == f"{RULE} lists {BLOCK}, and does not block it"
    assert blocking.undo(made).left == ()


@pytest.mark.parametrize(
    "address",
    ["10.20.1.9", "10.77.0.4", "203.0.113.200", "168.63.129.16", "127.0.0.1", "224.0.0.1"],
    ids=["network", "peered", "public", "platform", "loopback", "multicast"],
)
def test_own_addresses_are_never_blocked(cloud: Cloud, address: str) -> None:
    def peer(network: dict[str, Any]) -> None:
        space = {"addressPrefixes": ["10.77.0.0/16"]}
        network["properties"]["virtualNetworkPeerings"] = [{"name": "hub", "properties": {"remoteAddressSpace": space}}]

    cloud.arm.change(cloud.world.network, peer)
    cloud.shop._put("Microsoft.Network/publicIPAddresses", "front", {"ipAddress": "203.0.113.200"}, {})
    made = plan(action(cloud), about(EntityKind.ADDRESS, address))
    assert made.refusal.startswith(f"{address} is ")
    assert made.resources == (cloud.firewall.lower(),)


def test_what_is_not_its_matter_is_refused(cloud: Cloud) -> None:
    assert "IPv4 only" in plan(action(cloud), about(EntityKind.ADDRESS, "2001:db8::66")).refusal
    assert "no IP address" in plan(action(cloud), about(EntityKind.ADDRESS, "attacker.example")).refusal
    unnamed = BlockAddressInWaf(cloud.clients, persistence=cloud.persistence)
    assert "actions.block_address_in_waf.settings.firewall_policies" in plan(unnamed, VERDICT).refusal


def test_a_policy_of_another_subscription_in_which_nothing_was_granted_is_refused(cloud: Cloud) -> None:
    elsewhere = Subscription(cloud.arm, made_up("another subscription"), name="Other").in_group("edge")
    policy = elsewhere.firewall_policy("edge", gateway="edge-gateway")

    cloud.arm.faults.order(Fault(403, "AuthorizationFailed", methods=frozenset({"GET"}), path=elsewhere.subscription_id))
    reason = plan(action(cloud, cloud.firewall, policy), VERDICT).refusal
    assert "Grant what docs/deploy-azure.md names" in reason


def test_a_tag_or_a_pattern_protects_a_policy(cloud: Cloud) -> None:
    tagged = cloud.shop.firewall_policy("tagged", gateway="tagged-gateway", tags={"Break-Glass": "yes"})
    made = plan(action(cloud, tagged), VERDICT)
    assert made.refusal == ""
    assert "break-glass" in guard.refusal(made, VERDICT, NeverTouch(tags=("break-glass",)))
    assert "never-touch" in guard.refusal(made, VERDICT, NeverTouch(resources=(f"{cloud.world.group.lower()}/*",)))


def test_another_writer_in_between_loses_nothing(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    meanwhile = [firewall_rule("Theirs", "Block", 1, "203.0.113.9")]

    def before(request: Request) -> None:
        if request.method == "PUT" and meanwhile:
            rule = meanwhile.pop()
            cloud.arm.change(cloud.firewall, lambda policy: policy["properties"]["customRules"].append(rule))

    cloud.arm.before = before  # type: ignore[method-assign]
    blocking.apply(made)
    assert rules(cloud) == {"Scanners": (7, ["192.0.2.0/24"]), "Theirs": (1, ["203.0.113.9"]), RULE: (2, [BLOCK])}
    assert blocking.verify(made) is Verification.VERIFIED


def test_a_policy_that_is_answered_without_an_etag_is_written_all_the_same(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    show = FirewallPolicies.show
    monkeypatch.setattr(FirewallPolicies, "show", lambda *args: {k: v for k, v in show(*args).items() if k != "etag"})
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    blocking.apply(made)
    assert blocking.verify(made) is Verification.VERIFIED
    assert blocking.undo(made).left == ()


def test_what_changed_after_the_plan_stops_the_apply(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    change(cloud, firewall_rule("Wider", "Block", 5, "198.51.100.0/24"))
    assert "by now, by Wider: plan again" in blocking.check(made)
    change(cloud, mode="Detection")
    assert "detection mode" in blocking.check(made)
    change(cloud, firewall_rule(RULE, "Allow", 5, "203.0.113.9"), mode="Prevention")
    with pytest.raises(CannotApply, match="has the action Allow"):
        blocking.apply(made)
    cloud.arm.remove(cloud.firewall)
    assert "has gone" in blocking.check(made)
    with pytest.raises(CannotApply, match="is gone"):
        blocking.apply(made)
    assert blocking.verify(made) is Verification.DRIFTED
    assert "is gone" in blocking.undo(made).left[0]


def test_a_wider_block_that_someone_put_there_since_is_named(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    blocking.apply(made)
    wider = firewall_rule("Wider", "Block", 5, "198.51.100.0/24")
    cloud.arm.change(cloud.firewall, lambda policy: policy["properties"]["customRules"].append(wider))
    assert "still blocks" in blocking.undo(made).left[0]
    assert set(rules(cloud)) == {"Scanners", "Wider"}


def test_a_policy_that_its_gateways_are_still_taking_over_is_written_by_the_next_delivery(cloud: Cloud) -> None:
    blocking = action(cloud)
    made = plan(blocking, VERDICT)
    cloud.arm.faults.order(Fault(409, "AnotherOperationInProgress", times=100, methods=frozenset({"PUT"})))
    with pytest.raises(CloudUnavailable, match="gave way"):
        blocking.apply(made)
    cloud.arm.faults.clear()
    blocking.apply(made)
    assert blocking.verify(made) is Verification.VERIFIED


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "firewall_policies: name one to 10"),
        ({"firewall_policies": []}, "firewall_policies: name one to 10"),
        ({"firewall_policies": ["shop"]}, "firewall_policies.0: 'shop' is no id"),
        (
            {"firewall_policies": ["/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/firewallPolicies/p"]},
            "no id of a firewall policy of an Application Gateway or a Front Door",
        ),
        ({"rule": "two words"}, "rule: give a name of letters and digits"),
        ({"rules": "x"}, "rules: there is no such setting"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(settings: dict[str, Any], said: str) -> None:
    policy = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies/p"
    fitting = {"firewall_policies": [policy]}
    assert read_policies(fitting).ids == (policy.lower(),)
    with pytest.raises(ValueError, match=r"rule|firewall_policies") as error:
        read_policies(settings if not settings or "firewall_policies" in settings else fitting | settings)
    assert said in str(error.value)
