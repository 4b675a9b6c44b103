"""Microsoft Sentinel incidents → :class:`~shared_model.events.Finding`.

Shapes: the body that a playbook's incident trigger receives (``{"object": {...}}`` with alerts and related entities), the
incident of the API (without them), and rows of the table SecurityIncident. Format: SecurityInsights API, type ``Incident``; Logic
Apps connector "Microsoft Sentinel", trigger "incident".

An incident whose alerts all read this system's own verdicts is marked as a sample: it repeats a signal and is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared_model.events import Finding, Rejected, Telemetry
from shared_model.parsers.azure_alert_types import severity_of, technique_of, telemetry_of
from shared_model.parsers.azure_alerts import Alert, read_alert
from shared_model.parsers.azure_entities import read_entities
from shared_model.parsers.azure_fields import folded, items, part, records, said, subscription_of
from shared_model.parsers.fields import ID_LIMIT, FieldError, lookup, rejected, time_ms, within

_TIMES = ("lastmodifiedtimeutc", "lastmodifiedtime", "lastactivitytimeutc", "createdtimeutc", "createdtime", "timegenerated")
#: What a detector here reads comes first: where alerts differ, the finding counts as drawn from the same.
_CAUTIOUS = (Telemetry.API_CALLS, Telemetry.SYSTEM_LOGS, Telemetry.FLOW_LOGS)


def parse_sentinel_incident(document: object, *, source: str) -> Iterator[Finding | Rejected]:
    """Read the incidents of one decoded document.

    Parameters
    ----------
    document : object
        Body of the trigger, an incident, ``{"value": [...]}`` or a list of any of these.
    source : str
        Where it came from, for rejects.

    Yields
    ------
    Finding or Rejected
        One per incident, in order. Its id is the incident's resource id where there is one: comments are written under it. Its
        alerts are those that tell something: neither samples nor this system's own.
    """
    for number, record in enumerate(records(document), 1):
        try:
            yield incident_finding(folded(record))
        except FieldError as error:
            yield rejected(source, number, error, record)


def is_incident(record: Mapping[str, Any]) -> bool:
    """Whether a folded record is an incident, in any of its shapes."""
    body = part(record, "object") or record
    kind = said(body, "type").lower()
    return kind in ("microsoft.securityinsights/incidents", "securityincident") or bool(said(_facts(body), "incidentnumber"))


def incident_finding(record: Mapping[str, Any]) -> Finding:
    """Read one folded incident. Raises FieldError."""
    incident = part(record, "object") or record
    facts = _facts(incident)
    identifier = said(incident, "id") or said(incident, "incidentname", "name")
    if not identifier:
        raise FieldError("object.id", "is missing or empty: send the whole incident of the trigger")
    title = said(facts, "title")
    if not title:
        raise FieldError("object.properties.title", "is missing or empty")
    severity = severity_of(said(facts, "severity"))
    if severity is None:
        raise FieldError("object.properties.severity", f"{said(facts, 'severity')[:40]!r} is no severity of Sentinel")
    alerts = [read_alert(alert) for alert in items(facts, "alerts") if isinstance(alert, Mapping)]
    telling = [alert for alert in alerts if not alert.own and not alert.sample]
    additional = part(facts, "additionaldata")
    account = subscription_of(said(incident, "id")) or said(record, "workspaceinfo.subscriptionid").lower()
    telemetry = _telemetry(telling or alerts, additional)
    named = read_entities(
        [*items(facts, "relatedentities"), *(entity for alert in alerts for entity in alert.entities)],
        [resource for alert in alerts for resource in alert.resources],
        seen_in=next((alert.seen_in for alert in alerts if alert.seen_in), ""),
        account=account,
        tenant=next((alert.tenant for alert in alerts if alert.tenant), ""),
        callers_first=telemetry is Telemetry.API_CALLS,
    )
    tactics = " ".join((_words(additional, "tactics"), *(alert.tactics for alert in telling)))
    kind = next((alert.type for alert in telling or alerts if alert.type), "Incident")
    stated = " ".join((_words(additional, "techniques"), *(alert.techniques for alert in telling)))
    return Finding(
        finding_id=within(identifier, ID_LIMIT, "object.id"),
        time_ms=_time_ms(facts),
        provider="azure",
        account=account,
        region="",
        product="sentinel",
        type=kind,
        title=title,
        severity=severity,
        telemetry=telemetry,
        entities=named.entities,
        remote_addresses=named.remote_addresses,
        local_addresses=named.local_addresses,
        technique=technique_of(stated, kind, tactics),
        count=_count(additional, alerts),
        sample=bool(alerts) and not telling,
        alerts=tuple(sorted({alert.id for alert in telling if alert.id})),
    )


def _facts(incident: Mapping[str, Any]) -> dict[str, Any]:
    return {**incident, **part(incident, "properties")}


def _telemetry(alerts: Sequence[Alert], additional: Mapping[str, Any]) -> Telemetry:
    if not alerts:
        return telemetry_of(_words(additional, "alertproductnames"), "", "", unknown=Telemetry.API_CALLS)
    drawn = [alert.telemetry for alert in alerts]
    return next((telemetry for telemetry in _CAUTIOUS if telemetry in drawn), drawn[0])


def _words(record: Mapping[str, Any], name: str) -> str:
    return said(record, name) or " ".join(word for word in items(record, name) if isinstance(word, str))


def _count(additional: Mapping[str, Any], alerts: Sequence[Alert]) -> int:
    stated = lookup(additional, "alertscount")
    return max(1, len(alerts), stated if isinstance(stated, int) and not isinstance(stated, bool) else 0)


def _time_ms(facts: Mapping[str, Any]) -> int:
    for name in _TIMES:
        if (value := lookup(facts, name)) is not None:
            return time_ms(value, f"object.properties.{name}")
    raise FieldError("object.properties.lastModifiedTimeUtc", "is missing")
