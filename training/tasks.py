"""The two detectors as training tasks: where their stories come from, how large they are, how their windows become features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_model.encoders import audit as audit_encoder
from shared_model.encoders import network as network_encoder
from training import audit_data, network_data, recorded_logs
from training.architecture import Architecture, audit_sizes, network_sizes
from training.fitting import Progress
from training.scenarios import AUDIT_CLASSES, NETWORK_CLASSES, Split
from training.sequences import Story, Windows
from training.splits import CTU_DAYS, TEST_CAPTURES, TRAIN_CAPTURES, VALIDATION_CAPTURES, VALIDATION_WORKDAYS, WORKDAYS

#: What 1 alert per 1,000 entity-days is counted on: three times as many, so that a rate may be claimed.
ENTITY_DAYS = 3000
#: Entity-days of honest principals of training families, of which the windows that hold a first time are learnt.
HONEST_DAYS = 6000
#: Test set of generated families that training never tells.
HELD_OUT = "held-out scenario families"
HELD_OUT_ON_AZURE = "held-out scenario families, as VNet flow logs"
#: Test sets of recorded logs whose benign entities are recorded too; those around Stratus techniques and Panther cases are not.
INVICTUS, LOGS = "Invictus (account never seen)", "OpenSSH and Linux logs (never seen)"
#: Test set of all captures that are held out: only together have they benign windows enough to speak of a rate.
TOGETHER = "IoT-23, held-out captures together"
TOGETHER_ON_AZURE = "IoT-23, held-out captures together, as VNet flow logs"
#: Test set of benign principals that were watched for days.
WATCHED = "benign principals of held-out families, watched for days"


@dataclass(frozen=True, slots=True)
class Material:
    """Stories by what they may be used for.

    ``stopping`` decides when to stop: fresh stories of training families together with validation families (of the latter alone,
    a dozen families, the loss is noise). ``validation`` gives the threshold. ``tests`` are named; nothing in them is seen before
    the figures are computed. ``sources`` says in words what was used. ``watched`` are benign validation entities, watched
    long enough to count alerts on, the threshold's measure; where there are none, those of ``validation`` are.
    ``apart`` are generated and recorded benign stories of one kind, to see how far apart they are. ``recorded`` names the tests
    whose benign entities are recorded: their false alarms are never told together with those of generated ones.
    ``honest`` are benign windows of training families that look most like an attack's; they are learnt besides, with a weight of
    their own.
    """

    train: list[Story]
    stopping: list[Story]
    validation: list[Story]
    tests: dict[str, list[Story]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    watched: list[Story] = field(default_factory=list)
    apart: dict[str, tuple[list[Story], list[Story]]] = field(default_factory=dict)
    recorded: frozenset[str] = frozenset()
    honest: Windows | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One detector.

    Attributes
    ----------
    name : str
    version : str
        Of what ships. Another model is another version: verdict ids are made of it, so that one model's verdict is never taken
        for a repetition of the other's.
    classes : dict of str to str
        Technique by class, benign first, in the order of the outputs.
    features : tuple of str
        The encoder's FEATURES.
    sizes : Architecture
    benign : float
        Weight of all benign windows together, as a multiple of all attack windows.
    enough : int
        Attack events that a window must hold to be decidable.
    alerts_per_entity_day : float
        Alert budget from which the threshold is taken, on validation data.
    dense : callable
        Rows of windows (n, 16, R) → features (n, 16, F), unscaled.
    single_events : callable or None
        (data root, seed) → rows (n, F) and classes (n,) that carry no order; None where there are none.
    gather : callable
        (data root or None, seed, thoroughness, progress) → Material.
    honest : float
        Weight of the material's honest windows together, as a multiple of all attack windows.
    """

    name: str
    version: str
    classes: dict[str, str]
    features: tuple[str, ...]
    sizes: Architecture
    benign: float
    enough: int
    alerts_per_entity_day: float
    dense: Callable[[NDArray[np.generic]], NDArray[np.float32]]
    single_events: Callable[[Path, int], tuple[NDArray[np.float32], NDArray[np.int64]]] | None
    gather: Callable[[Path | None, int, int, Progress], Material]
    honest: float = 0.0


def _network_dense(rows: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(rows, np.float32)


def _single_flows(root: Path, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return network_data.single_events(root, seed=seed)


def _audit_dense(rows: NDArray[np.generic]) -> NDArray[np.float32]:
    parts = [audit_encoder.expand(np.asarray(rows[at : at + 4096], np.uint8)) for at in range(0, len(rows), 4096)]
    return np.concatenate(parts) if parts else np.zeros((0, 16, len(audit_encoder.FEATURES)), np.float32)


def _network_material(root: Path | None, seed: int, repeats: int, progress: Progress) -> Material:
    """Scenarios and, where the data lies, recorded captures, cut into pieces so that none outweighs the scenarios."""
    train = network_data.scenario_stories(
        Split.TRAIN, seed=seed, repeats=repeats, progress=lambda text: progress(f"training scenarios {text}")
    )
    progress("training scenarios as VNet flow logs")
    train += network_data.vnet_scenario_stories(Split.TRAIN, seed=seed + 4, repeats=max(2, repeats // 2))
    validation = network_data.scenario_stories(Split.VALIDATION, seed=seed + 1, repeats=repeats)
    validation += network_data.vnet_scenario_stories(Split.VALIDATION, seed=seed + 5, repeats=max(2, repeats // 2))
    stopping = network_data.scenario_stories(Split.TRAIN, seed=seed + 3, repeats=max(2, repeats // 5))
    told = {"seed": seed + 2, "repeats": max(2, repeats // 2)}
    tests = {
        HELD_OUT: network_data.scenario_stories(Split.TEST, **told),
        HELD_OUT_ON_AZURE: network_data.vnet_scenario_stories(Split.TEST, **told),
    }
    apart: dict[str, tuple[list[Story], list[Story]]] = {}
    sources = ["generated scenarios, as VPC and as VNet flow logs"]
    if root is not None:
        progress("recorded captures")
        train += network_data.pieces(
            network_data.recorded_stories(root, TRAIN_CAPTURES, forms=network_data.FORMS), length=64, most=40, seed=seed
        )
        train += network_data.grafted_stories(root, TRAIN_CAPTURES[1:], Split.TRAIN, seed=seed, repeats=max(1, repeats // 3))
        validation += network_data.pieces(
            network_data.recorded_stories(root, VALIDATION_CAPTURES, forms=network_data.FORMS), length=400, most=60, seed=seed
        )
        progress("working days with the flow shapes of CICIDS2017")
        train += network_data.workday_stories(root, WORKDAYS, Split.TRAIN, seed=seed, count=10 * repeats)
        validation += network_data.workday_stories(root, VALIDATION_WORKDAYS, Split.VALIDATION, seed=seed, count=4 * repeats)
        sources.append(
            f"flow shapes of CICIDS2017 on generated hosts and times ({', '.join(WORKDAYS)};"
            f" validation: {', '.join(VALIDATION_WORKDAYS)})"
        )
        sources.append("CICIDS2017 and NF-BoT-IoT-v2 rows as single flows, to start the layer that sees single events")
        for name in TEST_CAPTURES:
            tests[f"IoT-23 {name}"] = network_data.recorded_stories(root, (name,))
        tests[TOGETHER] = [story for name in TEST_CAPTURES for story in tests[f"IoT-23 {name}"]]
        tests[TOGETHER_ON_AZURE] = network_data.recorded_stories(root, TEST_CAPTURES, forms=(None,))
        tests["CTU days (evaluation only)"] = network_data.ctu_stories(root, CTU_DAYS)
        recorded = [*tests["IoT-23 4-1"], *tests["IoT-23 21-1"], *tests["CTU days (evaluation only)"]]
        apart["flows: held-out families, IoT-23 4-1 and 21-1 and CTU days"] = (tests[HELD_OUT], recorded)
        sources.append(f"IoT-23 captures {', '.join(TRAIN_CAPTURES)} (validation: {', '.join(VALIDATION_CAPTURES)})")
    recordings = frozenset(tests) - {HELD_OUT, HELD_OUT_ON_AZURE}
    return Material(train, stopping + validation, validation, tests, tuple(sources), apart=apart, recorded=recordings)


def _audit_material(root: Path | None, seed: int, repeats: int, progress: Progress) -> Material:
    """Scenarios, and where the data lies two thirds of the Stratus techniques and Panther cases, embedded in benign history."""
    train = audit_data.scenario_stories(
        Split.TRAIN, seed=seed, repeats=repeats, progress=lambda text: progress(f"training scenarios {text}")
    )
    validation = audit_data.scenario_stories(Split.VALIDATION, seed=seed + 1, repeats=repeats)
    stopping = audit_data.scenario_stories(Split.TRAIN, seed=seed + 3, repeats=max(2, repeats // 5))
    tests = {HELD_OUT: audit_data.scenario_stories(Split.TEST, seed=seed + 2, repeats=max(2, repeats // 2))}
    apart: dict[str, tuple[list[Story], list[Story]]] = {}
    progress("benign principals, watched for days")
    honest = audit_data.first_times(audit_data.watched_stories(Split.TRAIN, seed=seed, entity_days=HONEST_DAYS))
    watched = audit_data.watched_stories(Split.VALIDATION, seed=seed + 1, entity_days=ENTITY_DAYS)
    watched += [story for story in validation if not story.attack and story.family.startswith("system/")]
    tests[WATCHED] = audit_data.watched_stories(Split.TEST, seed=seed + 2, entity_days=ENTITY_DAYS)
    sources = ["generated scenarios"]
    if root is not None:
        progress("recorded attacks in benign history")
        attacks = audit_data.recorded(root)
        train += list(audit_data.recorded_stories(attacks.train, Split.TRAIN, seed=seed, histories=(2, 3, 8, 14, 18, 22, 26, 30)))
        for source, title in (("stratus", "held-out Stratus techniques"), ("panther", "held-out Panther cases")):
            unseen = [attack for attack in attacks.held_out if attack.source == source]
            tests[title] = list(audit_data.recorded_stories(unseen, Split.TEST, seed=seed))
        tests[INVICTUS] = recorded_logs.invictus_stories(root)
        tests[LOGS] = recorded_logs.system_log_stories(root)
        apart["API calls: held-out families, Invictus"] = (tests[WATCHED], tests[INVICTUS])
        hosts = [story for story in tests[HELD_OUT] if story.family.startswith("system/")]
        apart["system logs: held-out families, a Linux host"] = (hosts, tests[LOGS])
        told = {story.family for stories in tests.values() for story in stories if story.attack}
        silent = sorted(attack.name for attack in attacks.held_out if f"{attack.source}/{attack.name}" not in told)
        sources.append(
            f"{len(attacks.train)} recorded Stratus techniques and Panther cases ({len(attacks.held_out)} held out, of which"
            f" {len(attacks.held_out) - len(silent)} can be tested; nothing but calls that anybody makes: {', '.join(silent)})"
        )
    return Material(
        train, stopping + validation, validation, tests, tuple(sources), watched, apart, frozenset({INVICTUS, LOGS}), honest
    )


def network() -> Task:
    features = network_encoder.FEATURES
    return Task(
        name="network",
        version="0.2.0",
        classes=NETWORK_CLASSES,
        features=features,
        sizes=network_sizes(len(features), len(NETWORK_CLASSES)),
        benign=2.0,
        enough=4,
        alerts_per_entity_day=0.3,
        dense=_network_dense,
        single_events=_single_flows,
        gather=_network_material,
    )


def audit() -> Task:
    features = audit_encoder.FEATURES
    return Task(
        name="audit",
        version="0.5.0",
        classes=AUDIT_CLASSES,
        features=features,
        sizes=audit_sizes(len(features), len(AUDIT_CLASSES)),
        benign=2.0,
        enough=2,
        alerts_per_entity_day=0.05,
        dense=_audit_dense,
        single_events=None,
        gather=_audit_material,
        honest=1.0,
    )


TASKS: dict[str, Callable[[], Task]] = {"network": network, "audit": audit}
