"""Take back the shares of a snapshot or an image: of a volume, of a database, of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lambdas.actions.consistency import verified_in_time
from lambdas.actions.shares import EVERYBODY, Shares
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, NotPermitted
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import DATABASE_SNAPSHOT, IMAGE, SNAPSHOT
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_COPIED = (
    "copies that others have made, and volumes, databases and machines made of it, are theirs: look who used it in CloudTrail"
)


class UnshareSnapshot:
    """All shares, since a call may have added any: the plan names each, and undo gives back just these."""

    name: ClassVar[str] = "unshare_snapshot"
    group: ClassVar[Group] = Group.DATA
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.SNAPSHOT, EntityKind.IMAGE})
    carries: ClassVar[frozenset[str]] = frozenset({DATABASE_SNAPSHOT, IMAGE, SNAPSHOT})
    gives_back: ClassVar[str] = "what others were shared"
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeImageAttribute",
        "ec2:DescribeSnapshotAttribute",
        "ec2:DescribeTags",
        "ec2:ModifyImageAttribute",
        "ec2:ModifySnapshotAttribute",
        "rds:DescribeDBClusterSnapshotAttributes",
        "rds:DescribeDBSnapshotAttributes",
        "rds:ListTagsForResource",
        "rds:ModifyDBClusterSnapshotAttribute",
        "rds:ModifyDBSnapshotAttribute",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeImageAttribute",
        "ec2:DescribeSnapshotAttribute",
        "ec2:ModifyImageAttribute",
        "ec2:ModifySnapshotAttribute",
        "rds:DescribeDBClusterSnapshotAttributes",
        "rds:DescribeDBSnapshotAttributes",
        "rds:ModifyDBClusterSnapshotAttribute",
        "rds:ModifyDBSnapshotAttribute",
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._shares = Shares(clients)

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        shares = self._shares.read(target)
        if shares is None:
            refusal = f"there is no {target.kind} {target.id} in this account and region (any more): nothing is left to close"
            return Plan(self.name, target, {}, {}, (), f"unshare {target.id}", refusal=refusal, resources=(target.id,))
        return Plan(
            action=self.name,
            target=target,
            before={"shares": shares},
            after={"shares": []},
            touches=(*map(_say, shares), _COPIED),
            summary=f"take back {len(shares)} shares of {target.kind} {target.id}",
            tags=self._shares.tags(target),
            resources=(target.id,),
            region=str(self._clients("ec2").meta.region_name),
        )

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Not known without asking: it may have been shared again since."""
        return False

    def check(self, plan: Plan) -> str:
        now = self._shares.read(plan.target)
        if now is None:
            return f"{plan.target.id} is gone: plan again"
        if new := sorted(set(now) - set(plan.before["shares"])):
            return f"{plan.target.id} is shared with {', '.join(new)} too by now: plan again"
        return ""

    def apply(self, plan: Plan) -> None:
        now = set(self._shares.read(plan.target) or ())
        try:
            self._shares.write(plan.target, remove=now & set(plan.before["shares"]))
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. Delete it once it is copied, or deny the accounts in its key's policy") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        try:
            now = self._shares.read(plan.target)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if now == [] else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        before, now = plan.before["shares"], self._shares.read(plan.target)
        there = "it is gone" if now is None else _all_of(now)
        return (Difference(f"shares of {plan.target.id}", _all_of(before), _all_of([]), there, now not in (before, [])),)

    def undo(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=False)

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=True)

    def _restore(self, plan: Plan, *, overwrite: bool) -> UndoResult:
        shares, now = set(plan.before["shares"]), self._shares.read(plan.target)
        if now is None:
            return UndoResult.leaving(f"{plan.target.id} is gone")
        others = sorted(set(now) - shares)
        away, others = (others, []) if overwrite else ([], others)
        result = UndoResult()
        if others:
            result += UndoResult.leaving(f"{plan.target.id} is shared with {', '.join(others)} too: someone did that since")
        try:
            self._shares.write(plan.target, add=shares - set(now), remove=away)
        except (CloudRefusal, NotPermitted) as refusal:  # block public access of snapshots or images may be on since
            reason = f"{plan.target.id} cannot be shared again with {', '.join(sorted(shares))}: {refusal}"
            return result + UndoResult.holding(reason, refusal=refusal)
        return result + UndoResult(tuple(f"{plan.target.id} {_say(share)}" for share in sorted(shares)))


def _all_of(shares: Sequence[str]) -> str:
    return ", ".join(shares) or "with nobody"


def _say(share: str) -> str:
    return "shared with everybody" if share == EVERYBODY else f"shared with {share}"
