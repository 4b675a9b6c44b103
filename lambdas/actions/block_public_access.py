"""Block public access of a bucket: its four settings are turned on, and what they were is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lambdas.actions.consistency import verified_in_time
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from lambdas.registry import Group
from response.actions import CannotApply, CloudUnavailable, Difference, Plan, UndoResult, Verification
from response.resources import BUCKET
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_ALL = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
_TOUCHED = (
    "whoever reads it without credentials of this account or of accounts that its policy names: public websites, downloads",
    "public ACLs and policies stay where they are, without effect",
)


class BlockPublicAccess:
    """One setting of one bucket, written whole: S3 keeps it apart from policies and ACLs, which are not touched."""

    name: ClassVar[str] = "block_public_access"
    group: ClassVar[Group] = Group.DATA
    handles: ClassVar[frozenset[EntityKind]] = frozenset({EntityKind.BUCKET})
    carries: ClassVar[frozenset[str]] = frozenset({BUCKET})
    gives_back: ClassVar[str] = "public access to the bucket"
    permissions: ClassVar[tuple[str, ...]] = (
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:PutBucketPublicAccessBlock",
    )
    undo_permissions: ClassVar[tuple[str, ...]] = ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock")

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def plan(self, target: Entity, verdict: Verdict) -> Plan:
        try:
            now, tags = self._settings(target), self._tags(target)
        except CloudRefusal as refusal:
            if refusal.code != "NoSuchBucket":
                raise
            return _plan(target, {}, {}, refusal=f"there is no bucket {target.id} (any more): nothing is left to close")
        return _plan(target, {"settings": now}, {"settings": _ALL}, tags=tags)

    def covers(self, plan: Plan, verdict: Verdict) -> bool:
        """Whatever was opened: nothing of it is public."""
        return True

    def check(self, plan: Plan) -> str:
        now = self._settings(plan.target)
        if now in (plan.before["settings"], plan.after["settings"]):
            return ""
        return f"the public access block of {plan.target.id} is another by now: plan again"

    def apply(self, plan: Plan) -> None:
        try:
            self._put(plan.target, plan.after["settings"])
        except CloudRefusal as refusal:
            raise CannotApply(f"{refusal}. Take the public statements out of its policy by hand") from refusal

    def verify(self, plan: Plan) -> Verification:
        return verified_in_time(lambda: self._look(plan))

    def _look(self, plan: Plan) -> Verification:
        try:
            now = self._settings(plan.target)
        except (CloudUnavailable, CloudRefusal):
            return Verification.UNREACHABLE
        return Verification.VERIFIED if now == plan.after["settings"] else Verification.DRIFTED

    def compare(self, plan: Plan) -> tuple[Difference, ...]:
        before, applied = plan.before["settings"], plan.after["settings"]
        try:
            now = self._settings(plan.target)
            there, changed = _say(now), now not in (before, applied)
        except CloudRefusal as refusal:  # it is gone, or somebody else's by now
            there, changed = str(refusal), True
        return (Difference(f"bucket {plan.target.id}", _say(before), _say(applied), there, changed),)

    def undo(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=False)

    def overwrite(self, plan: Plan) -> UndoResult:
        return self._restore(plan, overwrite=True)

    def _restore(self, plan: Plan, *, overwrite: bool) -> UndoResult:
        before, bucket = plan.before["settings"], plan.target.id
        try:
            now = self._settings(plan.target)
            if not overwrite and now not in (before, plan.after["settings"]):
                return UndoResult.leaving(f"{bucket} has {_say(now)}: someone changed it since; it had {_say(before)}")
            if now != before:
                self._put(plan.target, before)
        except CloudRefusal as refusal:
            return UndoResult.holding(f"{bucket} cannot have {_say(before)} again: {refusal}", refusal=refusal)
        return UndoResult((f"{bucket} with {_say(before)}",))

    def _settings(self, bucket: Entity) -> dict[str, bool] | None:
        try:
            with in_core_words("GetPublicAccessBlock"):
                answer = self._clients("s3").get_public_access_block(**_of(bucket))
        except CloudRefusal as refusal:
            if refusal.code == "NoSuchPublicAccessBlockConfiguration":
                return None
            raise
        found = answer["PublicAccessBlockConfiguration"]
        return {name: bool(found.get(name)) for name in _ALL}

    def _put(self, bucket: Entity, settings: Mapping[str, bool] | None) -> None:
        s3 = self._clients("s3")
        with in_core_words("PutPublicAccessBlock"):
            if settings is None:
                s3.delete_public_access_block(**_of(bucket))
            else:
                s3.put_public_access_block(**_of(bucket), PublicAccessBlockConfiguration=dict(settings))

    def _tags(self, bucket: Entity) -> dict[str, str]:
        try:
            with in_core_words("GetBucketTagging"):
                tags = self._clients("s3").get_bucket_tagging(**_of(bucket))["TagSet"]
        except CloudRefusal as refusal:
            if refusal.code == "NoSuchTagSet":
                return {}
            raise
        return {tag["Key"]: tag["Value"] for tag in tags}


def _of(bucket: Entity) -> dict[str, str]:
    """Names of buckets are the world's: one that was deleted may be somebody else's by now."""
    return {"Bucket": bucket.id} | ({"ExpectedBucketOwner": bucket.account} if bucket.account else {})


def _say(settings: Mapping[str, bool] | None) -> str:
    on = [name for name, is_on in (settings or {}).items() if is_on]
    return f"public access block {', '.join(on)}" if on else "no public access block"


def _plan(
    target: Entity, before: Mapping[str, Any], after: Mapping[str, Any], *, refusal: str = "", tags: dict[str, str] | None = None
) -> Plan:
    return Plan(
        action=BlockPublicAccess.name,
        target=target,
        before=before,
        after=after,
        touches=() if refusal else _TOUCHED,
        summary=f"block all public access of bucket {target.id}",
        refusal=refusal,
        tags=tags,
        resources=(target.id, f"arn:aws:s3:::{target.id}"),
    )
