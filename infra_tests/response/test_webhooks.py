"""Notices in the forms of Slack and Teams, and what happens when a channel does not take one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from response.notices import Notice
from response.posting import post_json
from response.webhooks import Channel, NotDelivered, Webhook, slack_body, teams_body, to_all

NOTICE = Notice("s/1", "Approve?: instance i-1", "scans <its> network\nChange: lock i-1", "e", case="case-1")
SECRET = "https://hooks.slack.com/services/T000/B000/secret"


def test_all_of_one_case_has_one_title_and_says_what_happened_first() -> None:
    later = replace(NOTICE, id="s/2", subject="Contained: instance i-1", text="By alice")
    for body in (slack_body, teams_body):
        said = [json.dumps(body(each)) for each in (NOTICE, later)]
        assert all("case-1] Breakwater" in each.replace("\\\\", "") for each in said)
    assert later.title == NOTICE.title == "[case-1] Breakwater"
    assert later.lines == ("Contained: instance i-1", "By alice")
    without = replace(NOTICE, case="")
    assert (without.title, without.lines) == (NOTICE.subject, tuple(NOTICE.text.splitlines()))


def test_slack_shows_subject_text_case_and_id() -> None:
    body = slack_body(NOTICE)
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "context"]
    assert body["text"] == NOTICE.subject, "what a phone shows"
    assert body["blocks"][0]["text"]["text"] == "[case-1] Breakwater"
    assert body["blocks"][1]["text"] == {"type": "plain_text", "text": f"{NOTICE.subject}\n{NOTICE.text}"}
    assert "breakwater show case-1" in body["blocks"][2]["elements"][0]["text"]


def test_what_a_finding_says_is_no_markup() -> None:
    hostile = Notice("s/1", "<!channel> & <http://evil|click>", "[click](http://evil) **now** <!here>", "e")
    assert slack_body(hostile)["text"] == "&lt;!channel&gt; &amp; &lt;http://evil|click&gt;"
    texts = [block["text"] for block in teams_body(hostile)["attachments"][0]["content"]["body"]]
    assert texts[1] == r"\[click\]\(http://evil\) \*\*now\*\* \<\!here\>"


def test_teams_gets_one_adaptive_card() -> None:
    (attachment,) = teams_body(NOTICE)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (attachment["content"]["type"], attachment["content"]["version"]) == ("AdaptiveCard", "1.4")
    assert len(attachment["content"]["body"]) == 6


def test_both_open_the_plan_where_it_has_a_page() -> None:
    link = "https://approve.example.com/proposals/1?plan=2&until=3"
    linked = replace(NOTICE, link=link)
    assert slack_body(linked)["unfurl_links"] is False
    opens = slack_body(linked)["blocks"][2]["text"]
    assert opens == {"type": "mrkdwn", "text": f"<{link.replace('&', '&amp;')}|See the plan and answer>"}
    (action,) = teams_body(linked)["attachments"][0]["content"]["actions"]
    assert (action["type"], action["url"]) == ("Action.OpenUrl", link)
    assert "actions" not in teams_body(NOTICE)["attachments"][0]["content"]
    undoes = replace(linked, undoes=True)
    assert slack_body(undoes)["blocks"][2]["text"]["text"].endswith("|See what an undo gives back>")
    assert teams_body(undoes)["attachments"][0]["content"]["actions"][0]["title"] == "See what an undo gives back"


@given(subject=st.text(max_size=300), text=st.text(max_size=40_000), case=st.sampled_from(["", "case-1"]))
def test_no_notice_is_larger_than_a_channel_takes(subject: str, text: str, case: str) -> None:
    notice = Notice("s/1", subject, text, "e", case=case)
    for block in slack_body(notice)["blocks"]:
        shown = block.get("text", block.get("elements", [{}])[0])
        assert 0 < len(shown["text"]) <= (150 if block["type"] == "header" else 3000) or not subject
    assert len(json.dumps(teams_body(notice)).encode()) <= 28_000


@pytest.mark.parametrize("channel", list(Channel))
def test_a_notice_is_posted_to_the_address_that_is_kept_elsewhere(channel: Channel) -> None:
    posted: list[tuple[str, Any]] = []
    Webhook(channel, lambda: f"{SECRET}\n", [].append, lambda to, body: posted.append((to, json.loads(body))))(NOTICE)
    assert posted == [(SECRET, {Channel.SLACK: slack_body, Channel.TEAMS: teams_body}[channel](NOTICE))]


@pytest.mark.parametrize("address", ["", "http://hooks.slack.com/x", "file:///etc/passwd", "not an address"])
def test_what_is_no_address_is_logged_and_the_next_is_told(address: str) -> None:
    errors: list[dict[str, Any]] = []
    told: list[Notice] = []
    posted: list[str] = []
    webhook = Webhook(Channel.SLACK, lambda: address, errors.append, lambda to, _: posted.append(to))
    to_all((webhook, told.append))(NOTICE)
    assert (errors[0]["notice_id"], told, posted) == ("s/1", [NOTICE], [])


def test_a_channel_that_does_not_answer_holds_nothing_up_and_its_address_is_logged_nowhere() -> None:
    errors: list[dict[str, Any]] = []
    told: list[Notice] = []
    closed = "https://127.0.0.1:9/services/secret"  # nobody listens on the discard port
    to_all((Webhook(Channel.TEAMS, lambda: closed, errors.append), told.append))(NOTICE)
    assert told == [NOTICE]
    assert len(errors) == 1
    assert "secret" not in json.dumps(errors)
    with pytest.raises(NotDelivered, match="did not answer"):
        post_json(closed, b"{}")
