"""Block an address in AWS WAF: into the IP sets that the policy names, by which rules of the operator's web ACLs block.

For what stands behind a load balancer or CloudFront, where the interface sees the load balancer's address and a network ACL
of its subnet would deny nothing. Which web ACL blocks by a set, and where the rule stands, is the operator's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lambdas.actions.consistency import verified_in_time
from lambdas.actions.ip_sets import LIMIT, IpSet, IpSetName, IpSets, block_of, full, read_ip_sets
from lambdas.actions.own_networks import OwnNetworks
from lambdas.actions.web_acls import Use, WebAcls
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.addresses import Address, address_of, read_address
from response.resources import IP_SET
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_AFTERWARDS = (
    "only requests that come after it, and only to what a web ACL with such a rule protects: an Allow that stands before the "
    "rule still lets them in"
)


class BlockAddressInWaf:
    """One block of just the address in each set of its version of IP; nobody's block is rewritten."""

    name: ClassVar[str] = "block_address_in_waf"
    group: ClassVar[Group] = Group.NETWORK
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.ADDRESS})
    carries: ClassVar[frozenset[str]] = frozenset({IP_SET})
    gives_back: ClassVar[str] = ""
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeVpcs",
        "wafv2:GetIPSet",
        "wafv2:GetRuleGroup",
        "wafv2:GetWebACL",
        "wafv2:ListTagsForResource",
        "wafv2:ListWebACLs",
        "wafv2:UpdateIPSet",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = ("wafv2:GetIPSet", "wafv2:UpdateIPSet")

    def __init__(self, clients: Clients, settings: Mapping[str, Any] | None = None) -> None:
        self._sets = IpSets(clients)
        self._acls = WebAcls(clients)
        self._own = OwnNetworks(clients)
        self._names = read_ip_sets(settings) if settings else ()

    @staticmethod
    def read_settings(settings: Mapping[str, Any]) -> tuple[IpSetName, ...]:
        """Read what the policy says of it. Raises ValueError."""
        return read_ip_sets(settings)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        address = read_address(target.id)
        if address is None:
            return _refused(target, f"{target.id} is no IP address: contain what it stands for")
        if not self._names:
            where = f"actions.{self.name}.settings.ip_sets"
            return _refused(target, f"the policy names no IP set: name one under {where}, or use block_address")
        found = {name.arn: self._sets.read(name) for name in self._names}
        if gone := [arn for arn, each in found.items() if each is None]:
            return _refused(target, f"there is no IP set {', '.join(gone)}: mend the policy, or use block_address", [*found])
        if reason := self._own.owner_of(address):
            return _refused(target, f"{address} is {reason}", [*found])
        fitting = [each for each in found.values() if each is not None and each.version == address.version]
        if not fitting:
            reason = f"none of the policy's IP sets is of IPv{address.version}: name one that is, or use block_address"
            return _refused(target, reason, [*found])
        needed = [each for each in fitting if not each.covering(address)]
        uses = self._acls.uses(each.name for each in fitting)
        state = {"address": str(address)}
        return Plan(
            action=self.name,
            target=target,
            before={**state, "blocks": dict.fromkeys(each.name.arn for each in needed)},
            after={**state, "blocks": {each.name.arn: block_of(address) for each in needed}},
            touches=(
                *(_touched(each.name.arn, uses[each.name.arn]) for each in needed),
                *_covered(fitting, address),
                _AFTERWARDS,
            ),
            summary=f"put {address} into {len(needed)} IP sets of AWS WAF",
            refusal="; ".join(filter(None, (_useless(each, uses[each.name.arn], address) for each in fitting))),
            tags={key: value for each in fitting for key, value in self._sets.tags(each.name).items()},
            resources=tuple(each.name.arn for each in fitting),
            region=_common([each.name.region for each in fitting]),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Wherever the address is seen: the sets are the policy's, not the verdict's."""
        return True

    def check(self, plan: Plan) -> str:
        address = address_of(plan)
        for arn in plan.after["blocks"]:
            found = self._sets.read(IpSetName.of(arn))
            if found is None:
                return f"the IP set {arn} has gone: plan again"
            wider = found.covering(address)
            if wider and not found.has(address):
                return f"{arn} has {address} by now, in {wider}: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        address = address_of(plan)
        try:
            for arn in plan.after["blocks"]:
                self._sets.put(IpSetName.of(arn), address)
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. Put {address} there by hand, or use block_address") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        address = address_of(plan)
        try:
            found = [self._sets.read(IpSetName.of(arn)) for arn in plan.after["blocks"]]
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        there = all(each is not None and each.has(address) for each in found)
        return Verification.VERIFIED if there else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        address = address_of(plan)
        return tuple(self._sets.compare(IpSetName.of(arn), address) for arn in plan.after["blocks"])

    def undo(self, plan: Plan) -> UndoResult:
        address = address_of(plan)
        return sum((self._sets.take(IpSetName.of(arn), address) for arn in plan.after["blocks"]), UndoResult())


def _useless(found: IpSet, uses: Sequence[Use], address: Address) -> str:
    """Say why a set must not, or need not, have the address; also of one that has it already."""
    name = found.name
    if harmful := [use.where for use in uses if use.harms]:
        return f"{', '.join(harmful)} lets in whoever is in {name.arn}: name a set that is only blocked by"
    if not any(use.blocks for use in uses):
        return (
            f"no rule of a web ACL blocks whatever is in {name.arn}: add one, or take it out of the policy and use block_address"
        )
    return full(name) if len(found.blocks) >= LIMIT and not found.covering(address) else ""


def _touched(arn: str, uses: Sequence[Use]) -> str:
    blocking = ", ".join(use.where for use in uses if use.blocks)
    return f"{arn}: {blocking or 'nothing'} blocks by it"


def _covered(fitting: Sequence[IpSet], address: Address) -> tuple[str, ...]:
    there = ((each.name.arn, each.covering(address)) for each in fitting)
    return tuple(f"{arn} has it already, in {block}: left as it is, also at undo" for arn, block in there if block)


def _common(regions: Sequence[str]) -> str:
    return regions[0] if len(set(regions)) == 1 else ""


def _refused(target: Entity, reason: str, resources: Sequence[str] = ()) -> Plan:
    return Plan.refused(
        action=BlockAddressInWaf.name,
        target=target,
        summary=f"block {target.id} in AWS WAF",
        refusal=reason,
        resources=tuple(resources),
    )
