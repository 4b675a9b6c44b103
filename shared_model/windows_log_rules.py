"""What a Windows event means, in the words of the audit vocabulary: the counterpart of :mod:`shared_model.system_log_rules`.

Event ids and the names of their data are those of "Windows security audit events" and of the logs System, PowerShell,
Defender, Task Scheduler and Terminal Services.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from shared_model.parsers.fields import address_text
from shared_model.system_log_rules import Meaning

#: Channel or provider → the short name of its log.
LOGS: dict[str, str] = {
    "security": "Security",
    "microsoft-windows-security-auditing": "Security",
    "microsoft-windows-eventlog": "Security",
    "system": "System",
    "service control manager": "System",
    "windows powershell": "PowerShell",
    "powershell": "PowerShell",
    "microsoft-windows-powershell": "PowerShell",
    "microsoft-windows-powershell/operational": "PowerShell",
    "microsoft-windows-windows defender": "Defender",
    "microsoft-windows-windows defender/operational": "Defender",
    "microsoft-windows-taskscheduler/operational": "TaskScheduler",
    "microsoft-windows-terminalservices-localsessionmanager/operational": "TerminalServices",
    "microsoft-windows-terminalservices-remoteconnectionmanager/operational": "TerminalServices",
}

_TARGET, _SUBJECT = "targetusername", "subjectusername"


class EventRule(NamedTuple):
    """Service group, verb, object and outcome of an event, and which datum names the account."""

    service: str
    verb: str
    object: str
    outcome: str
    user: str


# log, event ids, service, verb, object, outcome, which account
_TABLE = """
Security 4624 remote_access authenticate user success target
Security 4625 remote_access authenticate user failure target
Security 4634,4647,4779 remote_access disconnect session success target
Security 4778 remote_access connect session success target
Security 4648 privilege assume user success subject
Security 4672 privilege assume user success subject
Security 4768,4776 sign_in authenticate user success target
Security 4771,4777 sign_in authenticate user failure target
Security 4769 sign_in assume session success target
Security 4720,4741 identity create user success target
Security 4722 identity enable user success target
Security 4725,4740 identity disable user success target
Security 4726,4743 identity delete user success target
Security 4723,4724 identity update login success target
Security 4738,4742,4781 identity update user success target
Security 4727,4731,4754 identity create group success target
Security 4730,4734,4758 identity delete group success target
Security 4728,4732,4756 identity add group success subject
Security 4729,4733,4757 identity remove group success subject
Security 4704,4717 identity add policy success subject
Security 4705,4718 identity remove policy success subject
Security 4739,4713,4706 identity update policy success subject
Security 4697 scheduler create job success subject
Security 4698 scheduler create job success subject
Security 4699 scheduler delete job success subject
Security 4700,4701,4702 scheduler update job success subject
Security 4688 daemon invoke command success subject
Security 4689 daemon stop process success subject
Security 1102,1104 log delete log success subject
Security 1100 log disable log success subject
Security 4719,4906 log update log success subject
Security 4616 daemon update process success subject
Security 4656,4663 file_storage get file success subject
Security 4660 file_storage delete file success subject
Security 5140,5145 file_storage connect file success subject
Security 4946,4947,4948,4950 daemon update network success subject
Security 5152,5157 kernel connect network failure subject
Security 5379,5382 secret get secret success subject
System 7045 scheduler create job success subject
System 7040 daemon update process success subject
System 7036 daemon start process success subject
System 7034,7031 daemon stop process failure subject
System 104 log delete log success subject
System 6005 log enable log success subject
System 6006 log disable log success subject
PowerShell 400 daemon start process success subject
PowerShell 4103,4104 daemon invoke command success subject
Defender 1116,1117 threat_detection create finding success subject
Defender 5001,5010,5012 threat_detection disable detector success subject
Defender 5000 threat_detection enable detector success subject
Defender 5004,5007,5013 threat_detection update detector success subject
TaskScheduler 106 scheduler create job success subject
TaskScheduler 140 scheduler update job success subject
TaskScheduler 141 scheduler delete job success subject
TaskScheduler 200 scheduler invoke job success subject
TerminalServices 21,25 remote_access connect session success target
TerminalServices 23,24 remote_access disconnect session success target
TerminalServices 1149 remote_access authenticate user success target
"""
#: ``<log>-<event id>``, which is the record's :attr:`SystemEvent.process`, → what it means.
EVENTS: dict[str, EventRule] = {
    f"{log}-{number}": EventRule(service, verb, what, outcome, _TARGET if account == "target" else _SUBJECT)
    for log, numbers, service, verb, what, outcome, account in (line.split() for line in _TABLE.strip().splitlines())
    for number in numbers.split(",")
}

_NO_SUCH_USER = "0xc0000064"
_LOGON_TYPES_OF_PROGRAMS = frozenset({"0", "4", "5"})  # the system itself, a scheduled task, a service
_KERBEROS = frozenset({"Security-4768", "Security-4769", "Security-4776"})
_SUCCESSES = frozenset({"", "-", "0", "0x0"})
_AUDITING_REMOVED = ("%%8448", "%%8450")
# What a command line does, for those that matter in an intrusion; any other is (invoke, command).
_COMMANDS = tuple(
    (re.compile(pattern, re.IGNORECASE), verb, what)
    for pattern, verb, what in (
        (r"\bwevtutil(?:\.exe)?\s+(?:cl|clear-log)\b|\bClear-EventLog\b|\bRemove-EventLog\b", "delete", "log"),
        (r"\bauditpol(?:\.exe)?\b.*(?:/clear|/remove|:disable)", "disable", "log"),
        (r"Set-MpPreference.*-Disable|\bsc(?:\.exe)?\s+(?:stop|config)\s+(?:WinDefend|Sense|MpsSvc)", "disable", "detector"),
        (
            r"\bvssadmin(?:\.exe)?\b.*\bdelete\b|\bwmic(?:\.exe)?\b.*shadowcopy.*delete|\bwbadmin\b.*\bdelete\b",
            "delete",
            "snapshot",
        ),
        (r"\bnet1?(?:\.exe)?\s+user\b.*\s/add\b|\bNew-LocalUser\b", "create", "user"),
        (r"\bnet1?(?:\.exe)?\s+(?:local)?group\b.*\s/add\b|\bAdd-LocalGroupMember\b", "add", "group"),
        (r"\bschtasks(?:\.exe)?\b.*/create\b|\bRegister-ScheduledTask\b", "create", "job"),
        (r"\bsc(?:\.exe)?\s+create\b|\bNew-Service\b", "create", "job"),
        (r"CurrentVersion\\Run|\bStartup\\", "update", "startup"),
        (r"\bmimikatz\b|sekurlsa|\blsass\b|\bprocdump\b|\bntds\.dit\b|\breg(?:\.exe)?\s+save\b", "get", "login"),
        (
            r"\bcertutil(?:\.exe)?\b.*-urlcache|\bbitsadmin\b.*/transfer|DownloadString|DownloadFile|Invoke-WebRequest|\biwr\b|\bcurl\b",
            "import",
            "code",
        ),
        (r"\bnetsh(?:\.exe)?\b.*\bfirewall\b|NetFirewallRule", "update", "network"),
    )
)


def log_of(channel: str, provider: str) -> str:
    """Short name of a log: that of the table, else the last part of the channel's (or provider's) name."""
    for name in (channel, provider):
        if short := LOGS.get(name.lower()):
            return short
    named = (channel or provider).removesuffix("/Operational").removesuffix("/Admin")
    return re.sub(r"[\s/:(\[]+", "-", named)[-48:] or "Windows"


def read_windows_event(name: str, data: Mapping[str, str]) -> tuple[Meaning, str]:
    """Say what an event means, and which kind of message it is.

    Parameters
    ----------
    name : str
        ``<log>-<event id>``.
    data : mapping
        Its data, names in lower case.

    Returns
    -------
    Meaning
        Without a verb where the event has none here.
    str
        The template: the name with what tells kinds of the same event apart (type of logon, unknown account).
    """
    rule = EVENTS.get(name)
    if rule is None:
        return Meaning(), name
    user = data.get(rule.user) or data.get(_TARGET) or data.get(_SUBJECT) or data.get("user") or ""
    meaning = Meaning(
        rule.verb,
        rule.object,
        rule.outcome,
        "" if user == "-" else user,
        address_text(data.get("ipaddress") or data.get("clientaddress") or data.get("address") or ""),
    )
    template = name
    kind = data.get("logontype", "")
    if kind:
        template += f" logon type {kind}"
    if name == "Security-4624" and kind in _LOGON_TYPES_OF_PROGRAMS:
        meaning = meaning._replace(verb="connect", object="session")
    elif name == "Security-4625" and data.get("substatus", "").lower() == _NO_SUCH_USER:
        template += " unknown user"
    elif name in _KERBEROS and data.get("status", "").lower() not in _SUCCESSES:
        meaning = meaning._replace(outcome="failure")
        template += " failed"
    elif name == "Security-4719" and any(mark in data.get("auditpolicychanges", "") for mark in _AUDITING_REMOVED):
        meaning = meaning._replace(verb="disable")
    elif rule.object == "command":
        command = data.get("commandline") or data.get("scriptblocktext") or ""
        verb, what = next(((verb, what) for pattern, verb, what in _COMMANDS if pattern.search(command)), ("invoke", "command"))
        meaning = meaning._replace(verb=verb, object=what)
        template += f" {verb} {what}"
    return meaning, template
