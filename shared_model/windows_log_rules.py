"""What a Windows event means, in the words of the audit vocabulary: the counterpart of :mod:`shared_model.system_log_rules`.

The tables stand in :mod:`shared_model.vocabulary_windows`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared_model.parsers.fields import address_text
from shared_model.system_log_rules import Meaning
from shared_model.vocabulary_windows import EVENTS, LOGS, SUBJECT, TARGET

_NO_SUCH_USER = "0xc0000064"
_LOGON_TYPES_OF_PROGRAMS = frozenset({"0", "4", "5"})  # the system itself, a scheduled task, a service
_KERBEROS = frozenset({"Security-4768", "Security-4769", "Security-4776"})
_SUCCESSES = frozenset({"", "-", "0", "0x0"})
_AUDITING_REMOVED = ("%%8448", "%%8450")
#: So much of a command is looked at: whoever runs it writes it, and must not be able to keep the rules busy.
_COMMAND_LIMIT = 4096
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
    user = data.get(rule.user) or data.get(TARGET) or data.get(SUBJECT) or data.get("user") or ""
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
        command = (data.get("commandline") or data.get("scriptblocktext") or "")[:_COMMAND_LIMIT]
        verb, what = next(((verb, what) for pattern, verb, what in _COMMANDS if pattern.search(command)), ("invoke", "command"))
        meaning = meaning._replace(verb=verb, object=what)
        template += f" {verb} {what}"
    return meaning, template
