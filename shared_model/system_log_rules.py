"""What a log message means, in the words of the audit vocabulary.

Rules in order, the first that matches wins; a message that none matches has no verb. Message texts are those of
OpenSSH, Linux-PAM, sudo, util-linux and shadow ``su``, shadow-utils, cron, systemd, the Linux kernel, and BSD ftpd and klogind.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from shared_model.parsers.fields import address_text
from shared_model.vocabulary import service_of_process


class Meaning(NamedTuple):
    """A message in vocabulary words; ``""`` for what it does not say."""

    verb: str = ""
    object: str = ""
    outcome: str = ""
    user: str = ""
    source_address: str = ""


class _Rule(NamedTuple):
    service: str
    pattern: re.Pattern[str]
    verb: str
    object: str
    outcome: str


_ANY = ""
# The user is matched greedily: a name that says "x from 10.0.0.1 port 1" must not pose as the source behind it.
# (service group of the program or any, pattern with groups user and source, verb, object, outcome)
_RULES: tuple[tuple[str, str, str, str, str], ...] = (
    # Signing in
    (_ANY, r"Accepted \S+ for (?P<user>.+) from (?P<source>\S+) port \d+", "authenticate", "user", "success"),
    (_ANY, r"Failed \S+ for (?:invalid user )?(?P<user>.*) from (?P<source>\S+) port \d+", "authenticate", "user", "failure"),
    (
        _ANY,
        r"(?:input_userauth_request: )?[Ii]nvalid user (?P<user>.*)(?: from (?P<source>\S+)(?: port \d+)?| \[preauth\])$",
        "authenticate",
        "user",
        "failure",
    ),
    (_ANY, r"User (?P<user>\S+) from (?P<source>\S+) not allowed because", "authenticate", "user", "failure"),
    (
        _ANY,
        r"(?:error: )?maximum authentication attempts exceeded for (?:invalid user )?(?P<user>\S+) from (?P<source>\S+)",
        "authenticate",
        "user",
        "failure",
    ),
    (_ANY, r"Disconnecting(?::| \w+ user \S+).*?Too many authentication failures", "authenticate", "user", "failure"),
    (_ANY, r"PAM service\(\w+\) ignoring max retries", "authenticate", "user", "failure"),
    (
        "privilege",
        r".*?authentication failure;.*?\bruser=(?P<user>\S*)",
        "assume",
        "user",
        "failure",
    ),
    (
        _ANY,
        r".*?authentication failures?;.*?\brhost=(?P<source>\S*)(?:\s+user=(?P<user>\S+))?",
        "authenticate",
        "user",
        "failure",
    ),
    (_ANY, r".*?check pass; user unknown", "authenticate", "user", "failure"),
    (
        _ANY,
        r"FAILED LOGIN(?: SESSION)?(?: \(?\d+\)?)? (?:FROM|on) (?P<source>\S+) FOR (?:`|')?(?P<user>[^'`,\s]*)",
        "authenticate",
        "user",
        "failure",
    ),
    (_ANY, r"(?:ROOT )?LOGIN ON ", "authenticate", "user", "success"),
    (_ANY, r"ANONYMOUS FTP LOGIN FROM (?P<source>[^\s,]+)", "authenticate", "user", "success"),
    (_ANY, r"Authentication failed from (?P<source>\S+)|Kerberos authentication failed", "authenticate", "user", "failure"),
    # Privileges
    (
        "privilege",
        r"(?P<user>\S+) : .*?(?:incorrect password attempt|NOT in sudoers|not allowed|a password is required)",
        "assume",
        "user",
        "failure",
    ),
    ("privilege", r"FAILED (?:SU \(to \S+\)|su for \S+ by) (?P<user>\S+)", "assume", "user", "failure"),
    ("privilege", r"(?:Successful su for \S+ by|\(to \S+\)) (?P<user>\S+)", "assume", "user", "success"),
    ("privilege", r".*?session opened for user \S+ by (?P<user>\w*)", "assume", "user", "success"),
    # Sessions
    (_ANY, r".*?session opened for user (?P<user>[^\s(]+)", "connect", "session", "success"),
    (_ANY, r".*?session closed for user (?P<user>[^\s(]+)", "disconnect", "session", "success"),
    (_ANY, r"New session \S+ of user (?P<user>[^\s.]+)", "connect", "session", "success"),
    (_ANY, r"Removed session |Session \S+ logged out", "disconnect", "session", "success"),
    (
        _ANY,
        r"(?:error: )?Received disconnect from (?P<source>[0-9a-fA-F.:]+?)(?: port \d+:|: )\d+:",
        "disconnect",
        "session",
        "success",
    ),
    (
        _ANY,
        r"Disconnected from (?:(?:invalid |authenticating )?user (?P<user>\S*) )?(?P<source>[0-9a-fA-F.:]+)",
        "disconnect",
        "session",
        "success",
    ),
    (
        _ANY,
        r"Connection (?:closed|reset) by (?:(?:invalid|authenticating) user (?P<user>\S*) )?(?P<source>[0-9a-fA-F.:]+)",
        "disconnect",
        "session",
        "success",
    ),
    (
        _ANY,
        r"(?:reverse mapping checking getaddrinfo for \S* \[|Address )(?P<source>[^\]\s]+)(?:\] failed| maps to)",
        "connect",
        "session",
        "failure",
    ),
    (_ANY, r"Did not receive identification string from (?P<source>\S+)", "connect", "session", "failure"),
    (
        _ANY,
        r"(?:error: )?kex_exchange_identification|Unable to negotiate with (?P<source>\S+)",
        "connect",
        "session",
        "failure",
    ),
    (_ANY, r"[Cc]onnection from (?P<source>\S+)", "connect", "session", "success"),
    # Accounts
    ("identity", r"new user: name=(?P<user>[^,]+)", "create", "user", "success"),
    ("identity", r"new group: name=", "create", "group", "success"),
    ("identity", r"add '(?P<user>[^']+)' to (?:shadow )?group", "add", "group", "success"),
    ("identity", r"(?:removed?|delete) '(?P<user>[^']+)' from (?:shadow )?group", "remove", "group", "success"),
    ("identity", r"delete user '(?P<user>[^']+)'", "delete", "user", "success"),
    ("identity", r"removed (?:shadow )?group|group '[^']*' removed", "delete", "group", "success"),
    (_ANY, r".*?password changed for (?P<user>\S+)", "update", "login", "success"),
    ("identity", r"change(?:d)? user '(?P<user>[^']+)' password", "update", "login", "success"),
    ("identity", r"change(?:d)? user '(?P<user>[^']+)'", "update", "user", "success"),
    ("identity", r"failed (?:adding|to)", "create", "user", "failure"),
    # Schedules
    ("scheduler", r"\((?P<user>[^)]+)\) CMD ", "invoke", "job", "success"),
    ("scheduler", r"\((?P<user>[^)]+)\) (?:REPLACE|END EDIT|RELOAD|DELETE)", "update", "job", "success"),
    ("scheduler", r"\((?P<user>[^)]+)\) (?:LIST|BEGIN EDIT)", "list", "job", "success"),
    ("scheduler", r"ALERT exited abnormally", "invoke", "job", "failure"),
    # Logging itself, programs, the kernel
    ("log", r"(?:.*exiting on signal|exiting|.*daemon is exiting|Journal stopped|.*\bstop\b)", "disable", "log", "success"),
    ("log", r"(?:.*\brestart\b|.*\bstart\b|.*startup succeeded|Started dispatcher|Journal started)", "enable", "log", "success"),
    ("kernel", r"Kernel log(?:ging| daemon).*terminat|Kernel logging .* stopped", "disable", "log", "success"),
    (_ANY, r"Stopp(?:ed|ing) .*(?:audit|[Ll]og|[Jj]ournal)", "disable", "log", "success"),
    (_ANY, r"Failed to start ", "start", "process", "failure"),
    (_ANY, r"Stopp(?:ed|ing) |.*shutdown succeeded", "stop", "process", "success"),
    (_ANY, r"Start(?:ed|ing) |Server listening on |.*startup succeeded", "start", "process", "success"),
    ("kernel", r".*entered promiscuous mode", "enable", "interface", "success"),
    ("kernel", r".*\[UFW BLOCK\].*?\bSRC=(?P<source>\S+)", "connect", "network", "failure"),
    ("kernel", r".*(?:segfault at|[Oo]ut of memory: Kill)", "stop", "process", "failure"),
)
_COMPILED = tuple(_Rule(service, re.compile(pattern), verb, what, outcome) for service, pattern, verb, what, outcome in _RULES)

_REFUSED = re.compile(r"incorrect password attempt|NOT in sudoers|not allowed|a password is required")
_SUDO = re.compile(r"(?P<user>\S+) : .*?COMMAND=(?P<command>.*)$", re.DOTALL)
# What a command run through sudo does, for those that matter in an intrusion; any other is (invoke, command).
_COMMANDS = tuple(
    (re.compile(pattern), verb, what)
    for pattern, verb, what in (
        (r"(?:\brm\b|\bshred\b|\btruncate\b|\bunlink\b|>\s*).*(?:/var/log|_history|/run/utmp|wtmp|lastlog)", "delete", "log"),
        (r"journalctl .*--vacuum|auditctl -(?:D|e ?0)", "delete", "log"),
        (
            r"(?:systemctl|service) .*?\b(?:stop|disable|mask)\b.*(?:audit|syslog|journal|falcon|wazuh|osquery|agent)",
            "disable",
            "log",
        ),
        (r"(?:systemctl|service) .*?\b(?:auditd|rsyslog\S*|syslog) stop", "disable", "log"),
        (r"\b(?:useradd|adduser)\b", "create", "user"),
        (r"\b(?:usermod|gpasswd)\b", "add", "group"),
        (r"\b(?:passwd|chpasswd)\b", "update", "login"),
        (r"authorized_keys", "add", "access_key"),
        (r"/etc/sudoers|visudo", "update", "policy"),
        (r"/etc/(?:shadow|passwd|gshadow)", "get", "login"),
        (r"\bcrontab\b|/etc/cron", "update", "job"),
        (r"\b(?:iptables|nft|ufw)\b", "update", "network"),
        (r"\b(?:curl|wget|scp|nc|ncat|socat)\b", "import", "code"),
        (r"/(?:ba|da|z|k)?sh$|/(?:ba|da|z|k)?sh -", "assume", "user"),
    )
)


@lru_cache(maxsize=8192)
def read_message(process: str, message: str) -> Meaning:
    """Say what a message of a program means.

    A remote side that is a name and not an address is left out: a name is whatever its owner's DNS says.
    """
    service = service_of_process(process)
    if service == "privilege" and (ran := _SUDO.match(message)) and not _REFUSED.search(message):
        verb, what = next(
            ((verb, what) for pattern, verb, what in _COMMANDS if pattern.search(ran["command"])), ("invoke", "command")
        )
        return Meaning(verb, what, "success", ran["user"])
    for rule in _COMPILED:
        if rule.service in ("", service) and (match := rule.pattern.match(message)):
            named = match.groupdict()
            user, source = named.get("user") or "", named.get("source") or ""
            return Meaning(rule.verb, rule.object, rule.outcome, user.strip(), address_text(source.rstrip(":")))
    return Meaning()
