"""Is the app alive: model versions, settings that are missing, when events and verdicts last came. Changes nothing."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func

from azure_functions import (
    answer_proposals,
    detect_api_calls,
    detect_flows,
    detect_system_logs,
    expire_containments,
    proposal_page,
    respond,
    triage_findings,
)
from azure_functions.adapters.heartbeat import last_beats
from azure_functions.detection_room import ARTIFACTS
from azure_functions.function import Function
from azure_functions.settings import SettingMissing, Settings
from shared_model.errors import BreakwaterError

FUNCTION = Function("health", needs=("table_endpoint",))
BLUEPRINT = func.Blueprint()
#: Every function that needs something.
WATCHED = (
    detect_flows.FUNCTION,
    detect_flows.NSG_FUNCTION,
    detect_api_calls.FUNCTION,
    detect_system_logs.FUNCTION,
    triage_findings.FUNCTION,
    triage_findings.ALERTS_FUNCTION,
    respond.FUNCTION,
    answer_proposals.FUNCTION,
    answer_proposals.LINKS_FUNCTION,
    expire_containments.FUNCTION,
    expire_containments.UNDO_FUNCTION,
    expire_containments.LINKS_FUNCTION,
    proposal_page.FUNCTION,
    proposal_page.ANSWER_FUNCTION,
)


@BLUEPRINT.function_name("health")
@BLUEPRINT.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Entry point: 200 when everything is there that the functions need, else 503 with what is not."""
    given = Settings.from_environment()
    missing = sorted({name for function in WATCHED for name in given.missing(function.needs)})
    models, seconds, reason = _models(), {}, ""
    try:
        seconds = _seconds_since()
    except (BreakwaterError, SettingMissing) as error:
        FUNCTION.logger.warning("heartbeats not read", extra={"reason": str(error)})
        reason = "the table of heartbeats cannot be read: see the log"
    well = not missing and not reason and all(models.values())
    said = {"well": well, "models": models, "missing_settings": missing, "seconds_since": seconds, "reason": reason}
    return func.HttpResponse(json.dumps(said), status_code=200 if well else 503, mimetype="application/json")


def _models() -> dict[str, str]:
    """Version of each detector, ``""`` for one whose folder is not whole. The model itself is not loaded for this."""
    versions = {}
    for name in ("network", "audit"):
        try:
            versions[name] = str(json.loads((ARTIFACTS / name / "detector.json").read_bytes())["version"])
        except (OSError, ValueError, KeyError):
            versions[name] = ""
    return versions


def _seconds_since() -> dict[str, Any]:
    """How long ago each function last read events, and any of them last sent a verdict."""
    now_ms, beats = FUNCTION.now_ms(), last_beats(FUNCTION.clients)
    verdicts = [beat.verdict_ms for beat in beats.values() if beat.verdict_ms is not None]
    return {
        "verdict": (now_ms - max(verdicts)) // 1000 if verdicts else None,
        "events": {name: (now_ms - beat.events_ms) // 1000 for name, beat in sorted(beats.items())},
    }
