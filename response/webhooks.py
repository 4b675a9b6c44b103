"""Notices to a channel of Slack or Microsoft Teams, by an incoming webhook, whose address is a secret.

Formats: Slack's Block Kit (https://api.slack.com/reference/block-kit), and for Teams an Adaptive Card in a message, as its
workflow "Post to a channel when a webhook request is received" takes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from response.notices import Notice, Notify
from shared_model.errors import BreakwaterError

#: Slack takes 150 characters in a header and 3,000 in a section; Teams 28 KB in a message, mark-up included.
_HEADER, _SECTION, _CARD = 150, 2900, 27_000
_OPENS, _UNDOES = "See the plan and answer", "See what an undo gives back"
_CUT = " … (cut; the journal has all of it)"


class Channel(StrEnum):
    """Whose webhook it is."""

    SLACK = "slack"
    TEAMS = "teams"


class NotDelivered(BreakwaterError):
    """The webhook did not take a notice. Never holds its address."""


#: Sends a body to an address. Raises NotDelivered.
Post = Callable[[str, bytes], None]
#: Takes the fields of an error for the log.
Report = Callable[[dict[str, Any]], None]


class Webhook:
    """Tells notices to one channel. What it cannot deliver is logged as an error, and holds nothing up.

    Parameters
    ----------
    channel : Channel
    address : callable
        Returns the webhook's address, from where the secret is kept; may raise a domain error.
    report : Report
    post : Post
    """

    def __init__(self, channel: Channel, address: Callable[[], str], report: Report, post: Post | None = None) -> None:
        self._channel = channel
        self._address = address
        self._report = report
        self._post = post or _over_tls

    def __call__(self, notice: Notice) -> None:
        """Tell one notice. Told again it stands there twice, with the same id: a webhook cannot be asked what it has."""
        try:
            self._post(_checked(self._address()), json.dumps(_BODIES[self._channel](notice)).encode())
        except BreakwaterError as error:
            self._report({"notice_id": notice.id, "channel": str(self._channel), "reason": str(error)})


def to_all(tellers: Iterable[Notify]) -> Notify:
    """Return what tells each of them, in order."""
    every = tuple(tellers)

    def tell(notice: Notice) -> None:
        for each in every:
            each(notice)

    return tell


def _opens(notice: Notice) -> str:
    return _UNDOES if notice.undoes else _OPENS


def slack_body(notice: Notice) -> dict[str, Any]:
    """Return the message for Slack: a header, and the text as it is (no mark-up of a finding's own counts).

    The header is the case, by which a channel can be searched: a webhook can begin a message, and reply to none.
    """
    context = " · ".join(part for part in (notice.thread, f"Notice {notice.id}") if part)
    # The only mark-up is our own address; a button would call back, and needs an app that listens.
    opens = {"type": "section", "text": {"type": "mrkdwn", "text": f"<{_plain(notice.link)}|{_opens(notice)}>"}}
    return {
        "text": _plain(notice.subject),  # what a phone shows
        "unfurl_links": False,  # no preview: the plan is for who opens the link
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": _cut(notice.title, _HEADER)}},
            {"type": "section", "text": {"type": "plain_text", "text": _cut("\n".join(notice.lines), _SECTION) or "-"}},
            *([opens] if notice.link else []),
            {"type": "context", "elements": [{"type": "plain_text", "text": _cut(context, _SECTION)}]},
        ],
    }


def teams_body(notice: Notice) -> dict[str, Any]:
    """Return the message for Teams: one Adaptive Card. Its text blocks take Markdown, so a finding's own is escaped."""
    most = _CARD
    text = "\n".join(notice.lines)
    while len(json.dumps(body := _card(notice, _cut(text, most)))) > _CARD and most > len(_CUT):
        most //= 2
    return body


def _card(notice: Notice, text: str) -> dict[str, Any]:
    title, lines = _escaped(_cut(notice.title, _HEADER)), text.splitlines()
    blocks: list[dict[str, Any]] = [{"type": "TextBlock", "text": title, "weight": "Bolder", "wrap": True}]
    blocks += [{"type": "TextBlock", "text": _escaped(line), "wrap": True, "spacing": "Small"} for line in lines if line]
    about = [part for part in (notice.thread, f"Notice {notice.id}") if part]
    blocks += [{"type": "TextBlock", "text": _escaped(part), "wrap": True, "isSubtle": True, "size": "Small"} for part in about]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        **({"actions": [{"type": "Action.OpenUrl", "title": _opens(notice), "url": notice.link}]} if notice.link else {}),
    }
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]}


def _over_tls(address: str, body: bytes) -> None:
    from response.posting import post_json  # here, because HTTP and TLS bring forty modules that most verdicts do without

    post_json(address, body)


def _checked(address: str) -> str:
    parts = urlsplit(address.strip())
    if parts.scheme != "https" or not parts.hostname:
        raise NotDelivered("the secret holds no https address of a webhook")
    return address.strip()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - len(_CUT)]}{_CUT}"


def _plain(text: str) -> str:
    """Slack reads these three, and only these, as mark-up."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\`*_[]()#<>~|!" else each for each in text)


_BODIES: dict[Channel, Callable[[Notice], dict[str, Any]]] = {Channel.SLACK: slack_body, Channel.TEAMS: teams_body}
