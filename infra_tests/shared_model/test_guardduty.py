"""GuardDuty findings in all three shapes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model.events import Entity, EntityKind, Finding, Rejected, Telemetry
from shared_model.parsers.guardduty import parse_guardduty
from training.data_root import data_root

EVENTS = Path(__file__).parents[1] / "events" / "guardduty"
ACCOUNT = "123456789012"


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def only(document: object) -> Finding | Rejected:
    (result,) = parse_guardduty(document, source="test")
    return result


def finding(name: str) -> Finding:
    result = only(event(name))
    assert isinstance(result, Finding), result
    return result


def test_a_connection_names_the_instance_first_and_then_the_interface_that_talked():
    result = finding("tor_client")
    assert result.entities == (
        Entity(EntityKind.INSTANCE, "i-0123456789abcdef0", ACCOUNT),
        Entity(EntityKind.INTERFACE, "eni-0b", ACCOUNT),
        Entity(EntityKind.INTERFACE, "eni-0a", ACCOUNT),
    )
    assert result.remote_addresses == ("198.51.100.23",)
    assert set(result.local_addresses) == {"10.0.1.5", "10.0.2.5", "203.0.113.10", "2001:db8::5"}
    assert (result.telemetry, result.technique, result.severity, result.count) == (Telemetry.FLOW_LOGS, "T1090.003", 8.0, 3)
    assert result.time_ms == 1772442912318


def test_an_address_that_says_that_there_is_none_is_no_name_of_the_instance():
    document = event("tor_client")
    (interface, *_) = document["detail"]["resource"]["instanceDetails"]["networkInterfaces"]
    interface |= {"publicIp": "0.0.0.0", "ipv6Addresses": ["::"]}
    result = only(document)
    assert isinstance(result, Finding)
    assert not {"0.0.0.0", "::"} & set(result.local_addresses)


def test_every_address_of_a_port_probe_is_kept_once_and_in_order():
    assert finding("port_probe").remote_addresses == ("198.51.100.7", "198.51.100.8", "2001:db8:ff::8")


def test_stolen_instance_credentials_name_the_session_before_role_and_instance():
    result = finding("instance_credential_exfiltration")
    assert [entity.kind for entity in result.entities[:3]] == [EntityKind.SESSION, EntityKind.PRINCIPAL, EntityKind.INSTANCE]
    assert result.entities[0].id == "AROAEXAMPLE:i-0123456789abcdef0"
    assert result.entities[1].id == "arn:aws:iam::123456789012:role/web-role"
    assert result.telemetry is Telemetry.API_CALLS


def test_the_shape_of_the_api_reads_like_the_shape_of_eventbridge():
    document = event("api_pascal_case")
    camel = copy.deepcopy(document["Findings"][0])

    def to_camel(value: Any) -> Any:
        if isinstance(value, dict):
            return {key[:1].lower() + key[1:]: to_camel(item) for key, item in value.items()}
        return value

    assert only(document) == only(to_camel(camel))
    assert finding("api_pascal_case").entities == (Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT),)


@pytest.mark.parametrize(("key", "named"), [("AKIAIOSFODNN7EXAMPLE", True), ("GeneratedFindingAccessKeyId", False)])
def test_a_users_finding_names_the_user_and_then_the_key_that_was_used(key: str, named: bool):
    document = event("instance_credential_exfiltration")
    user = {"accessKeyId": key, "principalId": "AIDAEXAMPLE", "userName": "alice", "userType": "IAMUser"}
    document["detail"]["resource"]["accessKeyDetails"] = user
    result = only(document)
    assert isinstance(result, Finding)
    alice = Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT)
    assert result.entities[:1] == (alice,)
    assert (Entity(EntityKind.ACCESS_KEY, key, ACCOUNT) in result.entities) is named
    assert len([entity for entity in result.entities if entity.kind is EntityKind.ACCESS_KEY]) == named


def test_an_attack_sequence_names_the_keys_of_its_actors():
    document = event("attack_sequence")
    document["detail"]["service"]["detection"]["sequence"]["actors"][0]["user"]["credentialUid"] = "AKIAIOSFODNN7EXAMPLE"
    result = only(document)
    assert isinstance(result, Finding)
    assert [entity.kind for entity in result.entities] == [EntityKind.PRINCIPAL, EntityKind.ACCESS_KEY]


def test_an_attack_sequence_names_its_actors_and_endpoints():
    result = finding("attack_sequence")
    assert result.entities == (Entity(EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT),)
    assert result.remote_addresses == ("198.51.100.40", "198.51.100.41")


def _of_machines() -> Any:
    """An attack sequence on two instances, as EventBridge sends it (GuardDuty API reference, type Sequence)."""
    document = event("attack_sequence")
    document["detail"]["type"] = "AttackSequence:EC2/CompromisedInstanceGroup"
    at = f"arn:aws:ec2:eu-central-1:{ACCOUNT}"
    interface = {"privateIpAddresses": [{"privateIpAddress": "10.0.1.5"}], "publicIp": "203.0.113.10", "vpcId": "vpc-0a"}
    document["detail"]["service"]["detection"]["sequence"] |= {
        "resources": [
            {"resourceType": "EC2_INSTANCE", "uid": f"{at}:instance/i-0123456789abcdef0", "data": {"ec2Instance": {}}},
            {"resourceType": "EC2_INSTANCE", "uid": "i-0fedcba9876543210", "name": "web"},
            {
                "resourceType": "EC2_NETWORK_INTERFACE",
                "uid": f"{at}:network-interface/eni-0a",
                "data": {"ec2NetworkInterface": interface},
            },
            {"resourceType": "EC2_VPC", "uid": "vpc-0a"},
            "no resource",
        ],
        "signals": [{"type": "FLOW_LOGS", "name": "x"}, {"type": "FINDING", "name": "CryptoCurrency:EC2/BitcoinTool.B!DNS"}],
    }
    return document


def test_an_attack_sequence_names_its_machines_first_and_then_its_actors():
    result = only(_of_machines())
    assert isinstance(result, Finding)
    assert [(entity.kind, entity.id) for entity in result.entities] == [
        (EntityKind.INSTANCE, "i-0123456789abcdef0"),
        (EntityKind.INSTANCE, "i-0fedcba9876543210"),
        (EntityKind.INTERFACE, "eni-0a"),
        (EntityKind.PRINCIPAL, f"arn:aws:iam::{ACCOUNT}:user/alice"),
    ]
    assert result.local_addresses == ("203.0.113.10", "10.0.1.5")
    assert result.telemetry is Telemetry.FLOW_LOGS, "with a verdict on these flows it is one signal"


def test_an_attack_sequence_names_buckets_and_the_keys_that_were_used():
    document = event("attack_sequence")
    document["detail"]["type"] = "AttackSequence:S3/CompromisedData"
    owner = {"principalId": "AIDAOTHER", "userName": "bob", "userType": "IAMUser"}
    document["detail"]["service"]["detection"]["sequence"]["resources"] = [
        {"resourceType": "S3_BUCKET", "uid": "arn:aws:s3:::payroll", "name": "payroll"},
        {"resourceType": "ACCESS_KEY", "name": "AKIAIOSFODNN7EXAMPLE", "data": {"accessKey": owner}},
    ]
    result = only(document)
    assert isinstance(result, Finding)
    assert [(entity.kind, entity.id.rpartition("/")[2]) for entity in result.entities] == [
        (EntityKind.PRINCIPAL, "alice"),
        (EntityKind.PRINCIPAL, "bob"),
        (EntityKind.ACCESS_KEY, "AKIAIOSFODNN7EXAMPLE"),
        (EntityKind.BUCKET, "payroll"),
    ]


def test_an_attack_sequence_names_no_more_resources_than_are_asked_about():
    document = _of_machines()
    many = [{"resourceType": "EC2_INSTANCE", "uid": f"i-{number:017x}"} for number in range(400)]
    document["detail"]["service"]["detection"]["sequence"]["resources"] = many
    result = only(document)
    assert isinstance(result, Finding)
    assert [entity.kind for entity in result.entities] == [EntityKind.INSTANCE] * 32 + [EntityKind.PRINCIPAL]


@pytest.mark.parametrize(
    ("finding_type", "signals", "telemetry"),
    [
        ("EC2/CompromisedInstanceGroup", [("RUNTIME_MONITORING", ""), ("FLOW_LOGS", "")], Telemetry.RUNTIME),
        ("ECS/CompromisedCluster", [("FINDING", "Execution:Runtime/ReverseShell"), ("CLOUD_TRAIL", "")], Telemetry.RUNTIME),
        ("EC2/CompromisedInstanceGroup", [("CLOUD_TRAIL", ""), ("FINDING", "Backdoor:EC2/Spambot")], Telemetry.FLOW_LOGS),
        ("EC2/CompromisedInstanceGroup", [("FINDING", "Backdoor:EC2/C&CActivity.B!DNS")], Telemetry.DNS_LOGS),
        ("EC2/CompromisedInstanceGroup", [("FINDING", "Discovery:IAMUser/AnomalousBehavior")], Telemetry.API_CALLS),
        ("EKS/CompromisedCluster", [("FINDING", "Discovery:Kubernetes/TorIPCaller")], Telemetry.DATA_EVENTS),
        ("EC2/CompromisedInstanceGroup", [], Telemetry.FLOW_LOGS),
        ("S3/CompromisedData", [("S3_DATA_EVENTS", "")], Telemetry.API_CALLS),
        ("IAM/CompromisedCredentials", [("RUNTIME_MONITORING", "")], Telemetry.API_CALLS),
    ],
)
def test_an_attack_sequence_is_no_second_signal_of_what_it_was_drawn_from(
    finding_type: str, signals: list[tuple[str, str]], telemetry: Telemetry
):
    document = _of_machines()
    document["detail"]["type"] = f"AttackSequence:{finding_type}"
    document["detail"]["service"]["detection"]["sequence"]["signals"] = [{"type": kind, "name": name} for kind, name in signals]
    result = only(document)
    assert isinstance(result, Finding)
    assert result.telemetry is telemetry


def test_a_sample_is_marked_also_where_the_flag_is_json_in_text():
    result = finding("sample")
    assert result.sample
    assert result.telemetry is Telemetry.DNS_LOGS
    assert not finding("tor_client").sample


@pytest.mark.parametrize(
    ("finding_type", "action", "telemetry"),
    [
        ("CryptoCurrency:Runtime/BitcoinTool.B", "NETWORK_CONNECTION", Telemetry.RUNTIME),
        ("Exfiltration:S3/AnomalousBehavior", "AWS_API_CALL", Telemetry.DATA_EVENTS),
        ("Policy:S3/BucketPublicAccessGranted", "AWS_API_CALL", Telemetry.API_CALLS),
        ("Discovery:RDS/TorIPCaller", "RDS_LOGIN_ATTEMPT", Telemetry.DATA_EVENTS),
        ("Something:New/Unknown", "", Telemetry.API_CALLS),
    ],
)
def test_telemetry_follows_type_and_action(finding_type: str, action: str, telemetry: Telemetry):
    document = event("tor_client")
    document["detail"]["type"] = finding_type
    document["detail"]["service"]["action"]["actionType"] = action
    result = only(document)
    assert isinstance(result, Finding)
    assert result.telemetry is telemetry


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("detail", "id"), None, "id"),
        (("detail", "type"), "", "type"),
        (("detail", "severity"), "high", "severity"),
        (("detail", "severity"), 11, "severity"),
        (("detail", "updatedAt"), "yesterday", "updatedAt"),
        (("detail-type",), "Something Else", "detail-type"),
        (("detail",), [], "detail"),
    ],
)
def test_a_wrong_field_rejects_the_finding_and_names_it(path: tuple[str, ...], value: object, field: str):
    document = event("tor_client")
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    result = only(document)
    assert isinstance(result, Rejected)
    assert result.field == field
    assert result.reason
    assert result.source == "test"


def test_an_id_that_is_too_long_rejects_its_own_finding_only():
    long = event("instance_credential_exfiltration")
    long["detail"]["resource"]["accessKeyDetails"]["principalId"] = f"AROAEXAMPLE:{'s' * 1024}"
    wrong, good = parse_guardduty([long, event("tor_client")], source="test")
    assert isinstance(wrong, Rejected)
    assert (wrong.source, wrong.record, wrong.field) == ("test", 1, "resource (session)")
    assert "more than the 1024" in wrong.reason
    assert isinstance(good, Finding)


def test_one_broken_finding_does_not_lose_the_others():
    results = list(
        parse_guardduty([event("tor_client"), {"detail-type": "GuardDuty Finding"}, event("port_probe")], source="test")
    )
    assert [type(result) for result in results] == [Finding, Rejected, Finding]
    assert isinstance(results[1], Rejected)
    assert results[1].record == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["detail", "detail-type", "id", "type", "severity", "service", "resource", "Findings", "action"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_gives_findings_and_rejects_that_add_up(document: object):
    results = list(parse_guardduty(document, source="test"))
    inner = document
    if isinstance(document, dict):
        inner = document.get("Findings", [document])
    assert len(results) == (len(inner) if isinstance(inner, list) else 1)


@given(st.lists(st.sampled_from(["id", "type", "severity", "resource", "service", "updatedAt", "accountId"])), JSON)
def test_any_value_in_any_field_never_raises(fields: list[str], value: object):
    document = event("instance_credential_exfiltration")
    for field in fields:
        document["detail"][field] = value
    assert len(list(parse_guardduty(document, source="test"))) == 1


def test_half_a_surrogate_pair_cannot_reach_a_hash():
    document = event("tor_client")
    document["detail"]["id"] = "a\ud800b"
    result = only(document)
    assert isinstance(result, Finding)
    assert result.finding_id == "a?b"


@pytest.mark.skipif(data_root() is None, reason="recorded data is absent: set BREAKWATER_DATA to its folder")
def test_every_recorded_finding_parses():
    root = data_root()
    assert root is not None
    files = sorted((root / "guardduty").glob("*.json"))
    results = {path.name: only(json.loads(path.read_text())) for path in files}
    assert len(results) == 15
    assert not [result for result in results.values() if isinstance(result, Rejected)]
    probe = results["Recon-EC2-PortProbeUnprotectedPort.json"]
    assert isinstance(probe, Finding)
    assert probe.entities[0] == Entity(EntityKind.INSTANCE, "i-99999999", "1234567891234")
    assert len(probe.remote_addresses) > 1
    assert all(
        result.technique
        for name, result in results.items()
        if isinstance(result, Finding) and "aws_samples_guardduty_ec2" not in name
    )
