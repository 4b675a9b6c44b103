"""One end's flow log tells of a flow that another machine began: it is contained by whichever blob comes, and nobody else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_tests.offline.azure.following import Followed
from offline.azure.estate import Machine
from offline.replay.traffic import Traffic
from offline.replay.vnet_stories import guessing
from training.scenarios.connections import Outcome

pytestmark = pytest.mark.e2e


def told(follow: Followed, machine: Machine, target: Machine) -> Traffic:
    """The machine guesses at the target."""
    at = follow.stage.now()
    return guessing(follow.stage.site(at, "ssh-patator", machine, target), machine.host, target.host, at)


def verdicts_on(follow: Followed, machine: Machine) -> list[str]:
    """Correlation ids of the verdicts on a machine's address."""
    logged = follow.log("detect_flows", "verdict")
    return [line["correlation_id"] for line in logged if line["entity"].endswith(f"/{machine.private_address}")]


@pytest.mark.parametrize("order", [("target",), ("target", "machine"), ("machine", "target")], ids="-then-".join)
def test_the_order_of_the_blobs_does_not_matter(follow: Followed, order: tuple[str, ...]) -> None:
    ends = {"machine": follow.fresh_machine(), "target": follow.fresh_machine()}
    machine, target = ends["machine"], ends["target"]
    flows = told(follow, machine, target)
    follow.signal(machine)
    assert not follow.isolated(machine), "one signal only notifies"
    for end in order:
        follow.stage.flow_log(flows, ends[end], alone=True)
    assert follow.isolated(machine)
    assert not follow.isolated(target)


def test_spoofed_flows_that_nobody_completed_contain_nobody(follow: Followed) -> None:
    machine, target = follow.fresh_machine(), follow.fresh_machine()
    flows = told(follow, machine, target)
    one_way = (
        replace(each, packets_in=0, bytes_in=0, outcome=Outcome.SILENT) if each.source == machine.private_address else each
        for each in flows.connections
    )
    follow.signal(machine)
    follow.stage.flow_log(replace(flows, connections=tuple(one_way)), target, alone=True)
    assert verdicts_on(follow, machine), "it alarms all the same"
    assert not follow.isolated(machine)
    follow.stage.flow_log(flows, target, alone=True)
    assert follow.isolated(machine), "the same flows, answered, do"
