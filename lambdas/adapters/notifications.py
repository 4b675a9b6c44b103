"""Notices to people through SNS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.notices import Notice
from shared_model.errors import CloudUnavailable

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


class Topic:
    """Publishes notices. A topic that does not answer is logged as an error and holds nothing up.

    After a function was killed a notice may come twice, with the same id: at the end of its text for a person, as the
    attribute ``notice_id`` for a program. All of one case has one subject, by which mail programs thread; what happened is the
    first line. The case is the attribute ``case`` too, by which a subscription can filter.
    """

    def __init__(self, clients: Clients, arn: str, logger: Logger) -> None:
        self._clients = clients
        self._arn = arn
        self._logger = logger

    def __call__(self, notice: Notice) -> None:
        """Publish one notice; without a topic it stands in the log alone."""
        said = {"notice_id": notice.id, "case": notice.case, "subject": notice.subject, "text": notice.text}
        self._logger.info("notice", extra=said)
        if not self._arn:
            return
        try:
            with in_core_words("notification topic"):
                self._clients("sns").publish(
                    TopicArn=self._arn,
                    Subject=notice.title,
                    Message="\n".join(
                        line for line in (*notice.lines, notice.opens, notice.thread, f"Notice {notice.id}") if line
                    ),
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": value}
                        for name, value in (("notice_id", notice.id), ("case", notice.case))
                        if value
                    },
                )
        except (CloudRefusal, CloudUnavailable):
            self._logger.exception("notice not delivered")
