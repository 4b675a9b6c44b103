from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdk.settings import SettingInvalid, Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("breakwater:trial", "create", "there is no such setting"),
        ("breakwater:name", "Break Water", "2 to 20 lower-case"),
        ("breakwater:name", 7, "a text"),
        ("breakwater:account", "1234", "12 digits"),
        ("breakwater:region", "frankfurt", "such as eu-central-1"),
        ("breakwater:region", "eu-central-1", "give account and region together"),
        ("packages", "docker", "one of cloud, local"),
        ("breakwater:lake-bucket", "UPPER", "name of an existing bucket"),
        ("breakwater:trail", "Not_A_Bucket", "create, none, or a bucket"),
        ("breakwater:guardduty", "maybe", "id of the existing detector"),
        ("breakwater:security-hub", "on", "one of send, none"),
        ("breakwater:flow-log-vpcs", ["subnet-1"], "ids of VPCs"),
        ("breakwater:flow-log-vpcs", [7], "a text"),
        ("breakwater:log-groups", '["unclosed', "a JSON list"),
        ("breakwater:log-groups", {"a": 1}, "a list of texts"),
        ("breakwater:log-groups", ["with space"], "names of log groups"),
        ("breakwater:notify-emails", "nobody", "mail addresses"),
        ("breakwater:slack-webhook", "https://hooks.slack.com/services/T0/B0/x", "name of an SSM parameter"),
        ("breakwater:chat-topic", "breakwater-chat", "the ARN of an SNS topic"),
        ("breakwater:page-issuer", "http://login.example.com", "an https address"),
        ("breakwater:page-issuer", "https://login.example.com", "page-issuer and page-client together"),
        ("breakwater:page-client", "two words", "the client id"),
        ("breakwater:page-token-origin", "https://tokens.example.com/path", "an origin"),
        ("breakwater:page-token-origin", "https://tokens.example.com", "it needs page-issuer"),
        ("breakwater:operators", ["arn:aws:iam::123456789012:root"], "ARNs of IAM roles or users"),
        ("breakwater:bucket-keys", ["alias/aws/s3"], "ARNs of KMS keys"),
        ("breakwater:memory-days", 0, "from 1 to 90"),
        ("breakwater:raw-days", "many", "a whole number"),
        ("breakwater:respond-concurrency", 1, "from 2 to 1000"),
        ("breakwater:respond-concurrency", True, "a whole number"),
        ("breakwater:log-days", 42, "one of [1, 3"),
        ("breakwater:policy-file", "nowhere.yaml", "a file below the repository"),
    ],
)
def test_a_wrong_setting_is_named_with_what_fits(key: str, value: object, says: str) -> None:
    with pytest.raises(SettingInvalid) as raised:
        Settings.from_context({key: value}, ROOT)
    assert says in str(raised.value)
    assert raised.value.key in (key, "breakwater:account")


def test_text_of_the_command_line_and_lists_of_cdk_json_mean_the_same() -> None:
    as_list = Settings.from_context({"breakwater:log-groups": ["/var/log/secure", "/var/log/auth"]}, ROOT)
    as_json = Settings.from_context({"breakwater:log-groups": '["/var/log/secure", "/var/log/auth"]'}, ROOT)
    as_text = Settings.from_context({"breakwater:log-groups": "/var/log/secure, /var/log/auth"}, ROOT)
    assert as_list == as_json == as_text
    assert as_list.log_groups == ("/var/log/secure", "/var/log/auth")


def test_what_is_named_twice_is_there_once() -> None:
    twice = {"breakwater:log-groups": "/var/log/secure, /var/log/auth,/var/log/secure"}
    assert Settings.from_context(twice, ROOT).log_groups == ("/var/log/secure", "/var/log/auth")


def test_an_existing_trail_is_a_bucket_and_a_prefix() -> None:
    settings = Settings.from_context({"breakwater:trail": "audit-logs/AWSLogs/123456789012/"}, ROOT)
    assert (settings.trail_bucket, settings.trail_prefix) == ("audit-logs", "AWSLogs/123456789012/")
    assert Settings(trail="create").trail_bucket == ""


@pytest.mark.parametrize(
    ("trail", "root"),
    [
        ("create", ""),
        ("none", ""),
        ("audit-logs", "audit-logs/AWSLogs/"),
        ("audit-logs/AWSLogs/", "audit-logs/AWSLogs/"),
        ("audit-logs/all/trails", "audit-logs/all/trails/AWSLogs/"),
        ("audit-logs/all/AWSLogs/123456789012/CloudTrail/", "audit-logs/all/AWSLogs/"),
        ("audit-logs/AWSLogs/o-exampleorgid/123456789012/", "audit-logs/AWSLogs/o-exampleorgid/"),
    ],
)
def test_where_an_existing_trail_has_a_folder_for_each_account(trail: str, root: str) -> None:
    assert Settings(trail=trail).trail_root == root


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"])
def test_a_region_of_any_partition_is_one(region: str) -> None:
    assert Settings(account="123456789012", region=region).region == region


def test_the_settings_that_come_with_the_project_are_valid() -> None:
    Settings.from_context(json.loads((ROOT / "cdk.json").read_text())["context"], ROOT)


def test_synthesis_says_a_wrong_setting_in_one_line() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    context = json.dumps({"breakwater:guardduty": "maybe", "packages": "local"})
    environment = {**os.environ, "PATH": path, "CDK_CONTEXT_JSON": context}
    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: context 'breakwater:guardduty' is 'maybe'")
    assert "Traceback" not in done.stderr
