"""Notices in a channel of Slack or Teams through Amazon Q Developer in chat applications: all of one case in one thread.

It listens on an SNS topic of the operator's, and takes its own format there (user guide, *Custom notifications*). What has the
same ``threadId`` it puts as a reply under the first: what a webhook, which begins messages and replies to none, cannot do.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.notices import Notice
from shared_model.errors import CloudUnavailable

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

#: Slack's section is the narrower of the two.
_LONGEST = 2900
_CUT = " … (cut; the journal has all of it)"
#: Both chats read mark-up, each its own. What a finding says is an attacker's to choose: neither link, mention nor style.
_PLAIN = str.maketrans({"<": "‹", ">": "›", "`": "'", "&": "+"})


class ChatTopic:
    """Publishes notices as custom notifications. A topic that does not answer is logged as an error and holds nothing up."""

    def __init__(self, clients: Clients, arn: str, logger: Logger) -> None:
        self._clients = clients
        self._arn = arn
        self._logger = logger

    def __call__(self, notice: Notice) -> None:
        """Publish one notice."""
        try:
            with in_core_words("chat topic"):
                client = self._clients("sns", self._arn.split(":")[3])
                client.publish(TopicArn=self._arn, Message=json.dumps(custom_notification(notice)))
        except (CloudRefusal, CloudUnavailable):
            self._logger.exception("notice not delivered", extra={"notice_id": notice.id, "channel": "chat"})


def custom_notification(notice: Notice) -> dict[str, Any]:
    """Return a notice as Amazon Q takes it. The text stands in a block of code, in which neither chat reads mark-up."""
    text = notice.text.translate(_PLAIN)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - len(_CUT)]}{_CUT}"
    steps = [step for step in (notice.opens, notice.thread) if step]
    return {
        "version": "1.0",
        "source": "custom",
        "id": notice.id,
        "content": {
            "textType": "client-markdown",
            "title": notice.subject.translate(_PLAIN),
            "description": f"```\n{text or '-'}\n```",
            **({"nextSteps": steps} if steps else {}),
        },
        "metadata": {
            "threadId": notice.case or notice.id,
            "summary": notice.title.translate(_PLAIN),
            "eventType": "breakwater",
            "additionalContext": {"notice_id": notice.id, **({"case": notice.case} if notice.case else {})},
        },
    }
