"""What single values of the policy file may be, and how they are read: the types of its schema (``policy_schema.py``)."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from response.hours import parse_hours
from response.resources import (
    ARM_ID,
    FORMS,
    INSTANCE,
    OBJECT_ID,
    ROLE_OR_USER,
    SECURITY_GROUP,
    SIGN_IN_NAME,
    in_one_spelling,
)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: object) -> object:
    """Read ``90s``, ``30m``, ``12h`` or ``7d``."""
    match = re.fullmatch(r"([1-9]\d{0,6})([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("give a duration such as 90s, 30m, 12h or 7d")
    return int(match[1]) * _UNITS[match[2]]


def _no_truth(value: object) -> object:
    """YAML reads yes, on and true alike, and Python counts them as 1."""
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


Count = Annotated[int, BeforeValidator(_no_truth)]
Probability = Annotated[float, BeforeValidator(_no_truth), Field(ge=0, le=1)]
Duration = Annotated[int, BeforeValidator(_seconds), Field(ge=60, le=90 * 86400)]
Version = Annotated[Literal[1], BeforeValidator(_no_truth)]
Technique = Annotated[str, Field(pattern=r"^T\d{4}(\.\d{3})?$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


def _lower(value: object) -> object:
    """Accounts and regions mean the same in any case."""
    return value.lower() if isinstance(value, str) else value


def _spelled(value: object) -> object:
    return in_one_spelling(value) if isinstance(value, str) else value


def _any_of(*forms: str) -> str:
    return rf"^({'|'.join(FORMS[form][0] for form in forms)})$"


_Spelled = BeforeValidator(_spelled)
#: User principal names of Entra are what plans about users carry beside the object id.
Principal = Annotated[str, _Spelled, Field(pattern=_any_of(ROLE_OR_USER, OBJECT_ID, SIGN_IN_NAME))]
SecurityGroup = Annotated[str, _Spelled, Field(pattern=_any_of(SECURITY_GROUP, ARM_ID))]
Instance = Annotated[str, _Spelled, Field(pattern=_any_of(INSTANCE, ARM_ID))]
AnyResource = Annotated[str, _Spelled, Field(pattern=_any_of(*FORMS))]
#: Kinds of principals by name, as patterns. Those without one are always protected, and may be listed so that a reader knows.
PATTERNS_OF_KIND = {
    "root": (),
    "service_linked": (),
    "identity_center": (),
    "breakwater": (),
    "users": ("arn:*:iam::*:user/*",),
    "landing_zone": tuple(
        f"arn:*:iam::*:role/{name}"
        for name in ("OrganizationAccountAccessRole", "AWSControlTowerExecution", "stacksets-exec-*", "*/stacksets-exec-*")
    ),
}
ProtectedKind = Literal["root", "service_linked", "identity_center", "breakwater", "users", "landing_zone"]


def _readable_hours(text: str) -> str:
    parse_hours(text)
    return text


#: Where each severity begins, as a probability: GuardDuty's bands, as the OCSF records have them.
PROBABILITY_FROM = {"low": 0.0, "medium": 0.4, "high": 0.7, "critical": 0.9}
Severity = Literal["low", "medium", "high", "critical"]
Account = Annotated[str, BeforeValidator(_lower), Field(pattern=r"^(\d{12}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")]
Region = Annotated[str, BeforeValidator(_lower), Field(pattern=r"^[a-z0-9-]{3,32}$")]
Window = Annotated[str, AfterValidator(_readable_hours)]


def _block(value: object) -> object:
    """Read an address or a block of them. Bits behind the prefix are a slip of the pen that would protect others."""
    try:
        return str(ip_network(value)) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"give an address or a block such as 203.0.113.0/24: {error}") from error


Block = Annotated[str, BeforeValidator(_block)]


def _narrow(block: str) -> str:
    """Refuse what half the internet is in: every verdict would have its second signal by it."""
    network = ip_network(block)
    if network.prefixlen < (8 if network.version == 4 else 19):
        raise ValueError(f"{block} is too much of the internet to say anything about an address: give narrower blocks")
    return block


WatchedBlock = Annotated[Block, AfterValidator(_narrow)]


def one_thing(pattern: str) -> str:
    """Refuse a pattern that names too much: every verdict would have its second signal by it.

    What leads to a name (account, path, domain) is everybody's: with a wildcard, the name itself has to tell the canary.
    """
    if "[" in pattern:
        raise ValueError("[…] stands for any letter of a set: write the canary's own name, with * or ? where it must be")
    if re.fullmatch(r"akia[a-z0-9*?]+", pattern):
        raise ValueError(f"access key ids are written in capitals: write {pattern.upper()}")
    # A bucket's ARN has lost its partition, which says nothing of the others either.
    exact = not re.search(r"[*?]", re.sub(r"^arn:[^:]*:", "", pattern))
    telling = pattern if exact else re.split(r"[/:]", pattern)[-1].partition("@")[0]
    if len(re.sub(r"[*?]", "", telling)) < 8 or re.search(r"\s", pattern):
        raise ValueError(
            "give an access key id, an ARN, an ARM id or a name that only the canary has; "
            "one with * or ? needs eight other characters behind its last / or :"
        )
    return pattern


Canary = Annotated[str, BeforeValidator(_spelled), AfterValidator(one_thing)]
