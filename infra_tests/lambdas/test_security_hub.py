"""Security Hub: findings in the shape that its API takes, one for each verdict and containment, and never in the way."""

from __future__ import annotations

from dataclasses import replace
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
from response.journal import JournalEntry, Step
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
    assert finding["Types"] == ["TTPs", "Unusual Behaviors"]
    assert [each["Type"] for each in finding["Resources"]] == ["AwsEc2Instance", "AwsIamRole", "AwsIamUser", "Other"]
    assert (len(finding["Title"]), len(finding["Description"])) == (256, 1024)
    assert log.errors == []


@pytest.mark.parametrize("step", [*Step])
def test_a_containment_is_one_finding_at_each_step(step: Step) -> None:
    made = Hub()
    sent, _ = hub(made)
    found = sent.containment(entry(step))
    if step in (Step.NOOP, Step.COMPARED, Step.ARMED, Step.DISARMED, Step.ANCHORED, Step.ORDERED, Step.SETTLED):
        assert found is None
        return
    assert found is not None
    sent.put([found])
    assert found["Id"] == f"{PRODUCT}/containment/c1"
    assert found["ProductFields"]["breakwater/step"] == step
    assert found["RecordState"] == ("ARCHIVED" if step in (Step.UNDONE, Step.DENIED, Step.LAPSED) else "ACTIVE")


def test_what_an_undo_left_held_is_not_put_away() -> None:
    made = Hub()
    sent, _ = hub(made)
    found = sent.containment(entry(Step.UNDONE, detail={"left": ["eni-1"], "held": True}))
    assert found is not None
    sent.put([found])
    assert (found["RecordState"], found["Severity"]["Label"]) == ("ACTIVE", "MEDIUM")
    assert "still holds" in found["Description"]


def test_the_last_of_several_steps_is_sent_and_many_go_in_parts() -> None:
    made = Hub()
    sent, _ = hub(made)
    steps = [sent.containment(entry(step)) for step in (Step.APPLYING, Step.APPLIED, Step.VERIFIED)]
    many = [sent.containment(entry(Step.REFUSED, containment_id=str(number))) for number in range(150)]
    assert sent.put([each for each in (*steps, *many) if each]) == 0
    assert [len(call) for call in made.calls] == [100, 51]
    assert made.calls[0][0]["ProductFields"]["breakwater/step"] == "VERIFIED"


def test_what_it_does_not_take_is_said_and_holds_nothing_up() -> None:
    sent, log = hub(Hub(failed=1))
    found = sent.verdict(verdict("i-1", "v1", Telemetry.FLOW_LOGS))
    assert sent.put([found]) == 1
    assert log.errors == [{"reasons": ["InvalidInput: no"]}]
    off, log = hub(Hub(), product="")
    assert off.put([found]) == 0


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
    undo = f'{{"undo": "{contained}", "approved_by": "{ON_CALL}"}}'
    assert expire_containments.handler(sqs_event(undo), None) == {"batchItemFailures": []}
    assert findings()[f"containment/{contained}"]["RecordState"] == "ARCHIVED"


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
