"""HTTP requests → the page of a proposal, and a person's answer to it."""

from __future__ import annotations

import azure.functions as func

from azure_functions.adapters.http_requests import as_response, visit_of
from azure_functions.adapters.policy import listed
from azure_functions.function import Function, Message
from azure_functions.page_room import PageRoom
from response.page.document import Reply

_NEEDS = ("table_endpoint", "queue_endpoint", "tenant_id")
FUNCTION = Function("show_proposal", needs=_NEEDS)
ROOM = PageRoom(FUNCTION)
ANSWER_FUNCTION = Function("answer_proposal", needs=_NEEDS)
ANSWER_ROOM = PageRoom(ANSWER_FUNCTION)
BLUEPRINT = func.Blueprint()
_ROUTE = "proposals/{proposal}"


@BLUEPRINT.function_name("show_proposal")
@BLUEPRINT.route(route=_ROUTE, methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def show_proposal(req: func.HttpRequest) -> func.HttpResponse:
    """Entry point: whoever opens a link. Changes nothing."""
    return _replied(FUNCTION, ROOM, req)


@BLUEPRINT.function_name("answer_proposal")
@BLUEPRINT.route(route=_ROUTE, methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def answer_proposal(req: func.HttpRequest) -> func.HttpResponse:
    """Entry point: an answer. Who has signed in is what the platform says; without that nobody is heard."""
    return _replied(ANSWER_FUNCTION, ANSWER_ROOM, req)


def _replied(function: Function, room: PageRoom, req: func.HttpRequest) -> func.HttpResponse:
    settings = function.settings
    if not (settings.page_url and settings.link_key):
        return func.HttpResponse("this deployment has no page for proposals", status_code=404)
    visit = visit_of(req, tenant=settings.tenant_id, operators=listed(settings.page_operator_ids))
    replies: list[Reply] = []

    def reply(_: Message) -> None:
        page, now_ms = room.page, function.now_ms()
        made = page.show(visit, now_ms=now_ms) if visit.form is None else page.answer(visit, now_ms=now_ms)
        replies.append(made)
        # Never the address: whoever reads a link in a log could open it.
        said = {"status": made.status, "proposal_id": visit.proposal_id}
        function.logger.info("page", extra=said | ({"by": visit.sign_in.person.name} if visit.sign_in else {}))
        function.count(f"Page{made.status // 100}xx")

    function.run((Message.of("page", req.url.encode()),), reply).or_raise()
    return as_response(replies[0])
