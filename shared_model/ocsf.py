"""What leaves the system: OCSF 1.5.0 objects, plain dictionaries, one JSON line each in the lake.

Classes: API Activity 6003, Authentication 3002, Base Event 0 (system-log records that are no sign-in), Detection Finding 2004,
Remediation Activity 7001. Source: schema.ocsf.io/1.5.0. An attribute whose value is not known is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared_model.call_words import operation_of
from shared_model.events import ApiCall, Entity, EntityKind, Finding, SystemEvent
from shared_model.ocsf_parts import (
    CRITICAL,
    FATAL,
    HIGH,
    INFORMATIONAL,
    LOW,
    MEDIUM,
    attacks,
    base,
    cloud,
    endpoint,
    known,
    product,
    resource,
    severity,
    status,
)
from shared_model.verdicts import Verdict

#: Of a user agent that is the application which the token was given to: Azure's records seldom hold another.
APPLICATION = "appid/"
BASE_EVENT, DETECTION_FINDING, AUTHENTICATION, API_ACTIVITY, REMEDIATION_ACTIVITY = 0, 2004, 3002, 6003, 7001

_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITY_OF_VERB = {
    **dict.fromkeys(("list", "describe", "get", "search", "decrypt"), _READ),
    **dict.fromkeys(("create", "add", "import", "copy"), _CREATE),
    **dict.fromkeys(("put", "update", "enable", "disable", "grant", "revoke", "tag", "start", "stop"), _UPDATE),
    **dict.fromkeys(("delete", "remove", "leave"), _DELETE),
}
_LOGON, _LOGOFF = 1, 2
_AUTHENTICATION_OF_VERB = {"authenticate": _LOGON, "connect": _LOGON, "disconnect": _LOGOFF}
# OCSF severity of syslog severities 0–7 (RFC 5424, 6.2.1).
_SEVERITY_OF_SYSLOG = (FATAL, CRITICAL, CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, INFORMATIONAL)
_ISOLATE, _EVICT, _RESTORE = 1, 2, 3
_USER_TYPES = {"Root": 2, "IAMUser": 1, "IdentityCenterUser": 1, "AWSService": 3, "User": 1, "Guest": 1, "Service": 3}


def lines(objects: Iterable[Mapping[str, Any]]) -> str:
    """JSON lines, keys sorted: the same objects give the same text."""
    return "".join(json.dumps(item, separators=(",", ":"), sort_keys=True) + "\n" for item in objects)


def of_api_call(call: ApiCall) -> dict[str, Any]:
    """Authentication 3002 for a sign-in, else API Activity 6003."""
    verb = operation_of(call).verb
    signs_in = verb == "authenticate"
    user = known(
        {
            "uid": call.principal.id,
            "type": call.caller_kind,
            "type_id": _USER_TYPES.get(call.caller_kind, 0 if call.caller_kind == "Unknown" else _OTHER),
            "credential_uid": call.access_key_id,
            "account": {"uid": call.principal.account} if call.principal.account else None,
        }
    )
    session = known(
        {
            "uid": call.session.id if call.session else "",
            "created_time": call.session_issued_ms,
            "is_mfa": call.mfa if call.session_issued_ms is not None else None,
        }
    )
    event = base(
        AUTHENTICATION if signs_in else API_ACTIVITY,
        _LOGON if signs_in else _ACTIVITY_OF_VERB.get(verb, _OTHER),
        call.time_ms,
        INFORMATIONAL,
        call.event_id,
        product(call.provider, _log_of(call)),
        ["cloud"],
    )
    event |= status("success" if call.succeeded else "failure", call.error_code)
    application = call.user_agent.removeprefix(APPLICATION) if call.user_agent.startswith(APPLICATION) else ""
    event |= {
        "actor": known({"user": user, "session": session, "app_uid": application}),
        "cloud": cloud(call.provider, call.account, call.region),
        "src_endpoint": endpoint(call.source_address),
    }
    if signs_in:
        event |= {"user": user, "service": {"name": call.service}} | known({"is_mfa": call.mfa, "session": session})
    else:
        event["api"] = known(
            {
                "operation": call.operation,
                "service": {"name": call.service},
                "response": known({"error": call.error_code, "code": None}),
            }
        )
    if call.user_agent and not application:
        event["http_request"] = {"user_agent": call.user_agent}
    if call.targets and not signs_in:
        event["resources"] = [{"uid": target} for target in call.targets]
    return event


def _log_of(call: ApiCall) -> str:
    if call.provider == "aws":
        return "CloudTrail"
    return "Entra ID" if call.service == "entra" else "Activity Log"


def of_system_event(record: SystemEvent) -> dict[str, Any]:
    """Authentication 3002 for a sign-in or the end of a session, else Base Event 0 with the vocabulary's words unmapped."""
    activity = _AUTHENTICATION_OF_VERB.get(record.verb) if record.object in ("user", "session") else None
    level = INFORMATIONAL if record.severity is None else _SEVERITY_OF_SYSLOG[record.severity]
    host = known(
        {
            "hostname": record.host.id if record.host.kind is EntityKind.HOST else "",
            "instance_uid": record.host.id if record.host.kind is EntityKind.INSTANCE else "",
        }
    )
    event = base(
        BASE_EVENT if activity is None else AUTHENTICATION,
        _OTHER if activity is None else activity,
        record.time_ms,
        level,
        record.event_id,
        product(record.provider, "System Log"),
        ["cloud"] if activity is None else ["cloud", "host"],
    )
    event |= status(record.outcome) | known({"message": record.message}) | {"cloud": cloud(record.provider, record.account, "")}
    words = known({"template": record.template, "verb": record.verb, "object": record.object, "process": record.process})
    if activity is None:
        event |= {"activity_name": record.verb or "log", "unmapped": words | {"host": host} | known({"user": record.user})}
        return event
    event |= {
        "user": {"name": record.user or "unknown"},
        "dst_endpoint": host,
        "service": {"name": record.process or "unknown"},
        "actor": {"app_name": record.process or "unknown"},
        "unmapped": words,
    }
    if record.source_address:
        event |= {"src_endpoint": endpoint(record.source_address), "is_remote": True}
    return event


def of_finding(finding: Finding) -> dict[str, Any]:
    """Detection Finding 2004 of a cloud's own detector."""
    event = base(
        DETECTION_FINDING,
        _CREATE if finding.count <= 1 else 2,
        finding.time_ms,
        severity(finding.severity),
        finding.finding_id,
        product(finding.provider, finding.product),
        ["cloud"],
    )
    event |= {
        "message": finding.title,
        "count": finding.count,
        "is_alert": not finding.sample,
        "cloud": cloud(finding.provider, finding.account, finding.region),
        "finding_info": {
            "uid": finding.finding_id,
            "title": finding.title,
            "types": [finding.type],
            "modified_time": finding.time_ms,
            "data_sources": [str(finding.telemetry)],
        }
        | attacks(finding.technique),
        "unmapped": {"severity": finding.severity, "sample": finding.sample},
    }
    if finding.entities:
        event["resources"] = [resource(entity) for entity in finding.entities]
    if finding.remote_addresses:
        event["evidences"] = [{"src_endpoint": {"ip": address}} for address in finding.remote_addresses]
    return event


def of_verdict(verdict: Verdict) -> dict[str, Any]:
    """Detection Finding 2004 of one of our detectors, with the events that weighed most as evidence."""
    event = base(
        DETECTION_FINDING,
        _CREATE,
        verdict.time_ms,
        severity(10 * verdict.probability),
        verdict.id,
        {
            "name": "Breakwater",
            "vendor_name": "Breakwater",
            "feature": {"name": verdict.detector, "version": verdict.detector_version},
        },
        ["cloud"],
    )
    event["metadata"]["correlation_uid"] = verdict.correlation_id
    event |= {
        "message": verdict.title,
        "is_alert": True,
        "confidence_score": round(100 * verdict.probability),
        "cloud": cloud("aws" if verdict.entity.account.isdigit() else "azure", verdict.entity.account, ""),
        "finding_info": {
            "uid": verdict.id,
            "title": verdict.title,
            "created_time": verdict.time_ms,
            "data_sources": [str(verdict.telemetry)],
            "analytic": {"name": verdict.detector, "version": verdict.detector_version, "type": "Learning (ML/DL)", "type_id": 4},
        }
        | attacks(verdict.technique),
        "resources": [resource(entity) for entity in (verdict.entity, *verdict.related, *verdict.opened)],
        "unmapped": known(
            {
                "probability": verdict.probability,
                "threshold": verdict.threshold,
                "completed_flow": verdict.completed_flow,
                "session_issued_time": verdict.session_issued_ms,
            }
        ),
    }
    if verdict.evidence:
        event["evidences"] = [
            {
                "data": {
                    "event_uid": item.event_id,
                    "time": item.time_ms,
                    "weight": round(item.weight, 4),
                    "summary": item.summary,
                }
            }
            for item in verdict.evidence
        ]
    return event


def of_remediation(
    *,
    containment_id: str,
    action: str,
    target: Entity,
    step: str,
    time_ms: int,
    verdict_id: str,
    correlation_id: str,
    actor: str,
    undone: bool,
    succeeded: bool | None,
    detail: Mapping[str, Any],
) -> dict[str, Any]:
    """Remediation Activity 7001 of one step of a containment.

    ``undone`` marks a step of the undo (activity 3, Restore); else an instance or interface is isolated (1) and a principal
    or session evicted (2). ``succeeded`` is None where the step says nothing about it.
    """
    isolates = target.kind in (EntityKind.INSTANCE, EntityKind.INTERFACE, EntityKind.ADDRESS)
    activity = _RESTORE if undone else _ISOLATE if isolates else _EVICT
    event = base(
        REMEDIATION_ACTIVITY,
        activity,
        time_ms,
        INFORMATIONAL,
        f"{containment_id}:{step}:{time_ms}",
        {"name": "Breakwater", "vendor_name": "Breakwater"},
        ["cloud", "host"],  # it is host that has an actor
    )
    event["metadata"]["correlation_uid"] = correlation_id
    event |= status("" if succeeded is None else "success" if succeeded else "failure", step)
    event |= {
        "command_uid": containment_id,
        "message": f"{action} {step.lower()} on {target.kind} {target.id}",
        "actor": {"user": {"uid": actor}},
        "cloud": cloud("aws" if target.account.isdigit() else "azure", target.account, ""),
        "unmapped": {
            "action": action,
            "step": step,
            "verdict_uid": verdict_id,
            "target": resource(target),
            "detail": dict(detail),
        },
    }
    return event
