"""One vocabulary for audit records of every cloud and for system logs: what the audit detector can tell apart.

A record becomes (service, verb, object, outcome, error, caller, origin, agent). What is not listed falls into
``other``, never into an error. Names of principals, resources and programs are no words of it: a model that
knew them would learn who was attacked in its training data, not how.

``docs/audit-vocabulary.md`` is printed from these tables by ``python -m shared_model.vocabulary_page``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from shared_model.vocabulary_aws import OBJECT_OF_SERVICE, OBJECT_WORDS, OPERATIONS, SERVICES_OF_AWS, VERB_PREFIXES
from shared_model.vocabulary_windows import SERVICES_OF_EVENTS

#: The levels of each block, in the order of their codes. Append only: a code is stored in entity memory and in artifacts.
SERVICES = (
    "other",
    "identity",
    "token",
    "sign_in",
    "directory",
    "organization",
    "compute",
    "scaling",
    "function",
    "container",
    "object_storage",
    "file_storage",
    "backup",
    "database",
    "analytics",
    "secret",
    "management",
    "key",
    "audit_log",
    "threat_detection",
    "monitoring",
    "log",
    "dns",
    "edge",
    "load_balancing",
    "messaging",
    "email",
    "deployment",
    "machine_learning",
    "remote_access",
    "cost",
    "support",
    "privilege",
    "scheduler",
    "kernel",
    "daemon",
)
VERBS = (
    "other",
    "list",
    "describe",
    "get",
    "search",
    "create",
    "add",
    "put",
    "update",
    "delete",
    "remove",
    "start",
    "stop",
    "enable",
    "disable",
    "grant",
    "revoke",
    "assume",
    "authenticate",
    "connect",
    "disconnect",
    "invoke",
    "copy",
    "import",
    "encrypt",
    "decrypt",
    "tag",
    "leave",
)
OBJECTS = (
    "other",
    "user",
    "role",
    "group",
    "policy",
    "access_key",
    "login",
    "mfa",
    "identity_provider",
    "session",
    "account",
    "organization",
    "instance",
    "image",
    "snapshot",
    "volume",
    "network",
    "route",
    "security_group",
    "interface",
    "flow_log",
    "trail",
    "log",
    "detector",
    "finding",
    "alarm",
    "bucket",
    "public_access",
    "file",
    "database",
    "secret",
    "parameter",
    "key",
    "certificate",
    "function",
    "code",
    "container",
    "cluster",
    "command",
    "model",
    "domain",
    "queue",
    "email",
    "stack",
    "job",
    "tag",
    "startup",
    "quota",
    "process",
)
OUTCOMES = ("unknown", "success", "failure")
ERRORS = ("none", "denied", "authentication", "not_found", "throttled", "limit", "conflict", "invalid", "other")
CALLERS = ("unknown", "root", "user", "role", "federated", "service", "other_account", "anonymous", "host_user")
ORIGINS = ("none", "service", "private", "public")
AGENTS = ("none", "console", "cli", "sdk", "service", "browser")

_CALLER_OF_AWS = {
    "Root": "root",
    "IAMUser": "user",
    "AssumedRole": "role",
    "Role": "role",
    "FederatedUser": "federated",
    "SAMLUser": "federated",
    "WebIdentityUser": "federated",
    "IdentityCenterUser": "federated",
    "Directory": "federated",
    "AWSService": "service",
    "AWSAccount": "other_account",
}

_SERVICES_OF_PROCESSES = {
    "remote_access": "sshd ftpd vsftpd proftpd telnetd in.telnetd rshd rlogind xrdp",
    "privilege": "sudo su pkexec doas polkitd",
    "identity": "useradd userdel usermod groupadd groupdel groupmod gpasswd passwd chpasswd chage adduser deluser",
    "sign_in": "login gdm lightdm systemd-logind remote xinetd",
    "scheduler": "cron crond anacron atd crontab logrotate",
    "kernel": "kernel klogd",
    "log": "syslogd rsyslogd syslog syslog-ng auditd systemd-journald journal",
    "dns": "named dnsmasq unbound systemd-resolved",
    "email": "postfix sendmail exim dovecot",
    "container": "dockerd containerd kubelet docker",
    "compute": "nova-api nova-compute nova-scheduler cloud-init",
    "management": "amazon-ssm-agent snapd puppet ansible waagent",
}
#: Program of a syslog tag → service group.
PROCESSES: dict[str, str] = {
    process: service for service, processes in _SERVICES_OF_PROCESSES.items() for process in processes.split()
}
_PROCESS = re.compile(r"[^/(\[:\s]+")

# First match wins: what the caller may not do, before what there is not.
_ERROR_PATTERNS = tuple(
    (level, re.compile(pattern, re.IGNORECASE))
    for level, pattern in (
        ("authentication", r"authfailure|failedauth|signature|invalidclienttoken|expired|unrecognizedclient|mfa"),
        ("denied", r"denied|unauthori[sz]ed|forbidden|notauthorized|notpermitted|accessexception"),
        ("throttled", r"throttl|toomanyrequests|requestlimit|slowdown|ratelimit|ratelimited"),
        ("limit", r"limit|quota|insufficient"),
        ("not_found", r"notfound|nosuch|doesnotexist|notexist|invalidinstanceid"),
        ("conflict", r"alreadyexists|conflict|inuse|exists|duplicate|dependency|notempty|unmodifiable|invalid\w*state"),
        ("invalid", r"invalid|malformed|validation|violation|missing|unsupported|bad"),
    )
)
_PRIVATE = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)
_READING = frozenset({"list", "describe", "get", "search"})
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# Lambda and CloudFront write the API's date behind the name: GetFunction20150331v2.
_API_DATE = re.compile(r"\d{4}_?\d{2}_?\d{2}(?:v\d+)?$")


class Operation(NamedTuple):
    """An operation in the vocabulary's words."""

    service: str
    verb: str
    object: str


@lru_cache(maxsize=8192)
def operation_of_aws(service: str, operation: str) -> Operation:
    """Classify a CloudTrail ``eventSource`` (without ``.amazonaws.com``) and ``eventName``.

    Examples
    --------
    >>> operation_of_aws("secretsmanager", "GetSecretValue")
    Operation(service='secret', verb='get', object='secret')
    >>> operation_of_aws("iam", "UpdateAssumeRolePolicy")
    Operation(service='identity', verb='update', object='policy')
    >>> operation_of_aws("nothing-yet", "FrobnicateWidgets")
    Operation(service='other', verb='other', object='other')
    """
    group = SERVICES_OF_AWS.get(service, "other")
    name = _API_DATE.sub("", operation)
    if known := OPERATIONS.get((service, name)) or OPERATIONS.get(("", name)):
        return Operation(group, *known)
    verb, rest = _verb(name)
    words = "".join(_WORD.findall(rest)).lower()
    named = next((level for word, level in OBJECT_WORDS if word in words), "")
    return Operation(group, verb, named or OBJECT_OF_SERVICE.get(service, "other"))


def _verb(name: str) -> tuple[str, str]:
    for prefix, verb in VERB_PREFIXES:
        if name.startswith(prefix) and not name[len(prefix) : len(prefix) + 1].islower():
            return verb, name[len(prefix) :]
    return "other", name


@lru_cache(maxsize=1024)
def service_of_process(process: str) -> str:
    """Service group of a syslog tag or Windows event (``Security-4625``), ``daemon`` for any other.

    ``sshd(pam_unix)`` and ``sshd/1`` count as their program.
    """
    match = _PROCESS.search(process.lower())
    return PROCESSES.get(match[0]) or SERVICES_OF_EVENTS.get(match[0], "daemon") if match else "other"


@lru_cache(maxsize=1024)
def error_of(code: str) -> str:
    """Class of an error code (of any service), ``none`` for an empty one."""
    if not code:
        return "none"
    return next((level for level, pattern in _ERROR_PATTERNS if pattern.search(code)), "other")


def caller_of_aws(kind: str, principal: str) -> str:
    """Class of a CloudTrail ``userIdentity.type``. The principal only tells an anonymous caller."""
    if principal in ("anonymous", "ANONYMOUS_PRINCIPAL"):
        return "anonymous"
    return _CALLER_OF_AWS.get(kind, "unknown")


@lru_cache(maxsize=8192)
def origin_of(source: str) -> str:
    """Class of where a call came from: an address inside or outside, a service of the cloud, or nothing known."""
    if not source:
        return "none"
    try:
        address = ip_address(source)
    except ValueError:
        # "AWS Internal", "cloudformation.amazonaws.com"; other text ("redacted") says nothing.
        return "service" if source.endswith((".amazonaws.com", ".amazonaws.com.cn")) or source == "AWS Internal" else "none"
    return "private" if any(address in network for network in _PRIVATE) else "public"


@lru_cache(maxsize=4096)
def agent_of(user_agent: str) -> str:
    """Coarse kind of a user agent. The string itself never reaches a feature: tools of attack name themselves there.

    A program of its own name counts as ``sdk``: that is what it is built on.
    """
    agent = user_agent.lower()
    if not agent:
        return "none"
    if "console" in agent or "signin" in agent:
        return "console"
    if agent.endswith((".amazonaws.com", ".amazonaws.com.cn")) or agent == "aws internal":
        return "service"
    if agent.startswith(("mozilla", "opera/")):
        return "browser"
    if "aws-cli" in agent:
        return "cli"
    return "sdk"


def is_read_only(stated: bool | None, verb: str) -> bool:
    """Whether a call only reads: as the record states it, else by its verb (older records and exports leave it out)."""
    return verb in _READING if stated is None else stated


def code(levels: tuple[str, ...], level: str) -> int:
    """Position of a level in its block, 0 (``other``, ``unknown`` or ``none``) where it is not one."""
    return _codes(levels).get(level, 0)


@lru_cache(maxsize=32)
def _codes(levels: tuple[str, ...]) -> dict[str, int]:
    return {level: position for position, level in enumerate(levels)}
