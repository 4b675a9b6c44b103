"""What keeps data: tables, the lake, their keys, and who may write there."""

from __future__ import annotations

import json
import re

import pytest

from cdk.delivery import FLOW_LOG_FIELDS
from infra_tests.cdk.conftest import ACCOUNT, LAKE
from infra_tests.cdk.templates import Templates, glue_table, principals
from lambdas.registry import FUNCTIONS


def test_everything_that_keeps_data_is_encrypted_under_our_keys(templates: Templates) -> None:
    queues = templates.queues()
    assert queues.pop("breakwater-forward-dead-letters")["SqsManagedSseEnabled"]  # in a region where no key of ours is
    assert all(queue["KmsMasterKeyId"] for queue in queues.values())
    for table in templates.resources("AWS::DynamoDB::Table").values():
        assert table["Properties"]["SSESpecification"]["SSEType"] == "KMS"
        assert table["Properties"]["SSESpecification"]["KMSMasterKeyId"]
    for kind, key in (
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::CloudTrail::Trail", "KMSKeyId"),
    ):
        found = templates.resources(kind)
        assert found
        assert all(resource["Properties"][key] for resource in found.values())
    lake = templates.named("AWS::S3::Bucket", "BucketName", LAKE)
    (rule,) = lake["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_nothing_is_public_and_nothing_travels_in_the_clear(templates: Templates) -> None:
    for bucket in templates.resources("AWS::S3::Bucket").values():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in templates.resources(kind).values():
            text = json.dumps(policy["Properties"]["PolicyDocument"])
            assert '"Bool": {"aws:SecureTransport": "false"}' in text
    queues, policies = templates.resources("AWS::SQS::Queue"), templates.resources("AWS::SQS::QueuePolicy")
    assert len(queues) == len(policies) == 2 * len(FUNCTIONS) + 1  # what could not be handed on from us-east-1


def test_tables_can_be_put_back_to_any_second(templates: Templates) -> None:
    tables = templates.resources("AWS::DynamoDB::Table")
    assert len(tables) == 3
    assert all(t["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] for t in tables.values())


@pytest.mark.parametrize(("table", "ttl"), [("memory", "expires"), ("signals", "expires"), ("journal", None)])
def test_only_the_journal_never_forgets(templates: Templates, table: str, ttl: str | None) -> None:
    properties = templates.named("AWS::DynamoDB::Table", "TableName", f"breakwater-{table}")
    assert properties.get("TimeToLiveSpecification", {}).get("AttributeName") == ttl
    assert properties.get("DeletionProtectionEnabled", False) is (ttl is None)


def test_the_journal_outlives_its_stack_and_is_found_by_its_indexes(templates: Templates) -> None:
    (journal,) = [
        r for r in templates.resources("AWS::DynamoDB::Table").values() if r["Properties"]["TableName"] == "breakwater-journal"
    ]
    assert journal["DeletionPolicy"] == "Retain"
    indexes = {
        i["IndexName"]: [k["AttributeName"] for k in i["KeySchema"]] for i in journal["Properties"]["GlobalSecondaryIndexes"]
    }
    assert indexes == {
        "expiring": ["expiring", "expires_ms"],
        "containments": ["containment_id", "sk"],
        "written": ["written", "time_ms"],
    }


def test_new_objects_are_told_by_prefix_and_trail_digests_are_not(templates: Templates) -> None:
    lake = templates.named("AWS::S3::Bucket", "BucketName", LAKE)
    told = {
        configuration["Queue"].rpartition(":")[2]: configuration["Filter"]["S3Key"]["Rules"][0]["Value"]
        for configuration in lake["NotificationConfiguration"]["QueueConfigurations"]
    }
    assert told == {
        "breakwater-flow-logs": "flow-logs/",
        "breakwater-api-calls": f"cloudtrail/AWSLogs/{ACCOUNT}/CloudTrail/",
        "breakwater-system-logs": "system-logs/",
    }


def test_the_bucket_waits_for_the_policies_of_the_queues_that_it_tells(templates: Templates) -> None:
    (lake,) = [r for r in templates.resources("AWS::S3::Bucket").values() if r["Properties"].get("BucketName") == LAKE]
    policies = templates.resources("AWS::SQS::QueuePolicy")
    assert len([name for name in lake["DependsOn"] if name in policies]) == 3


def test_log_delivery_and_the_trail_may_write_their_own_prefixes(templates: Templates) -> None:
    statements = [
        s
        for policy in templates.resources("AWS::S3::BucketPolicy").values()
        for s in policy["Properties"]["PolicyDocument"]["Statement"]
        if s["Action"] == "s3:PutObject" and principals(s) != {"logging.s3.amazonaws.com"}
    ]
    written = {next(iter(principals(s))): json.dumps(s["Resource"]) for s in statements}
    assert set(written) == {"delivery.logs.amazonaws.com", "cloudtrail.amazonaws.com"}
    assert "/flow-logs/AWSLogs/*" in written["delivery.logs.amazonaws.com"]
    assert "/cloudtrail/AWSLogs/*" in written["cloudtrail.amazonaws.com"]
    assert all("aws:SourceArn" in json.dumps(s["Condition"]) for s in statements)


def test_every_flow_log_field_has_a_column(templates: Templates) -> None:
    flows = glue_table(templates, "flow_logs")
    assert [c["Name"] for c in flows["StorageDescriptor"]["Columns"]] == [f.replace("-", "_") for f in FLOW_LOG_FIELDS]
    template = flows["Parameters"]["storage.location.template"]
    assert set(re.findall(r"\$\{(\w+)\}", template)) == {p["Name"] for p in flows["PartitionKeys"]}


def test_who_called_is_a_struct_in_the_trails_table(templates: Templates) -> None:
    columns = {c["Name"]: c["Type"] for c in glue_table(templates, "cloudtrail")["StorageDescriptor"]["Columns"]}
    assert columns.pop("useridentity").startswith("struct<type:string,principalid:string,arn:string,")
    assert set(columns.values()) == {"string"}
