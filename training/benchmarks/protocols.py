"""Which records train, which validate, which test: the paper's protocol and the honest ones.

Choices are made by ``types_out`` alone.

| protocol | train | final test |
|---|---|---|
| ``nsl_random`` | 80 % of KDDTrain+ without repetitions, 10 % validate | the other 10 % |
| ``cicids_random`` | the same of CICIDS2017 | the other 10 % |
| ``nsl_official`` | 90 % of KDDTrain+, 10 % validate | KDDTest+ and KDDTest-21, every row as published |
| ``left_out/FAMILY`` | KDDTrain+ without one family of attacks | that family, and benign records unseen |
| ``types_out/FOLD`` | KDDTrain+ without a quarter of the types of every family | these types, and unseen benign records |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np

from training.benchmarks import cicids2017, nsl_kdd
from training.benchmarks.records import BENIGN, Cleaned, Records, drop_repeated

RANDOM = ("nsl_random", "cicids_random")
OFFICIAL = "nsl_official"
LEFT_OUT = tuple(f"left_out/{family}" for family in ("dos", "probe", "r2l", "u2r"))
TYPES_OUT = tuple(f"types_out/{fold}" for fold in range(4))


@dataclass(frozen=True, slots=True)
class Split:
    """One protocol's records for one seed, and the groups of fields that the network reads as a sequence."""

    train: Records
    validation: Records
    tests: dict[str, Records]
    groups: tuple[tuple[str, ...], ...]


def split(protocol: str, seed: int, root: Path) -> Split:
    """Divide the data as the protocol says; the seed decides every random division.

    Raises
    ------
    KeyError
        No such protocol.
    """
    rng = np.random.default_rng([seed, 20260])
    if protocol in RANDOM:
        records = cleaned(root, protocol).records
        order = rng.permutation(len(records))
        first, second = int(0.8 * len(records)), int(0.9 * len(records))
        groups = nsl_kdd.GROUPS if protocol == "nsl_random" else cicids2017.GROUPS
        return Split(
            records.take(order[:first]), records.take(order[first:second]), {"random 10 %": records.take(order[second:])}, groups
        )
    records = cleaned(root, "nsl_random").records
    order = rng.permutation(len(records))
    train, validation = records.take(order[len(order) // 10 :]), records.take(order[: len(order) // 10])
    if protocol == OFFICIAL:
        tests = {"KDDTest+": nsl_kdd.load(root, nsl_kdd.TEST), "KDDTest-21": nsl_kdd.load(root, nsl_kdd.TEST_21)}
        return Split(train, validation, tests, nsl_kdd.GROUPS)
    which = protocol.partition("/")[2]
    if protocol in LEFT_OUT:
        outside = records.families == which
    elif protocol in TYPES_OUT:
        outside = np.isin(records.attacks, sorted(fold_of_types(records, int(which))))
    else:
        raise KeyError(f"no protocol {protocol!r}; there are {', '.join((*RANDOM, OFFICIAL, *LEFT_OUT, *TYPES_OUT))}")
    # A fifth of the benign records is kept for the test; validation records of what is left out are dropped.
    role = np.empty(len(records), int)
    role[order] = np.arange(len(order)) * 10 // len(order)
    benign = ~records.truth
    return Split(
        records.take(~outside & (role > 2)), records.take(~outside & (role == 0)),
        {which: records.take(outside | (benign & ((role == 1) | (role == 2))))}, nsl_kdd.GROUPS,
    )  # fmt: skip


def fold_of_types(records: Records, fold: int) -> set[str]:
    """A quarter of the attack types of every family, the same for every seed: dealt in the order of their names' checksums."""
    chosen: set[str] = set()
    for family in sorted(set(records.families.tolist()) - {BENIGN}):
        types = sorted(set(records.attacks[records.families == family].tolist()), key=lambda name: crc32(name.encode()))
        chosen |= set(types[fold::4])
    return chosen


@cache
def cleaned(root: Path, protocol: str) -> Cleaned:
    """The whole data set of a random protocol, each feature vector once."""
    return drop_repeated(nsl_kdd.load(root, nsl_kdd.TRAIN) if protocol == "nsl_random" else cicids2017.load(root))
