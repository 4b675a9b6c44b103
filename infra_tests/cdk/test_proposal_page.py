"""The page behind links: deployed only where people can sign in, open to read, closed to answer, and without a right to act."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields

import pytest

from cdk.proposal_page import ANSWER, BURST, RATE_PER_SECOND, SHOW, SIGNED_IN
from infra_tests.cdk.conftest import ACCOUNT, CLIENT, ISSUER, REGION
from infra_tests.cdk.templates import Templates, allowed, many
from lambdas.registry import PAGE
from lambdas.settings import PREFIX, Settings

PAGE_ROLE = f"breakwater-proposal-page-{REGION}"
HTTP = "AWS::ApiGatewayV2::"


def test_without_an_identity_provider_there_is_no_page_no_key_and_no_link(synthesise: Callable[..., Templates]) -> None:
    plain = synthesise()
    assert not [each["Type"] for each in plain.all_resources() if each["Type"].startswith(HTTP)]
    assert "breakwater-proposal-page" not in plain.functions()
    assert PAGE_ROLE not in plain.role_statements()
    told = [name for function in plain.functions().values() for name in function["Environment"]["Variables"]]
    assert not {f"{PREFIX}LINK_KEY", f"{PREFIX}PAGE_URL", f"{PREFIX}PAGE_ROLE_ARN"} & set(told)
    assert "kms:GenerateMac" not in json.dumps(plain.by_stack)


def test_reading_is_open_and_answering_takes_a_token_of_the_issuer(templates: Templates) -> None:
    routes = {each["Properties"]["RouteKey"]: each["Properties"] for each in templates.resources(f"{HTTP}Route").values()}
    assert {key: each["AuthorizationType"] for key, each in routes.items()} == {SHOW: "NONE", SIGNED_IN: "NONE", ANSWER: "JWT"}
    ((name, authorizer),) = templates.resources(f"{HTTP}Authorizer").items()
    assert routes[ANSWER]["AuthorizerId"] == {"Ref": name}
    assert authorizer["Properties"]["AuthorizerType"] == "JWT"
    assert authorizer["Properties"]["JwtConfiguration"] == {"Audience": [CLIENT], "Issuer": ISSUER}
    assert authorizer["Properties"]["IdentitySource"] == ["$request.header.Authorization"]


def test_no_other_site_is_let_in_and_floods_are_held_back(templates: Templates) -> None:
    (api,) = templates.resources(f"{HTTP}Api").values()
    assert "CorsConfiguration" not in api["Properties"]
    (stage,) = templates.resources(f"{HTTP}Stage").values()
    settings = stage["Properties"]["DefaultRouteSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (RATE_PER_SECOND, BURST)
    (permission,) = templates.resources("AWS::Lambda::Permission").values()
    assert permission["Properties"]["Principal"] == "apigateway.amazonaws.com"
    assert "SourceArn" in permission["Properties"]


def test_an_access_log_holds_no_link(templates: Templates) -> None:
    (stage,) = templates.resources(f"{HTTP}Stage").values()
    logged = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])
    assert {"route", "status", "address"} <= set(logged)
    for secret in ("path", "query", "$context.domain", "header", "cookie"):
        assert secret not in json.dumps(logged).lower()
    group = templates.named("AWS::Logs::LogGroup", "LogGroupName", "/aws/vendedlogs/breakwater-proposals")
    assert group["KmsKeyId"]
    assert group["RetentionInDays"] == 90


def test_the_page_can_neither_contain_nor_write_the_journal_nor_make_a_link(templates: Templates) -> None:
    policies = templates.role_statements()[PAGE_ROLE]
    assert set(policies) == {"function"}
    assert allowed(policies["function"]) == {
        "dynamodb:Query",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:VerifyMac",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    }
    (send,) = [each for each in policies["function"] if "sqs:SendMessage" in many(each["Action"])]
    assert send["Resource"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:breakwater-answers"
    assert {each["Sid"] for each in policies["function"] if each["Effect"] == "Deny"} == {
        "NeverItsOwnRoles",
        "NeverAnotherOfItsRoles",
        "NeverRewriteTheJournal",
    }


@pytest.mark.parametrize(
    ("right", "holders"), [("kms:GenerateMac", {"respond", "answer-proposals"}), ("kms:VerifyMac", {"proposal-page"})]
)
def test_who_makes_links_and_who_checks_them_are_two(templates: Templates, right: str, holders: set[str]) -> None:
    ((key, found),) = [
        (name, each["Properties"])
        for name, each in templates.resources("AWS::KMS::Key").items()
        if each["Properties"].get("KeyUsage") == "GENERATE_VERIFY_MAC"
    ]
    assert found["KeySpec"] == "HMAC_256"
    using = {
        role: statement["Resource"]
        for role, policies in templates.role_statements().items()
        for statements in policies.values()
        for statement in statements
        if statement["Effect"] == "Allow" and right in many(statement["Action"])
    }
    assert set(using) == {f"breakwater-{name}-{REGION}" for name in holders}
    assert all(key in json.dumps(resource) or "LinkKey" in json.dumps(resource) for resource in using.values())


def test_everyone_is_told_what_they_need_and_nothing_else(templates: Templates) -> None:
    told = {name: set(each["Environment"]["Variables"]) for name, each in templates.functions().items()}
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    page = told["breakwater-proposal-page"]
    needs = ("JOURNAL_TABLE", "ANSWER_QUEUE_URL", "LINK_KEY", "PAGE_URL", "PAGE_ISSUER", "PAGE_CLIENT")
    assert page == {f"{PREFIX}{name}" for name in needs}
    assert page <= known
    for name in ("breakwater-respond", "breakwater-answer-proposals"):
        assert {f"{PREFIX}LINK_KEY", f"{PREFIX}PAGE_URL"} <= told[name]
    assert {name for name, each in told.items() if f"{PREFIX}PAGE_ROLE_ARN" in each} == {"breakwater-answer-proposals"}


def test_the_page_may_send_answers_where_operators_are_named(synthesise: Callable[..., Templates]) -> None:
    operator = f"arn:aws:iam::{ACCOUNT}:role/on-call"
    named = synthesise(operators=(operator,), page_issuer=ISSUER, page_client=CLIENT)
    (deny,) = [each for each in named.queue_statements("breakwater-answers") if each.get("Sid") == "NobodyElseSends"]
    page = f"arn:aws:iam::{ACCOUNT}:role/{PAGE_ROLE}"
    assert deny["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": [operator, page]}}
    (undo,) = [each for each in named.queue_statements("breakwater-containments") if each.get("Sid") == "NobodyElseSends"]
    assert undo["Condition"]["ArnNotLike"] == {"aws:PrincipalArn": [operator]}


def test_whoever_opens_links_by_the_thousand_keeps_nobodys_answer_out(templates: Templates) -> None:
    (stage,) = templates.resources("AWS::ApiGatewayV2::Stage").values()
    opening, answering = stage["Properties"]["DefaultRouteSettings"], stage["Properties"]["RouteSettings"]
    assert set(answering) == {"POST /proposals/{proposal}"}
    assert all(limits["ThrottlingRateLimit"] == 5 for limits in (opening, *answering.values()))


def test_the_stage_waits_for_the_routes_that_it_has_settings_of(templates: Templates) -> None:
    """API Gateway refuses it else (*Unable to find Route by key … within the provided RouteSettings*)."""
    (stage,) = templates.resources("AWS::ApiGatewayV2::Stage").values()
    routes = {name: route["Properties"]["RouteKey"] for name, route in templates.resources("AWS::ApiGatewayV2::Route").items()}
    assert set(stage["Properties"]["RouteSettings"]) <= {routes.get(name) for name in stage["DependsOn"]}


def test_a_person_hears_of_a_page_that_fails(templates: Templates) -> None:
    names = {each["Properties"]["AlarmName"] for each in templates.resources("AWS::CloudWatch::Alarm").values()}
    assert {f"breakwater-proposal-page-{what}" for what in ("errors", "throttles", "unanswered")} <= names


def test_the_function_is_as_the_registry_says(templates: Templates) -> None:
    function = templates.functions()["breakwater-proposal-page"]
    assert (function["Handler"], function["Timeout"], function["MemorySize"]) == (PAGE.handler, PAGE.timeout_s, PAGE.memory_mb)
    assert function["KmsKeyArn"]
