"""Verdict queue, dead letters, lake and policy, on Azurite."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from azure_functions.actions.catalogue import CONFIGURED, KNOWN
from azure_functions.adapters.lake import Lake
from azure_functions.adapters.policy import PolicyBlob
from azure_functions.adapters.queues import LARGEST, DeadLetters, VerdictQueue
from azure_functions.cloud_errors import CloudRefusal
from azure_functions.logger import Logger
from azure_functions.registry import CONTAINERS, LAKE, POLICY, POLICY_BLOB, QUEUES, Group
from infra_tests.response.world import verdict
from offline.azure.storage import Storage
from response.actions import Mode
from response.policy import PolicyError, load_policy, parse_policy_yaml
from shared_model.events import Entity, EntityKind, Rejected, Telemetry
from shared_model.verdicts import Evidence, Verdict

ROOT = Path(__file__).parents[3]
NOW_MS = 1_790_000_000_000
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
PRINCIPAL = "11111111-0000-4000-8000-000000000001"
OWN = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Breakwater"


@pytest.fixture
def clients(storage: Storage) -> Storage:
    storage.create(queues=QUEUES, containers=CONTAINERS)
    return storage


def bodies(clients: Storage, queue: str) -> list[bytes]:
    return [base64.b64decode(message.content) for message in clients.queues.get_queue_client(queue).receive_messages()]


def blobs(clients: Storage, container: str = "lake") -> dict[str, bytes]:
    found = clients.blobs.get_container_client(container)
    return {name: found.download_blob(name).readall() for name in found.list_blob_names()}


class TestVerdicts:
    def test_a_verdict_is_read_back_as_it_was(self, clients: Storage) -> None:
        sent = verdict("vm-1", "v1", Telemetry.FLOW_LOGS)
        VerdictQueue(clients).send([sent])
        assert [Verdict.from_json(body) for body in bodies(clients, "verdicts")] == [sent]

    def test_of_one_that_is_too_large_for_a_queue_only_evidence_gives_way(self, clients: Storage) -> None:
        many = tuple(Evidence(f"e{number}", NOW_MS, 0.5, "ü" * 300) for number in range(100))
        sent = replace(verdict("vm-1", "v1", Telemetry.FLOW_LOGS), evidence=many)
        VerdictQueue(clients).send([sent])
        assert [Verdict.from_json(body) for body in bodies(clients, "verdicts")] == [replace(sent, evidence=())]

    @pytest.mark.parametrize("opened", [1, 64])
    def test_what_it_shows_stays_as_nobody_has_looked_yet_whether_it_is_the_second_signal(
        self, clients: Storage, opened: int
    ) -> None:
        many = tuple(Evidence(f"e{number}", NOW_MS, 0.5, "ü" * 300) for number in range(100))
        shown = ("AKIAIOSFODNN7EXAMPLE", *(f"{'s' * 240}-{number}" for number in range(63)))
        shares = tuple(Entity(EntityKind.SNAPSHOT, f"{number}-{'o' * 1000}") for number in range(opened))
        sent = replace(verdict("vm-1", "v1", Telemetry.FLOW_LOGS), evidence=many, seen=shown, opened=shares)
        VerdictQueue(clients).send([sent])
        (body,) = bodies(clients, "verdicts")
        arrived = Verdict.from_json(body)
        assert len(body) <= LARGEST
        assert (arrived.evidence, arrived.seen, arrived.opened[0]) == ((), shown, shares[0])


class TestDeadLetters:
    def send(self, clients: Storage, body: bytes) -> dict[str, Any]:
        letters = DeadLetters(clients, "api-calls-dead-letters", Lake(clients, Group.DETECT), Group.DETECT)
        letters.send(body, message_id="m1", reason="not JSON", source="azure_audit:m1", record=3, field="time")
        (letter,) = map(json.loads, bodies(clients, "api-calls-dead-letters"))
        said = {name: letter.pop(name) for name in ("reason", "source", "record", "field", "message_id")}
        assert said == {"reason": "not JSON", "source": "azure_audit:m1", "record": 3, "field": "time", "message_id": "m1"}
        return letter  # type: ignore[no-any-return]

    def test_the_body_is_untouched(self, clients: Storage) -> None:
        assert self.send(clients, '{"größe":'.encode()) == {"body": '{"größe":'}

    def test_a_body_that_is_no_text_is_untouched_too(self, clients: Storage) -> None:
        assert base64.b64decode(self.send(clients, b"\xff\x00")["body_base64"]) == b"\xff\x00"

    def test_a_large_body_lies_in_the_lake(self, clients: Storage) -> None:
        body = b"\x00" * 49_000
        named = self.send(clients, body)["body_blob"]
        assert blobs(clients) == {named.removeprefix("lake/"): body}
        assert named.startswith("lake/dead-letters/api-calls-dead-letters/")


class TestLake:
    LINE: ClassVar[dict[str, Any]] = {
        "class_uid": 2004,
        "time": NOW_MS,
        "cloud": {"account": {"uid": SUBSCRIPTION}},
        "message": "größer",
    }

    def test_a_line_delivered_again_overwrites_what_it_wrote(self, clients: Storage) -> None:
        for _ in range(2):
            Lake(clients, Group.DETECT).put_ocsf([self.LINE], cause="event-1")
        ((name, data),) = blobs(clients).items()
        assert name.startswith(f"ocsf/class=2004/account={SUBSCRIPTION}/region=global/dt=2026-09-21/")
        assert [json.loads(line) for line in gzip.decompress(data).splitlines()] == [self.LINE]

    def test_a_container_that_is_not_there_is_said_in_the_services_word(self, clients: Storage) -> None:
        clients.blobs.delete_container(LAKE)
        with pytest.raises(CloudRefusal, match="data lake: 404") as refused:
            Lake(clients, Group.DETECT).put_ocsf([self.LINE], cause="event-1")
        assert refused.value.code == "ContainerNotFound"

    def test_another_cause_and_what_has_no_table(self, clients: Storage) -> None:
        lake = Lake(clients, Group.DETECT)
        lake.put_ocsf([self.LINE, self.LINE | {"class_uid": 0}], cause="event-1")
        lake.put_ocsf([self.LINE], cause="event-2")
        assert len(blobs(clients)) == 2

    def test_rejected_records_by_their_parser(self, clients: Storage) -> None:
        rejected = [Rejected("azure_audit:m1", 1, "time", "no time"), Rejected("../entra:m1", 2, "", "no object")]
        Lake(clients, Group.DETECT).put_rejected(rejected, now_ms=NOW_MS, cause="m1")
        assert {name.rpartition("/")[0] for name in blobs(clients)} == {
            "rejected/source=azure_audit/dt=2026-09-21",
            "rejected/source=.._entra/dt=2026-09-21",
        }


class TestPolicy:
    SHIPPED = (ROOT / "policy" / "azure.yaml").read_text(encoding="utf-8")

    def put(self, clients: Storage, text: str) -> None:
        clients.blobs.get_blob_client(POLICY, POLICY_BLOB).upload_blob(text, overwrite=True)

    def policy(self, clients: Any) -> PolicyBlob:
        return PolicyBlob(clients, PRINCIPAL.upper(), f"{OWN}/, ", KNOWN, Logger("respond"))

    def test_what_is_shipped_only_observes_and_protects_breakwater_itself(self, clients: Storage) -> None:
        self.put(clients, self.SHIPPED)
        policy = self.policy(clients).load(NOW_MS)
        assert {policy.terms(rule).mode for rule in policy.rules} == {Mode.OBSERVE}
        unconfigured = set(KNOWN) - {action.name for action in CONFIGURED}
        assert {rule.action for rule in policy.rules} == unconfigured == set(policy.actions)
        assert policy.never_touch.principals == (PRINCIPAL, OWN.lower(), f"{OWN.lower()}/*")

    def test_tags_are_compared_in_lower_case_as_plans_have_them(self, clients: Storage) -> None:
        self.put(clients, self.SHIPPED.replace("- break-glass", "- Break-Glass"))
        tags = self.policy(clients).load(NOW_MS).never_touch.tags
        assert tags == ("breakwater:never-touch", "breakwater-never-touch", "break-glass")

    def test_it_is_read_once_a_minute_and_again_only_when_it_changed(self, clients: Storage) -> None:
        downloads: list[str] = []

        def counted(service: str, group: str) -> Any:
            downloads.append(service)
            return clients(service, group)

        self.put(clients, self.SHIPPED)
        policy = self.policy(counted)
        first = policy.load(NOW_MS)
        assert policy.load(NOW_MS + 59_999) is first
        assert len(downloads) == 1
        assert policy.load(NOW_MS + 60_000) is first
        assert len(downloads) == 2
        self.put(clients, self.SHIPPED.replace("containments_per_hour: 5", "containments_per_hour: 6"))
        assert policy.load(NOW_MS + 120_000).containments_per_hour == 6

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("version: 9", "policy/policy.yaml:1: version: "),
            ("version: 1\nbudget:\n  percent: 5", "policy/policy.yaml:3: budget.percent: there is no such key: did you mean"),
            ("a: [", "not YAML"),
            ("\x00", "not YAML"),
            ("version: 1\nactions: {isolate: {}}", "no action 'isolate'"),
            ("version: 1\nnever_touch: {principals: [admin]}", "never_touch.principals.0"),
        ],
    )
    def test_what_does_not_validate_stops_the_function(self, clients: Storage, text: str, said: str) -> None:
        self.put(clients, text)
        with pytest.raises(PolicyError, match=said):
            self.policy(clients).load(NOW_MS)

    def test_a_policy_of_yesterday_goes_on_with_a_warning(self, clients: Storage, caplog: pytest.LogCaptureFixture) -> None:
        old = """version: 1
budget: {percent_a_day: 10}
actions:
  block_sign_in: {at_end: undo}
never_touch:
  instances: [i-0ab]
"""
        self.put(clients, old)
        policy = self.policy(clients).load(NOW_MS)
        assert (policy.percent_at_once, policy.never_touch.instances) == (10, ("i-0ab",))
        said = [json.loads(record.getMessage())["mistake"] for record in caplog.records if record.name == "breakwater.respond"]
        places = ["2: budget.percent_a_day: is taken as percent_at_once", "4: actions.block_sign_in.at_end: ", "6: never_touch."]
        assert [f"policy/policy.yaml:{place}" in line for place, line in zip(places, said, strict=True)] == [True] * 3
        with pytest.raises(PolicyError, match="percent_a_day began anew each day: write percent_at_once"):
            parse_policy_yaml(old, KNOWN)

    def test_one_that_is_not_there_says_what_to_do(self, clients: Storage) -> None:
        with pytest.raises(PolicyError, match=r"put policy/azure\.yaml there"):
            self.policy(clients).load(NOW_MS)

    def test_ids_of_azure_are_compared_in_lower_case(self, tmp_path: Path) -> None:
        file = tmp_path / "policy.yaml"
        machine = f"{OWN}/providers/Microsoft.Compute/virtualMachines/Web-1"
        file.write_text(f"version: 1\nnever_touch: {{principals: [{PRINCIPAL.upper()}], instances: [{machine}]}}")
        never = load_policy(file).never_touch
        assert (never.principals, never.instances) == ((PRINCIPAL,), (machine.lower(),))
