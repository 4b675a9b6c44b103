"""Least privilege of the functions themselves: what the templates grant to them on Breakwater's own data is used, or explained.

The other half holds in every test of this folder: whatever a function calls must be allowed on that very resource
(``conftest.py``); here it is shown to see something. What the identities that act may do is in
``actions/test_least_privilege.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from azure_functions.registry import Group
from infra_tests.azure_functions import test_detecting_flows as detecting_flows
from infra_tests.azure_functions import test_handlers as handlers
from infra_tests.azure_functions.adapters import test_people as people
from infra_tests.azure_functions.app import EVENTS, App
from infra_tests.azure_functions.granted import Asked, allowing, grants
from infra_tests.azure_functions.test_proposal_page import CLAIMS, Browser, linked_app, only_link
from infra_tests.azure_functions.test_undo_by_link import undo_link
from infra_tests.azure_functions.watched import Watched, watch
from offline.azure.certificates import Certificates
from offline.azure.services import Services
from offline.azure.storage import Storage
from response.journal import Step
from shared_model.events import Entity, EntityKind
from shared_model.verdicts import Verdict

_HOST = "the Functions host itself keeps leases, keys and timers there, with the identity of its app"
_TRIGGER = "the Functions host itself takes the messages, with the identity of the connection"
_BESIDE = "allows nothing beyond what stands beside it: Azure asks for one or the other, as a row or blob is new or not"
_TELEMETRY = "the worker itself sends logs and metrics there"
_ROWS = "Microsoft.Storage/storageAccounts/tableServices/tables/entities"
#: What no call of a function's own shows (a pattern of who, operation and resource), each with its reason.
UNUSED: Mapping[str, str] = {
    "*: * on host of app ?": _HOST,
    "*: Microsoft.Insights/Telemetry/Write on telemetry of the apps": _TELEMETRY,
    "*: */blobs/add/action on state/containers/lake": _BESIDE,
    f"detect: {_ROWS}/add/action on state/tables/memory": _BESIDE,
    f"detect: {_ROWS}/update/action on state/tables/memory": _BESIDE,
    f"respond: {_ROWS}/write on state/tables/signals": _BESIDE,
    "detect: Microsoft.EventHub/namespaces/messages/receive/action on hub/*": _TRIGGER,
    "detect: */queueServices/* on flow logs": _TRIGGER,
    "*: */queueServices/queues/read on state/queues/*": _TRIGGER,
    "*: */queueServices/queues/messages/delete on state/queues/*": _TRIGGER,
    "*: */queueServices/queues/messages/process/action on state/queues/*": _TRIGGER,
    "*: */queueServices/queues/messages/read on state/queues/*": _TRIGGER,
    "*: */queueServices/queues/messages/write on state/queues/*": _TRIGGER,
    "*: */queueServices/queues/messages/add/action on state/queues/*-poison": _TRIGGER,
}


def everything_is_detected(app: App) -> None:
    app.events("detect_api_calls", (EVENTS / "activity_log.json").read_bytes(), b'{"records":[{}]}', b"{")
    app.events("detect_system_logs", (EVENTS / "system_logs.json").read_bytes(), b"{")
    app.events("triage_alerts", (EVENTS / "exported_alerts.json").read_bytes(), b"{")
    app.incident(handlers.incident(app))
    flows = detecting_flows.TestFlows()
    flows.write(app, range(3))
    app.written(flows.BLOB)
    flows.write(app, range(3, 5))
    app.written(flows.BLOB)
    app.written(f"{flows.BLOB}-gone")
    initiators = people.TestInitiators()
    initiators.peer(app)
    initiators.names(app, entity=Entity(EntityKind.ADDRESS, "10.30.1.4", app.services.world.subscription_id))
    app.health()


def everything_is_answered(app: App, patch: pytest.MonkeyPatch) -> None:
    linked_app(app, patch)
    ada = Browser(app, only_link(app), CLAIMS)
    ada.get()
    ada.post(answer="approve")
    for body in app.taken("link-answers"):
        app.message("answer_links", body)
    contained = next(entry.containment_id for entry in app.journal() if entry.step is Step.APPLIED)
    app.now_ms += 25 * 3_600_000
    app.scheduled()  # its time is over: the notice has a link that undoes
    ada = Browser(app, undo_link(app, contained), CLAIMS)
    ada.get()
    ada.post(answer="undo")
    for body in app.taken("link-undos"):
        app.message("undo_links", body)
    ada.get()  # it was undone: by an order, or nobody would believe it
    for function in ("respond", "answer_proposals", "answer_links", "undo_links", "undo_containment"):
        app.message(function, "{")


def everything_ends(app: App) -> None:
    app.set_policy("enforce")
    app.now_ms += 1
    for body in handlers.two_signals(app):  # once more, by others: the second line in the ledger
        again = Verdict.from_json(body)
        app.message("respond", replace(again, id=f"{again.id}-again").to_json())
    app.now_ms += 15 * 86_400_000
    for _ in range(16):
        app.scheduled()
        app.now_ms += 5 * 60_000


@pytest.fixture
def watched(storage: Storage, certificates: Certificates, caplog: pytest.LogCaptureFixture) -> Watched:
    """What functions did that each did all that it does."""
    with pytest.MonkeyPatch.context() as patch, Services(certificates) as services:
        seen = watch(patch, storage.azurite, services)
        app = App.make(storage, services, patch, caplog)
        everything_is_detected(app)
        everything_is_answered(app, patch)
        everything_ends(app)
        seen.end()
        return seen


def test_every_grant_of_the_functions_own_identities_is_used_or_explained(watched: Watched) -> None:
    assert watched.objections == []
    everybody = (Group.DETECT, Group.RESPOND, Group.PAGE, Group.UNDO)
    customers = {"subscription", "a firewall policy"}  # actions/test_least_privilege.py
    given = {grant for who in everybody for grant in grants(str(who)) if who is not Group.UNDO or grant.on not in customers}
    idle = given - watched.used
    explained = {pattern: {each for each in idle if fnmatchcase(str(each), pattern)} for pattern in UNUSED}
    left = idle.difference(*explained.values())
    assert "\n".join(str(each) for each in sorted(left)) == "", "nothing uses it: take it away, or say above why it is there"
    assert [pattern for pattern, covered in explained.items() if not covered] == [], "it needs no exception"


_LAKE = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
_SENDS = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action"
_HIDES = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write"
_ADDS, _CHANGES = f"{_ROWS}/add/action", f"{_ROWS}/update/action"


@pytest.mark.parametrize(
    ("who", "operation", "on", "path", "is_allowed"),
    [
        ("respond", _LAKE, "state/containers/lake", "ocsf/class=7001/a", True),
        ("respond", _LAKE, "state/containers/lake", "ocsf/class=2004/a", False),
        ("detect", _LAKE, "state/containers/lake", "journal-anchors/a", False),
        ("respond", _LAKE, "state/containers/lake", "journal-anchors/a", False),
        ("undo", _LAKE, "state/containers/lake", "journal-anchors/a", True),
        ("undo", _LAKE, "state/containers/lake", "ocsf/class=7001/a", False),
        ("detect", _LAKE, "state/containers/policy", "policy.yaml", False),
        ("detect", _SENDS, "state/queues/verdicts", "", True),
        ("respond", _SENDS, "state/queues/verdicts", "", False),
        ("page", _SENDS, "state/queues/link-answers", "", True),
        ("page", _SENDS, "state/queues/link-undos", "", True),
        ("page", _SENDS, "state/queues/answers", "", False),
        ("page", _SENDS, "state/queues/containments", "", False),
        ("undo", _HIDES, "state/queues/link-undos", "", True),  # which is enough to send, too
        ("respond", _HIDES, "state/queues/link-answers", "", True),
        ("respond", _HIDES, "state/queues/link-undos", "", False),
        ("respond", _HIDES, "state/queues/containments", "", False),
        ("respond", _CHANGES, "state/tables/signals", "", True),
        ("respond", _CHANGES, "state/tables/journal", "", False),
        ("respond", _ADDS, "state/tables/journal", "", True),
        ("respond", _ADDS, "state/tables/undos", "", False),
        ("respond", _ADDS, "state/tables/anchors", "", False),
        ("undo", _ADDS, "state/tables/anchors", "", True),
        ("undo", _CHANGES, "state/tables/anchors", "", False),
    ],
)
def test_the_comparison_sees_what_is_not_granted(who: str, operation: str, on: str, path: str, is_allowed: bool) -> None:
    assert bool(allowing(who, Asked((frozenset({operation}),), on, path))) is is_allowed


@pytest.mark.parametrize(
    ("who", "does", "objection"),
    [
        (Group.PAGE, lambda queues, _: queues.get_queue_client("verdicts").send_message("{}"), "page is not allowed"),
        (Group.DETECT, lambda queues, _: queues.get_queue_client("link-answers").send_message("{}"), "detect is not allowed"),
        (Group.DETECT, lambda _, tables: tables.get_table_client("journal").delete_entity("a", "b"), "entities/delete"),
        (Group.RESPOND, lambda queues, _: queues.get_queue_client("verdicts").receive_message(), "say in"),
    ],
)
def test_a_call_that_no_role_allows_is_seen(
    storage: Storage,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    who: Group,
    does: Callable[[Any, Any], object],
    objection: str,
) -> None:
    with pytest.MonkeyPatch.context() as patch, Services(certificates) as services:
        seen = watch(patch, storage.azurite, services)
        clients = App.make(storage, services, patch, caplog).clients
        does(clients("queues", who), clients("tables", who))
    (found,) = seen.objections
    assert objection in found
