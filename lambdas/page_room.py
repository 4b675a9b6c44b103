"""What the page works with on AWS: the journal to read, the key that checks links, the queue that takes answers."""

from __future__ import annotations

from functools import cached_property

from lambdas.actions.leaves import LEAVES
from lambdas.adapters.journal import DynamoJournal
from lambdas.adapters.link_key import LinkKey
from lambdas.adapters.queues import AnswerQueue
from lambdas.cloud_errors import in_core_words
from lambdas.function import Function
from response.page.document import SignInByScript, Site
from response.page.proposal_page import ProposalPage


class PageRoom:
    """The page's adapters, each made once."""

    def __init__(self, function: Function) -> None:
        self._function = function

    @cached_property
    def page(self) -> ProposalPage:
        """The page."""
        clients, settings = self._function.clients, self._function.settings
        sign_in = SignInByScript(settings.page_issuer, settings.page_client, settings.page_token_origin)
        return ProposalPage(
            Site(settings.page_url, sign_in),
            journal=DynamoJournal(clients, settings.journal_table),
            verifier=LinkKey(clients, settings.link_key),
            send=AnswerQueue(clients, settings.answer_queue_url).send,
            sender=lambda: self.own_arn,
            leaves=LEAVES,
        )

    @cached_property
    def own_arn(self) -> str:
        """The session under which this function runs: what it says of itself is compared with what SQS sees."""
        with in_core_words("caller identity"):
            return str(self._function.clients("sts").get_caller_identity()["Arn"])
