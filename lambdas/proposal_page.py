"""HTTP requests of an API → the page of a proposal, and a person's answer to it."""

from __future__ import annotations

from typing import Any

from lambdas.adapters.http_api import as_response, visit_of
from lambdas.function import Function
from lambdas.page_room import PageRoom

FUNCTION = Function(
    "proposal_page",
    needs=("journal_table", "link_key", "page_url", "page_issuer", "page_client", "answer_queue_url"),
    by_queue=False,
)
ROOM = PageRoom(FUNCTION)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point: requests of an HTTP API, payload format 2.0. Its routes decide what comes here, and who has signed in."""
    FUNCTION.correlate(str(event["requestContext"]["requestId"]))
    visit = visit_of(event, issuer=FUNCTION.settings.page_issuer)
    if not visit.proposal_id:
        reply = ROOM.page.signed_in()
    elif visit.form is None:
        reply = ROOM.page.show(visit, now_ms=FUNCTION.now_ms())
    else:
        reply = ROOM.page.answer(visit, now_ms=FUNCTION.now_ms())
    # Never the address: whoever reads a link in a log could open it.
    said = {"route": event["routeKey"], "status": reply.status, "proposal_id": visit.proposal_id}
    FUNCTION.logger.info("page", extra=said | ({"by": visit.sign_in.person.name} if visit.sign_in else {}))
    FUNCTION.count(f"Page{reply.status // 100}xx")
    FUNCTION.metrics.flush_metrics()
    return as_response(reply)
