"""Cloud scenarios: benign workloads and attack chains, written in the true formats of the telemetry, labels apart.

>>> from training.scenarios import generate
>>> scenario = next(generate(seed=7))
>>> scenario.family.verdict, len(scenario.labels)  # doctest: +SKIP
('benign', 812)

Deterministic: the same seed gives the same bytes, whatever else was generated before.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared_model.events import Telemetry
from training.scenarios import (  # noqa: F401  (they register their families)
    network_benign,
    network_clients,
    network_clients_unseen,
    network_control,
    network_floods,
    network_intrusion,
    network_reconnaissance,
)
from training.scenarios.audit_attacks import ATTACKS, LONE, lone
from training.scenarios.audit_benign import PROFILES, WANDERERS, owner_of, wanderer
from training.scenarios.audit_story import LabelledRecord, attack_story, benign_story
from training.scenarios.cloudtrail_records import envelope
from training.scenarios.family import BENIGN, Family, Split
from training.scenarios.flow_log import FlowLog, Layout, write_flow_log
from training.scenarios.registry import NETWORK, NETWORK_CLASSES
from training.scenarios.site import build_site
from training.scenarios.system_lines import LogLine
from training.scenarios.system_logs import SYSTEM, subscription_payload, tell

__all__ = [
    "AUDIT_CLASSES", "BENIGN", "NETWORK_CLASSES", "Family", "FlowLog", "Layout", "Scenario", "Split", "envelope", "families",
    "generate", "network_scenario",
]  # fmt: skip

#: MITRE ATT&CK technique of each class of the audit detector, in the order of the model's outputs.
AUDIT_CLASSES: dict[str, str] = {
    BENIGN: "",
    "credential_access": "T1552",
    "discovery": "T1580",
    "privilege_escalation": "T1098",
    "persistence": "T1136",
    "defense_evasion": "T1562",
    "exfiltration": "T1537",
    "execution": "T1651",
    "initial_access": "T1078",
    "brute_force": "T1110",
    "lateral_movement": "T1021",
    "impact": "T1496",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story in the format of its telemetry. Exactly one of the three is filled.

    Attributes
    ----------
    family : Family
    seed : int
    labels : tuple of str
        Class of each record (flow-log line, CloudTrail record, log line), in order.
    flow_log : FlowLog or None
    records : tuple of dict
        CloudTrail records; ``{"Records": [...]}`` is their S3 file, :func:`envelope` their EventBridge form.
    log : dict or None
        CloudWatch Logs subscription document.
    """

    family: Family
    seed: int
    labels: tuple[str, ...]
    flow_log: FlowLog | None = None
    records: tuple[dict[str, Any], ...] = ()
    log: dict[str, Any] | None = None


def families(telemetry: Telemetry | None = None, split: Split | None = None) -> tuple[Family, ...]:
    """Return every family of that telemetry and split (None: all), in a fixed order."""
    every = itertools.chain(
        NETWORK, (profile.family for profile in PROFILES), WANDERERS, (attack.family for attack in ATTACKS), LONE, SYSTEM
    )
    return tuple(
        family
        for family in every
        if (telemetry is None or family.telemetry == telemetry) and (split is None or family.split == split)
    )


def generate(
    seed: int,
    *,
    telemetry: Telemetry | None = None,
    split: Split | None = None,
    repeats: int = 1,
    only: tuple[Family, ...] | None = None,
) -> Iterator[Scenario]:
    """Tell each family ``repeats`` times.

    Parameters
    ----------
    seed : int
        Non-negative. Two calls with the same seed give the same scenarios.
    telemetry, split : optional
        Only those families.
    only : tuple of Family, optional
        Exactly these families, whatever the other two say.
    """
    for family in families(telemetry, split) if only is None else only:
        for turn in range(repeats):
            yield _tell(family, seed * 100_003 + turn)


def network_scenario(family: Family, seed: int, *, layout: Layout | None = None) -> Scenario:
    """Tell one family of network behaviour at a site of its own; an attack stands among other benign traffic of the site."""
    rng = random.Random(f"{family.name}#{seed}")
    site = build_site(rng)
    connections = list(NETWORK[family](site))
    if family.is_attack:
        background = rng.choice([benign for benign in NETWORK if not benign.is_attack and benign.split == family.split])
        connections += list(NETWORK[background](site))
    flow_log = write_flow_log(connections, site, layout=layout or rng.choice((Layout.V2, Layout.V5, Layout.V5)))
    return Scenario(family, seed, flow_log.labels, flow_log=flow_log)


def _tell(family: Family, seed: int) -> Scenario:
    if family.telemetry == Telemetry.FLOW_LOGS:
        return network_scenario(family, seed)
    if family.telemetry == Telemetry.SYSTEM_LOGS:
        host, instance_id, lines = tell(SYSTEM[family], family.name, seed)
        return Scenario(family, seed, _log_labels(lines), log=subscription_payload(lines, host=host, instance_id=instance_id))
    told = _audit_story(family, seed)
    return Scenario(family, seed, tuple(line.label for line in told), records=tuple(line.record for line in told))


def _log_labels(lines: list[LogLine]) -> tuple[str, ...]:
    return tuple(line.label for line in lines)


def _audit_story(family: Family, seed: int) -> list[LabelledRecord]:
    for profile in PROFILES:
        if profile.family == family:
            return benign_story(profile, seed)
    rng = random.Random(f"owner of {family.name}#{seed}")
    if family in WANDERERS:
        return benign_story(wanderer(family, rng), seed)
    attack = lone(family, rng) if family in LONE else next(attack for attack in ATTACKS if attack.family == family)
    return attack_story(attack, owner_of(family.split, rng), seed)
