"""What an alert of Azure says: the MITRE ATT&CK technique, and which telemetry it was drawn from.

Sources: Defender for Cloud's reference of security alerts (types, by plan), Sentinel's table reference (which table holds
which log), and ATT&CK for Enterprise v15.
"""

from __future__ import annotations

import re

from shared_model.events import Telemetry

#: The table that verdicts of this system lie in: what an analytics rule says of it is no second signal.
OWN_TABLE = "breakwater_cl"

_API, _HOST, _FLOWS = Telemetry.API_CALLS, Telemetry.SYSTEM_LOGS, Telemetry.FLOW_LOGS
_DNS, _RUNTIME, _DATA = Telemetry.DNS_LOGS, Telemetry.RUNTIME, Telemetry.DATA_EVENTS

# Beginning of a type of Defender for Cloud, of a plan → telemetry; longest beginning first.
_TYPES: dict[str, Telemetry] = {
    "ai.": _DATA,
    "api_": _DATA,
    "appservices_": _DATA,
    "arm_": _API,
    "arm.": _API,
    "azuredns_": _DNS,
    "cosmosdb_": _DATA,
    "ddos": _FLOWS,
    "incomingbf_": _FLOWS,
    "k8s.node_": _RUNTIME,
    "k8s_": _DATA,
    "kv_": _DATA,
    "macm_": _DATA,
    "network_": _FLOWS,
    "networkintrusiondetection": _FLOWS,
    "outgoingportsweep": _FLOWS,
    "portscanning": _FLOWS,
    "rdp_": _FLOWS,
    "sql.": _DATA,
    "ssh_": _FLOWS,
    "storage.": _DATA,
    "synapse.": _DATA,
    "vm.": _RUNTIME,
    "vm_": _RUNTIME,
    # Read from the machine's own log of sign-ins, which the audit detector reads as well.
    "vm_loginbruteforce": _HOST,
    "vm_sshbruteforce": _HOST,
    "vm_rdpbruteforce": _HOST,
}
_BY_LENGTH = tuple(sorted(_TYPES, key=len, reverse=True))

# Word in a product's or provider's name → telemetry; the first that occurs. Products that see logs of several kinds
# count as the one that a detector here reads too: the cautious choice, since it denies independence.
_PRODUCTS: tuple[tuple[str, Telemetry], ...] = (
    ("endpoint", _RUNTIME),
    ("mdatp", _RUNTIME),
    ("advanced threat protection for", _RUNTIME),
    ("identity protection", _API),
    ("ipc", _API),
    ("defender for identity", _HOST),
    ("azure advanced threat protection", _HOST),
    ("aatp", _HOST),
    ("office 365", _DATA),
    ("oatp", _DATA),
    ("cloud app", _API),
    ("mcas", _API),
    ("iot", _FLOWS),
    ("purview", _DATA),
)

# Tables and normalised views that a rule's query reads → telemetry: what a detector here reads comes before the rest.
_TABLES: tuple[tuple[Telemetry, re.Pattern[str]], ...] = tuple(
    (telemetry, re.compile(rf"\b(?:{tables})\b", re.IGNORECASE))
    for telemetry, tables in (
        (
            _API,
            r"AzureActivity|\w*SigninLogs|AuditLogs|AWSCloudTrail|IdentityInfo|BehaviorAnalytics|MicrosoftGraphActivityLogs"
            r"|\w*im_?Authentication\w*|\w*im_?AuditEvent\w*|\w*im_?UserManagement\w*",
        ),
        (_HOST, "Syslog|SecurityEvent|WindowsEvent|Event|LinuxAuditLog"),
        (
            _FLOWS,
            r"\w*NetworkAnalytics\w*|NTA\w+|NetworkAccessTraffic|AZFW(?!Dns)\w+|CommonSecurityLog|VMConnection|\w*NetworkSession\w*",
        ),
        (_DNS, r"DnsEvents|ASimDns\w*|\w*im_?Dns\w*|DNSQueryLogs|AZFWDns\w*"),
        (_RUNTIME, r"Device\w+|ContainerLog(?:V2)?|ProtectionStatus|\w*im_?(?:Process|File|Registry)\w*"),
        (
            _DATA,
            r"Storage(?:Blob|File|Queue|Table)Logs|OfficeActivity|AzureDiagnostics|AKSAudit\w*|AZKV\w+|Email\w+|CloudAppEvents",
        ),
    )
)

# Technique of a type of alert, longest beginning first.
_TECHNIQUES: dict[str, str] = {
    "arm_anomalousrbac": "T1098.003",
    "arm_mf_anomalousoperation": "T1078.004",
    "arm_operationfromsuspiciousip": "T1078.004",
    "arm_operationfromsuspiciousproxyip": "T1090.003",
    "arm_suspiciouscomputecreation": "T1578.002",
    "azuredns_": "T1071.004",
    "azuredns_currencymining": "T1496",
    "azuredns_dataexfiltration": "T1048",
    "azuredns_dga": "T1568.002",
    "ddos": "T1498",
    "incomingbf_": "T1110",
    "k8s_": "T1610",
    "kv_": "T1555.006",
    "network_communicationwithc2": "T1071",
    "outgoingportsweep": "T1046",
    "portscanning": "T1046",
    "sql.db_bruteforce": "T1110",
    "storage.blob_": "T1530",
    "storage.files_": "T1530",
    "vm_loginbruteforce": "T1110",
    "vm_rdpbruteforce": "T1110",
    "vm_sshbruteforce": "T1110",
}
_TECHNIQUES_BY_LENGTH = tuple(sorted(_TECHNIQUES, key=len, reverse=True))
# What a tactic most often comes to, where neither alert nor type says which technique.
_OF_TACTIC: dict[str, str] = {
    "collection": "T1530",
    "commandandcontrol": "T1071",
    "credentialaccess": "T1552",
    "defenseevasion": "T1562",
    "discovery": "T1580",
    "execution": "T1059",
    "exfiltration": "T1537",
    "exploitation": "T1190",
    "impact": "T1485",
    "initialaccess": "T1078.004",
    "lateralmovement": "T1021",
    "persistence": "T1098",
    "preattack": "T1595",
    "privilegeescalation": "T1098",
    "probing": "T1595",
    "reconnaissance": "T1595",
}
_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?")
_SEVERITIES: dict[str, float] = {
    "informational": 1.0,
    "information": 1.0,
    "low": 2.0,
    "medium": 5.0,
    "high": 8.0,
    "critical": 9.5,
}


def technique_of(stated: str, alert_type: str, tactics: str) -> str:
    """MITRE ATT&CK technique: as the alert states it, else by its type, else by its first tactic; ``""`` where none does.

    Parameters
    ----------
    stated : str
        Any text that may hold technique ids (a list, ``"Regsvr32 (T1218.010)"``); a sub-technique tells more.
    alert_type : str
    tactics : str
        Names, joined by anything that is no letter.
    """
    if named := [match[0] for match in _TECHNIQUE.finditer(stated)]:
        return max(named, key=len)  # the first of the longest
    kind = alert_type.lower()
    if known := next((_TECHNIQUES[beginning] for beginning in _TECHNIQUES_BY_LENGTH if kind.startswith(beginning)), ""):
        return known
    words = re.findall(r"[a-z]+", tactics.lower())
    return next((_OF_TACTIC[word] for word in words if word in _OF_TACTIC), "")


def telemetry_of(product: str, alert_type: str, query: str, *, unknown: Telemetry) -> Telemetry:
    """Telemetry that an alert was drawn from: the tables of its rule's query, else its type, else its product.

    ``unknown`` is what it counts as where none of these tells: what a detector here would have seen of it. That is the
    cautious choice, because it denies independence from a verdict that may rest on the same records.
    """
    if query:
        return next((telemetry for telemetry, tables in _TABLES if tables.search(query)), unknown)
    kind, name = alert_type.lower(), product.lower()
    if found := next((_TYPES[beginning] for beginning in _BY_LENGTH if kind.startswith(beginning)), None):
        return found
    return next((telemetry for word, telemetry in _PRODUCTS if word in name), unknown)


def severity_of(name: str) -> float | None:
    """Severity 0–10 on GuardDuty's scale (low 1–3.9, medium 4–6.9, high 7–8.9), None for an unknown word."""
    return _SEVERITIES.get(name.lower())


def is_own(query: str) -> bool:
    """Whether a rule reads this system's own verdicts."""
    return OWN_TABLE in query.lower()
