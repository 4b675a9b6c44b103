"""The unified form of telemetry: what every parser yields and every encoder takes.

Field names inside are short; the OCSF 1.5.0 attribute that each one becomes when it leaves the
system stands behind it in the docstrings. Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


#: DynamoDB takes partition keys of 2,048 bytes and sort keys of 1,024: with what stands before it, a key fits into both.
_KEY_BYTES = 960
#: UTF-8 takes at most 4 bytes for each character.
_SURELY_SHORT = _KEY_BYTES // 4


class Telemetry(StrEnum):
    """Where a signal was drawn from. Two signals are independent when these differ."""

    FLOW_LOGS = "flow_logs"
    API_CALLS = "api_calls"
    SYSTEM_LOGS = "system_logs"
    DNS_LOGS = "dns_logs"
    RUNTIME = "runtime"
    DATA_EVENTS = "data_events"
    WATCH_LIST = "watch_list"  # no record: a list that the operator keeps (response/outside.py)
    CANARY = "canary"  # nor this: what the operator laid out for nobody to use


#: Telemetry in which whoever sends a packet chooses the source address that it shows.
SPOOFABLE = frozenset({Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS})


class EntityKind(StrEnum):
    """What a sequence can be about, and what can be contained."""

    PRINCIPAL = "principal"  # IAM user, role, root; Azure service principal or user: its ARN or object id
    SESSION = "session"  # one assumed-role session: "<role id>:<session name>"
    ACCESS_KEY = "access_key"  # long-term key of an IAM user: "AKIA…"
    TRUST = "trust"  # a role and the outside account that it lets in: see shared_model/trust.py
    INSTANCE = "instance"  # EC2 instance or VM id
    INTERFACE = "interface"  # ENI or NIC id
    ADDRESS = "address"  # IP address, canonical text
    HOST = "host"  # host name in system logs
    BUCKET = "bucket"  # S3 bucket by name, or storage account by id
    SECURITY_GROUP = "security_group"  # "sg-…"; on Azure its ARM id
    SECURITY_GROUP_RULE = "security_group_rule"  # "sgr-…"; on Azure its ARM id
    SNAPSHOT = "snapshot"  # of a volume: "snap-…"; of a database: its ARN
    IMAGE = "image"  # machine image: "ami-…"


#: Ids of long-term access keys. Those of temporary credentials (ASIA…) end by themselves, and nothing deactivates one.
_ACCESS_KEY = re.compile(r"AKIA[A-Z0-9]{12,124}")


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A principal, session, instance, interface, address or host within one account.

    ``account`` is the AWS account id or Azure subscription id that saw it.
    """

    kind: EntityKind
    id: str
    account: str = ""

    @property
    def key(self) -> str:
        """Stable text form, used as partition key and FIFO group: ``account/kind/id``, at most 960 bytes of UTF-8.

        The tail of a longer one gives way to its hash: a store that refuses one key would refuse its whole batch.
        """
        key = f"{self.account}/{self.kind}/{self.id}"
        return key if len(key) <= _SURELY_SHORT else _bounded(key)

    @classmethod
    def from_key(cls, key: str) -> Entity:
        """Read :attr:`key` back; of one that was too long, what stands for it. Raises ValueError on any other text."""
        account, kind, identifier = key.split("/", 2)
        return cls(EntityKind(kind), identifier, account)


def access_key(identifier: str, account: str) -> Entity | None:
    """Return the long-term access key of that id, None where it is none (temporary credentials, another cloud's, nothing)."""
    return Entity(EntityKind.ACCESS_KEY, identifier, account) if _ACCESS_KEY.fullmatch(identifier) else None


def _bounded(key: str) -> str:
    data = key.encode("utf-8", "replace")
    if len(data) <= _KEY_BYTES:
        return key
    digest = hashlib.sha256(data).hexdigest()
    return f"{data[: _KEY_BYTES - len(digest) - 1].decode('utf-8', 'ignore')}~{digest}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record that could not be used, beside the good ones of the same input.

    Attributes
    ----------
    source : str
        Parser and object, e.g. ``vpc_flow_logs:s3://bucket/key``.
    record : int
        1-based number of the record (line, array element) in that source.
    field : str
        Field that is wrong, or ``""`` when the record as a whole is.
    reason : str
        What is wrong, in words an operator can act on.
    raw : str
        The record's beginning, at most 512 characters, for a person to look at.
    """

    source: str
    record: int
    field: str
    reason: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """The monitored network interface that recorded a flow (OCSF ``src_endpoint``/``dst_endpoint``.interface_uid)."""

    interface_id: str
    account: str = ""
    instance_id: str = ""
    vpc_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FlowBatch:
    """Two-way flows as columns: one row per flow, all arrays of the same length n.

    "Out" is from the initiator (source) to the responder (destination), "in" the way back.

    Attributes
    ----------
    start_ms, end_ms : int64 (n,)
        First and last packet (OCSF ``start_time``, ``end_time``).
    source, destination : uint64 (n, 2)
        Address as (high, low) 64 bits; IPv4 as ``::ffff:a.b.c.d`` (OCSF ``src_endpoint.ip``, ``dst_endpoint.ip``).
    source_port, destination_port : int32 (n,)
        (OCSF ``src_endpoint.port``, ``dst_endpoint.port``); 0 where the protocol has none.
    protocol : int16 (n,)
        IANA number (OCSF ``connection_info.protocol_num``).
    packets_out, packets_in, bytes_out, bytes_in : int64 (n,)
        (OCSF ``traffic.packets_out`` …); 0 in a direction that was not seen, -1 where the record does not tell (not logged).
    flags_out, flags_in : uint8 (n,)
        Union of TCP flags (OCSF ``connection_info.tcp_flags``), 0 where the log has none.
    two_way : bool (n,)
        Both directions were seen. Only such a flow proves that the source address is not spoofed.
    rejected : bool (n,)
        A security group or NACL refused it (OCSF ``action_id`` 2).
    local_source : bool (n,)
        The initiator is the monitored interface itself (OCSF ``connection_info.direction_id`` 2, outbound).
    interface : int32 (n,)
        Index into ``interfaces``.
    record : int64 (n,)
        1-based number of the flow's first record in its source, for evidence.
    interfaces : tuple of Interface
    origin : str
        Where the batch came from, e.g. ``vpc_flow_logs:s3://bucket/key``.
    """

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    source: NDArray[np.uint64]
    destination: NDArray[np.uint64]
    source_port: NDArray[np.int32]
    destination_port: NDArray[np.int32]
    protocol: NDArray[np.int16]
    packets_out: NDArray[np.int64]
    packets_in: NDArray[np.int64]
    bytes_out: NDArray[np.int64]
    bytes_in: NDArray[np.int64]
    flags_out: NDArray[np.uint8]
    flags_in: NDArray[np.uint8]
    two_way: NDArray[np.bool_]
    rejected: NDArray[np.bool_]
    local_source: NDArray[np.bool_]
    interface: NDArray[np.int32]
    record: NDArray[np.int64]
    interfaces: tuple[Interface, ...]
    origin: str = ""

    def __len__(self) -> int:
        return len(self.start_ms)

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self) if f.name not in ("interfaces", "origin")}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of a FlowBatch differ in length: {lengths}")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One audit record: CloudTrail event, Azure activity, Entra sign-in (OCSF API Activity 6003, Authentication 3002).

    Attributes
    ----------
    event_id : str
        The cloud's own id (OCSF ``metadata.uid``); the two delivery paths are merged by it.
    time_ms : int
        (OCSF ``time``)
    provider, account, region : str
        (OCSF ``cloud.provider``, ``cloud.account.uid``, ``cloud.region``)
    service, operation : str
        (OCSF ``api.service.name``, ``api.operation``), e.g. ``iam``, ``CreateAccessKey``.
    principal : Entity
        Who is watched and contained (OCSF ``actor.user.uid``): the user or role ARN.
    session : Entity or None
        The assumed-role session it acted in (OCSF ``actor.session.uid``).
    caller_kind : str
        CloudTrail ``userIdentity.type`` or its Azure counterpart (OCSF ``actor.user.type``).
    succeeded : bool
        (OCSF ``status_id`` 1)
    error_code : str
        (OCSF ``api.response.error``), ``""`` on success.
    read_only : bool or None
        None where the record does not say.
    source_address : str
        Canonical IP text, or a service name such as ``cloudformation.amazonaws.com`` (OCSF ``src_endpoint``).
    user_agent : str
        (OCSF ``http_request.user_agent``); where an Azure record states none, ``appid/`` and the application that the token was
        given to (OCSF ``actor.app_uid``).
    mfa : bool or None
        (OCSF ``actor.session.is_mfa``)
    access_key_id : str
        (OCSF ``actor.user.credential_uid``)
    session_issued_ms : int or None
        When the session's token was issued (OCSF ``actor.session.created_time``).
    targets : tuple of str
        Names of what it acted on, from the record's resources and parameters (OCSF ``resources[].uid``).
    instance_id : str
        Instance whose role made the call, where the session name tells.
    aliases : tuple of Entity
        Other names of the principal: on Azure, the same object id under its directory, beside the subscription that saw it. It
        is by this one that signals from different subscriptions are about the same principal. On AWS, of a federated user, the
        IAM user whose rights it has.
    created : bool or None
        Whether a write made something new: Azure calls making and changing alike. None where the record does not say.
    trusts : tuple of Entity
        Roles that the call made let an outside account in, or by which such an account came in (OCSF has no attribute for it).
    opened : tuple of Entity
        What a call that succeeded may have opened to others: security group and rules, bucket, snapshot, image.
    grant : str
        What the request opens, and to whom: one of :data:`shared_model.grants.GRANTS`.
    """

    event_id: str
    time_ms: int
    provider: str
    account: str
    region: str
    service: str
    operation: str
    principal: Entity
    session: Entity | None
    caller_kind: str
    succeeded: bool
    error_code: str
    read_only: bool | None
    source_address: str
    user_agent: str
    mfa: bool | None
    access_key_id: str
    session_issued_ms: int | None
    targets: tuple[str, ...]
    instance_id: str = ""
    aliases: tuple[Entity, ...] = ()
    created: bool | None = None
    trusts: tuple[Entity, ...] = ()
    opened: tuple[Entity, ...] = ()
    grant: str = ""


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """One system-log record of one host (OCSF Authentication 3002 where it is one, else Base Event).

    Attributes
    ----------
    event_id : str
        Log-service id, else a hash of the record (OCSF ``metadata.uid``).
    time_ms : int
        (OCSF ``time``)
    provider, account : str
        (OCSF ``cloud.provider``, ``cloud.account.uid``)
    host : Entity
        Kind ``host``, or ``instance`` where the log stream names one (OCSF ``device``).
    process : str
        Program tag without pid (OCSF ``actor.process.name``).
    severity : int or None
        Syslog severity 0–7 (OCSF ``severity_id``).
    template : str
        Message with its variable parts masked: the message's kind.
    verb, object, outcome : str
        The record in the audit vocabulary, e.g. ``authenticate``, ``user``, ``failure``; ``""`` where it has no meaning there.
    user : str
        Account named in the message (OCSF ``user.name``).
    source_address : str
        Remote address named in the message (OCSF ``src_endpoint.ip``).
    message : str
        The text itself (OCSF ``message``).
    """

    event_id: str
    time_ms: int
    provider: str
    account: str
    host: Entity
    process: str
    severity: int | None
    template: str
    verb: str
    object: str
    outcome: str
    user: str
    source_address: str
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a cloud's own detector said: GuardDuty finding, Sentinel incident, Defender alert (OCSF Detection Finding 2004).

    Attributes
    ----------
    finding_id : str
        (OCSF ``finding_info.uid``)
    time_ms : int
        Last update (OCSF ``finding_info.modified_time``).
    provider, account, region, product : str
        Product is ``guardduty``, ``sentinel`` or ``defender`` (OCSF ``metadata.product.name``).
    type : str
        (OCSF ``finding_info.types``), e.g. ``UnauthorizedAccess:EC2/TorClient``.
    title : str
        (OCSF ``finding_info.title``)
    severity : float
        0–10.
    telemetry : Telemetry
        What the finding was drawn from: decides whether it is independent of a verdict.
    entities : tuple of Entity
        What it is about, the thing to contain first (instance before interface, session before principal).
    remote_addresses : tuple of str
        Every remote address of the finding, in order, without repeats.
    local_addresses : tuple of str
        Every own address (private, public, IPv6) of the resource.
    technique : str
        MITRE ATT&CK technique where the type maps to one, else ``""``.
    count : int
        How often the cloud saw it.
    sample : bool
        The cloud marks it as a sample finding, or it repeats a verdict of this system: never acted on.
    alerts : tuple of str
        Ids of the alerts that it groups so far, sorted: a finding to which one is added says something new. Empty where the id
        alone names what was found.
    """

    finding_id: str
    time_ms: int
    provider: str
    account: str
    region: str
    product: str
    type: str
    title: str
    severity: float
    telemetry: Telemetry
    entities: tuple[Entity, ...]
    remote_addresses: tuple[str, ...]
    local_addresses: tuple[str, ...]
    technique: str
    count: int
    sample: bool
    alerts: tuple[str, ...] = ()
