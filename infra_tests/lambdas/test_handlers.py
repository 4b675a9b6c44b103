"""Messages through the handlers: what is handled, retried, buried, refused, and what survives a kill."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from infra_tests.lambdas.account import ACCOUNT, DETECTORS, NOW_MS, ON_CALL, ON_CALL_ID, Account, redelivered, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain, finding, two_findings
from infra_tests.response.world import SCRIPTS, Killed, verdict
from lambdas import expire_containments, respond, triage_findings
from lambdas.actions.quarantine_instance import QuarantineInstance
from lambdas.adapters.lake import Lake
from lambdas.adapters.objects import StoredObject, notified
from lambdas.adapters.queues import VerdictQueue, group_id
from lambdas.registry import FUNCTIONS, PAGE, FunctionSpec
from response.journal import Step
from shared_model.errors import CloudUnavailable
from shared_model.events import Entity, EntityKind, Telemetry

HOUR_MS = 3_600_000


@pytest.fixture
def functions(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    return account


@pytest.fixture
def instance(functions: Account) -> str:
    vpc = functions.vpc()
    return functions.instance(vpc, [functions.group(vpc, "web")])


def deliver(account: Account) -> dict[str, Any]:
    result: dict[str, Any] = respond.handler(redelivered(account.take("verdicts")), None)
    return result


def test_killed_between_journal_and_change_the_next_delivery_finishes(
    functions: Account, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = functions.groups_of(instance)
    triage_findings.handler(two_findings(instance), None)
    delivered = redelivered(functions.take("verdicts"))

    def killed(self: QuarantineInstance, plan: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(QuarantineInstance, "apply", killed)
        with pytest.raises(Killed):
            respond.handler(delivered, None)
    assert functions.steps() == [Step.REFUSED, Step.APPLYING]
    assert functions.groups_of(instance) == before
    assert respond.handler(delivered, None) == {"batchItemFailures": []}
    assert functions.steps() == [Step.REFUSED, Step.APPLYING, Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    assert functions.groups_of(instance) != before


def test_after_a_failure_in_a_fifo_group_what_follows_waits_and_other_groups_go_on(
    functions: Account, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = tuple(verdict(instance, f"v{number}", Telemetry.FLOW_LOGS).to_json() for number in range(3))
    calls: list[str] = []

    def fails_at_first(value: Any, **_: Any) -> Any:
        calls.append(value.id)
        raise OSError("the network is down")

    monkeypatch.setattr(respond, "respond", fails_at_first)
    result = respond.handler(sqs_event(*bodies, fifo_groups=("a", "a", "b"), sender=DETECTORS["triage_findings"]), None)
    assert [failure["itemIdentifier"] for failure in result["batchItemFailures"]] == ["message-0", "message-1", "message-2"]
    assert calls == ["v0", "v2"]


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"id":"v"}', "\x00"])
def test_what_is_no_verdict_goes_to_the_dead_letters_of_a_fifo_queue(
    functions: Account, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    functions.settings = replace(functions.settings, dead_letter_queue_url=functions.queues["verdicts-dead-letters"])
    functions.install(monkeypatch, respond)
    assert respond.handler(sqs_event(body, fifo_groups=("a",)), None) == {"batchItemFailures": []}
    if body != "\x00":  # SQS itself takes no such character
        assert [message["Body"] for message in functions.take("verdicts-dead-letters")] == [body]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "undo"),
        ('{"undo": 7}', "undo"),
        ('{"undo": "0123", "approved_by": ""}', "approved_by"),
        (f'{{"undo": "0123", "approved_by": "{ON_CALL}"}}', "undo"),
    ],
)
def test_an_undo_that_cannot_be_done_says_what_is_wrong(functions: Account, body: str, field: str) -> None:
    assert expire_containments.handler(sqs_event(body), None) == {"batchItemFailures": []}
    (message,) = functions.take("dead-letters")
    assert message["Body"] == body
    assert message["MessageAttributes"]["field"]["StringValue"] == field


def test_a_policy_that_does_not_validate_stops_the_function_and_keeps_the_verdicts(functions: Account, instance: str) -> None:
    functions.clients("ssm").put_parameter(Name="/breakwater/policy", Value='{"version": 9}', Type="String", Overwrite=True)
    triage_findings.handler(two_findings(instance), None)
    assert len(deliver(functions)["batchItemFailures"]) == 2
    assert functions.steps() == []


@pytest.mark.parametrize(("listed", "tag"), SCRIPTS)
def test_a_tag_in_any_script_protects(functions: Account, listed: str, tag: str) -> None:
    """So does the code; what IAM cannot be told of is refused before a deployment (test_never_touch.py)."""
    functions.set_policy(never_touch={"tags": [listed]})
    vpc = functions.vpc()
    instance = functions.instance(vpc, [functions.group(vpc, "web")], tags={tag: "1"})
    before = functions.groups_of(instance)
    triage_findings.handler(two_findings(instance), None)
    respond.handler(redelivered(functions.take("verdicts")), None)
    assert functions.groups_of(instance) == before
    assert functions.steps()[-1] == "REFUSED"
    assert tag in functions.journal()[-1].detail["reason"]


def test_a_break_glass_instance_is_never_touched(functions: Account) -> None:
    vpc = functions.vpc()
    bastion = functions.instance(vpc, [functions.group(vpc, "bastion")], tags={"break-glass": "true"})
    before = functions.groups_of(bastion)
    contain(functions, bastion)
    assert functions.groups_of(bastion) == before
    refused = functions.journal()[-1]
    assert refused.step is Step.REFUSED
    assert "break-glass=true" in refused.detail["reason"]


def test_the_hourly_budget_holds_across_targets(functions: Account) -> None:
    functions.set_policy(budget={"containments_per_hour": 1})
    vpc = functions.vpc()
    web = functions.group(vpc, "web")
    first, second = functions.instance(vpc, [web]), functions.instance(vpc, [web])
    contain(functions, first)
    contain(functions, second)
    assert functions.groups_of(first) != {eni: [web] for eni in functions.groups_of(first)}
    assert functions.groups_of(second) == {eni: [web] for eni in functions.groups_of(second)}
    assert "used up" in [entry for entry in functions.journal() if second in entry.stream][-1].detail["reason"]


def test_an_undo_after_someone_changed_the_interface_leaves_it_and_tells(functions: Account, instance: str) -> None:
    contain(functions, instance)
    vpc = functions.clients("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["VpcId"]
    forensics = functions.group(vpc, "forensics")
    (eni,) = functions.groups_of(instance)
    functions.clients("ec2").modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[forensics])
    functions.take("notices")
    undo = json.dumps({"undo": functions.journal()[-1].containment_id, "approved_by": ON_CALL})
    expire_containments.handler(sqs_event(undo), None)
    assert functions.groups_of(instance) == {eni: [forensics]}
    undoing, undone = functions.journal()[-2:]
    assert (undoing.step, undoing.actor, undoing.detail["requested_by"]) == (Step.UNDOING, ON_CALL, ON_CALL_ID)
    assert forensics in undone.detail["left"][0]
    (told,) = functions.take("notices")
    assert "LEFT AS IT IS" in json.loads(told["Body"])["Message"]


class TestSessions:
    def verdicts(self, account: Account, role: str) -> None:
        made = account.clients("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}", MaxSessionDuration=3600)["Role"]
        session = Entity(EntityKind.SESSION, f"{made['RoleId']}:alice", ACCOUNT)
        principal = Entity(EntityKind.PRINCIPAL, made["Arn"], ACCOUNT)
        signals = [
            verdict("", f"{role}-{telemetry}", telemetry, entity=session, related=(principal,), detector="guardduty")
            for telemetry in (Telemetry.DATA_EVENTS, Telemetry.API_CALLS)
        ]
        VerdictQueue(account.clients, account.queues["verdicts"]).send(signals)

    def policies(self, account: Account, role: str) -> list[str]:
        found: list[str] = account.clients("iam").list_role_policies(RoleName=role)["PolicyNames"]
        return found

    def test_a_session_is_revoked_and_given_back_only_when_its_tokens_are_over(self, functions: Account) -> None:
        functions.set_policy(actions={"revoke_sessions": {"mode": "enforce", "time_to_live": "1h", "at_end": "undo"}})
        self.verdicts(functions, "web")
        assert deliver(functions) == {"batchItemFailures": []}
        assert len(self.policies(functions, "web")) == 1
        undo = json.dumps({"undo": functions.journal()[-1].containment_id, "approved_by": ON_CALL})
        expire_containments.handler(sqs_event(undo), None)
        assert functions.steps()[-1] == Step.REFUSED
        functions.now_ms = NOW_MS + 11 * HOUR_MS
        expire_containments.handler(sqs_event('{"expire": true}'), None)
        assert len(self.policies(functions, "web")) == 1
        functions.now_ms = NOW_MS + 12 * HOUR_MS + 1
        expire_containments.handler(sqs_event('{"expire": true}'), None)
        assert self.policies(functions, "web") == []
        assert functions.steps()[-1] == Step.UNDONE

    @pytest.mark.parametrize("role", ["break-glass-admin", "breakwater-respond-eu-central-1"])
    def test_break_glass_and_own_roles_are_never_touched(self, functions: Account, role: str) -> None:
        self.verdicts(functions, role)
        deliver(functions)
        assert self.policies(functions, role) == []
        assert functions.steps()[-1] == Step.REFUSED
        assert "never-touch" in functions.journal()[-1].detail["reason"]


def test_one_correlation_id_runs_from_the_event_to_the_lake(functions: Account, instance: str) -> None:
    contain(functions, instance)
    seen = {(line["service"], line["message"]) for line in functions.lines() if line.get("correlation_id") == "event-dns"}
    assert {("triage_findings", "verdict"), ("respond", "decision"), ("respond", "journal"), ("respond", "notice")} <= seen
    keys = [item["Key"] for item in functions.clients("s3").list_objects_v2(Bucket="lake")["Contents"]]
    assert {key.split("/")[1] for key in keys} == {"class=2004", "class=7001"}
    assert all(f"account={ACCOUNT}/region=eu-central-1/dt=2026-09-21/" in key for key in keys)


def remediations(account: Account) -> list[dict[str, Any]]:
    """Lines of the lake's remediation table."""
    s3 = account.clients("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="lake").get("Contents", []) if "class=7001" in item["Key"]]
    bodies = [gzip.decompress(s3.get_object(Bucket="lake", Key=key)["Body"].read()) for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


@pytest.mark.parametrize("fails_at", range(5))
def test_a_lake_that_fails_or_a_kill_loses_no_line_and_doubles_none(
    functions: Account, instance: str, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    triage_findings.handler(two_findings(instance), None)
    delivered = redelivered(functions.take("verdicts"))
    put, calls = Lake.put_ocsf, []

    def fails_once(self: Lake, objects: Any, *, cause: str) -> None:
        calls.append(cause)
        if len(calls) == fails_at + 1:
            raise Killed if fails_at % 2 else CloudUnavailable("data lake")
        put(self, objects, cause=cause)

    monkeypatch.setattr(Lake, "put_ocsf", fails_once)
    for _ in range(2):
        with contextlib.suppress(Killed):
            respond.handler(delivered, None)
    assert respond.handler(delivered, None) == {"batchItemFailures": []}
    written = functions.journal()
    assert [entry.step for entry in written] == [Step.REFUSED, Step.APPLYING, Step.APPLIED, Step.VERIFIED]
    lines = [(line["unmapped"]["step"], line["unmapped"]["verdict_uid"]) for line in remediations(functions)]
    assert sorted(lines) == sorted((str(entry.step), entry.verdict_id) for entry in written)
    ids = [json.loads(each["Body"])["MessageAttributes"]["notice_id"]["Value"] for each in functions.take("notices")]
    assert set(ids) == {entry.id for entry in written if entry.step in (Step.REFUSED, Step.APPLIED)}


@pytest.mark.parametrize("request_", ["undo", "expire"])
def test_an_end_that_was_killed_before_the_lake_had_it_is_there_after_the_next_delivery(
    functions: Account, instance: str, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    functions.set_policy(actions={"quarantine_instance": {"mode": "enforce", "time_to_live": "1h"}})
    contain(functions, instance)
    functions.now_ms = NOW_MS + 2 * HOUR_MS
    undo = {"undo": functions.journal()[-1].containment_id, "approved_by": ON_CALL}
    first = sqs_event(json.dumps(undo if request_ == "undo" else {"expire": True}))
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "put_ocsf", lambda *_, **__: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            expire_containments.handler(first, None)
    again = json.loads(json.dumps(first))
    again["Records"][0]["attributes"] |= {"ApproximateReceiveCount": "2", "SentTimestamp": str(functions.now_ms)}
    functions.now_ms += 360_000
    assert expire_containments.handler(again, None) == {"batchItemFailures": []}
    steps = sorted(line["unmapped"]["step"] for line in remediations(functions))
    assert steps == sorted(str(entry.step) for entry in functions.journal())
    assert functions.steps()[-1] is (Step.UNDONE if request_ == "undo" else Step.EXPIRY_DUE)


def test_every_containment_that_cannot_be_ended_is_logged(
    functions: Account, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = (ValueError("first"), ValueError("second"), CloudUnavailable("third"))
    monkeypatch.setattr(expire_containments, "expire", lambda **_: ((), errors))
    assert len(expire_containments.handler(sqs_event('{"expire": true}'), None)["batchItemFailures"]) == 1
    logged = [line.get("exception", "") for line in functions.lines() if line["level"] == "ERROR"]
    assert all(any(str(error) in text for text in logged) for error in errors)


def test_metrics_are_embedded_in_the_log(capsys: pytest.CaptureFixture[str], functions: Account, instance: str) -> None:
    contain(functions, instance)
    metrics = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in line]
    triaged, responded = metrics
    assert triaged["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Breakwater"
    assert (triaged["service"], sum(triaged["Verdicts"])) == ("triage_findings", 2)
    assert responded["StepApplied"] == [1.0]


def test_a_sample_finding_is_never_a_verdict(functions: Account, instance: str) -> None:
    envelope = json.loads(finding(instance, dns=True, event_id="e", finding_id="f"))
    envelope["detail"]["service"]["additionalInfo"] = {"sample": True}
    triage_findings.handler(sqs_event(json.dumps(envelope)), None)
    assert functions.take("verdicts") == []


def test_an_entity_key_that_sqs_does_not_take_is_hashed() -> None:
    assert group_id("123456789012/instance/i-1") == "123456789012/instance/i-1"
    long = f"{ACCOUNT}/principal/arn:aws:iam::{ACCOUNT}:role/" + "path/" * 30
    assert len(group_id(long)) == len(group_id("a b")) == 64


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "flow-logs/a%3Db+c.gz", "sequencer": "01"}}}]},
            (StoredObject("b", "flow-logs/a=b c.gz", "01"),),
        ),
        (
            {"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "a%3Db", "sequencer": "02"}}},
            (StoredObject("b", "a%3Db", "02"),),
        ),
        (
            {"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": f"p/AWSLogs/{ACCOUNT}/x"}}},
            (StoredObject("b", f"p/AWSLogs/{ACCOUNT}/x", "", ACCOUNT),),
        ),
        ({"Event": "s3:TestEvent"}, ()),
        ({"Records": [{"eventName": "ListBuckets"}]}, None),
        ({"Records": []}, None),
        ({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "a"}}}, {"s3": {"bucket": {"name": "b"}}}]}, None),
        ({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": 5}}}]}, None),
        ({"Records": [{"s3": {"bucket": {"name": None}, "object": {"key": "a"}}}]}, None),
        ({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": ["key"]}}, None),
        ({"source": "aws.s3", "detail": "no"}, None),
        ({}, None),
    ],
)
def test_what_a_notification_names(document: dict[str, Any], expected: tuple[StoredObject, ...] | None) -> None:
    assert notified(document) == expected


@pytest.mark.parametrize("spec", [*FUNCTIONS, PAGE], ids=lambda spec: spec.name)
def test_a_function_imports_nothing_heavy_before_it_is_needed(spec: FunctionSpec) -> None:
    name = spec.name
    script = f"import sys, lambdas.{name} as module; assert callable(module.handler); print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())
    heavy = {"boto3", "botocore.client", "pydantic", "yaml", "drain3", "ai_edge_litert", "tflite_runtime"}
    assert not loaded & heavy
    packages = {"lambdas", "shared_model", "response", "cdk", "training", "offline"}
    ours = {module.partition(".")[0] for module in loaded} & packages
    assert ours <= set(spec.packages), "it would not start: only these packages are deployed with it"
    # numpy brings about 100 modules; the response has no use for it.
    assert ("numpy" in loaded) == name.startswith("detect_")
    others = {module for module in loaded if module.partition(".")[0] not in packages}
    assert len(others) < (280 if name.startswith("detect_") else 180)
