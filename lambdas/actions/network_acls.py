"""Network ACLs: which entry decides about an address, where a deny of it would take effect, and denies of Breakwater's own.

Entries have numbers and neither names nor descriptions. So the numbers 1 to 99, the first there are, are Breakwater's: nothing
that stands behind them undoes a deny. The numbers of one containment are drawn from its id, so that two containments at the
same time seldom want the same one; a few of them are written down before the change, and one is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.actions import CannotApply, Difference, UndoResult
from response.addresses import Address

#: Numbers that Breakwater's denies use. Entries of one's own belong behind them.
BAND = range(1, 100)
#: Entries that an ACL takes in one direction, for each version of IP, the default deny among them; and where AWS raised it.
QUOTA, RAISED_QUOTA = 20, 40
#: So many numbers are written down, of which one is used: others may take some meanwhile.
_CHOICE = 4
_EVERYTHING = "-1"

Acl = Mapping[str, Any]


class Direction(StrEnum):
    """Which way an entry looks."""

    INGRESS = "ingress"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of one direction.

    Attributes
    ----------
    number : int
    allows : bool
    protocol : str
        ``-1`` is everything.
    block : str
        Of the other side, ``""`` where the entry names none.
    """

    number: int
    allows: bool
    protocol: str
    block: str

    def covers(self, address: Address) -> bool:
        """Say whether it is about this address."""
        return bool(self.block) and address in ip_network(self.block, strict=False)

    @property
    def denies_one(self) -> bool:
        """Whether it has the form of Breakwater's denies: everything, of one address, at a number of the band."""
        if self.allows or self.protocol != _EVERYTHING or self.number not in BAND or not self.block:
            return False
        return ip_network(self.block, strict=False).num_addresses == 1

    def __str__(self) -> str:
        what = "everything" if self.protocol == _EVERYTHING else f"protocol {self.protocol}"
        return f"{'allow' if self.allows else 'deny'} {self.number} ({what}, {self.block})"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deny goes: at one of these numbers, nowhere (``reason`` says why), or nowhere since it is denied already."""

    numbers: tuple[int, ...] = ()
    reason: str = ""


def read_entries(acl: Acl, direction: Direction) -> list[Entry]:
    """Return the entries of one direction in the order in which they are evaluated."""
    found = [
        Entry(
            number=int(entry["RuleNumber"]),
            allows=str(entry["RuleAction"]).lower() == "allow",
            protocol=str(entry["Protocol"]),
            block=entry.get("CidrBlock") or entry.get("Ipv6CidrBlock") or "",
        )
        for entry in acl["Entries"]
        if bool(entry["Egress"]) is (direction is Direction.EGRESS)
    ]
    return sorted(found, key=lambda entry: entry.number)


def place(acl: Acl, address: Address, direction: Direction, containment: str) -> Place:
    """Find the numbers at which a deny of this address would take effect.

    What others deny already needs none. Breakwater's own denies count as not there (but as taking their number and their
    slot): each containment has one of its own, which it can take away without asking for others.
    """
    entries = read_entries(acl, direction)
    first = _first_allow(entries, address)
    if first is None:
        return Place()
    taken = {entry.number for entry in entries}
    free = [number for number in BAND if number < first.number and number not in taken]
    if not free:
        return Place(reason=f"{first} of {acl['NetworkAclId']} stands before any number that is free")
    of_version = [entry for entry in entries if entry.block and ip_network(entry.block, strict=False).version == address.version]
    quota = QUOTA if len(of_version) <= QUOTA else RAISED_QUOTA
    if len(of_version) >= quota:
        return Place(reason=f"{acl['NetworkAclId']} has {len(of_version)} {direction} entries, all that it takes")
    drawn = sorted(free, key=lambda number: hashlib.sha256(f"{containment}/{number}".encode()).digest())
    return Place(tuple(drawn[:_CHOICE]))


def is_denied(acl: Acl, address: Address, direction: Direction) -> bool:
    """Say whether nothing from or to this address passes: what denies only a part of it counts as passing."""
    for entry in read_entries(acl, direction):
        if entry.covers(address):
            if entry.allows:
                return False
            if entry.protocol == _EVERYTHING:
                return True
    return True


def fits(acl: Acl, address: Address, direction: Direction, numbers: Sequence[int]) -> bool:
    """Say whether one of these numbers still is, or can become, a deny that takes effect."""
    entries = {entry.number: entry for entry in read_entries(acl, direction)}
    first = _first_allow(list(entries.values()), address)
    usable = [number for number in numbers if number not in entries or _is_deny_of(entries[number], address)]
    return first is None or any(number < first.number for number in usable)


def _first_allow(entries: Iterable[Entry], address: Address) -> Entry | None:
    """The first Allow that lets any of it through, None where it is denied before, by somebody else."""
    for entry in entries:
        if entry.covers(address) and not _is_deny_of(entry, address):
            if entry.allows:
                return entry
            if entry.protocol == _EVERYTHING:
                return None
    return None


def _is_deny_of(entry: Entry, address: Address) -> bool:
    return entry.denies_one and entry.covers(address)


class NetworkAcls:
    """Reads ACLs, and puts and takes denies of one address."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def of_subnets(self, subnets: Iterable[str]) -> dict[str, Acl]:
        """Return the ACL in force in each of these subnets; one whose ACL this account does not see is absent."""
        wanted = set(subnets)
        if not wanted:
            return {}
        filters = [{"Name": "association.subnet-id", "Values": sorted(wanted)}]
        with in_core_words("DescribeNetworkAcls"):
            pages = self._clients("ec2").get_paginator("describe_network_acls").paginate(Filters=filters)
            found = [acl for page in pages for acl in page["NetworkAcls"]]
        return {each["SubnetId"]: acl for acl in found for each in acl["Associations"] if each["SubnetId"] in wanted}

    def by_id(self, acl_id: str) -> Acl | None:
        """Return an ACL, None where there is none of that id."""
        try:
            with in_core_words("DescribeNetworkAcls"):
                acls = self._clients("ec2").describe_network_acls(NetworkAclIds=[acl_id])["NetworkAcls"]
        except CloudRefusal as refusal:
            if refusal.code.endswith("NotFound"):
                return None
            raise
        found: Acl = acls[0]
        return found

    def deny(self, acl: Acl, address: Address, direction: Direction, numbers: Sequence[int]) -> None:
        """Put a deny at the first of these numbers that is free, unless one of them is one already.

        Raises
        ------
        CannotApply
            All of them were taken meanwhile.
        CloudRefusal
            The ACL is gone, or takes no more entries.
        """
        there = {entry.number: entry for entry in read_entries(acl, direction)}
        if any(number in there and _is_deny_of(there[number], address) for number in numbers):
            return
        for number in numbers:
            if number not in there and self._create(acl["NetworkAclId"], address, direction, number):
                return
        name, tried = acl["NetworkAclId"], ", ".join(map(str, numbers))
        raise CannotApply(f"the {direction} numbers {tried} of {name} were taken meanwhile: deny {address} there by hand")

    def compare(self, acl: Acl | None, name: str, address: Address, direction: Direction, numbers: Sequence[int]) -> Difference:
        """Say what stands at these numbers now."""
        without, denied = f"no {direction} deny", f"{direction} deny of {address}"
        there = {} if acl is None else {entry.number: entry for entry in read_entries(acl, direction)}
        ours = any(number in there and _is_deny_of(there[number], address) for number in numbers)
        others = [str(there[number]) for number in numbers if number in there and not there[number].denies_one]
        now = "it is gone" if acl is None else denied if ours else ", ".join(others) or without
        return Difference(f"{name}, {direction}", without, denied, now, bool(others) and not ours)

    def allow_again(self, acl: Acl, address: Address, direction: Direction, numbers: Sequence[int]) -> UndoResult:
        """Take the deny away."""
        name, there = acl["NetworkAclId"], {entry.number: entry for entry in read_entries(acl, direction)}
        ours = next((number for number in numbers if number in there and _is_deny_of(there[number], address)), None)
        if ours is None:
            changed = [str(there[number]) for number in numbers if number in there and not there[number].denies_one]
            if changed:
                reason = f"{name} has no {direction} deny of {address}, but {', '.join(changed)}: someone changed it since"
                return UndoResult.leaving(reason)
            return UndoResult((f"{name} without {direction} deny of {address}",))
        try:
            with in_core_words("DeleteNetworkAclEntry"):
                self._clients("ec2").delete_network_acl_entry(
                    NetworkAclId=name, RuleNumber=ours, Egress=direction is Direction.EGRESS
                )
        except CloudRefusal as refusal:
            if not refusal.is_missing:
                return UndoResult.holding(f"{direction} deny {ours} of {name} cannot be removed: {refusal}")
        return UndoResult((f"{name} without {direction} deny {ours} of {address}",))

    def _create(self, acl: str, address: Address, direction: Direction, number: int) -> bool:
        block = {"CidrBlock": f"{address}/32"} if address.version == 4 else {"Ipv6CidrBlock": f"{address}/128"}
        try:
            with in_core_words("CreateNetworkAclEntry"):
                self._clients("ec2").create_network_acl_entry(
                    NetworkAclId=acl,
                    RuleNumber=number,
                    Protocol=_EVERYTHING,
                    RuleAction="deny",
                    Egress=direction is Direction.EGRESS,
                    **block,
                )
        except CloudRefusal as refusal:
            if refusal.code == "NetworkAclEntryAlreadyExists":  # another containment was faster
                return False
            raise
        return True
