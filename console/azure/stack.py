"""Breakwater on Azure: table, queue and container of the state account, under the identity of whoever is signed in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from azure_functions.actions.catalogue import KNOWN, make_actions
from azure_functions.adapters.heartbeat import last_beats
from azure_functions.adapters.journal import TableJournal
from azure_functions.clients import Clients, LazyClients
from azure_functions.cloud_errors import CloudForbidden, CloudRefusal, in_core_words
from azure_functions.registry import ANSWERS, CONTAINMENTS, POLICY, POLICY_BLOB, Group
from azure_functions.settings import Settings
from console.azure.account import Account, graph_of, group_of, locate
from console.azure.person import NotSignedIn, Person, PersonsClients, blobs_at
from console.azure.signs import of_policy, of_queues, of_tables, of_telemetry
from console.deployment import Health, NotPossible, Sign
from response.actions import Mode, Plan
from response.policy import KnownAction, Policy
from shared_model.errors import BreakwaterError, CloudUnavailable
from shared_model.events import Entity
from shared_model.verdicts import Verdict

_FIREWALL = "this address may not reach the account: `operatorAddresses` of the deployment names those that may"
_RIGHTS = (
    "you lack a right there: `operatorPrincipalIds` of the deployment names who has it; disarm and arm need the role "
    "`table appender` on the journal besides (docs/deploy-azure.md)"
)
_ACCOUNT = "is that the state account of the deployment? --account names another"
_NETWORK = f"no answer from there: {_ACCOUNT}; or this machine does not reach it"
_ARM = (
    "Resource Manager does not answer from here: is this machine's network up, and BREAKWATER_ARM_ENDPOINT right where it is set?"
)
_TENANT = "the account does not take your sign-in: `az login --tenant` with the tenant of the deployment"
_READER = "Reader on the deployment's resource group, and on its subscription for rights and alerts, lets you see the rest"
#: The firewall's word; a missing role is AuthorizationPermissionMismatch.
_NOT_FROM_HERE = "AuthorizationFailure"
#: No containment's id.
_NOBODYS = "nobody"
_ANOTHER = "somebody else has put a policy there just now: look at it, then try again"


class Deployment:
    """One deployment, by its state account.

    Parameters
    ----------
    name : str
        Name prefix, by which the account is found when it is first needed.
    account : str
        Its name or id; ``""`` where nobody said it.
    """

    def __init__(self, name: str, account: str = "") -> None:
        self._name, self._given = name, account
        self._person = Person()

    @property
    def where(self) -> str:
        """Cloud and account."""
        return f"Azure, {self._account.table}"

    @property
    def journal(self) -> TableJournal:
        """The journal, to read."""
        return TableJournal(self._clients)

    def streams(self) -> Iterable[str]:
        """Return the name of every stream. Reads the whole table: for a person, not for a function."""
        return sorted(self.journal.streams())

    def ask_for_undo(self, body: str) -> None:
        """Send a request to the function that undoes."""
        self._send(CONTAINMENTS, body)

    def send_answer(self, body: str) -> None:
        """Send an answer to the function that acts on it."""
        self._send(ANSWERS, body)

    def _send(self, name: str, body: str) -> None:
        with in_core_words(f"{name} queue"):
            from azure.storage.queue import TextBase64EncodePolicy  # as the Functions host expects it

            queues = self._clients("queues", Group.RESPOND)
            queue = queues.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy())
            queue.send_message(body, time_to_live=-1)  # for ever; the platform's own choice would be seven days

    def operator(self) -> str:
        """Name and object id of whoever runs this command: the journal keeps it as who approved."""
        self.journal.find(_NOBODYS)  # the account's answer names its tenant, in which a guest has another object id
        return self._person.name()

    def requester(self) -> str:
        """Likewise: everybody whom Entra signs in has a name and an object id."""
        return self.operator()

    def actions(self) -> Mapping[str, KnownAction]:
        """Return the actions of Azure, and what a policy must fit."""
        return KNOWN

    def too_much(self, policy: Policy, text: bytes) -> tuple[str, ...]:
        """Nothing: the policy is a blob of any length, and Azure has no denies that it would have to fit."""
        return ()

    def regions_unknown(self, names: Iterable[str]) -> list[str]:
        """Those that are written as none of Azure's is, which has no hyphen: no list of them comes with its SDKs."""
        return sorted(name for name in names if "-" in name)

    def plan(self, action: str, target: Entity, verdict: Verdict, policy: Policy) -> Plan:
        """Make the plan, under the identity of whoever is signed in."""
        settings = {action: policy.of(action).settings}
        return make_actions(LazyClients(Settings, self._person), settings)[action].plan(target, verdict)

    @property
    def attests_answers(self) -> bool:
        """A storage queue does not."""
        return False

    def replace_policy(self, text: bytes) -> bytes:
        """Put the policy into its blob, unless somebody else changed it meanwhile; return the one before."""
        with in_core_words(f"policy {POLICY}/{POLICY_BLOB}"):
            from azure.core import MatchConditions
            from azure.core.exceptions import HttpResponseError

            blob = self._clients("blobs", Group.RESPOND).get_blob_client(POLICY, POLICY_BLOB)
            try:
                download = blob.download_blob()
            except HttpResponseError as error:
                if getattr(error, "error_code", "") != "BlobNotFound":
                    raise
                blob.upload_blob(text, overwrite=False)
                return b""
            before: bytes = download.readall()
            if before != text:
                unchanged = {"etag": download.properties.etag, "match_condition": MatchConditions.IfNotModified}
                blob.upload_blob(text, overwrite=True, **unchanged)
            return before

    def signs(self, now_ms: int) -> Iterator[Sign]:
        """What the state account says, and what Resource Manager does where whoever is signed in may read there."""
        in_force: list[Policy] = []
        yield from self._looked("telemetry", lambda: of_telemetry(last_beats(self._clients), now_ms))
        yield from self._looked("queues", lambda: of_queues(self._clients, now_ms))
        yield from self._looked("tables", lambda: of_tables(self._clients))
        yield from self._looked("policy", lambda: of_policy(self._clients, in_force.append))
        # Here, because they bring every function with them.
        from console.azure import checkpoints, consents, estate, hub_partitions, rights

        try:
            arm, group = group_of(self._name, self._account, os.environ, self._person)
        except (CloudUnavailable, CloudRefusal, NotPossible) as error:
            if isinstance(error, NotSignedIn):
                raise
            cure = _ARM if self.advice(error) == _NETWORK else _READER
            yield Sign(Health.UNKNOWN, f"alerts, apps, hubs, Sentinel, rights, consent: {error}", cure)
            return
        here = estate.Estate(arm, group, self._name)
        yield from self._looked("alerts", lambda: estate.of_alerts(here))
        yield from self._looked("apps", lambda: estate.of_apps(here))
        yield from self._looked("event hubs", lambda: estate.of_hubs(here))
        yield from self._looked(
            "checkpoints",
            lambda: checkpoints.of_checkpoints(
                here,
                lambda account: blobs_at(account, self._person),
                lambda space, hub: hub_partitions.partitions_of(space, hub, self._person),
                lambda space: hub_partitions.incoming_of(arm, space, now_ms),
                now_ms,
            ),
        )
        yield from self._looked("Sentinel", lambda: estate.of_sentinel(here))
        rules = [rule for policy in in_force for rule in policy.rules]
        enforces = any(policy.terms(rule).mode is not Mode.OBSERVE for policy in in_force for rule in policy.rules)
        yield from self._looked("rights", lambda: rights.of_rights(here, enforces=enforces))
        graph, used = graph_of(os.environ, self._person), frozenset(rule.action for rule in rules)
        yield from self._looked("consent", lambda: consents.of_consent(graph, here.principals(), self._name, used))

    def _looked(self, what: str, look: Callable[[], Iterable[Sign]]) -> Iterator[Sign]:
        """Yield the signs; what could not be looked at is said instead, and is bad only where it is no right that is missing."""
        try:
            yield from look()
        except CloudForbidden as error:
            yield Sign(Health.UNKNOWN, f"{what}: {error}", self.advice(error))
        except (CloudUnavailable, CloudRefusal) as error:
            yield Sign(Health.BAD, f"{what}: {error}", self.advice(error))

    def advice(self, error: BreakwaterError) -> str:
        """What a person does about it."""
        if isinstance(error, CloudForbidden):
            return _FIREWALL if error.code == _NOT_FROM_HERE else _RIGHTS
        if isinstance(error, CloudRefusal):
            return _ACCOUNT if error.is_missing else _ANOTHER if error.is_conflict else ""
        cause = error.__cause__
        if type(cause).__name__ in ("ServiceRequestError", "ServiceResponseError", "HttpResponseIncompleteError"):
            return _NETWORK
        return _TENANT if getattr(cause, "status_code", None) == 401 else ""

    @cached_property
    def _account(self) -> Account:
        return locate(self._name, self._given, os.environ, self._person)

    @cached_property
    def _clients(self) -> Clients:
        return PersonsClients(self._account, self._person)
