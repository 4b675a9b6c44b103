"""Who sent an answer, or asked for an undo: what SQS saw, and which name IAM has for it."""

from __future__ import annotations

import re
from collections.abc import Collection

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from lambdas.function import Function
from response.people import Person, SignIn
from shared_model.errors import BreakwaterError

_ROLE = re.compile(r"arn:[\w-]+:sts::(?P<account>\d{12}):assumed-role/(?P<name>[\w+=,.@-]{1,64})/(?P<session>[\w+=,.@-]{1,64})")
_USER = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):user/(?:[!-~]*/)?(?P<name>[\w+=,.@-]{1,64})")


class Impersonation(BreakwaterError):
    """A message that says it is from somebody else than who sent it."""


class Callers:
    """Turns the sender of a message into a person.

    SQS attests the IAM id of who sent (``AIDA…`` of a user, ``AROA…:<session>`` of a role's session), never the name. The name is
    what the message says; for an identity of this account IAM is asked whether that name has this id. Of another account's
    nobody here can ask: only operators' accounts may be named, and only by a sender whom this account does not have. Such a name
    stands as it is said, and the id beside it tells people apart.

    Parameters
    ----------
    clients : Clients
    account : str
        The account in which this function runs.
    page_role : str
        ARN of the role under which the page runs, ``""`` where there is none: it speaks for who signed in there, and nobody else
        speaks for anybody.
    other_accounts : collection of str
        Whose operators may answer, besides this one's.
    """

    def __init__(self, clients: Clients, account: str, page_role: str = "", other_accounts: Collection[str] = ()) -> None:
        self._clients = clients
        self._account = account
        self._others = other_accounts
        self._page = (page_role.split(":")[4], page_role.rpartition("/")[2]) if page_role else None

    @classmethod
    def of(cls, function: Function) -> Callers:
        """Return what this function knows callers by."""
        told = function.settings
        return cls(function.clients, told.account, told.page_role_arn, told.operator_accounts.split(","))

    def person(self, sender: str, said: str, on_behalf_of: SignIn | None = None) -> Person:
        """Return who sent it.

        Parameters
        ----------
        sender : str
            IAM id, as SQS saw it.
        said : str
            ARN that the message gives.
        on_behalf_of : SignIn or None
            Whom the message says that it speaks for.

        Raises
        ------
        Impersonation
        CloudUnavailable
        """
        role, user = _ROLE.fullmatch(said), _USER.fullmatch(said)
        if not sender or (role is None and user is None):
            raise Impersonation(f"{said!r} is no ARN of a user or of a role's session: nobody could be named in the journal")
        page = role is not None and (role["account"], role["name"]) == self._page
        if page is (on_behalf_of is None):
            raise Impersonation(f"{said} is the page, and answers for nobody" if page else f"{said} speaks for somebody else")
        named = role or user
        if named is not None and named["account"] != self._account:
            self._of_another_account(named["account"], role["session"] if role else "", sender, said)
            return Person(said, sender, (said,))
        if role is not None:
            found = self._ask("role", role["name"])
            self._same(f"{found['RoleId']}:{role['session']}" if found else "", sender, said)
            if on_behalf_of is not None:
                return on_behalf_of.person
            return Person(said, sender, (said,), (found["Arn"],))
        found = self._ask("user", user["name"]) if user else {}
        self._same(found.get("UserId", ""), sender, said)
        return Person(said, sender, (said, found["Arn"]))

    def _of_another_account(self, account: str, session: str, sender: str, said: str) -> None:
        """Refuse a name of another account that is not one of the operators', or whose sender cannot have it."""
        if account not in self._others:
            raise Impersonation(
                f"{said} is of account {account}, whose people do not answer here: name them in breakwater:operators"
            )
        identity, _, attested = sender.partition(":")
        if attested != session or identity.isdigit():  # digits: the root user, or a federated one, of the account of that number
            raise Impersonation(f"the message says that it is from {said}, but {sender} sent it")
        if self._has(identity, "roles" if session else "users"):
            raise Impersonation(f"the message says that it is from {said}, but {sender}, of account {self._account}, sent it")

    def _has(self, identity: str, kind: str) -> bool:
        """Whether this account has a role or user of that id. IAM finds by name only: all are gone through, a thousand a call."""
        with in_core_words(f"iam {kind}"):
            pages = self._clients("iam").get_paginator(f"list_{kind}").paginate(PaginationConfig={"PageSize": 1000})
            return any(identity == each[f"{kind[:-1].title()}Id"] for page in pages for each in page[kind.title()])

    def _ask(self, kind: str, name: str) -> dict[str, str]:
        try:
            with in_core_words(f"iam {kind}"):
                iam = self._clients("iam")
                answer = iam.get_role(RoleName=name)["Role"] if kind == "role" else iam.get_user(UserName=name)["User"]
        except CloudRefusal as refusal:
            if refusal.code == "NoSuchEntity":
                return {}
            raise
        return {key: str(answer[key]) for key in ("Arn", f"{kind.title()}Id")}

    @staticmethod
    def _same(known: str, sender: str, said: str) -> None:
        if known != sender:
            raise Impersonation(f"the message says that it is from {said}, but {sender} sent it")
