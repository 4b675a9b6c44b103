"""IP sets of AWS WAF: lists of address blocks without names or notes, of one version of IP, written whole under a lock token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.actions import CannotApply, CloudUnavailable, Difference, UndoResult
from response.addresses import Address

#: Blocks that a set takes.
LIMIT = 10_000
#: IP sets that a policy names at most: each is read for every plan.
_MOST = 10
#: Writers that meet on one set settle within a few rounds.
_ROUNDS = 6
#: Scope ``global`` is CloudFront's, whose sets AWS keeps in one region.
_ARN = re.compile(
    r"arn:[\w-]+:wafv2:(us-east-1(?=:\d{12}:global)|[a-z0-9-]+(?=:\d{12}:regional)):\d{12}:(\w+)/ipset/([\w-]+)/([\w-]+)"
)
_SCOPES = {"regional": "REGIONAL", "global": "CLOUDFRONT"}
_IN_NONE = "in no block"
_GONE = "WAFNonexistentItemException"
_CHANGED_MEANWHILE = "WAFOptimisticLockException"


@dataclass(frozen=True, slots=True)
class IpSetName:
    """An IP set by its ARN, which says all that its API asks for."""

    arn: str
    region: str
    scope: str
    name: str
    id: str

    @classmethod
    def of(cls, arn: str) -> IpSetName:
        """Read an ARN. Raises ValueError."""
        match = _ARN.fullmatch(arn)
        if match is None:
            raise ValueError(
                f"{arn!r} is no ARN of an IP set: give one such as arn:aws:wafv2:eu-central-1:123456789012:regional/ipset/a/b, "
                "for CloudFront with us-east-1 and global/ipset"
            )
        return cls(arn, match[1], _SCOPES[match[2]], match[3], match[4])

    @property
    def key(self) -> dict[str, str]:
        """The parameters by which the API finds it."""
        return {"Name": self.name, "Scope": self.scope, "Id": self.id}


@dataclass(frozen=True, slots=True)
class IpSet:
    """An IP set as it is.

    Attributes
    ----------
    name : IpSetName
    version : int
        4 or 6.
    blocks : tuple of str
    description : str
    token : str
        Of this state: a write under it fails when somebody wrote meanwhile.
    """

    name: IpSetName
    version: int
    blocks: tuple[str, ...]
    description: str
    token: str

    def covering(self, address: Address) -> str:
        """Return the block that an address is in, the narrowest; ``""`` where there is none."""
        found = [block for each in self.blocks if address in (block := ip_network(each, strict=False))]
        return str(max(found, key=lambda block: block.prefixlen)) if found else ""

    def has(self, address: Address) -> bool:
        """Whether it has a block of just this address."""
        return self.covering(address) == block_of(address)


def block_of(address: Address) -> str:
    """Return the block of just this address."""
    return str(ip_network(address))


def read_ip_sets(settings: Mapping[str, Any]) -> tuple[IpSetName, ...]:
    """Read ``{"ip_sets": [ARN, …]}`` of the policy. Raises ValueError, which names the place and what fits there."""
    if unknown := sorted(settings.keys() - {"ip_sets"}):
        raise ValueError(f"{unknown[0]}: there is no such setting: here stands ip_sets")
    given = settings.get("ip_sets")
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= _MOST or len({*map(str, given)}) != len(given):
        raise ValueError(f"ip_sets: name one to {_MOST} IP sets by their ARNs, each once (it is {given!r})")
    names = []
    for number, each in enumerate(given):
        try:
            names.append(IpSetName.of(str(each)))
        except ValueError as error:
            raise ValueError(f"ip_sets.{number}: {error}") from error
    return tuple(names)


class IpSets:
    """Reads sets, and puts and takes blocks of one address."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, name: IpSetName) -> IpSet | None:
        """Return the set, None where there is none of this ARN."""
        try:
            with in_core_words("GetIPSet"):
                found = self._wafv2(name).get_ip_set(**name.key)
        except CloudRefusal as refusal:
            if refusal.code == _GONE:
                return None
            raise
        kept = found["IPSet"]
        return IpSet(
            name=name,
            version=6 if kept["IPAddressVersion"] == "IPV6" else 4,
            blocks=tuple(kept["Addresses"]),
            description=kept.get("Description") or "",
            token=found["LockToken"],
        )

    def tags(self, name: IpSetName) -> dict[str, str]:
        """Return the tags of a set."""
        with in_core_words("ListTagsForResource"):
            found = self._wafv2(name).list_tags_for_resource(ResourceARN=name.arn)
        return {tag["Key"]: tag["Value"] for tag in found["TagInfoForResource"]["TagList"]}

    def put(self, name: IpSetName, address: Address) -> None:
        """Add the block of an address, unless it is there.

        Raises
        ------
        CannotApply
            The set is gone, or full.
        """
        for _ in range(_ROUNDS):
            found = self.read(name)
            if found is None:
                raise CannotApply(f"the IP set {name.arn} is gone: name another in the policy, or use block_address")
            if found.has(address):
                return
            if len(found.blocks) >= LIMIT:
                raise CannotApply(full(name))
            if self._write(found, (*found.blocks, block_of(address))):
                return
        raise CloudUnavailable(f"UpdateIPSet: {name.arn} was changed by others {_ROUNDS} times meanwhile")

    def take(self, name: IpSetName, address: Address) -> UndoResult:
        """Take the block of an address out."""
        for _ in range(_ROUNDS):
            found = self.read(name)
            if found is None:
                return UndoResult.leaving(f"the IP set {name.arn} is gone")
            if found.has(address):
                kept = tuple(each for each in found.blocks if str(ip_network(each, strict=False)) != block_of(address))
                try:
                    if not self._write(found, kept):
                        continue
                except CloudRefusal as refusal:
                    return UndoResult.holding(f"{address} stays in {name.arn}: {refusal}", refusal=refusal)
                found = IpSet(name, found.version, kept, found.description, found.token)
            if wider := found.covering(address):
                return UndoResult.leaving(f"{name.arn} still has {address}, in {wider}: someone put that there since")
            return UndoResult((f"{name.arn} without {address}",))
        raise CloudUnavailable(f"UpdateIPSet: {name.arn} was changed by others {_ROUNDS} times meanwhile")

    def compare(self, name: IpSetName, address: Address) -> Difference:
        """Say in which block an address is now."""
        found, ours = self.read(name), block_of(address)
        now = "the set is gone" if found is None else found.covering(address) or _IN_NONE
        return Difference(name.arn, _IN_NONE, ours, now, now not in (_IN_NONE, ours))

    def _write(self, found: IpSet, blocks: tuple[str, ...]) -> bool:
        """Write a set whole; return False where somebody wrote since it was read."""
        described = {"Description": found.description} if found.description else {}
        try:
            with in_core_words("UpdateIPSet"):
                self._wafv2(found.name).update_ip_set(
                    **found.name.key, Addresses=list(blocks), LockToken=found.token, **described
                )
        except CloudRefusal as refusal:
            if refusal.code == _CHANGED_MEANWHILE:
                return False
            raise
        return True

    def _wafv2(self, name: IpSetName) -> Any:
        return self._clients("wafv2", name.region)


def full(name: IpSetName) -> str:
    """Return why nothing more goes into a set, and what to do."""
    return f"{name.arn} has {LIMIT} blocks, all that an IP set takes: join some into wider ones, or name another set"
