"""Deployed zips run in the real Lambda runtime: what is on their path, how they fail, what they leave behind."""

from __future__ import annotations

import pytest

from infra_tests.offline.tiny import Tiny, package


def test_only_the_package_the_standard_library_and_the_runtime_are_on_the_path(tiny: Tiny) -> None:
    _, path = tiny.invoke({"do": "path"})
    assert "/.cache/packages/" in path[0]
    assert "/.cache/runtime/" in path[-1]
    assert not [entry for entry in path if "site-packages" in entry or "dist-packages" in entry]


@pytest.mark.parametrize("module", ["boto3", "numpy", "moto", "offline", "shared_model"])
def test_what_a_package_forgot_is_missing_though_it_is_installed_here(tiny: Tiny, module: str) -> None:
    __import__(module)
    error, answer = tiny.invoke({"do": "import", "module": module})
    assert error
    assert answer["errorType"] == "ModuleNotFoundError"


def test_environment_is_lambdas_and_the_functions_own_and_nothing_of_ours(tiny: Tiny) -> None:
    _, environment = tiny.invoke({"do": "environment"})
    assert environment["GIVEN"] == "yes"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == tiny.name
    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert "VIRTUAL_ENV" not in environment
    assert "PYTHONPATH" not in environment


def test_a_warm_sandbox_is_used_again(tiny: Tiny) -> None:
    assert [tiny.invoke({})[1]["calls"] for _ in range(3)] == [1, 2, 3]


def test_an_exception_is_an_error_and_the_sandbox_lives_on(tiny: Tiny) -> None:
    tiny.invoke({})
    error, answer = tiny.invoke({"do": "raise"})
    assert error
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "as asked")
    assert tiny.invoke({})[1]["calls"] == 3


def test_a_process_that_ends_is_an_error_and_the_next_call_is_a_cold_start(tiny: Tiny) -> None:
    tiny.invoke({})
    error, answer = tiny.invoke({"do": "exit"})
    assert error
    assert answer["errorType"] == "Runtime.ExitError"
    assert tiny.invoke({})[1]["calls"] == 1


def test_a_function_that_takes_longer_than_its_timeout_is_ended(tiny: Tiny) -> None:
    error, answer = tiny.invoke({"do": "sleep", "seconds": 60})
    assert error
    assert "timed out after 2" in answer["errorMessage"]
    assert tiny.invoke({})[1]["calls"] == 1


def test_new_code_reaches_the_next_invocation(tiny: Tiny) -> None:
    tiny.invoke({})
    code = package("def handler(event, context):\n    return 'new'\n")
    tiny.aws.client("lambda").update_function_code(FunctionName=tiny.name, ZipFile=code)
    assert tiny.invoke({})[1] == "new"


def test_output_is_in_the_functions_log_with_the_platforms_report(tiny: Tiny) -> None:
    tiny.invoke({"do": "raise"})
    lines = tiny.aws.log_lines(tiny.name)
    assert any("ValueError: as asked" in line for line in lines)
    assert any(line.startswith("REPORT RequestId") and "Billed Duration" in line for line in lines)


def test_calls_carry_the_identity_of_the_function_that_made_them(tiny: Tiny) -> None:
    # Signs nothing: the server goes by the access key, which is the sandbox's own.
    source = """
import os, urllib.request
def handler(event, context):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], b"{}", {
        "X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0",
        "Authorization": "AWS4-HMAC-SHA256 Credential=%s/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature="
            % os.environ["AWS_ACCESS_KEY_ID"]})
    return urllib.request.urlopen(request).read().decode()
"""
    tiny.aws.client("lambda").update_function_code(FunctionName=tiny.name, ZipFile=package(source))
    tiny.aws.client("dynamodb").list_tables()
    error, _ = tiny.invoke({})
    assert not error
    assert [call.permission for call in tiny.aws.calls(tiny.name)] == ["dynamodb:ListTables"]


_ASSUMES = """
import os, re, urllib.request
def send(key, service, body, **headers):
    scope = "%s/20260101/us-east-1/%s/aws4_request" % (key, service)
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=host, Signature=" % scope
    return urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)).read().decode()
def handler(event, context):
    answer = send(os.environ["AWS_ACCESS_KEY_ID"], "sts", b"Action=AssumeRole&Version=2011-06-15&RoleSessionName=for-a-while"
        b"&RoleArn=arn:aws:iam::123456789012:role/group", **{"Content-Type": "application/x-www-form-urlencoded"})
    key = re.search("<AccessKeyId>(.*?)<", answer)[1]
    send(key, "dynamodb", b"{}", **{"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"})
"""


def test_calls_under_an_assumed_role_name_the_function_and_the_role(tiny: Tiny) -> None:
    tiny.aws.client("lambda").update_function_code(FunctionName=tiny.name, ZipFile=package(_ASSUMES))
    error, answer = tiny.invoke({})
    assert not error, answer
    assuming, assumed = tiny.aws.calls(tiny.name)
    assert (assuming.permission, assuming.resource, assuming.role) == (
        "sts:AssumeRole",
        "arn:aws:iam::123456789012:role/group",
        "",
    )
    assert (assumed.permission, assumed.role, assumed.session) == ("dynamodb:ListTables", "group", "for-a-while")


def test_a_fault_finds_a_call_under_an_assumed_role(tiny: Tiny) -> None:
    tiny.aws.client("lambda").update_function_code(FunctionName=tiny.name, ZipFile=package(_ASSUMES))
    tiny.aws.kill_at(tiny.name, "ListTables")
    error, answer = tiny.invoke({})
    assert error
    assert answer["errorType"] == "Runtime.ExitError"


def test_a_fault_kills_the_function_at_the_named_call_once(tiny: Tiny) -> None:
    source = """
import os, urllib.request
def handler(event, context):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], b'{"TableName": "none"}', {
        "X-Amz-Target": "DynamoDB_20120810.DescribeTable", "Content-Type": "application/x-amz-json-1.0",
        "Authorization": "AWS4-HMAC-SHA256 Credential=%s/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature="
            % os.environ["AWS_ACCESS_KEY_ID"]})
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as answer:
        return answer.code
"""
    tiny.aws.client("lambda").update_function_code(FunctionName=tiny.name, ZipFile=package(source))
    tiny.aws.kill_at(tiny.name, "DescribeTable", contains="none")
    error, answer = tiny.invoke({})
    assert error
    assert answer["errorType"] == "Runtime.ExitError"
    assert tiny.invoke({}) == (False, 400)
