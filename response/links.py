"""Signed links to a proposal: what one carries, how it is signed and checked, and how a notice gets one.

A link shows one plan of one proposal until the proposal lapses, and no more: it is no leave to answer. Whoever holds it can
read the plan; who answers is somebody whom the platform has authenticated (``response/page``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlencode

from response.notices import Notice, Notify
from shared_model.errors import BreakwaterError

#: What is signed begins with this, so that a signature of the same key over anything else is no link.
_PURPOSE, _UNDO_PURPOSE = "breakwater: a link to a plan, 1", "breakwater: a link to an undo, 1"
_UNDOES = "yes"
_ID, _PLAN, _UNTIL = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}"), re.compile(r"[1-9]\d{12}")
_UNSIGNED = "This has no link: none could be signed now"
#: Characters of the longest signature: 96 bytes.
_SIGNATURE = re.compile(r"[\w-]{22,128}", re.ASCII)


class Signer(Protocol):
    """Signs for the functions that tell people."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message. Raises a domain error when the key cannot be used now."""
        ...


class Verifier(Protocol):
    """Checks signatures for the page; it need not be able to make one."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether it is the message's signature, in constant time. Raises CloudUnavailable when nobody could look."""
        ...


class LinkRefused(BreakwaterError):
    """Not a link of ours. Does not say which part is wrong: whoever made it up learns nothing."""


class LinkExpired(LinkRefused):
    """Too old, whoever signed it."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link carries.

    Attributes
    ----------
    proposal_id : str
        32 hex digits.
    plan : str
        :func:`~response.proposals.digest` of the plan that it shows, 16 hex digits.
    until_ms : int
        When the proposal lapses, and the link with it.
    undoes : bool
        It shows a containment (whose id stands in the place of the proposal's) to who may undo it.
    """

    proposal_id: str
    plan: str
    until_ms: int
    undoes: bool = False

    @property
    def message(self) -> bytes:
        """What is signed. No field can hold a newline."""
        purpose = _UNDO_PURPOSE if self.undoes else _PURPOSE
        return "\n".join((purpose, self.proposal_id, self.plan, str(self.until_ms))).encode()


def path_of(proposal_id: str) -> str:
    """Return the path of a proposal's page below the site."""
    return f"/proposals/{proposal_id}"


def address(site: str, link: Link, signer: Signer) -> str:
    """Return the link as a person opens it. Raises a domain error when it cannot be signed now.

    Parameters
    ----------
    site : str
        Where the page is served: scheme, host and base path, without a slash at its end.
    link : Link
    signer : Signer
    """
    signature = base64.urlsafe_b64encode(signer.sign(link.message)).rstrip(b"=").decode()
    query = urlencode(
        {"plan": link.plan, "until": link.until_ms, "signature": signature} | ({"undo": _UNDOES} if link.undoes else {})
    )
    return f"{site}{path_of(link.proposal_id)}?{query}"


def read_link(proposal_id: str, query: Mapping[str, str], verifier: Verifier, *, now_ms: int) -> Link:
    """Check a link that somebody has opened.

    What has not the form of a link, or is past, is refused without asking the verifier: it costs nothing then.

    Raises
    ------
    LinkRefused, LinkExpired
    CloudUnavailable
        Nobody could look: it says nothing about the link.
    """
    plan, until, written = (query.get(name, "") for name in ("plan", "until", "signature"))
    if not (_ID.fullmatch(proposal_id) and _PLAN.fullmatch(plan) and _UNTIL.fullmatch(until) and _SIGNATURE.fullmatch(written)):
        raise LinkRefused("this is not a link of Breakwater's")
    link = Link(proposal_id, plan, int(until), query.get("undo", "") == _UNDOES)
    if now_ms >= link.until_ms:
        raise LinkExpired("this link has expired")
    if not verifier.verify(link.message, _decoded(written)):
        raise LinkRefused("this is not a link of Breakwater's")
    return link


def with_links(notify: Notify, site: str, signer: Signer, report: Callable[[dict[str, Any]], None]) -> Notify:
    """Return what tells notices with a link to the plan, where they ask about one.

    A notice that cannot get its link is told without, and says so: it names the console's command all the same.
    """

    def tell(notice: Notice) -> None:
        if notice.proposal_id and notice.plan:
            try:
                link = Link(notice.proposal_id, notice.plan, notice.until_ms, notice.undoes)
                notice = replace(notice, link=address(site, link, signer))
            except BreakwaterError as error:
                report({"notice_id": notice.id, "reason": str(error)})
                again = f". To have one later, ask again: breakwater undo {notice.proposal_id}" if notice.undoes else ""
                notice = replace(notice, text=f"{notice.text}\n{_UNSIGNED}{again}")
        notify(notice)

    return tell


def _decoded(written: str) -> bytes:
    """Return the bytes of a signature. Raises LinkRefused where the text is not the one way to write them."""
    try:
        signature = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise LinkRefused("this is not a link of Breakwater's") from error
    if base64.urlsafe_b64encode(signature).rstrip(b"=").decode() != written:
        raise LinkRefused("this is not a link of Breakwater's")
    return signature
