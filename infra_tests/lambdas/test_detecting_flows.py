"""Flow-log objects through ``detect_flows``."""

from __future__ import annotations

import gzip

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account, sqs_event
from infra_tests.lambdas.detecting import lake, put, verdicts
from lambdas import detect_flows, detect_system_logs
from shared_model.events import Telemetry
from training.scenarios import Split, generate


def test_flow_records_are_scored_and_rejects_kept(functions: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    if not functions.install(monkeypatch, detect_flows).ROOM.available("network"):
        pytest.skip("model_artifacts/network is not built: make train")
    start = NOW_MS // 1000 - 60
    good = [
        f"2 {ACCOUNT} eni-0a 198.51.100.7 10.0.0.5 40000 {port} 6 1 40 {start} {start + 1} REJECT OK" for port in range(1, 200)
    ]
    nodata = f"2 {ACCOUNT} eni-0a - - - - - - - {start} {start + 1} - NODATA"
    body = "\n".join([*good, nodata, "2 this is no flow record"]).encode()
    notification = put(functions, f"flow-logs/AWSLogs/{ACCOUNT}/x.log.gz", gzip.compress(body))
    assert detect_flows.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (rejected,) = lake(functions, "rejected/source=vpc_flow_logs/")
    assert rejected["record"] == 201
    scored = [line for line in functions.lines() if line["message"] == "scored"]
    assert [(line["entity"], line["events"]) for line in scored] == [(f"{ACCOUNT}/address/198.51.100.7", 199)]
    keys = sorted(item["pk"]["S"] for item in functions.clients("dynamodb").scan(TableName="memory")["Items"])
    assert keys[0] == f"network#{ACCOUNT}/address/198.51.100.7"
    assert [key.startswith("network#delivered/") for key in keys[1:]] == [True], "one mark that this object was scored"


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        (f"flow-logs/AWSLogs/{ACCOUNT}/vpcflowlogs/eu-central-1/2026/09/21/x.log.gz", ACCOUNT),
        ("flow-logs/AWSLogs/aws-account-id=210987654321/aws-service=vpcflowlogs/x.log.gz", "210987654321"),
        ("flow-logs/x.log.gz", ACCOUNT),  # the function's own
    ],
)
def test_flows_of_a_layout_without_account_are_of_the_keys_or_the_functions_own(
    functions: Account, monkeypatch: pytest.MonkeyPatch, key: str, owner: str
) -> None:
    if not functions.install(monkeypatch, detect_flows).ROOM.available("network"):
        pytest.skip("model_artifacts/network is not built: make train")
    start = NOW_MS // 1000 - 300
    header = (
        "vpc-id instance-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action flow-direction"
    )
    lines = [
        f"vpc-1 i-0123456789abcdef0 eni-1 10.0.0.5 10.0.0.{n} 4{n:04d} 22 6 1 44 {start + n} {start + n} REJECT egress"
        for n in range(200)
    ]
    notification = put(functions, key, gzip.compress("\n".join([header, *lines]).encode()))
    assert detect_flows.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (verdict,) = verdicts(functions)
    named = [verdict["entity"], *verdict["related"]]
    assert {each["account"] for each in named} == {owner}
    assert {"kind": "instance", "id": "i-0123456789abcdef0", "account": owner} in named, "so a finding about it is about the same"


def test_lines_of_a_plain_file_are_of_the_functions_own_account(functions: Account) -> None:
    lines = [
        f"Sep 21 14:13:{n:02d} web-1 sshd[{n}]: Failed password for root from 198.51.100.7 port 4{n:03d} ssh2" for n in range(6)
    ]
    notification = put(functions, "system-logs/auth.log", "\n".join(lines).encode())
    assert detect_system_logs.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    (verdict,) = verdicts(functions)
    assert verdict["entity"] == {"account": ACCOUNT, "kind": "host", "id": "web-1"}


def test_a_flow_log_object_that_is_announced_twice_changes_nothing(functions: Account) -> None:
    scenario = next(generate(3, telemetry=Telemetry.FLOW_LOGS, split=Split.TRAIN))
    assert scenario.flow_log is not None
    notification = put(functions, "flow-logs/log.gz", gzip.compress(scenario.flow_log.encode()))
    detect_flows.handler(sqs_event(notification), None)
    remembered = functions.clients("dynamodb").scan(TableName="memory")["Items"]
    verdicts(functions)
    assert detect_flows.handler(sqs_event(notification), None) == {"batchItemFailures": []}
    assert verdicts(functions) == []
    assert functions.clients("dynamodb").scan(TableName="memory")["Items"] == remembered
