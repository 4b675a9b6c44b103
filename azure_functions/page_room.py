"""What the page works with on Azure: the journal to read, the key that checks links, the queue that takes answers."""

from __future__ import annotations

from functools import cached_property

from azure_functions.actions.leaves import LEAVES
from azure_functions.adapters.journal import TableJournal
from azure_functions.adapters.link_key import LinkKey
from azure_functions.adapters.queues import PageQueues
from azure_functions.function import Function
from azure_functions.registry import Group
from response.page.document import SignInByPlatform, Site
from response.page.proposal_page import ProposalPage

#: Where App Service authentication begins a sign-in with Entra; the address to come back to stands behind it.
_SIGN_IN = "/.auth/login/aad?post_login_redirect_uri="


class PageRoom:
    """The page's adapters, each made once."""

    def __init__(self, function: Function) -> None:
        self._function = function

    @cached_property
    def page(self) -> ProposalPage:
        """The page."""
        clients, settings = self._function.clients, self._function.settings
        queues = PageQueues(clients)
        return ProposalPage(
            Site(settings.page_url, SignInByPlatform(_SIGN_IN)),
            journal=TableJournal(clients, Group.PAGE, undos=Group.PAGE),
            verifier=LinkKey(clients, settings.link_key, Group.PAGE),
            send=queues.answer,
            ask_undo=queues.undo,
            sender=lambda: self._function.name,
            leaves=LEAVES,
        )
