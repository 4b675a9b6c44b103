"""Alerts that arrive by export → :class:`~shared_model.events.Finding`: Defender for Cloud's, and Sentinel's table SecurityAlert.

Continuous export of Defender for Cloud sends recommendations and scores through the same hub where it is told to: those are no
alerts and are rejected with their kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.events import Finding, Rejected, Telemetry
from shared_model.parsers.azure_alert_types import severity_of, technique_of
from shared_model.parsers.azure_alerts import Alert, is_alert, read_alert
from shared_model.parsers.azure_entities import read_entities
from shared_model.parsers.azure_fields import folded, records, said
from shared_model.parsers.fields import ID_LIMIT, FieldError, rejected, within
from shared_model.parsers.sentinel import incident_finding, is_incident

_DEFENDER = re.compile(r"defender|security center|advanced threat protection|mdatp|^detection$", re.IGNORECASE)


def parse_exported_alerts(document: object, *, source: str) -> Iterator[Finding | Rejected]:
    """Read the alerts and incidents of one decoded document.

    Parameters
    ----------
    document : object
        The body of an event, ``{"records": [...]}``, ``{"value": [...]}`` of the API, a single alert or a list of these. An
        incident among them is read as :func:`~shared_model.parsers.sentinel.parse_sentinel_incident` does.
    source : str
        Where it came from, for rejects.

    Yields
    ------
    Finding or Rejected
        One per record, in order.
    """
    for number, record in enumerate(records(document), 1):
        try:
            yield _finding(folded(record))
        except FieldError as error:
            yield rejected(source, number, error, record)


def _finding(record: Mapping[str, Any]) -> Finding:
    if is_incident(record):
        return incident_finding(record)
    if not is_alert(record):
        kind = said(record, "type", "category")
        raise FieldError(
            "type", f"{kind[:80]!r} is no alert of Defender for Cloud or Sentinel and no incident: export only those"
        )
    return alert_finding(read_alert(record))


def alert_finding(alert: Alert) -> Finding:
    """Make one alert a finding. Raises FieldError where what every finding needs is missing."""
    severity = severity_of(alert.severity)
    if severity is None:
        raise FieldError("Severity", f"{alert.severity[:40]!r} is no severity of an alert")
    if not alert.id:
        raise FieldError("SystemAlertId", "is missing or empty")
    if alert.time_ms is None:
        raise FieldError("TimeGenerated", "no time of the alert is an ISO 8601 time")
    named = read_entities(
        alert.entities,
        alert.resources,
        seen_in=alert.seen_in,
        account=alert.account,
        tenant=alert.tenant,
        callers_first=alert.telemetry is Telemetry.API_CALLS,
    )
    return Finding(
        finding_id=within(alert.id, ID_LIMIT, "SystemAlertId"),
        time_ms=alert.time_ms,
        provider="azure",
        account=alert.account,
        region="",
        product="defender" if _DEFENDER.search(alert.product) else "sentinel",
        type=alert.type,
        title=alert.title,
        severity=severity,
        telemetry=alert.telemetry,
        entities=named.entities,
        remote_addresses=named.remote_addresses,
        local_addresses=named.local_addresses,
        technique=technique_of(alert.techniques, alert.type, alert.tactics),
        count=1,
        sample=alert.sample or alert.own,
    )
