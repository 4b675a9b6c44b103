"""What a GuardDuty finding type says: the MITRE ATT&CK technique, and which telemetry it was drawn from.

A type reads ``ThreatPurpose:Resource/Family.Mechanism!Artifact``. Sources: the GuardDuty user guide's
pages on the finding format and on the finding types (their column "data source"), and ATT&CK for Enterprise v15.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared_model.events import Telemetry

# Looked up longest prefix first, so that a family overrides its threat purpose.
_TECHNIQUES: dict[str, str] = {
    "AttackSequence:IAM/CompromisedCredentials": "T1078.004",
    "AttackSequence:S3/CompromisedData": "T1530",
    "AttackSequence:ECS/CompromisedCluster": "T1610",
    "AttackSequence:EKS/CompromisedCluster": "T1610",
    "Backdoor:EC2/C&CActivity": "T1071",
    "Backdoor:EC2/C&CActivity.B!DNS": "T1071.004",
    "Backdoor:EC2/DenialOfService": "T1498",
    "Backdoor:EC2/Spambot": "T1071.003",
    "Backdoor:Lambda/C&CActivity": "T1071",
    "Backdoor:Runtime/C&CActivity": "T1071",
    "Backdoor:Runtime/C&CActivity.B!DNS": "T1071.004",
    "Behavior:EC2/NetworkPortUnusual": "T1571",
    "Behavior:EC2/TrafficVolumeUnusual": "T1041",
    "CredentialAccess:": "T1552",
    "CredentialAccess:IAMUser/AnomalousBehavior": "T1552",
    "CredentialAccess:RDS/AnomalousBehavior.FailedLogin": "T1110",
    "CredentialAccess:RDS/AnomalousBehavior.SuccessfulBruteForce": "T1110",
    "CredentialAccess:RDS/": "T1078",
    "CryptoCurrency:": "T1496",
    "DefenseEvasion:": "T1562",
    "DefenseEvasion:EC2/UnusualDNSResolver": "T1071.004",
    "DefenseEvasion:EC2/UnusualDoHActivity": "T1071.004",
    "DefenseEvasion:EC2/UnusualDoTActivity": "T1071.004",
    "DefenseEvasion:IAMUser/AnomalousBehavior": "T1562.008",
    "DefenseEvasion:Runtime/ProcessInjection": "T1055",
    "DefenseEvasion:Runtime/FilelessExecution": "T1620",
    "Discovery:": "T1580",
    "Discovery:RDS/": "T1046",
    "Discovery:S3/": "T1619",
    "Execution:": "T1059",
    "Execution:EC2/MaliciousFile": "T1204",
    "Execution:Runtime/ReverseShell": "T1059",
    "Exfiltration:": "T1537",
    "Exfiltration:S3/": "T1530",
    "Impact:": "T1565",
    "Impact:EC2/AbusedDomainRequest.Reputation": "T1071.004",
    "Impact:EC2/BitcoinDomainRequest.Reputation": "T1496",
    "Impact:EC2/MaliciousDomainRequest.Reputation": "T1071.004",
    "Impact:EC2/SuspiciousDomainRequest.Reputation": "T1071.004",
    "Impact:EC2/PortSweep": "T1046",
    "Impact:EC2/WinRMBruteForce": "T1110",
    "Impact:IAMUser/AnomalousBehavior": "T1485",
    "Impact:Runtime/CryptoMinerExecuted": "T1496",
    "Impact:S3/": "T1485",
    "InitialAccess:": "T1078.004",
    "Object:S3/MaliciousFile": "T1204",
    "PenTest:IAMUser/": "T1078.004",
    "PenTest:S3/": "T1530",
    "Persistence:": "T1098",
    "Policy:IAMUser/RootCredentialUsage": "T1078.004",
    "Policy:S3/": "T1562",
    "PrivilegeEscalation:": "T1098",
    "PrivilegeEscalation:IAMUser/AnomalousBehavior": "T1098.003",
    "PrivilegeEscalation:Kubernetes/": "T1611",
    "PrivilegeEscalation:Runtime/": "T1611",
    "Recon:": "T1595",
    "Recon:EC2/PortProbeEMRUnprotectedPort": "T1595.001",
    "Recon:EC2/PortProbeUnprotectedPort": "T1595.001",
    "Recon:EC2/Portscan": "T1046",
    "Recon:IAMUser/": "T1580",
    "ResourceConsumption:": "T1496",
    "Stealth:": "T1562",
    "Stealth:IAMUser/CloudTrailLoggingDisabled": "T1562.008",
    "Stealth:IAMUser/PasswordPolicyChange": "T1556",
    "Stealth:S3/ServerAccessLoggingDisabled": "T1562.008",
    "Trojan:": "T1071",
    "Trojan:EC2/BlackholeTraffic": "T1071",
    "Trojan:EC2/DGADomainRequest": "T1568.002",
    "Trojan:EC2/DNSDataExfiltration": "T1048",
    "Trojan:EC2/DriveBySourceTraffic": "T1189",
    "Trojan:EC2/DropPoint": "T1041",
    "Trojan:EC2/PhishingDomainRequest": "T1566",
    "Trojan:Runtime/DGADomainRequest": "T1568.002",
    "Trojan:Runtime/DropPoint": "T1041",
    "UnauthorizedAccess:EC2/MaliciousIPCaller": "T1071",
    "UnauthorizedAccess:EC2/MetadataDNSRebind": "T1552.005",
    "UnauthorizedAccess:EC2/RDPBruteForce": "T1110",
    "UnauthorizedAccess:EC2/SSHBruteForce": "T1110",
    "UnauthorizedAccess:EC2/TorClient": "T1090.003",
    "UnauthorizedAccess:EC2/TorIPCaller": "T1090.003",
    "UnauthorizedAccess:EC2/TorRelay": "T1090.003",
    "UnauthorizedAccess:IAMUser/": "T1078.004",
    "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B": "T1078.004",
    "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration": "T1552.005",
    "UnauthorizedAccess:Lambda/": "T1071",
    "UnauthorizedAccess:S3/": "T1530",
}
_BY_LENGTH = tuple(sorted(_TECHNIQUES, key=len, reverse=True))

# CloudTrail management events although the resource is a bucket; every other S3 type rests on data events.
_S3_FROM_MANAGEMENT_EVENTS = ("Policy:S3/", "Stealth:S3/")

_BY_ACTION: dict[str, Telemetry] = {
    "NETWORK_CONNECTION": Telemetry.FLOW_LOGS,
    "PORT_PROBE": Telemetry.FLOW_LOGS,
    "DNS_REQUEST": Telemetry.DNS_LOGS,
    "AWS_API_CALL": Telemetry.API_CALLS,
    # Audit records of a data plane, which none of the detectors here reads.
    "KUBERNETES_API_CALL": Telemetry.DATA_EVENTS,
    "RDS_LOGIN_ATTEMPT": Telemetry.DATA_EVENTS,
}

_BY_SIGNAL: dict[str, Telemetry] = {
    "CLOUD_TRAIL": Telemetry.API_CALLS,
    "S3_DATA_EVENTS": Telemetry.DATA_EVENTS,
    "EKS_AUDIT_LOGS": Telemetry.DATA_EVENTS,
    "FLOW_LOGS": Telemetry.FLOW_LOGS,
    "DNS_LOGS": Telemetry.DNS_LOGS,
    "RUNTIME_MONITORING": Telemetry.RUNTIME,
}
_OF_MACHINES = (Telemetry.RUNTIME, Telemetry.FLOW_LOGS, Telemetry.DNS_LOGS, Telemetry.API_CALLS, Telemetry.DATA_EVENTS)


def technique_of(finding_type: str) -> str:
    """MITRE ATT&CK technique of a finding type, ``""`` where the type maps to none."""
    return next((_TECHNIQUES[prefix] for prefix in _BY_LENGTH if finding_type.startswith(prefix)), "")


def telemetry_of(finding_type: str, action_type: str) -> Telemetry:
    """Telemetry that GuardDuty drew the finding from.

    A type that is unknown here counts as API calls: the cautious choice, because it denies independence from a verdict
    that may rest on the same records.
    """
    if ":Runtime/" in finding_type or "MaliciousFile" in finding_type:
        return Telemetry.RUNTIME  # the agent, or a scan of the disk or object: seen by no log that is read here
    if ":S3/" in finding_type and not finding_type.startswith(_S3_FROM_MANAGEMENT_EVENTS):
        return Telemetry.DATA_EVENTS
    return _BY_ACTION.get(action_type, Telemetry.API_CALLS)


def is_sequence(finding_type: str) -> bool:
    """Say whether it is an attack sequence: several signals of GuardDuty, told as one finding."""
    return finding_type.startswith("AttackSequence:")


def telemetry_of_sequence(finding_type: str, signals: Sequence[tuple[str, str]]) -> Telemetry:
    """Telemetry that stands for all that an attack sequence was drawn from: in doubt one that a detector here reads too.

    Parameters
    ----------
    finding_type : str
    signals : sequence of (str, str)
        Type and name of each signal (``FLOW_LOGS``; ``FINDING`` with the finding's type as its name).

    Returns
    -------
    Telemetry
        Of credentials and buckets: API calls, whatever else was seen. Of machines: the agent's where it saw any of it, as no log
        here did; else that of the flows first, so that a verdict on them and a sequence drawn from them are one signal.
    """
    if finding_type.startswith(("AttackSequence:IAM/", "AttackSequence:S3/")):
        return Telemetry.API_CALLS
    drawn_from = {_of_signal(*signal) for signal in signals}
    return next((each for each in _OF_MACHINES if each in drawn_from), Telemetry.FLOW_LOGS)


def _of_signal(kind: str, name: str) -> Telemetry:
    if kind != "FINDING":
        return _BY_SIGNAL.get(kind, Telemetry.FLOW_LOGS)
    if ":EC2/" in name:
        return Telemetry.DNS_LOGS if "!DNS" in name else Telemetry.FLOW_LOGS
    return telemetry_of(name, "KUBERNETES_API_CALL" if ":Kubernetes/" in name else "")
