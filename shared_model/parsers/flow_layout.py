"""Which field stands where in a flow-log line: the default layout, or what a header line names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERSION_2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
_LATER = (
    "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id "
    "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path reject-reason"
)
#: Layout of an object without a header line.
DEFAULT_LAYOUT = tuple(_VERSION_2.split())
#: Field names of all versions that are known here; a layout may have others too.
KNOWN_FIELDS = frozenset(DEFAULT_LAYOUT) | frozenset(_LATER.split())
#: What a field's name looks like.
FIELD_NAME = re.compile(rb"[a-z][a-z0-9-]*")
#: Stands in every header that is of use (srcaddr, pkt-dstaddr …) and is quickly searched for.
HEADER_HINT = b"addr"


class Layout:
    """Which field stands where in a line.

    Attributes
    ----------
    names : sequence of str
    column : dict of str to int
        Position of each field; of a name that stands there twice, the first.
    missing : (str, str) or None
        The field without which no line of this layout is a flow, and why.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.column = {name: index for index, name in reversed(list(enumerate(names)))}
        self.missing = self._missing()

    def _missing(self) -> tuple[str, str] | None:
        for names in (("srcaddr", "pkt-srcaddr"), ("dstaddr", "pkt-dstaddr"), ("start", "end")):
            if not any(name in self.column for name in names):
                return names[0], f"the header names neither {names[0]} nor {names[1]}: add it to the flow log's format"
        return None

    def first_of(self, *names: str) -> str:
        """The first of these fields that the layout has, ``""`` if none."""
        return next((name for name in names if name in self.column), "")


def header_names(line: bytes) -> list[str] | None:
    """Field names of a header line: only tokens that look like names, one of them known. None: it is no header."""
    tokens = line.split()
    if not all(FIELD_NAME.fullmatch(token) for token in tokens):
        return None
    names = [token.decode("ascii") for token in tokens]
    return None if KNOWN_FIELDS.isdisjoint(names) else names
