"""CloudTrail records: every identity, every container, and what is wrong with a record."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared_model.events import ApiCall, Entity, EntityKind, Rejected
from shared_model.parsers.cloudtrail import parse_cloudtrail, read_cloudtrail
from training.data_root import data_root

EVENTS = Path(__file__).parents[1] / "events" / "cloudtrail"
ACCOUNT = "123456789012"
needs_data = pytest.mark.skipif(data_root() is None, reason="recorded data is absent: set BREAKWATER_DATA to its folder")


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def records() -> list[dict[str, Any]]:
    return event("every_identity_type")["Records"]


def read(data: bytes) -> list[ApiCall | Rejected]:
    return list(read_cloudtrail(io.BytesIO(data), source="test"))


def calls() -> dict[str, ApiCall]:
    found = {}
    for result, record in zip(parse_cloudtrail(records(), source="test"), records(), strict=True):
        assert isinstance(result, ApiCall), result
        found[record["userIdentity"].get("type", "none") + ":" + record["eventName"]] = result
    return found


def principal(identifier: str) -> Entity:
    return Entity(EntityKind.PRINCIPAL, identifier, ACCOUNT)


def test_a_session_of_a_role_is_watched_as_session_and_contained_as_role():
    call = calls()["AssumedRole:GetSecretValue"]
    assert call.session == Entity(EntityKind.SESSION, "AROAEXAMPLEEXAMPLE001:i-0123456789abcdef0", ACCOUNT)
    assert call.principal == principal(f"arn:aws:iam::{ACCOUNT}:role/service-role/web-role")
    assert call.instance_id == "i-0123456789abcdef0"
    assert call.session_issued_ms == 1772441940000
    assert (call.service, call.operation, call.targets) == ("secretsmanager", "GetSecretValue", ("prod/db",))
    assert (call.succeeded, call.read_only, call.mfa) == (True, True, False)


def test_a_role_without_issuer_is_read_from_the_sessions_arn():
    call = calls()["AssumedRole:GetObject"]
    assert call.principal == principal(f"arn:aws:iam::{ACCOUNT}:role/web-role")
    assert call.session == Entity(EntityKind.SESSION, "AROAEXAMPLEEXAMPLE001:ci-1", ACCOUNT)
    assert call.instance_id == ""
    assert (call.succeeded, call.error_code) == (False, "AccessDenied")
    assert call.targets == ("arn:aws:s3:::payroll/2026.csv", "arn:aws:s3:::payroll", "payroll")


@pytest.mark.parametrize(
    ("which", "kind", "identifier"),
    [
        ("IAMUser:CreateAccessKey", "IAMUser", f"arn:aws:iam::{ACCOUNT}:user/alice"),
        ("Root:ListUsers", "Root", f"arn:aws:iam::{ACCOUNT}:root"),
        ("FederatedUser:GetCallerIdentity", "FederatedUser", f"arn:aws:sts::{ACCOUNT}:federated-user/bob"),
        ("AWSService:AssumeRole", "AWSService", "ec2.amazonaws.com"),
        ("AWSAccount:AssumeRole", "AWSAccount", "AROAEXAMPLEEXAMPLE009:partner"),
        ("SAMLUser:AssumeRoleWithSAML", "SAMLUser", "idp-1:carol@example.com"),
        ("WebIdentityUser:AssumeRoleWithWebIdentity", "WebIdentityUser", "accounts.example.com:42"),
        ("IdentityCenterUser:ListBuckets", "IdentityCenterUser", "d-42"),
        ("Directory:DescribeDirectories", "Directory", "dave"),
        ("Unknown:ConsoleLogin", "Unknown", "AIDAEXAMPLEEXAMPLE404"),
        ("none:BidEvictedEvent", "AWSService", "ec2.amazonaws.com"),
        ("Role:DescribeInstances", "Role", f"arn:aws:iam::{ACCOUNT}:role/job-role"),
    ],
)
def test_every_identity_type_names_its_principal(which: str, kind: str, identifier: str):
    call = calls()[which]
    assert (call.caller_kind, call.principal) == (kind, principal(identifier))
    assert (call.session is not None) == (kind == "Role")


def test_a_federated_user_is_known_by_the_user_whose_rights_it_has():
    by_kind = calls()
    assert by_kind["FederatedUser:GetCallerIdentity"].aliases == (principal(f"arn:aws:iam::{ACCOUNT}:user/broker"),)
    assert all(call.aliases == () for name, call in by_kind.items() if not name.startswith("FederatedUser"))


def test_a_sign_in_says_whether_it_succeeded_and_with_mfa():
    (good,) = parse_cloudtrail(event("console_sign_in"), source="test")
    assert isinstance(good, ApiCall)
    assert (good.service, good.operation, good.succeeded, good.mfa) == ("signin", "ConsoleLogin", True, True)
    bad = calls()["Unknown:ConsoleLogin"]
    assert (bad.succeeded, bad.error_code, bad.mfa) == (False, "FailedAuthentication", False)


def test_both_delivery_paths_give_the_same_call():
    (fast,) = parse_cloudtrail(event("envelope"), source="test")
    assert fast == read(json.dumps({"Records": records()[:1]}).encode())[0]


def test_a_call_is_known_by_its_event_id_whatever_else_a_delivery_says_of_it():
    first, second = event("envelope")["detail"], event("envelope")["detail"]
    second["additionalEventData"] = {"said": "by one path alone"}
    another = first | {"eventID": "00000000-0000-4000-8000-000000000000"}
    ids = [call.event_id for call in parse_cloudtrail([first, second, another], source="test")]
    assert ids == [first["eventID"], first["eventID"], another["eventID"]]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps({"Records": records()}).encode(),
        json.dumps({"Records": records()}, indent=2).encode(),
        json.dumps(records()).encode(),
        "\n".join(json.dumps(record) for record in records()).encode(),
        "".join(json.dumps(record) for record in records()).encode(),
        b"\xef\xbb\xbf" + json.dumps({"x": 1, "Records": records()}).encode(),
    ],
    ids=["container", "indented", "list", "lines", "side by side", "late Records"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_every_container_gives_the_same_calls(data: bytes, pack: Any):
    assert read(pack(data)) == list(parse_cloudtrail(records(), source="test"))


def test_members_of_a_concatenated_gzip_are_all_read():
    one = gzip.compress(json.dumps({"Records": records()}).encode())
    assert len(read(one + one + b"\0" * 40)) == 2 * len(records())


@pytest.mark.parametrize("broken", ['{"eventVersion": nope}', '{"a": "\\x"}', '{"eventName": "no end of this text}'])
def test_one_broken_record_does_not_lose_the_others(broken: str):
    texts = [json.dumps(record) for record in records()]
    results = read(('{"Records":[' + ",".join([*texts[:3], broken, *texts[3:]]) + "]}").encode())
    assert [result for result in results if isinstance(result, ApiCall)] == list(parse_cloudtrail(records(), source="test"))
    (rejected,) = [result for result in results if isinstance(result, Rejected)]
    assert (rejected.record, rejected.raw[:8]) == (4, broken[:8])
    assert "not JSON" in rejected.reason


def test_an_object_cut_off_gives_what_came_before_and_says_so():
    data = json.dumps({"Records": records() * 40}).encode()
    whole = read(data)
    packed = gzip.compress(data)
    results = read(packed[: len(packed) // 2])
    good = [result for result in results if isinstance(result, ApiCall)]
    left = zlib.decompressobj(31).decompress(packed[: len(packed) // 2])
    assert good == whole[: left.count(b'"eventCategory"')]
    assert good
    assert isinstance(results[-1], Rejected)
    assert "cannot be read to its end" in results[-1].reason


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"eventTime": "soon"}, "eventTime"),
        ({"eventTime": None}, "eventTime"),
        ({"eventName": ""}, "eventName"),
        ({"eventSource": None}, "eventSource"),
        ({"userIdentity": {"type": "IAMUser", "arn": "a" * 1025}}, "userIdentity"),
        ({"userIdentity": {"type": "AssumedRole", "principalId": f"AROAEXAMPLE:{'s' * 1024}"}}, "userIdentity.principalId"),
    ],
)
def test_a_wrong_field_rejects_the_record_and_names_it(change: dict[str, object], field: str):
    results = list(parse_cloudtrail([records()[0], records()[1] | change], source="test"))
    assert isinstance(results[1], Rejected)
    assert (results[1].field, results[1].record, results[1].source) == (field, 2, "test")


def test_an_envelope_of_something_else_is_rejected():
    (result,) = parse_cloudtrail(event("envelope") | {"detail-type": "Security Hub Findings - Imported"}, source="test")
    assert isinstance(result, Rejected)
    assert result.field == "detail-type"


def test_the_trails_digest_files_hold_no_records():
    digest = {"awsAccountId": ACCOUNT, "digestStartTime": "2026-03-02T09:00:00Z", "digestS3Object": "x", "logFiles": []}
    assert read(gzip.compress(json.dumps(digest).encode())) == []


def test_a_record_without_id_gets_the_same_id_on_both_paths():
    record = records()[0]
    del record["eventID"]
    (first,) = parse_cloudtrail(record, source="a")
    (second,) = parse_cloudtrail(event("envelope") | {"detail": record}, source="b")
    assert isinstance(first, ApiCall)
    assert isinstance(second, ApiCall)
    assert first.event_id == second.event_id != ""


def test_memory_stays_flat_while_a_large_object_is_read():
    """The source hands out a large object; the reader must never ask for more than a fixed share of it at a time."""
    asked: list[int] = []

    class Source(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    data = json.dumps({"Records": records() * 2000}).encode()
    assert len(data) > 16 * 2**20
    stream = Source(data)
    assert sum(1 for _ in read_cloudtrail(stream, source="test")) == 2000 * len(records())
    assert 0 < max(asked) <= 2**20
    assert min(asked) > 0


def test_an_object_of_unclosed_braces_costs_one_reject_a_line():
    assert len(read(b'{"\n' * 3000)) == 3000


_NO_OBJECT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.just({}) | _NO_OBJECT, max_size=12), st.sampled_from([None, 1]), st.booleans())
@example([{}, [], {}], None, True)
@example([1, True, {}], None, True)
@example([{}, None, None, {}], None, True)
def test_every_element_of_a_log_file_is_a_call_or_a_reject_under_its_own_number(
    elements: list[Any], indent: int | None, spaced: bool
):
    """None of what is no object may vanish, or move the numbers of what comes behind it. An empty object here is a call."""
    call = records()[0]
    given_records = [call if element == {} else element for element in elements]
    text = json.dumps({"Records": given_records}, indent=indent, separators=None if spaced else (",", ":"))
    results = read(text.encode())
    assert len(results) == len(given_records)
    for number, (record, result) in enumerate(zip(given_records, results, strict=True), 1):
        assert isinstance(result, ApiCall) == isinstance(record, dict)
        assert isinstance(result, ApiCall) or result.record == number


@given(st.binary(max_size=400))
def test_any_bytes_never_raise(data: bytes):
    for result in read(data):
        assert isinstance(result, ApiCall | Rejected)


@given(
    st.lists(
        st.sampled_from([*(json.dumps(record) for record in records()[:3]), '{"a": 1}', "{broken}", "[]", '{"x": [{}']),
        max_size=8,
    )
)
def test_every_line_is_a_call_or_a_reject(lines: list[str]):
    results = read("\n".join(lines).encode())
    good = sum("eventVersion" in line for line in lines)
    assert sum(isinstance(result, ApiCall) for result in results) == good
    assert len(results) == sum(line != "[]" for line in lines)


@given(
    st.sampled_from(
        [
            "userIdentity",
            "requestParameters",
            "resources",
            "responseElements",
            "additionalEventData",
            "sourceIPAddress",
            "eventID",
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "arn", "sessionContext", "name", "attributes"]), inner)
        ),
        max_leaves=8,
    ),
)
def test_any_value_in_an_optional_field_leaves_the_call_standing(field: str, value: object):
    (result,) = parse_cloudtrail(records()[0] | {field: value}, source="test")
    assert isinstance(result, ApiCall)
    assert result.principal.id


@needs_data
def test_every_recorded_event_of_stratus_and_invictus_parses():
    root = data_root()
    assert root is not None
    count = 0
    for folder in ("cloudtrail_stratus", "cloudtrail_invictus"):
        for path in sorted((root / folder).glob("*.json.xz")):
            with lzma.open(path) as stream:
                results = list(read_cloudtrail(stream, source=path.name))
            assert not [result for result in results if isinstance(result, Rejected)], path.name
            count += len(results)
    assert count == 3157


@needs_data
def test_recorded_envelopes_parse_or_say_why_not():
    root = data_root()
    assert root is not None
    fields = {}
    for path in sorted((root / "eventbridge_c7n").glob("*.json")):
        (result,) = read(path.read_bytes())
        if isinstance(result, Rejected):
            fields[path.name] = result.field
    assert {name for name, field in fields.items() if field == "detail-type"} == {
        name for name in fields if "securityhub" in name
    }
    assert {name: field for name, field in fields.items() if "securityhub" not in name} == {
        "event-cloud-trail-bedrock-create-customization-jobs.json": "eventTime"
    }


@needs_data
def test_recorded_panther_cases_parse_or_name_the_field():
    yaml = pytest.importorskip("yaml", reason="reading Panther's cases needs PyYAML")
    root = data_root()
    assert root is not None
    good, fields = 0, set()
    for path in sorted((root / "panther" / "aws_cloudtrail_rules").glob("*.yml")):
        for case in yaml.safe_load(path.read_text()).get("Tests", []):
            for result in parse_cloudtrail(case.get("Log"), source=path.name):
                good += isinstance(result, ApiCall)
                if isinstance(result, Rejected):
                    fields.add(result.field)
    assert good == 311
    assert fields == {"eventTime", "eventSource", ""}


@needs_data
def test_a_table_that_is_no_cloudtrail_is_rejected_line_by_line():
    root = data_root()
    assert root is not None
    archive = zipfile.ZipFile(root / "cloudtrail_otrf" / "aws_s3_honeybucketlogs.zip")
    results = read(archive.read("AWS_S3_HoneyBucketLogs.csv"))
    assert results
    assert all(isinstance(result, Rejected) and result.reason for result in results)
