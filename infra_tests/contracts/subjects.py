"""Every action with something to do, in its own cloud. An action of a catalogue that is not here has no contract."""

from __future__ import annotations

from infra_tests.contracts.on_aws import ON_AWS
from infra_tests.contracts.on_azure import ON_AZURE
from infra_tests.contracts.subject import Subject, about
from infra_tests.lambdas.account import ACCOUNT
from infra_tests.response.world import IsolateMachine
from shared_model.events import Entity, EntityKind

__all__ = ["IN_PROCESS", "ON_AWS", "ON_AZURE", "Subject"]


def isolate_machine() -> Subject:
    world = {"i-1": {"eni-a": "open", "eni-b": "web"}}
    return Subject(
        action=IsolateMachine(world),
        verdict=about(Entity(EntityKind.INSTANCE, "i-1", ACCOUNT)),
        state=lambda: dict(world["i-1"]),
        interfere=lambda: world["i-1"].update({"eni-a": "forensics"}),
        gone=None,
        operations=lambda: (set(), set()),
    )


IN_PROCESS = (isolate_machine,)
