"""The schedule anchors the journal; copies leave the system, and a journal that was changed is told of."""

from __future__ import annotations

import gzip
import json

import pytest

from infra_tests.lambdas.account import Account, sqs_event
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import expire_containments, respond, triage_findings
from lambdas.adapters.journal import DynamoJournal
from response.anchors import heads, stream_of
from response.audit import read_copies
from response.journal import Step
from shared_model.errors import CloudUnavailable

SCHEDULE = '{"expire": true}'


@pytest.fixture
def contained(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for module in (triage_findings, respond, expire_containments):
        account.install(monkeypatch, module)
    vpc = account.vpc()
    contain(account, account.instance(vpc, [account.group(vpc, "web")]))
    return account


def test_the_schedule_anchors_the_journal_and_a_copy_leaves_the_system(contained: Account) -> None:
    for _ in range(2):
        assert expire_containments.handler(sqs_event(SCHEDULE), None) == {"batchItemFailures": []}
    journal, day = DynamoJournal(contained.clients, "journal"), stream_of(contained.now_ms)
    (anchor,) = journal.stream(day)
    assert {head.stream for head in heads(anchor)} == {entry.stream for entry in contained.journal()}
    (said,) = [line for line in contained.lines() if line["message"] == "journal anchored"]
    assert (said["anchor"], said["digest"]) == (anchor.id, anchor.digest)
    s3 = contained.clients("s3")
    (kept,) = s3.list_objects_v2(Bucket="lake", Prefix="journal-anchors/")["Contents"]
    lines = gzip.decompress(s3.get_object(Bucket="lake", Key=kept["Key"])["Body"].read()).decode().splitlines()
    assert [copy.entry for copy in read_copies(lines)] == [anchor]
    (from_log,) = read_copies(contained.log.getvalue().splitlines())
    assert (from_log.stream, from_log.sequence, from_log.digest, from_log.entry) == (day, 1, anchor.digest, None)


def test_a_journal_that_was_changed_is_told_of(contained: Account) -> None:
    (applying,) = [entry for entry in contained.journal() if entry.step is Step.APPLYING]
    contained.clients("dynamodb").update_item(
        TableName="journal",
        Key={"pk": {"S": applying.stream}, "sk": {"S": f"{applying.sequence:010}"}},
        UpdateExpression="SET actor = :a",
        ExpressionAttributeValues={":a": {"S": "policy:other"}},
    )
    contained.take("notices")
    assert expire_containments.handler(sqs_event(SCHEDULE), None) == {"batchItemFailures": []}
    (notice,) = [json.loads(message["Body"]) for message in contained.take("notices")]
    assert notice["Subject"] == f"THE JOURNAL DOES NOT VERIFY: {applying.id}"[:100]
    assert "ALTERED" in notice["Message"]
    assert [line["problem"] for line in contained.lines() if line["message"] == "journal does not verify"]


def test_a_journal_that_cannot_be_anchored_now_is_tried_again(contained: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_: object) -> None:
        raise CloudUnavailable("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(DynamoJournal, "written", unavailable)
        assert len(expire_containments.handler(sqs_event(SCHEDULE), None)["batchItemFailures"]) == 1
    assert expire_containments.handler(sqs_event(SCHEDULE), None) == {"batchItemFailures": []}
    assert len(DynamoJournal(contained.clients, "journal").stream(stream_of(contained.now_ms))) == 1
