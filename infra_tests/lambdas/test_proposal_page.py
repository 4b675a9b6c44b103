"""The page behind a link, through its handler, in moto: from the notice to the change, in the name of who signed in."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest

from infra_tests.lambdas.account import ACCOUNT, Account, sqs_event
from infra_tests.lambdas.test_answers import proposal_of
from infra_tests.lambdas.test_finding_to_undo import contain
from lambdas import answer_proposals, proposal_page, respond, triage_findings
from lambdas.actions.catalogue import ACTIONS
from lambdas.actions.leaves import LEAVES
from lambdas.adapters.link_key import LinkKey
from lambdas.clients import LazyClients
from response.journal import Step
from shared_model.errors import CloudUnavailable

PAGE, ISSUER, CLIENT = "https://abc123.execute-api.eu-central-1.amazonaws.com", "https://login.example.com/tenant", "page"
ROLE = "breakwater-proposal-page-eu-central-1"
ADA = {"iss": ISSUER, "sub": "00u1", "aud": CLIENT, "email": "ada@example.com", "email_verified": "true"}


@dataclass
class Browser:
    """Makes the requests that an HTTP API would make of a browser's."""

    link: str
    claims: dict[str, str] | None = None
    cookies: tuple[str, ...] = ()
    form: dict[str, str] | None = None

    def get(self) -> dict[str, Any]:
        reply = proposal_page.handler(self._event("GET"), None)
        self.cookies = tuple(each.partition(";")[0] for each in reply.get("cookies", ())) or self.cookies
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', reply["body"])
        self.form = {name: html.unescape(value) for name, value in hidden}
        return reply

    def post(self, **filled: str) -> dict[str, Any]:
        event = self._event("POST") | {"body": urlencode((self.form or {}) | filled)}
        return proposal_page.handler(event, None)

    def _event(self, method: str) -> dict[str, Any]:
        parts = urlsplit(self.link)
        identifier = parts.path.rpartition("/")[2]
        context: dict[str, Any] = {"http": {"method": method}, "requestId": "r-1", "domainName": parts.netloc}
        if method == "POST" and self.claims is not None:
            context["authorizer"] = {"jwt": {"claims": self.claims, "scopes": None}}
        return {
            "version": "2.0",
            "routeKey": f"{method} /proposals/{{proposal}}",
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "cookies": list(self.cookies),
            "headers": {"host": parts.netloc, "Origin": PAGE, "sec-fetch-site": "same-origin"},
            "pathParameters": {"proposal": identifier},
            "requestContext": context,
            "isBase64Encoded": False,
        }


class Under(LazyClients):
    """Clients under the credentials of a session."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        super().__init__()
        names = {
            "aws_access_key_id": "AccessKeyId",
            "aws_secret_access_key": "SecretAccessKey",
            "aws_session_token": "SessionToken",
        }
        session = boto3.session.Session(**{name: credentials[key] for name, key in names.items()})
        self._made = {(service, "", False): session.client(service) for service in ("sts", "sqs", "dynamodb", "kms")}


@pytest.fixture
def linked(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with a page: the page runs under its own role, as the infrastructure lays it out."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = account.clients("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)["Role"]
    key = account.clients("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    account.queues["answers"] = account.clients("sqs").create_queue(QueueName="answers")["QueueUrl"]
    account.settings = replace(
        account.settings,
        link_key=key,
        page_url=PAGE,
        page_issuer=ISSUER,
        page_client=CLIENT,
        page_role_arn=role["Arn"],
        answer_queue_url=account.queues["answers"],
    )
    for module in (triage_findings, respond, answer_proposals):
        account.install(monkeypatch, module)
    own = account.clients("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="proposal-page")["Credentials"]
    account.install(monkeypatch, proposal_page, Under(own))
    account.set_policy(mode="approve")
    return account


@pytest.fixture
def instance(linked: Account) -> str:
    vpc = linked.vpc()
    made = linked.instance(vpc, [linked.group(vpc, "web")])
    contain(linked, made)
    return made


@pytest.fixture
def link(linked: Account, instance: str) -> str:
    """As it stands in the notice."""
    texts = [json.loads(message["Body"])["Message"] for message in linked.take("notices")]
    (found,) = {url for text in texts for url in re.findall(r"https://\S+/proposals/\S+", text)}
    return found


def settle(account: Account, sender: str = "") -> None:
    """Deliver the answers with the sender that SQS would see: moto attests one and the same of whoever sends."""
    bodies = [message["Body"] for message in account.take("answers")]
    identifier = account.clients("iam").get_role(RoleName=ROLE)["Role"]["RoleId"]
    event = sqs_event(*bodies, sender=sender or f"{identifier}:proposal-page")
    assert answer_proposals.handler(event, None) == {"batchItemFailures": []}


def test_a_link_in_the_notice_leads_to_the_change_in_the_name_of_who_signed_in(linked: Account, instance: str, link: str) -> None:
    before = linked.groups_of(instance)
    ada = Browser(link, ADA)
    for _ in range(2):  # a scanner opens it before the person does
        assert ada.get()["statusCode"] == 200
    assert linked.take("answers") == []
    assert linked.groups_of(instance) == before
    assert ada.post(answer="approve", reason="it mines")["statusCode"] == 202
    settle(linked)
    assert linked.groups_of(instance) != before
    approved = next(entry for entry in linked.journal() if entry.step is Step.APPROVED)
    assert approved.actor == f"ada@example.com (00u1 of {ISSUER})"
    assert approved.detail["attested"] == f"{ISSUER}#00u1"
    again = ada.post(answer="approve")
    assert (again["statusCode"], linked.take("answers")) == (409, [])
    assert "This has been answered" in again["body"]


def test_it_says_what_the_action_does_not_stop(link: str) -> None:
    body = Browser(link).get()["body"]
    assert html.escape(LEAVES["quarantine_instance"][0]) in body


def test_every_action_says_what_it_does_not_stop() -> None:
    assert set(LEAVES) == {action.name for action in ACTIONS}
    assert all(LEAVES.values())


@pytest.mark.parametrize("claims", [None, {}, ADA | {"iss": "https://evil.example"}, {"iss": ISSUER}, ADA | {"sub": "x" * 500}])
def test_without_a_token_of_the_issuer_nothing_is_sent(linked: Account, link: str, claims: dict[str, str] | None) -> None:
    browser = Browser(link, claims)
    browser.get()
    assert (browser.post(answer="approve")["statusCode"], linked.take("answers")) == (401, [])


def test_a_mail_address_that_nobody_verified_names_nobody(linked: Account, link: str) -> None:
    browser = Browser(link, ADA | {"email_verified": "false"})
    browser.get()
    browser.post(answer="approve")
    (message,) = linked.take("answers")
    assert json.loads(message["Body"])["on_behalf_of"] == {"directory": ISSUER, "subject": "00u1", "names": []}


@pytest.mark.parametrize("sender", ["AROAEXAMPLEEXAMPLE12:proposal-page", "AIDAEXAMPLEEXAMPLE12"])
def test_nobody_but_the_page_speaks_for_who_signed_in(linked: Account, link: str, sender: str) -> None:
    browser = Browser(link, ADA)
    browser.get()
    browser.post(answer="approve")
    settle(linked, sender)
    assert Step.APPROVED not in linked.steps()
    (message,) = linked.take("dead-letters")
    assert message["MessageAttributes"]["field"]["StringValue"] == "by"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda body: body.pop("on_behalf_of"), "by"),
        (lambda body: body.update(on_behalf_of={"directory": ISSUER}), "on_behalf_of"),
        (lambda body: body.update(on_behalf_of="ada"), "on_behalf_of"),
        (lambda body: body.update(by=f"arn:aws:sts::{ACCOUNT}:assumed-role/on-call/alice"), "by"),
        (lambda body: body.update(by=f"arn:aws:sts::210987654321:assumed-role/{ROLE}/proposal-page"), "by"),
    ],
)
def test_an_answer_of_the_page_is_taken_as_the_page_writes_it_or_not_at_all(
    linked: Account, link: str, change: Callable[[dict[str, Any]], object], field: str
) -> None:
    browser = Browser(link, ADA)
    browser.get()
    browser.post(answer="approve")
    (message,) = linked.take("answers")
    body = json.loads(message["Body"])
    change(body)
    linked.clients("sqs").send_message(QueueUrl=linked.queues["answers"], MessageBody=json.dumps(body))
    settle(linked)
    assert Step.APPROVED not in linked.steps()
    (dead,) = linked.take("dead-letters")
    assert dead["MessageAttributes"]["field"]["StringValue"] == field


def test_a_body_of_any_form_is_read_or_refused(linked: Account, link: str) -> None:
    browser = Browser(link, ADA)
    browser.get()
    written = urlencode((browser.form or {}) | {"answer": "approve"})
    plain = browser._event("POST")
    for body, encoded, status in (
        (base64.b64encode(written.encode()).decode(), True, 202),
        (written, False, 202),
        ("%%%", True, 403),
        (base64.b64encode(b"\xff\xfe").decode(), True, 403),
        ("a=1&" * 100, False, 403),
        ("reason=" + "x" * 20_000 + "&" + written, False, 403),
        ("", False, 403),
    ):
        reply = proposal_page.handler(plain | {"body": body, "isBase64Encoded": encoded}, None)
        assert reply["statusCode"] == status, body[:20]


def test_the_page_to_come_back_to_needs_no_link() -> None:
    event = {"routeKey": "GET /signed-in", "rawQueryString": "code=one-time&state=s", "headers": {}}
    event |= {"requestContext": {"http": {"method": "GET"}, "requestId": "r-1"}}
    with pytest.MonkeyPatch.context() as monkeypatch:
        Account.install(_nothing(), monkeypatch, proposal_page)
        reply = proposal_page.handler(event, None)
    assert reply["statusCode"] == 200
    assert "one-time" not in reply["body"]


def test_no_log_line_holds_a_link(linked: Account, link: str) -> None:
    browser = Browser(link, ADA)
    browser.get()
    browser.post(answer="approve")
    signature = re.findall(r"signature=([\w-]+)", link)[0]
    lines = [line for line in linked.lines() if line.get("service") == "proposal_page"]
    assert {line["status"] for line in lines if line["message"] == "page"} == {200, 202}
    assert signature not in json.dumps(lines)


def test_a_key_that_is_not_there_is_no_wrong_signature(linked: Account) -> None:
    missing = LinkKey(linked.clients, "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000")
    with pytest.raises(CloudUnavailable):
        missing.verify(b"message", b"signature")


def test_a_notice_that_cannot_be_signed_is_told_all_the_same(linked: Account) -> None:
    linked.settings = replace(linked.settings, link_key="arn:aws:kms:eu-central-1:123456789012:key/gone")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (triage_findings, respond):
            linked.install(monkeypatch, module)
        vpc = linked.vpc()
        made = linked.instance(vpc, [linked.group(vpc, "web")])
        contain(linked, made)
    texts = [json.loads(message["Body"])["Message"] for message in linked.take("notices")]
    assert any(f"breakwater approve {proposal_of(linked, made).id}" in text for text in texts)
    assert not any("/proposals/" in text for text in texts)
    assert any(line["message"] == "notice without its link" for line in linked.lines())


def _nothing() -> Account:
    from lambdas.settings import Settings

    return Account(LazyClients(), Settings(page_url=PAGE, page_issuer=ISSUER, page_client=CLIENT), {})
