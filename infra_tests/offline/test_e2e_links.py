"""A link from the notice to the change, through the deployed API, page and queue; and who may do what on the way."""

from __future__ import annotations

import re
import urllib.request

import pytest

from infra_tests.offline.following import Followed
from infra_tests.offline.test_e2e_identities import unexplained
from offline import processes
from offline.aws.browser import Browser
from offline.aws.embedded import EmbeddedAws
from offline.aws.http_apis import HttpApis
from offline.aws.identity_provider import IdentityProvider
from offline.aws.loopback import served
from offline.mailbox import Mailbox
from offline.operator_policy import under
from offline.seed import Instance, World

pytestmark = pytest.mark.e2e
ACTION = "quarantine_instance"


class Asked:
    """A machine whose quarantine waits for an answer, and the link in the notice."""

    def __init__(self, aws: EmbeddedAws, world: World) -> None:
        self.aws, self.follow = aws, Followed(aws)
        self.provider = IdentityProvider()
        self.apis = HttpApis(aws, self.provider.keys)
        mailbox = Mailbox(aws, "mail-of-the-test")
        self.machine: Instance = self.follow.fresh_instance(world)
        self.follow.attack(world, self.machine)
        aws.drain()
        self.proposal = self.follow.proposal(self.machine)
        self.link = mailbox.link_to(self.proposal.id)


@pytest.fixture(scope="module")
def asked(aws: EmbeddedAws, world: World) -> Asked:
    with under(aws, "approve"):
        made = Asked(aws, world)
        ada = Browser(made.apis, made.provider.token("00u1", email="ada@example.com"))
        assert [ada.open(made.link).status, ada.open(made.link).status] == [200, 200]
        assert "APPROVED" not in made.follow.steps(made.machine)
        assert ada.send(made.link, answer="approve", reason="it mines").status == 202
        aws.drain()
        assert ada.send(made.link, answer="approve").status == 409
        aws.drain()
    return made


def test_the_answer_contains_once_in_the_name_of_who_signed_in(asked: Asked) -> None:
    steps = asked.follow.steps(asked.machine)
    assert steps[-4:] == ["APPROVED", "APPLYING", "APPLIED", "VERIFIED"]
    approved = next(each for each in asked.follow.journal(ACTION, "instance", asked.machine.id) if each.step == "APPROVED")
    assert approved.actor == f"ada@example.com (00u1 of {asked.provider.issuer})"
    assert [each for each in asked.aws.dead_letters("answers") if asked.proposal.id in each["Body"]] == []


def test_without_a_token_or_with_a_made_up_link_nobody_gets_anywhere(asked: Asked) -> None:
    nobody = Browser(asked.apis)
    nobody.open(asked.link)
    assert nobody.send(asked.link, answer="approve").status == 401
    stranger = Browser(asked.apis, IdentityProvider().token("00u1", email="ada@example.com"))
    assert stranger.send(asked.link, answer="approve").status == 401
    assert Browser(asked.apis).open(asked.link[:-3] + "AAA").status == 403
    assert Browser(asked.apis).open(asked.link.replace("/proposals/", "/proposals/0")).status == 403


def test_the_page_called_what_its_role_allows_and_wrote_one_message(asked: Asked) -> None:
    called = {(each.service, each.action) for each in asked.aws.calls("proposal_page")}
    assert called == {("dynamodb", "Query"), ("kms", "VerifyMac"), ("sqs", "SendMessage"), ("sts", "GetCallerIdentity")}


def test_every_grant_of_the_pages_role_is_used_or_explained(asked: Asked) -> None:
    assert "\n".join(unexplained(asked.aws, "proposal_page")) == "", "nothing uses it: take it away, or say why it is there"


def test_no_log_of_ours_holds_the_link(asked: Asked) -> None:
    signature = re.findall(r"signature=([\w-]+)", asked.link)[0]
    for function in ("respond", "answer_proposals", "proposal_page"):
        assert not [line for line in asked.aws.log_lines(function) if signature in line], function


def test_it_is_served_on_loopback_for_a_persons_own_browser(asked: Asked) -> None:
    host, _, rest = asked.link.removeprefix("https://").partition("/")
    with served(asked.apis) as port:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{rest}", headers={"Host": host})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "has been answered" in answer.read().decode()
    assert {address for address, _ in processes.listening_addresses(asked.aws.pids())} == {"127.0.0.1"}
