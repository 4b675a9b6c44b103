"""The queue of verdicts: everything that was sent arrives, as it was, and sending again is safe."""

from __future__ import annotations

from infra_tests.contracts.conftest import Queue
from infra_tests.response.world import verdict
from shared_model.events import Entity, EntityKind, Telemetry
from shared_model.verdicts import Evidence, Verdict


def test_every_verdict_arrives_as_it_was_sent(verdict_queue: Queue) -> None:
    sent = [verdict(f"i-{number}", f"v{number}", Telemetry.FLOW_LOGS) for number in range(23)]
    verdict_queue.send(sent)
    arrived = sorted((Verdict.from_json(text) for text in verdict_queue.take()), key=lambda each: int(each.id[1:]))
    assert arrived == sent


def test_nothing_to_send_is_nothing(verdict_queue: Queue) -> None:
    verdict_queue.send([])
    assert verdict_queue.take() == []


def test_sent_again_it_is_the_same_verdict(verdict_queue: Queue) -> None:
    """A queue may drop the second one or deliver it: the journal knows a verdict by its id."""
    one = verdict("i-1", "v1", Telemetry.FLOW_LOGS)
    verdict_queue.send([one])
    verdict_queue.send([one])
    assert {Verdict.from_json(text) for text in verdict_queue.take()} == {one}


def test_names_of_any_length_and_any_alphabet(verdict_queue: Queue) -> None:
    entity = Entity(EntityKind.HOST, "größer " * 400, "123456789012")
    one = verdict("", "v1", Telemetry.SYSTEM_LOGS, entity=entity, evidence=(Evidence("e", 1, 0.5, "日本 <&> \u2028"),))
    verdict_queue.send([one])
    assert [Verdict.from_json(text) for text in verdict_queue.take()] == [one]
