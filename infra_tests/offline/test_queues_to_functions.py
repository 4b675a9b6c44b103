"""SQS event sources end to end: queue, poller, function in its sandbox, dead letters."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from infra_tests.offline.tiny import Tiny, package
from offline.aws.poller import NotDraining


def test_a_batch_holds_what_is_there_up_to_its_size(tiny: Tiny) -> None:
    queue = tiny.fed_by(BatchSize=10)
    for number in range(13):
        queue.send({"id": number})
    tiny.aws.drain()
    assert sorted(entry["id"] for entry in queue.seen()) == list(range(13))
    assert Counter(entry["batch"] for entry in queue.seen()) == {10: 10, 3: 3}


def test_only_the_reported_messages_come_back_with_their_count(tiny: Tiny) -> None:
    queue = tiny.fed_by()
    queue.send({"id": "good"})
    queue.send({"id": "twice", "fail": 1})
    tiny.aws.drain()
    assert Counter(entry["id"] for entry in queue.seen()) == {"good": 1, "twice": 2}
    assert [entry["count"] for entry in queue.seen() if entry["id"] == "twice"] == ["1", "2"]
    assert queue.dead() == []


def test_after_the_last_receive_a_message_is_a_dead_letter(tiny: Tiny) -> None:
    queue = tiny.fed_by(receives=3)
    queue.send({"id": "never", "fail": 99})
    tiny.aws.drain()
    assert [entry["count"] for entry in queue.seen()] == ["1", "2", "3"]
    assert queue.dead() == [{"id": "never", "fail": 99}]


def test_without_reporting_one_failure_returns_nothing_and_success_deletes_all(tiny: Tiny) -> None:
    queue = tiny.fed_by(FunctionResponseTypes=[])
    queue.send({"id": "said to fail, but nobody listens", "fail": 99})
    tiny.aws.drain()
    assert len(queue.seen()) == 1
    assert queue.dead() == []


def test_a_fifo_group_waits_for_its_failed_message_and_the_others_do_not(tiny: Tiny) -> None:
    queue = tiny.fed_by(fifo=True, BatchSize=1)
    for number in range(3):
        queue.send({"id": f"a{number}", "fail": 1 if number == 0 else 0}, group="a")
        queue.send({"id": f"b{number}"}, group="b")
    tiny.aws.drain()
    order = [entry["id"] for entry in queue.seen()]
    assert [each for each in order if each.startswith("a")] == ["a0", "a0", "a1", "a2"]
    assert [each for each in order if each.startswith("b")] == ["b0", "b1", "b2"]
    assert order.index("b2") < order.index("a1")


def test_a_dead_letter_frees_its_fifo_group(tiny: Tiny) -> None:
    queue = tiny.fed_by(fifo=True, BatchSize=1, receives=2)
    queue.send({"id": "stuck", "fail": 99}, group="a")
    queue.send({"id": "next"}, group="a")
    tiny.aws.drain()
    assert [entry["id"] for entry in queue.seen()] == ["stuck", "stuck", "next"]
    assert [body["id"] for body in queue.dead()] == ["stuck"]


def test_a_deduplication_id_counts_for_five_minutes_even_after_the_message_is_gone(tiny: Tiny) -> None:
    queue = tiny.fed_by(fifo=True)
    queue.send({"id": "first"}, group="a", deduplication="same")
    tiny.aws.drain()
    queue.send({"id": "again"}, group="a", deduplication="same")
    tiny.aws.drain()
    tiny.aws.control.advance_clock(301)
    queue.send({"id": "later"}, group="a", deduplication="same")
    tiny.aws.drain()
    assert [entry["id"] for entry in queue.seen()] == ["first", "later"]


def test_a_function_that_fails_as_a_whole_handles_nothing(tiny: Tiny) -> None:
    tiny.aws.client("lambda").update_function_code(
        FunctionName=tiny.name, ZipFile=package("def handler(event, context):\n    raise RuntimeError\n")
    )
    queue = tiny.fed_by(receives=2)
    queue.send({"id": 1})
    deliveries = [delivery for delivery in tiny.aws.drain() if delivery.mapping.function_name == tiny.name]
    assert [(delivery.error, len(delivery.handled)) for delivery in deliveries] == [(True, 0), (True, 0)]
    assert queue.dead() == [{"id": 1}]


def test_draining_says_which_queue_never_empties(tiny: Tiny) -> None:
    queue = tiny.fed_by(receives=1000)
    queue.send({"id": "forever", "fail": 9999})
    with pytest.raises(NotDraining, match=f"{tiny.name}-queue"):
        tiny.aws.drain(within_s=3600)
    tiny.aws.client("sqs").purge_queue(QueueUrl=queue.url)


def test_live_polling_delivers_in_real_time_and_ends_with_its_block(tiny: Tiny) -> None:
    queue, delivered = tiny.fed_by(), threading.Event()
    with tiny.aws.live(lambda delivery: delivered.set()):
        queue.send({"id": "now"})
        assert delivered.wait(30)
    assert [entry["id"] for entry in queue.seen()] == ["now"]
    queue.send({"id": "after the block"})
    assert len(queue.seen()) == 1
