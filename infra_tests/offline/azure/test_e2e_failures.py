"""What goes wrong between two services: nothing is lost, nothing happens twice, and what can never succeed says why."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from azure_functions.function import RETRY_AFTER_S
from azure_functions.registry import API_CALLS, CONTAINMENTS, VERDICTS, VNET_FLOW_LOGS
from azure_infra.packaging.folder import build
from azure_infra.packaging.targets import LOCAL
from infra_tests.offline.azure.following import Followed
from offline import demo_azure
from offline.azure.embedded import ROOT
from offline.azure.functions_host.delivery import Delivery, Fate
from offline.azure.functions_host.host import FunctionsHost
from offline.azure.incident_bodies import PORT_PROBE
from offline.replay.activity import blinding, work
from offline.replay.vnet_stories import capture
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind
from training.scenarios.vnet_flow_log import document, write_records

pytestmark = pytest.mark.e2e
INTERFACE_WRITE = "Microsoft.Network/networkInterfaces/write"


def deliveries_of(follow: Followed, function: str, since: int) -> list[Delivery]:
    return [each for each in follow.stage.azure.host.deliveries[since:] if each.outcome.function == function]


# --- what can never succeed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"records":[{"category":"Odd"}]}', b"[]" * 3], ids=["bytes", "category", "text"])
def test_an_event_that_can_never_be_read_is_a_dead_letter_and_those_beside_it_are_scored(follow: Followed, body: bytes) -> None:
    stage, person = follow.stage, follow.fresh_person()
    known = stage.operator.dead_letters(API_CALLS)
    good = json.dumps({"records": list(work(person, stage.now(), operations=4).history)}).encode()
    hub = stage.azure.host.hub(API_CALLS)
    for each in (body, good):
        hub.send(each, partition_key="together")
    stage.timeline.drain()
    (letter,) = [each for each in stage.operator.dead_letters(API_CALLS) if each not in known]
    assert {"reason", "source", "record", "field"} <= letter.keys()
    assert letter["reason"]
    kept = base64.b64decode(letter["body_base64"]) if "body_base64" in letter else letter["body"].encode()
    assert kept == body, "untouched"
    assert any(person.object_id in line["entity"] for line in follow.log("detect_api_calls", "scored"))


def test_an_undo_of_what_never_was_is_a_dead_letter_with_its_field(follow: Followed) -> None:
    known = follow.stage.operator.dead_letters(CONTAINMENTS)
    follow.stage.operator.undo("no-such-containment")
    follow.stage.timeline.drain()
    (letter,) = [each for each in follow.stage.operator.dead_letters(CONTAINMENTS) if each not in known]
    assert (letter["field"], "no-such-containment" in letter["reason"]) == ("undo", True)


def test_what_fails_at_every_try_is_in_the_platforms_poison_queue_and_succeeds_when_sent_again(follow: Followed) -> None:
    stage, machine = follow.stage, follow.fresh_machine()
    follow.signal(machine, PORT_PROBE)
    since = len(stage.azure.host.deliveries)
    stage.azure.put_policy("rules: {this is no policy")
    stage.azure.host.kill_worker()  # it keeps a policy for a minute
    try:
        follow.signal(machine)
        tries = deliveries_of(follow, "respond", since)
        assert [each.fate for each in tries] == [Fate.AGAIN] * len(RETRY_AFTER_S) + [Fate.POISON]
        assert not follow.isolated(machine)
    finally:
        demo_azure.put_policy(stage.operator, stage.azure)
    (letter,) = stage.operator.letters(f"{VERDICTS}-poison")
    stage.azure.storage.queues.get_queue_client(f"{VERDICTS}-poison").clear_messages()
    stage.operator.send(VERDICTS, letter)
    stage.timeline.drain()
    assert follow.isolated(machine)
    assert follow.steps(machine).count("APPLIED") == 1


# --- what comes twice ----------------------------------------------------------------------------------------------


def test_an_export_that_comes_twice_gives_one_verdict(follow: Followed) -> None:
    stage, person = follow.stage, follow.fresh_person()
    records = blinding(person, stage.now()).attack
    body = json.dumps({"records": list(records)}).encode()
    hub = stage.azure.host.hub(API_CALLS)
    for each in (body, body, json.dumps({"records": list(reversed(records))}).encode()):
        hub.send(each)
        stage.timeline.drain()
    verdicts = {each["verdict_id"] for each in follow.log("detect_api_calls", "verdict") if person.object_id in each["entity"]}
    assert len(verdicts) == 1


def test_a_verdict_that_is_delivered_again_changes_nothing(follow: Followed) -> None:
    stage, machine = follow.stage, follow.fresh_machine()
    since = len(stage.azure.host.deliveries)
    follow.contained(machine)
    bodies = [body for each in deliveries_of(follow, "respond", since) for body in each.bodies]
    steps, calls = follow.steps(machine), len(stage.azure.services.calls)
    for body in bodies:
        stage.operator.send(VERDICTS, body)
    stage.timeline.drain()
    assert follow.steps(machine) == steps
    made = [call.operation for call in stage.azure.services.calls.calls(since=calls)]
    assert not [operation for operation in made if operation.startswith("Microsoft.Network/") and operation.endswith("write")]


# --- others write too, and the platform says no ---------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["changed_meanwhile", "conflict", "tear_off"])
def test_a_write_that_meets_another_one_is_made_in_the_end_and_once(follow: Followed, trouble: str) -> None:
    machine = follow.fresh_machine()
    before = follow.stage.estate.groups_of(machine)
    follow.signal(machine, PORT_PROBE)
    getattr(follow.stage.azure.services.arm.faults, trouble)(path=f"networkInterfaces/{machine.name}-nic")
    follow.signal(machine)
    assert follow.stage.azure.services.arm.faults.pending() == 0, "it came to pass"
    assert follow.isolated(machine)
    steps = follow.steps(machine)
    # Where the write met an error, the message came again, and who takes it up says so.
    assert (steps.count("APPLYING"), steps.count("APPLIED")) == (2 if trouble == "tear_off" else 1, 1)
    follow.check_undo("quarantine_instance", EntityKind.INSTANCE, machine.id)
    assert follow.stage.estate.groups_of(machine) == before


def test_a_storm_of_429_ends_in_one_containment(follow: Followed) -> None:
    machine = follow.fresh_machine()
    follow.signal(machine, PORT_PROBE)
    follow.stage.azure.services.arm.faults.throttle(12)
    follow.signal(machine)
    assert follow.stage.azure.services.arm.faults.pending() == 0
    assert follow.isolated(machine)
    assert follow.steps(machine).count("APPLIED") == 1


# --- crashes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [1, 2], ids=["first interface", "second interface"])
def test_a_worker_killed_between_a_write_and_its_acknowledgement_goes_on_from_the_journal(follow: Followed, write: int) -> None:
    stage, machine = follow.stage, follow.fresh_machine()
    before = stage.estate.groups_of(machine)
    follow.signal(machine, PORT_PROBE)
    since = len(stage.azure.host.deliveries)
    stage.azure.kill_at(INTERFACE_WRITE, number=write)
    follow.signal(machine)
    killed, resumed = deliveries_of(follow, "respond", since)
    assert (killed.fate, resumed.fate, resumed.attempt) == (Fate.AGAIN, Fate.DONE, 2)
    assert "WorkerEnded" in killed.outcome.error
    steps = follow.steps(machine)
    assert (steps.count("APPLYING"), steps.count("APPLIED")) == (2, 1), "who takes it up says so, and applies the plan of before"
    assert steps[-2:] == ["APPLIED", "VERIFIED"]
    assert follow.isolated(machine)
    follow.check_undo("quarantine_instance", EntityKind.INSTANCE, machine.id)
    assert stage.estate.groups_of(machine) == before


# --- two instances -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def second(stage: AzureStage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionsHost]:
    """Another instance of the app, on the same storage and services."""
    environment, folder = stage.azure.host.invoker.environment, tmp_path_factory.mktemp("second-instance")
    app = build(LOCAL, ROOT).path
    with FunctionsHost.start(app, environment=environment, storage=stage.azure.storage, folder=folder) as host:
        yield host


def test_two_instances_that_race_on_one_blob_give_each_record_one_effect(follow: Followed, second: FunctionsHost) -> None:
    stage, machine, at = follow.stage, follow.fresh_machine(), follow.stage.now()
    first = stage.azure.host
    flows = capture(
        stage.site(at, machine.name, machine), machine.host, at,
        capture="8-1", label="command_and_control", minutes=25, instead="beacon-odd-port", held_out=True,
    )  # fmt: skip
    records = [each for each in write_records(flows.connections, flows.site, stage.estate.flow_log) if each.mac in machine.macs]
    name = stage.estate.flow_log.blob(records[-1].mac, records[-1].time_ms)
    follow.signal(machine)
    since = [len(host.deliveries) for host in (first, second)]
    for end in range(8, len(records) + 8, 8):  # it grows while both read it
        stage.azure.storage.flow_blobs.get_blob_client(VNET_FLOW_LOGS, name).upload_blob(document(records[:end]), overwrite=True)
        for host in (first, second):
            host.blob_created(VNET_FLOW_LOGS, name)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda host: host.drain(), (first, second)))
    flow_deliveries = [
        each
        for host, begin in zip((first, second), since, strict=True)
        for each in host.deliveries[begin:]
        if each.outcome.function == "detect_flows"
    ]
    assert len(flow_deliveries) >= 2 * (len(records) // 8)
    assert {each.fate for each in flow_deliveries} <= {Fate.DONE, Fate.AGAIN}
    assert follow.isolated(machine)
    steps = follow.steps(machine)
    assert steps.count("APPLIED") == 1
    entries = stage.operator.journal("quarantine_instance", EntityKind.INSTANCE, machine.id)
    by_verdict = [(entry.verdict_id, str(entry.step), entry.containment_id) for entry in entries]
    assert len(by_verdict) == len(set(by_verdict)), "nothing is told twice"
