"""The function app: its blueprints, one per module of ``azure_functions/``. The platform wants this file at the root."""

import azure.functions as func

from azure_functions import (
    answer_proposals,
    detect_api_calls,
    detect_flows,
    detect_system_logs,
    expire_containments,
    health,
    proposal_page,
    respond,
    triage_findings,
)

app = func.FunctionApp()
for _module in (
    detect_flows,
    detect_api_calls,
    detect_system_logs,
    triage_findings,
    respond,
    answer_proposals,
    expire_containments,
    proposal_page,
    health,
):
    app.register_functions(_module.BLUEPRINT)
