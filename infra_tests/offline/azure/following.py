"""Follow one event through the staged app: by its correlation id, to what it changed, journal, lake and Sentinel, and back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from offline.azure.estate import Machine
from offline.azure.incident_bodies import GENERATED_DOMAIN, PORT_PROBE, Rule, host
from offline.replay.activity import Person
from offline.replay.vnet_stories import capture
from offline.scenes.azure.stage import AzureStage
from shared_model.events import EntityKind

#: Machines of the tests' own, beside those of the scenes.
MACHINES = tuple(f"e2e-{number}" for number in range(40))


@dataclass(frozen=True)
class Followed:
    """The stage, seen through logs, journal, lake and Sentinel."""

    stage: AzureStage
    names: Iterator[str]

    def fresh_machine(self) -> Machine:
        """A machine of two interfaces that no other test knows."""
        return self.stage.estate.machines[next(self.names)]

    def fresh_person(self) -> Person:
        """A user with a role of its own that no other test knows."""
        object_id, name = str(uuid.uuid4()), f"person-{uuid.uuid4().hex[:8]}"
        services = self.stage.azure.services
        services.graph.add_user(object_id, f"{name}@example.com")
        services.arm.roles.assign(f"/subscriptions/{services.world.subscription_id}", object_id, "Reader", principal_type="User")
        return self.stage.person(object_id, name, f"token-{name}")

    def signal(self, machine: Machine, rule: Rule = GENERATED_DOMAIN) -> str:
        """One incident about a machine; its id, which is its correlation id."""
        return self.stage.incident(rule, [host(machine)], machine.name)

    def contained(self, machine: Machine) -> str:
        """Two incidents, and so a quarantine; the id of the second."""
        self.signal(machine, PORT_PROBE)
        return self.signal(machine)

    def beacon(self, machine: Machine) -> None:
        """The machine calls home, in its flow logs."""
        at = self.stage.now()
        site = self.stage.site(at, machine.name, machine)
        flows = capture(
            site, machine.host, at,
            capture="8-1", label="command_and_control", minutes=25, instead="beacon-odd-port", held_out=True,
        )  # fmt: skip
        self.stage.flow_log(flows, machine)

    def log(self, function: str, message: str, correlation_id: str = "") -> list[dict[str, Any]]:
        """Log entries of a function, about one event or all."""
        lines = (json.loads(each.record.message.partition("\n")[0]) for each in self.stage.azure.host.logs(function))
        return [line for line in lines if line["message"] == message and correlation_id in ("", line.get("correlation_id"))]

    def steps(self, machine: Machine) -> list[str]:
        """Steps of the quarantine of a machine."""
        return self.stage.operator.steps("quarantine_instance", EntityKind.INSTANCE, machine.id)

    def isolated(self, machine: Machine) -> bool:
        """Whether every interface of the machine is in a quarantine group."""
        return all(group.startswith("breakwater-quarantine") for group in self.stage.estate.groups_of(machine).values())

    def cause(self, action: str, kind: EntityKind, identifier: str) -> str:
        """Correlation id of the containment of a target."""
        entries = self.stage.operator.journal(action, kind, identifier)
        return next(entry.correlation_id for entry in entries if entry.step == "APPLIED")

    def rows(self, correlation_id: str) -> list[dict[str, Any]]:
        """Rows of Sentinel's table about one event."""
        return [row for row in self.stage.azure.services.logs.rows() if row["CorrelationId"] == correlation_id]

    def kept(self, correlation_id: str) -> set[int]:
        """Classes of the lake's objects about one event."""
        lines = self.stage.operator.lake("ocsf/")
        return {line["class_uid"] for line in lines if line["metadata"].get("correlation_uid") == correlation_id}

    def check_trace(self, correlation_id: str, detected_by: str, action: str, kind: EntityKind, identifier: str) -> None:
        """One correlation id stands in the verdict, the decision, the journal, the lake and Sentinel's table."""
        (verdict, *_) = self.log(detected_by, "verdict", correlation_id)
        decided = [each for each in self.log("respond", "decision", correlation_id) if each["action"] == action]
        assert "APPLIED" in {each["step"] for each in decided}
        entries = self.stage.operator.journal(action, kind, identifier)
        made = [entry for entry in entries if entry.correlation_id == correlation_id]
        assert [str(entry.step) for entry in made][:3] == ["APPLYING", "APPLIED", "VERIFIED"]
        assert verdict["verdict_id"] in {entry.verdict_id for entry in made}
        rows = self.rows(correlation_id)
        assert {row["Kind"] for row in rows} == {"verdict", "action"}
        assert {"APPLYING", "APPLIED", "VERIFIED"} <= {
            row["Step"] for row in rows if row["Kind"] == "action" and row["Action"] == action
        }
        assert {2004, 7001} <= self.kept(correlation_id), "a detection finding and a remediation"

    def check_undo(self, action: str, kind: EntityKind, identifier: str) -> None:
        """A person asks for the undo, and the journal says who."""
        assert self.stage.take_back(action, kind, identifier)
        last = self.stage.operator.journal(action, kind, identifier)[-1]
        assert (str(last.step), last.actor) == ("UNDONE", self.stage.operator.name)
        assert last.containment_id in {line["containment_id"] for line in self.log("undo_containment", "undo asked for")}
