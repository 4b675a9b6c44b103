"""Which detector sent a verdict, as SQS attests it, and what each may speak of."""

from __future__ import annotations

from collections.abc import Mapping

from shared_model.events import Telemetry
from shared_model.verdicts import Verdict

#: By function: the telemetry that it reads, by the detector in whose name it speaks. None: whatever a finding was drawn from.
SPEAKS: Mapping[str, Mapping[str, frozenset[Telemetry] | None]] = {
    "detect_flows": {"network": frozenset({Telemetry.FLOW_LOGS})},
    "detect_api_calls": {"audit": frozenset({Telemetry.API_CALLS})},
    "detect_system_logs": {"audit": frozenset({Telemetry.SYSTEM_LOGS})},
    # It also scores again what the detectors remember of whatever a finding names.
    "triage_findings": {
        "guardduty": None,
        "network": frozenset({Telemetry.FLOW_LOGS}),
        "audit": frozenset({Telemetry.API_CALLS, Telemetry.SYSTEM_LOGS}),
    },
}


class Senders:
    """Holds each detector to its own telemetry: two kinds that one of them claims are no two signals.

    SQS gives the IAM id of who sent a message as its attribute ``SenderId``: of a role ``<role id>:<session>``. The role's id is
    what counts: IAM gives each role one of its own, each detector has its own role, and whoever holds a role's credentials
    cannot change it. (Source: Amazon SQS API Reference, ``ReceiveMessage``, ``MessageSystemAttributeNames``.)

    Parameters
    ----------
    told : str
        ``function=role id``, comma-separated: who may send verdicts.
    """

    def __init__(self, told: str) -> None:
        self._functions = {role: function for function, _, role in (each.partition("=") for each in told.split(",")) if role}

    def objection(self, sender: str, verdict: Verdict) -> str:
        """Why this sender may not have sent that verdict, ``""`` where it may."""
        function = self._functions.get(sender.partition(":")[0], "")
        if not function:
            return f"{sender or 'nobody whom SQS names'} sent it, and is no detector"
        spoken = SPEAKS[function]
        telemetry = spoken.get(verdict.detector, frozenset())
        if telemetry is None or verdict.telemetry in telemetry:
            return ""
        return f"{function} ({sender}) sent it, and does not speak for {verdict.detector} of {verdict.telemetry}"
