"""How Windows events map into :mod:`shared_model.vocabulary`. Tables only.

Event ids and the names of their data are those of "Windows security audit events" and of the logs System, PowerShell,
Defender, Task Scheduler and Terminal Services.
"""

from __future__ import annotations

from typing import NamedTuple

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

#: Names of the data that hold an account: whom it is about, and who did it.
TARGET, SUBJECT = "targetusername", "subjectusername"


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
    f"{log}-{number}": EventRule(service, verb, what, outcome, TARGET if account == "target" else SUBJECT)
    for log, numbers, service, verb, what, outcome, account in (line.split() for line in _TABLE.strip().splitlines())
    for number in numbers.split(",")
}
#: Name of an event, lower case → service group.
SERVICES_OF_EVENTS: dict[str, str] = {name.lower(): rule.service for name, rule in EVENTS.items()}
