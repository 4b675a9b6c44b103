"""AWS Security Hub: verdicts and containments as findings in its own format (ASFF), one for each, updated step by step.

It is for people. The journal and the lake are the record, so a Security Hub that is out of service holds nothing up: what
it did not take is logged as an error and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.journal import Journal, JournalEntry, Step
from response.remediation import is_remediation
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind
from shared_model.ocsf import of_verdict
from shared_model.verdicts import Verdict

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_SCHEMA = "2018-10-08"
#: Findings of one call, and characters of what has a bound [Security Hub user guide, *ASFF*, required attributes].
_TOGETHER, _TITLE, _DESCRIPTION, _ID = 100, 256, 1024, 512
#: OCSF's severity ids in ASFF's words.
_SEVERITY = {1: "INFORMATIONAL", 2: "LOW", 3: "MEDIUM", 4: "HIGH", 5: "CRITICAL", 6: "CRITICAL"}
#: Steps at which a person should look; the others only inform.
_LOOK = {Step.FAILED: "HIGH", Step.PROPOSED: "MEDIUM", Step.DRIFTED: "MEDIUM", Step.UNREACHABLE: "MEDIUM"}
#: Two namespaces of its taxonomy: in one path the second would be a category that the first does not have.
_TYPES = ("TTPs", "Unusual Behaviors")


class SecurityHub:
    """Findings of the account's own product. Without a product ARN, nothing is sent."""

    def __init__(self, clients: Clients, product_arn: str, logger: Logger) -> None:
        self._clients = clients
        self._product = product_arn
        self._logger = logger

    @property
    def is_on(self) -> bool:
        """Whether the deployment sends to it."""
        return bool(self._product)

    def put(self, findings: Sequence[Mapping[str, Any]]) -> int:
        """Send findings; return how many were not taken. One that is sent again replaces what it said before."""
        lost = 0
        # Of two that update the same finding in one call, the order is nobody's promise: the last one says it all.
        latest = [*{finding["Id"]: finding for finding in findings}.values()] if self._product else []
        for start in range(0, len(latest), _TOGETHER):
            some = latest[start : start + _TOGETHER]
            try:
                with in_core_words("Security Hub"):
                    answer = self._clients("securityhub").batch_import_findings(Findings=some)
            except (CloudRefusal, CloudUnavailable):
                self._logger.exception("findings not taken by Security Hub", extra={"findings": len(some)})
                lost += len(some)
                continue
            if answer["FailedCount"]:
                reasons = sorted({f"{each['ErrorCode']}: {each['ErrorMessage']}" for each in answer["FailedFindings"]})
                self._logger.error("findings not taken by Security Hub", extra={"reasons": reasons})
                lost += int(answer["FailedCount"])
        return lost

    def verdict(self, verdict: Verdict) -> dict[str, Any]:
        """Return the finding of a verdict."""
        analysis = f"{verdict.detector} {verdict.detector_version}"
        evidence = "; ".join(each.summary for each in verdict.evidence)
        text = (
            f"{verdict.title}. {analysis}: probability {verdict.probability:.2f}, threshold {verdict.threshold:.2f}. {evidence}"
        )
        return self._finding(
            f"verdict/{verdict.id}",
            (verdict.time_ms, verdict.time_ms),
            verdict.title,
            text,
            severity=_SEVERITY[of_verdict(verdict)["severity_id"]],
            entities=(verdict.entity, *verdict.related),
            said={"technique": verdict.technique, "correlation_id": verdict.correlation_id, "telemetry": verdict.telemetry},
        )

    def put_steps(self, entries: Iterable[JournalEntry], journal: Journal) -> int:
        """Send the finding of each containment as it stands after these steps; return how many were not taken."""
        told = [entry for entry in entries if _is_told(entry)]
        try:
            streams = {name: journal.stream(name) for name in dict.fromkeys(entry.stream for entry in told)}
        except CloudUnavailable:
            self._logger.exception("findings not made for Security Hub", extra={"findings": len(told)})
            return len(told)
        return self.put([self.containment(entry, streams[entry.stream]) for entry in told])

    def containment(self, entry: JournalEntry, stream: Iterable[JournalEntry]) -> dict[str, Any]:
        """Return the finding of a containment as it stands after a step, given all that its stream holds."""
        action, _, key = entry.stream.partition("#")
        target = Entity.from_key(key)
        reason = str(entry.detail.get("reason", ""))
        held = "".join((", and its target still holds: undo it once more", *(f"; {each}" for each in entry.holds)))
        reason = f"{reason or entry.step}{held if entry.left_held else ''}"
        said = {
            "step": entry.step,
            "case": entry.case,
            "containment_id": entry.containment_id,
            "verdict_id": entry.verdict_id,
            "actor": entry.actor,
            "correlation_id": entry.correlation_id,
        }
        finding = self._finding(
            f"containment/{entry.containment_id}",
            _moments(entry, stream),
            f"{action} of {target.kind} {target.id}: {entry.step}",
            f"{reason}. Decided by {entry.actor}. breakwater show {entry.containment_id}",
            severity="MEDIUM" if entry.left_held else _LOOK.get(entry.step, "INFORMATIONAL"),
            entities=(target,),
            said=said,
        )
        over = entry.step in (Step.UNDONE, Step.DENIED, Step.LAPSED) and not entry.left_held
        return {**finding, "RecordState": "ARCHIVED" if over else "ACTIVE"}

    def _finding(
        self,
        name: str,
        moments_ms: tuple[int, int],
        title: str,
        text: str,
        *,
        severity: str,
        entities: Sequence[Entity],
        said: Mapping[str, str],
    ) -> dict[str, Any]:
        created, updated = (
            datetime.fromtimestamp(each / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            for each in moments_ms
        )
        return {
            "SchemaVersion": _SCHEMA,
            "Id": f"{self._product}/{name}",
            "ProductArn": self._product,
            "GeneratorId": "breakwater",
            "AwsAccountId": self._product.split(":")[4],
            "CreatedAt": created,
            "UpdatedAt": updated,
            # What the provider says of it. The same fields at the top are the customer's: an import would write over them.
            "FindingProviderFields": {"Severity": {"Label": severity}, "Types": [*_TYPES]},
            "Title": title[:_TITLE],
            "Description": text[:_DESCRIPTION],
            "Resources": [self._resource(entity) for entity in dict.fromkeys(entities)][:32],
            "ProductFields": {f"breakwater/{key}": str(value)[:1024] for key, value in said.items() if value},
        }

    def _resource(self, entity: Entity) -> dict[str, str]:
        _, partition, _, region, *_ = self._product.split(":")
        place = {"Partition": partition, "Region": region}
        if entity.kind is EntityKind.INSTANCE:
            arn = f"arn:{partition}:ec2:{region}:{entity.account}:instance/{entity.id}"
            return {"Type": "AwsEc2Instance", "Id": arn, **place}
        if entity.kind is EntityKind.PRINCIPAL and ":iam:" in entity.id:
            kind = "AwsIamUser" if ":user/" in entity.id else "AwsIamRole"
            return {"Type": kind, "Id": entity.id[:_ID], **place}
        return {"Type": "Other", "Id": entity.key[:_ID], **place}


def _is_told(entry: JournalEntry) -> bool:
    """Whether a person may want to know of it: an entry about a containment, and not only a note."""
    return is_remediation(entry) and entry.step not in (Step.NOOP, Step.COMPARED)


def _moments(entry: JournalEntry, stream: Iterable[JournalEntry]) -> tuple[int, int]:
    """Return when the finding of an entry's containment was created, and updated by this entry, in ms.

    An import that is no later than what stands there is left out by Security Hub, and clocks differ: each step counts as later
    than the one before it.
    """
    created_ms = updated_ms = 0
    for each in stream:
        if each.containment_id == entry.containment_id and each.sequence <= entry.sequence and _is_told(each):
            created_ms, updated_ms = created_ms or each.time_ms, max(each.time_ms, updated_ms + 1)
    return created_ms or entry.time_ms, updated_ms or entry.time_ms
