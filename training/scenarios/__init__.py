"""Cloud scenarios: benign workloads and attack chains, written in the true formats of the telemetry, labels apart.

Each scenario is a file under ``attacks/`` or ``benign/`` (docs/scenarios.md); here they are told.

>>> from training.scenarios import generate
>>> scenario = next(generate(seed=7))
>>> scenario.family.verdict, len(scenario.labels)  # doctest: +SKIP
('benign', 812)

Deterministic: the same seed gives the same bytes, whatever else was generated before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from shared_model.events import Telemetry
from training.scenarios import network_story, system_story
from training.scenarios.audit_story import attack_story, benign_story
from training.scenarios.classes import AUDIT_CLASSES, NETWORK_CLASSES
from training.scenarios.cloudtrail_records import envelope
from training.scenarios.connections import Connection
from training.scenarios.family import BENIGN, Family, Split
from training.scenarios.flow_log import FlowLog, Layout, write_flow_log
from training.scenarios.library import named, scenarios_by_family
from training.scenarios.schema import FlowAttack, FlowBenign, HostAttack, HostBenign
from training.scenarios.site import Site, build_site
from training.scenarios.system_story import subscription_payload

__all__ = [
    "AUDIT_CLASSES", "BENIGN", "NETWORK_CLASSES", "Family", "FlowLog", "Layout", "Scenario", "Split", "connections_of",
    "envelope", "families", "generate", "named", "network_scenario", "network_traffic", "seeds",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story in the format of its telemetry. Exactly one of the three is filled.

    Attributes
    ----------
    family : Family
    seed : int
    labels : tuple of str
        Class of each record (flow-log line, audit record, log line), in order.
    flow_log : FlowLog or None
        VPC Flow Log lines; :mod:`training.scenarios.vnet_flow_log` writes the same connections as Azure does.
    records : tuple of dict
        CloudTrail records (``{"Records": [...]}`` is their S3 file, :func:`envelope` their EventBridge form), or records of the
        Activity log and Entra ID where the family's cloud is Azure.
    log : dict or None
        CloudWatch Logs subscription document.
    past : bytes
        Of audit records: the sketch of what their principal did before (:mod:`shared_model.habits`).
    """

    family: Family
    seed: int
    labels: tuple[str, ...]
    flow_log: FlowLog | None = None
    records: tuple[dict[str, Any], ...] = ()
    log: dict[str, Any] | None = None
    past: bytes = b""


def families(telemetry: Telemetry | None = None, split: Split | None = None, *, cloud: str | None = None) -> tuple[Family, ...]:
    """Return every family of that telemetry, split and cloud (None: all), in a fixed order: flows, API calls, system logs."""
    return tuple(
        family
        for kind in (Telemetry.FLOW_LOGS, Telemetry.API_CALLS, Telemetry.SYSTEM_LOGS)
        if telemetry in (None, kind)
        for family in scenarios_by_family()
        if family.telemetry == kind and split in (None, family.split) and cloud in (None, family.cloud)
    )


def generate(
    seed: int,
    *,
    telemetry: Telemetry | None = None,
    split: Split | None = None,
    cloud: str | None = None,
    repeats: int = 1,
    only: tuple[Family, ...] | None = None,
) -> Iterator[Scenario]:
    """Tell each family ``repeats`` times.

    Parameters
    ----------
    seed : int
        Non-negative. Two calls with the same seed give the same scenarios.
    telemetry, split, cloud : optional
        Only those families.
    only : tuple of Family, optional
        Exactly these families, whatever the other three say.
    """
    for family in families(telemetry, split, cloud=cloud) if only is None else only:
        for each in seeds(seed, repeats):
            yield _tell(family, each)


def seeds(seed: int, repeats: int) -> range:
    """Seeds of a family's stories."""
    return range(seed * 100_003, seed * 100_003 + repeats)


def connections_of(family: Family, site: Site) -> Iterator[Connection]:
    """Connections of one family of network behaviour at a site, in any order."""
    return network_story.tell(cast(FlowAttack | FlowBenign, scenarios_by_family()[family]), site)


def network_traffic(family: Family, seed: int) -> tuple[list[Connection], Site]:
    """One family of network behaviour at a site of its own, not yet written as any cloud does.

    An attack stands among other benign traffic of the site.
    """
    rng = random.Random(f"{family.name}#{seed}")
    site = build_site(rng)
    connections = list(connections_of(family, site))
    if family.is_attack:
        around = [each for each in families(Telemetry.FLOW_LOGS, family.split) if not each.is_attack]
        connections += list(connections_of(rng.choice(around), site))
    return connections, site


def network_scenario(family: Family, seed: int, *, layout: Layout | None = None) -> Scenario:
    """:func:`network_traffic` as a VPC flow log."""
    connections, site = network_traffic(family, seed)
    flow_log = write_flow_log(connections, site, layout=layout or site.rng.choice((Layout.V2, Layout.V5, Layout.V5)))
    return Scenario(family, seed, flow_log.labels, flow_log=flow_log)


def _tell(family: Family, seed: int) -> Scenario:
    if family.telemetry == Telemetry.FLOW_LOGS:
        return network_scenario(family, seed)
    if family.telemetry == Telemetry.SYSTEM_LOGS:
        story = cast(HostAttack | HostBenign, scenarios_by_family()[family])
        host, instance_id, lines = system_story.tell(story, family.name, seed)
        log = subscription_payload(lines, host=host, instance_id=instance_id)
        return Scenario(family, seed, tuple(line.label for line in lines), log=log)
    told = attack_story(family, seed) if family.is_attack else benign_story(family, seed)
    labels, records = tuple(line.label for line in told), tuple(line.record for line in told)
    return Scenario(family, seed, labels, records=records, past=told[0].past)
