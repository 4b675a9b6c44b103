"""By which sketch of a principal's past its calls are judged: the copy beside its window's rows, and its own where need be.

One request loads the windows of a batch, as ever. A row holds a copy of its principal's sketch, so that nothing else is read for
most calls. The principal's own, which has a key to itself (a principal also has a window, of its calls without a session), is
read in a second request when a window is new, when by the copy something is a first (another session may have shown it since),
and once a day of each, so that it is not forgotten. Then it is written too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shared_model.encoders.audit import of_novel_rows, tell_firsts
from shared_model.events import ApiCall
from shared_model.habits import day_of, last_day, merged
from shared_model.memory import EntityMemory, Remembered

#: Behind a principal's memory key: where its sketch is kept.
_PAST = "/past"


def tell_pasts(
    rows: NDArray[np.uint8],
    calls: Sequence[ApiCall],
    keys: Sequence[str],
    principals: Sequence[str],
    loaded: Mapping[str, Remembered],
    memory: EntityMemory,
) -> tuple[dict[str, bytes], dict[str, Remembered]]:
    """Write into rows what each call shows that its principal never did before.

    Parameters
    ----------
    rows : uint8 (n, ROW_BYTES)
        Encoded calls; written to.
    calls : sequence of ApiCall, n
    keys, principals : sequence of str, n
        Memory key of each call's entity (a session, else the principal), and of its principal.
    loaded : mapping
        What is kept of the entities.
    memory : EntityMemory
        Read only.

    Returns
    -------
    dict of str to bytes, dict of str to Remembered
        The sketch of each entity's principal, with these calls, by the entity's key; and what to store of principals.
    """
    owners = [f"{principal}{_PAST}" for principal in principals]
    numbers = {owner: number for number, owner in enumerate(dict.fromkeys(owners))}
    principal = np.array([numbers[owner] for owner in owners], np.intp)
    copies: dict[str, dict[str, bytes]] = {owner: {} for owner in numbers}
    newest = dict.fromkeys(numbers, 0)
    for owner, key, call in zip(owners, keys, calls, strict=True):
        copies[owner][key] = loaded[key].habits if key in loaded else b""
        newest[owner] = max(newest[owner], call.time_ms)
    before = [merged([*held.values()]) for held in copies.values()]
    after = tell_firsts(rows, calls, principal, before)
    firsts = {owner for owner, shows in zip(owners, of_novel_rows(rows).tolist(), strict=True) if shows}
    asked = [
        owner
        for owner, sketch in zip(numbers, before, strict=True)
        if owner in firsts or not all(copies[owner].values()) or day_of(newest[owner]) > last_day(sketch)
    ]
    own = memory.load(asked) if asked else {}
    if own:
        known = [[sketch, own[owner].habits] if owner in own else [sketch] for owner, sketch in zip(numbers, before, strict=True)]
        after = tell_firsts(rows, calls, principal, [merged(both) for both in known])
    sketches = {key: after[numbers[owner]] for key, owner in zip(keys, owners, strict=True)}
    apart = {
        owner: Remembered(b"", (), (), habits=after[numbers[owner]], version=own[owner].version if owner in own else 0)
        for owner in asked
    }
    return sketches, apart
