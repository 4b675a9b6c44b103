"""The classes that the two detectors name, and the MITRE ATT&CK technique of each, in the order of the models' outputs."""

from __future__ import annotations

from training.scenarios.family import BENIGN

AUDIT_CLASSES: dict[str, str] = {
    BENIGN: "",
    "credential_access": "T1552",
    "discovery": "T1580",
    "privilege_escalation": "T1098",
    "persistence": "T1136",
    "defense_evasion": "T1562",
    "exfiltration": "T1537",
    "execution": "T1651",
    "initial_access": "T1078",
    "brute_force": "T1110",
    "lateral_movement": "T1021",
    "impact": "T1496",
}
NETWORK_CLASSES: dict[str, str] = {
    BENIGN: "",
    "scan": "T1046",
    "brute_force": "T1110",
    "command_and_control": "T1071",
    "exfiltration": "T1048",
    "denial_of_service": "T1498",
    "lateral_movement": "T1021",
}
