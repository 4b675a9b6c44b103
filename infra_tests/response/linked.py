"""A site with a page: a signer whose key a test holds, a browser, and the queue between page and settlement."""

from __future__ import annotations

import hashlib
import hmac
import html
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from infra_tests.response.world import Site as Account
from response.answers import read_answer, vouched_for
from response.approval import Answered, settle_answer
from response.links import Link, address
from response.page.document import Reply, SignInByPlatform, SignInByScript, Site
from response.page.forms import Visit
from response.page.proposal_page import ProposalPage
from response.people import SignIn
from response.proposals import Proposal, digest
from shared_model.errors import CloudUnavailable

ADDRESS = "https://approve.example.com"
ISSUER = "https://login.example.com/tenant"
BY_SCRIPT = SignInByScript(ISSUER, "breakwater-page", "https://tokens.example.com")
BY_PLATFORM = SignInByPlatform("/.auth/login/aad?post_login_redirect_uri=")
ADA = SignIn(ISSUER, "00u1", ("ada@example.com",))
BOB = SignIn(ISSUER, "00u2", ("bob@example.com",))


class Key:
    """Signs and verifies, counts how often it was asked, and can be out of service."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_out = False

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(b"key of the test", message, hashlib.sha256)

    def verify(self, message: bytes, signature: bytes) -> bool:
        self.asked += 1
        if self.is_out:
            raise CloudUnavailable("the key is out of service")
        return hmac.compare_digest(self.sign(message), signature)


@dataclass
class Browser:
    """One browser: it keeps its cookie, and sends what a page's form holds."""

    page: ProposalPage
    account: Account
    sign_in: SignIn | None = None
    cookies: str = ""
    last: Reply | None = None

    def open(self, url: str) -> Reply:
        reply = self.page.show(replace(self._visit(url), sign_in=self.sign_in), now_ms=self.account.now_ms)
        self.cookies = reply.cookie.partition(";")[0] or self.cookies
        self.last = reply
        return reply

    def post(self, url: str, *, origin: str = ADDRESS, fetched: str = "same-origin", **filled: str) -> Reply:
        """Send the form of the page that was opened last, filled in; ``fetched`` is what the browser says of whence."""
        fields = inputs(self.last.body if self.last else "") | filled
        headers = {"origin": origin, **({"sec-fetch-site": fetched} if fetched else {})}
        visit = replace(self._visit(url), headers=headers, form=fields, sign_in=self.sign_in)
        return self.page.answer(visit, now_ms=self.account.now_ms)

    def _visit(self, url: str) -> Visit:
        parts = urlsplit(url)
        return Visit(parts.path.rpartition("/")[2], dict(parse_qsl(parts.query)), {}, self.cookies)


@dataclass
class Linked:
    """An account whose page a browser can open."""

    account: Account
    by_platform: bool = False
    key: Key = field(default_factory=Key)
    sent: list[str] = field(default_factory=list)
    is_out: bool = False
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def page(self) -> ProposalPage:
        return ProposalPage(
            Site(ADDRESS, BY_PLATFORM if self.by_platform else BY_SCRIPT),
            journal=self.account.journal,
            verifier=self.key,
            send=self._send,
            sender=lambda: "the page",
            leaves={"isolate": ("What is already out.",)},
            random=lambda: hashlib.sha256(str(next(self.numbers)).encode()).hexdigest(),
        )

    def browser(self, sign_in: SignIn | None = None) -> Browser:
        return Browser(self.page, self.account, sign_in)

    @property
    def proposal(self) -> Proposal:
        (proposal,) = self.account.stream("i-1").proposals.values()
        return proposal

    def link(self, **changes: Any) -> str:
        proposal = self.proposal
        return address(ADDRESS, replace(Link(proposal.id, digest(proposal.plan), proposal.expires_ms), **changes), self.key)

    def settle(self) -> Answered:
        """Do what the function behind the queue does with the next answer."""
        request = json.loads(self.sent.pop(0))
        sign_in = vouched_for(request)
        assert sign_in is not None
        return settle_answer(
            read_answer(request, sign_in.person),
            policy=self.account.policy,
            actions=self.account.actions,
            journal=self.account.journal,
            budget=self.account.budget,
            now_ms=self.account.now_ms,
            notify=self.account.notices.append,
        )

    def _send(self, body: str) -> None:
        if self.is_out:
            raise CloudUnavailable("the queue is out of service")
        self.sent.append(body)


def inputs(body: str) -> dict[str, str]:
    """Hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', body)
    return {name: html.unescape(value) for name, value in found}
