"""Which address is the monitored interface's own, where no field of the log tells.

It is the address that the interface's records have in common, a private one first (an interface in a VPC logs its private
address, whatever public one is mapped to it). Where the interface has several, the one end of a flow that is private is inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared_model import addresses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared_model.events import FlowBatch


class OwnAddresses:
    """The interfaces' own addresses, as one stream shows them: what was found in a block counts for the later ones."""

    def __init__(self) -> None:
        # (interface, 0 for IPv6 or 1 for IPv4) -> its address
        self._of: dict[tuple[int, int], tuple[int, int]] = {}

    def fill_local(self, batch: FlowBatch, rows: NDArray[np.intp]) -> None:
        """Fill ``local_source`` of those rows of a batch (intp (k,)): the ones whose records do not tell."""
        if not len(rows):
            return
        own = np.zeros((len(batch.interfaces), 2, 2), np.uint64)
        for place, words in self._of.items():
            own[place] = words
        family = addresses.is_mapped(batch.source[rows]).astype(np.intp)
        mine = own[batch.interface[rows], family]
        is_source = addresses.same(batch.source[rows], mine)
        is_destination = addresses.same(batch.destination[rows], mine)
        unknown = np.flatnonzero(~is_source & ~is_destination)
        if len(unknown):
            for place, words in _common_addresses(batch, rows[unknown], family[unknown]).items():
                self._of[place] = words
                own[place] = words
            mine = own[batch.interface[rows[unknown]], family[unknown]]
            is_source[unknown] = addresses.same(batch.source[rows[unknown]], mine)
            # An interface's further addresses: of two ends, the private one is inside.
            is_destination[unknown] = addresses.same(batch.destination[rows[unknown]], mine)
            still = rows[~is_source & ~is_destination]
            inside = addresses.scopes(batch.source[still]) == addresses.Scope.PRIVATE
            outside = addresses.scopes(batch.destination[still]) != addresses.Scope.PRIVATE
            is_source[~is_source & ~is_destination] = inside & outside
        batch.local_source[rows] = is_source


def _common_addresses(
    batch: FlowBatch, rows: NDArray[np.intp], family: NDArray[np.intp]
) -> dict[tuple[int, int], tuple[int, int]]:
    """The private address, else the address, that stands in most of an interface's flows of a family; of equals a destination."""
    place = batch.interface[rows].astype(np.intp) * 2 + family
    found, rest = _in_every_flow(batch, rows, place)
    if not len(rest):
        return found
    rows, place = rows[rest], np.tile(place[rest], 2)
    words = np.concatenate([batch.destination[rows], batch.source[rows]])
    pair = (place.astype(np.uint64) << np.uint64(33)) | addresses.keys(words)
    _, first, count = np.unique(pair, return_index=True, return_counts=True)
    private = addresses.scopes(words[first]) == addresses.Scope.PRIVATE
    best = np.lexsort((-first, count, private, place[first]))
    last = np.flatnonzero(np.diff(place[first][best], append=-1))
    chosen = first[best[last]]
    return found | _by_place(place[chosen], words[chosen])


def _in_every_flow(
    batch: FlowBatch, rows: NDArray[np.intp], place: NDArray[np.intp]
) -> tuple[dict[tuple[int, int], tuple[int, int]], NDArray[np.intp]]:
    """The usual case of the rule, without counting every address: one end of a place's first flow is private and in all.

    No other address can then stand in more flows, nor come first in as many. Returns what was found so, and which of the
    rows are of places where it does not decide.
    """
    places = int(place.max()) + 1
    sample = np.zeros(places, np.intp)
    sample[place[::-1]] = rows[::-1]  # the last assignment stays: the first flow
    flows = np.bincount(place, minlength=places)
    source, destination = batch.source[rows], batch.destination[rows]
    # A flow from an address to itself holds it twice.
    decided = np.bincount(place[addresses.same(source, destination)], minlength=places) == 0
    decided &= flows > 0
    own = np.zeros((places, 2), np.uint64)
    open_ = decided.copy()
    for ends in (batch.destination, batch.source):  # of equals a destination
        candidate = ends[sample]
        mine = candidate[place]
        holding = addresses.same(destination, mine) | addresses.same(source, mine)
        wins = open_ & (np.bincount(place[holding], minlength=places) == flows)
        wins &= addresses.scopes(candidate) == addresses.Scope.PRIVATE
        own[wins] = candidate[wins]
        open_ &= ~wins
    decided &= ~open_
    chosen = np.flatnonzero(decided)
    return _by_place(chosen, own[chosen]), np.flatnonzero(~decided[place])


def _by_place(place: NDArray[np.intp], words: NDArray[np.uint64]) -> dict[tuple[int, int], tuple[int, int]]:
    """Address by (interface, family) of places, which are ``2 * interface + family``."""
    return {(index >> 1, index & 1): (high, low) for index, high, low in zip(place.tolist(), *words.T.tolist(), strict=True)}
