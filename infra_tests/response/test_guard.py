"""What is never touched, however sure the verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from infra_tests.response.world import ACCOUNT, verdict
from response.actions import Plan
from response.guard import UNKNOWN_NAME, refusal
from response.policy import NeverTouch, Policy, parse_policy
from shared_model.events import Entity, EntityKind, Telemetry

INSTANCE = Entity(EntityKind.INSTANCE, "i-0a", ACCOUNT)
PLAN = Plan("isolate", INSTANCE, {"eni": ["sg-1"]}, {"eni": ["sg-q"]}, (), "isolate i-0a", resources=("i-0a", "eni-0a", "sg-1"))
VERDICT = verdict("i-0a", "v", Telemetry.FLOW_LOGS)


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def test_nothing_speaks_against_an_ordinary_plan() -> None:
    assert refusal(PLAN, VERDICT, NeverTouch()) == ""


def test_the_plans_own_refusal_comes_first() -> None:
    assert refusal(replace(PLAN, refusal="gone"), VERDICT, NeverTouch(instances=("i-0a",))) == "gone"


@pytest.mark.parametrize(
    "never",
    [
        NeverTouch(instances=("i-0a",)),
        NeverTouch(instances=("i-0*",)),
        NeverTouch(security_groups=("sg-1",)),
        NeverTouch(security_groups=("sg-?",)),
        NeverTouch(principals=(role("web*"),)),
    ],
)
def test_everything_the_plan_rests_on_is_compared_with_the_list(never: NeverTouch) -> None:
    plan = replace(PLAN, resources=(*PLAN.resources, role("web-1")))
    assert "never-touch list" in refusal(plan, VERDICT, never)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.9", True),
        ("203.0.114.9", False),
        ("2001:db8::7", True),
        ("2001:0db8:0000::0007", True),
        ("2001:db9::7", False),
        ("::ffff:203.0.113.9", True),
        ("203.0.113.009", True),  # nobody can tell
    ],
)
def test_an_address_in_a_listed_block_is_never_blocked(address: str, kept: bool) -> None:
    plan = replace(PLAN, target=Entity(EntityKind.ADDRESS, address, ACCOUNT))
    never = NeverTouch(addresses=("203.0.113.0/24", "2001:db8::/32"))
    assert ("never-touch" in refusal(plan, replace(VERDICT, completed_flow=True), never)) is kept


@pytest.mark.parametrize(
    "arn",
    [
        role("aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport"),
        role("aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_0123456789abcdef"),
        role("AWSReservedSSO_Admin_0123456789abcdef"),
        f"arn:aws-cn:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/Y",
    ],
)
def test_roles_that_are_managed_elsewhere_need_no_line_in_the_policy(arn: str) -> None:
    assert refusal(replace(PLAN, resources=(arn,)), VERDICT, NeverTouch()) != ""


@pytest.mark.parametrize(
    ("kind", "id_"), [("users", f"arn:aws:iam::{ACCOUNT}:user/ops/alice"), ("landing_zone", role("stacksets-exec-0a"))]
)
def test_a_kind_of_principals_is_protected_where_its_word_is_listed(kind: str, id_: str) -> None:
    plan = replace(PLAN, resources=(id_,))
    never = parse_policy(json.dumps({"version": 1, "never_touch": {"principal_kinds": [kind]}})).never_touch
    assert refusal(plan, VERDICT, NeverTouch()) == ""
    assert "never-touch list" in refusal(plan, VERDICT, never)


@pytest.mark.parametrize("key", ["principals", "resources"])
def test_who_has_no_name_that_can_be_read_is_protected_where_names_are_listed(key: str) -> None:
    plan = replace(PLAN, resources=(UNKNOWN_NAME,))
    never = parse_policy(json.dumps({"version": 1, "never_touch": {key: ["break-glass*@contoso.example"]}})).never_touch
    assert "perhaps on the never-touch list (break-glass*@contoso.example)" in refusal(plan, VERDICT, never)
    assert refusal(plan, VERDICT, NeverTouch()) == ""


def test_root_is_protected_on_any_policy() -> None:
    assert "root user" in refusal(replace(PLAN, resources=(f"arn:aws:iam::{ACCOUNT}:root",)), VERDICT, NeverTouch())


@pytest.mark.parametrize(("listed", "carried"), [("break-glass", "Break-Glass"), ("Break-Glass", "break-glass")])
def test_the_key_of_a_tag_counts_in_any_case(listed: str, carried: str) -> None:
    assert "carries the tag" in refusal(replace(PLAN, tags={carried: ""}), VERDICT, NeverTouch(tags=(listed,)))


def test_own_roles_are_protected_and_none_that_is_merely_named_alike() -> None:
    never = Policy().protecting((role("breakwater-respond"),)).never_touch
    assert refusal(replace(PLAN, resources=(role("breakwater-respond"),)), VERDICT, never) != ""
    assert refusal(replace(PLAN, resources=(role("breakwater-respond-x"),)), VERDICT, never) == ""


@pytest.mark.parametrize("completed", [True, False])
def test_an_address_is_a_target_only_after_a_completed_flow(completed: bool) -> None:
    plan = replace(PLAN, target=Entity(EntityKind.ADDRESS, "203.0.113.9", ACCOUNT), resources=())
    said = refusal(plan, replace(VERDICT, completed_flow=completed), NeverTouch())
    assert (said == "") is completed
