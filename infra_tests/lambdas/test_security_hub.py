"""Security Hub: findings in the shape that its API takes, one for each verdict and containment, and never in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.validate import ParamValidator

from infra_tests.lambdas.account import ACCOUNT, ON_CALL, Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from infra_tests.response.world import NOW_MS, verdict
from lambdas import expire_containments, respond, triage_findings
from lambdas.adapters.security_hub import SecurityHub
from response.journal import InProcessJournal, JournalEntry, Step
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind, Telemetry

PRODUCT = f"arn:aws:securityhub:eu-central-1:{ACCOUNT}:product/{ACCOUNT}/default"


class Hub:
    """Takes findings, or does not."""

    def __init__(self, failed: int = 0) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.failed = failed

    def __call__(self, service: str, region: str = "") -> Hub:
        assert service == "securityhub"
        return self

    def batch_import_findings(self, Findings: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        shape = botocore.session.get_session().get_service_model("securityhub").operation_model("BatchImportFindings").input_shape
        report = ParamValidator().validate({"Findings": Findings}, shape)
        assert not report.has_errors(), report.generate_report()
        self.calls.append(Findings)
        failures = [{"Id": "x", "ErrorCode": "InvalidInput", "ErrorMessage": "no"}] * self.failed
        return {"FailedCount": self.failed, "SuccessCount": len(Findings) - self.failed, "FailedFindings": failures}


class Log:
    def __init__(self) -> None:
        self.errors: list[Any] = []

    def error(self, message: str, extra: Any) -> None:
        self.errors.append(extra)

    def exception(self, message: str, extra: Any) -> None:
        self.errors.append(extra)


def hub(made: Any, product: str = PRODUCT) -> tuple[SecurityHub, Log]:
    log = Log()
    return SecurityHub(made, product, log), log  # type: ignore[arg-type]


def entry(step: Step, **changes: Any) -> JournalEntry:
    stream = f"quarantine_instance#{ACCOUNT}/instance/i-1"
    return replace(
        JournalEntry(stream, 1, "c1", step, NOW_MS, "event", "v1", "policy:rule", None, {"reason": "two signals"}, case="case-1"),
        **changes,
    )


def test_a_verdict_is_a_finding_with_its_entities() -> None:
    made = Hub()
    sent, log = hub(made)
    role = Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:role/web", ACCOUNT)
    user = Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT)
    address = Entity(EntityKind.ADDRESS, "203.0.113.9", ACCOUNT)
    found = sent.verdict(verdict("i-1", "v1", Telemetry.FLOW_LOGS, related=(role, user, address), title="ü" * 2000))
    assert sent.put([found]) == 0
    ((finding,),) = made.calls
    assert finding["Id"] == f"{PRODUCT}/verdict/v1"
    assert finding["AwsAccountId"] == ACCOUNT
    assert finding["FindingProviderFields"]["Types"] == ["TTPs", "Unusual Behaviors"]
    assert finding["CreatedAt"] == finding["UpdatedAt"]
    assert [each["Type"] for each in finding["Resources"]] == ["AwsEc2Instance", "AwsIamRole", "AwsIamUser", "Other"]
    assert (len(finding["Title"]), len(finding["Description"])) == (256, 1024)
    assert log.errors == []


def of_steps(*entries: JournalEntry, journal: InProcessJournal | None = None) -> list[dict[str, Any]]:
    """What is sent of these steps, each in a call of its own, after they were appended."""
    made, journal = Hub(), journal or InProcessJournal()
    sent, _ = hub(made)
    for each in entries:
        journal.append(each)
        assert sent.put_steps([each], journal) == 0
    return [finding for call in made.calls for finding in call]


@pytest.mark.parametrize("step", [*Step])
def test_a_containment_is_one_finding_at_each_step(step: Step) -> None:
    sent = of_steps(entry(step))
    if step in (Step.NOOP, Step.COMPARED, Step.ARMED, Step.DISARMED, Step.ANCHORED, Step.ORDERED, Step.SETTLED):
        assert sent == []
        return
    (found,) = sent
    assert found["Id"] == f"{PRODUCT}/containment/c1"
    assert found["ProductFields"]["breakwater/step"] == step
    assert found["RecordState"] == ("ARCHIVED" if step in (Step.UNDONE, Step.DENIED, Step.LAPSED) else "ACTIVE")


def test_what_an_undo_left_held_is_not_put_away() -> None:
    (found,) = of_steps(entry(Step.UNDONE, detail={"left": ["eni-1"], "held": True}))
    assert (found["RecordState"], found["FindingProviderFields"]["Severity"]["Label"]) == ("ACTIVE", "MEDIUM")
    assert "still holds" in found["Description"]


def test_a_finding_keeps_when_it_was_created_and_each_step_is_later() -> None:
    """Security Hub leaves out an import that is no later than what stands there; two of one moment are, and two clocks."""
    times_ms = {Step.PROPOSED: 0, Step.APPROVED: 60_000, Step.APPLYING: 60_000, Step.APPLIED: 59_000, Step.UNDONE: 3_600_000}
    steps = [
        entry(step, sequence=number, time_ms=NOW_MS + time_ms) for number, (step, time_ms) in enumerate(times_ms.items(), start=2)
    ]
    journal = InProcessJournal()
    journal.append(entry(Step.REFUSED, containment_id="another", time_ms=NOW_MS - 60_000))
    sent = of_steps(*steps, journal=journal)
    moments = [datetime.fromisoformat(each["UpdatedAt"]) for each in sent]
    assert {each["CreatedAt"] for each in sent} == {sent[0]["UpdatedAt"]}
    assert [later > earlier for earlier, later in pairwise(moments)] == [True] * 4
    again = hub(made := Hub())[0].put_steps(steps[:1], journal)  # told again after all of it
    assert (again, made.calls) == (0, [sent[:1]])


def test_what_a_person_has_made_of_it_is_not_written_over() -> None:
    """Of severity and types the customer's own stand at the top of a finding, which an import would replace."""
    (found,) = of_steps(entry(Step.PROPOSED))
    assert found["FindingProviderFields"]["Severity"] == {"Label": "MEDIUM"}
    assert not found.keys() & {"Severity", "Types", "Confidence", "Criticality", "Note", "Workflow", "UserDefinedFields"}


def test_the_last_of_several_steps_is_sent_and_many_go_in_parts() -> None:
    made, journal = Hub(), InProcessJournal()
    sent, _ = hub(made)
    steps = [entry(step, sequence=number) for number, step in enumerate((Step.APPLYING, Step.APPLIED, Step.VERIFIED), start=1)]
    many = [entry(Step.REFUSED, containment_id=str(number), sequence=number) for number in range(4, 154)]
    for each in (*steps, *many):
        journal.append(each)
    assert sent.put_steps((*steps, *many), journal) == 0
    assert [len(call) for call in made.calls] == [100, 51]
    assert made.calls[0][0]["ProductFields"]["breakwater/step"] == "VERIFIED"


def test_what_it_does_not_take_is_said_and_holds_nothing_up() -> None:
    sent, log = hub(Hub(failed=1))
    found = sent.verdict(verdict("i-1", "v1", Telemetry.FLOW_LOGS))
    assert sent.put([found]) == 1
    assert log.errors == [{"reasons": ["InvalidInput: no"]}]
    off, log = hub(Hub(), product="")
    assert off.put([found]) == 0


def test_a_journal_that_cannot_be_read_holds_nothing_up_either() -> None:
    class Away(InProcessJournal):
        def stream(self, name: str) -> list[JournalEntry]:
            raise CloudUnavailable("DynamoDB does not answer")

    sent, log = hub(made := Hub())
    assert sent.put_steps([entry(Step.APPLIED), entry(Step.VERIFIED), entry(Step.NOOP)], Away()) == 2
    assert (made.calls, log.errors) == ([], [{"findings": 2}])


def test_from_a_verdict_to_the_undo(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.settings = replace(account.settings, security_hub_product_arn=PRODUCT)
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    account.clients("securityhub").enable_security_hub()
    vpc = account.vpc()
    contain(account, account.instance(vpc, [account.group(vpc, "web")]))
    contained = account.journal()[-1].containment_id

    def findings() -> dict[str, dict[str, Any]]:
        return {
            each["Id"].removeprefix(f"{PRODUCT}/"): each for each in account.clients("securityhub").get_findings()["Findings"]
        }

    assert sum(name.startswith("verdict/") for name in findings()) == 2
    assert findings()[f"containment/{contained}"]["ProductFields"]["breakwater/step"] == "VERIFIED"
    created = findings()[f"containment/{contained}"]["CreatedAt"]
    account.now_ms += 60_000
    undo = f'{{"undo": "{contained}", "approved_by": "{ON_CALL}"}}'
    assert expire_containments.handler(sqs_event(undo), None) == {"batchItemFailures": []}
    undone = findings()[f"containment/{contained}"]
    assert (undone["RecordState"], undone["CreatedAt"]) == ("ARCHIVED", created)
    assert undone["UpdatedAt"] > created


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "InvalidAccessException", "Message": "is not subscribed"}}, "BatchImportFindings"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "BatchImportFindings"),
        EndpointConnectionError(endpoint_url="https://securityhub.example"),
    ],
)
def test_a_security_hub_that_is_off_or_down_holds_nothing_up(error: Exception) -> None:
    class Off(Hub):
        def batch_import_findings(self, Findings: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
            raise error

    sent, log = hub(Off())
    assert sent.put([sent.verdict(verdict("i-1", "v1", Telemetry.FLOW_LOGS))]) == 1
    assert log.errors == [{"findings": 1}]
