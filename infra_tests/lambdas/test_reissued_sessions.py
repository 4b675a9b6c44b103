"""A role that is assumed again has the same session name and a new token: the deny on the old one does not reach it."""

from __future__ import annotations

import pytest

from infra_tests.lambdas.account import ACCOUNT, NOW_MS, Account
from infra_tests.response.world import HOUR_MS, verdict
from lambdas.actions.revoke_sessions import RevokeSessions
from response.actions import Mode
from response.budget import InProcessLedgers
from response.expiry import expire
from response.journal import InProcessJournal, Step
from response.notices import Notice
from response.policy import ActionPolicy, AtEnd, Policy, Rule
from response.responder import respond
from response.settling import Decision
from response.signals import InProcessSignals
from shared_model.events import Entity, EntityKind, Telemetry

ROLE = "web"


class Sessions:
    """A role with one session name, and a policy that revokes."""

    def __init__(self, account: Account) -> None:
        self.account = account
        made = account.clients("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}", MaxSessionDuration=3600)["Role"]
        self.principal = Entity(EntityKind.PRINCIPAL, made["Arn"], ACCOUNT)
        self.session = Entity(EntityKind.SESSION, f"{made['RoleId']}:i-1", ACCOUNT)
        self.now_ms = NOW_MS
        self.action = RevokeSessions(account.clients, clock=lambda: self.now_ms / 1000)
        self.journal, self.signals, self.budget = InProcessJournal(), InProcessSignals(), InProcessLedgers()
        self.notices: list[Notice] = []
        self.policy = Policy(
            rules=(Rule("revoke", self.action.name, EntityKind.SESSION),),
            actions={self.action.name: ActionPolicy(Mode.ENFORCE, 3600, AtEnd.UNDO)},
            window_ms=HOUR_MS,
        )

    def misused(
        self, identifier: str, *, issued_ms: int | None, telemetry: Telemetry = Telemetry.API_CALLS, time_ms: int | None = None
    ) -> Decision:
        about = verdict(
            "i-1",
            identifier,
            telemetry,
            time_ms=self.now_ms if time_ms is None else time_ms,
            entity=self.session,
            related=(self.principal,),
            session_issued_ms=issued_ms,
        )
        decision, *_ = respond(
            about,
            policy=self.policy,
            actions={self.action.name: self.action},
            journal=self.journal,
            signals=self.signals,
            budget=self.budget,
            now_ms=self.now_ms,
            notify=self.notices.append,
        ).decisions
        return decision

    def denied_until(self) -> set[str]:
        iam = self.account.clients("iam")
        documents = [
            iam.get_role_policy(RoleName=ROLE, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]
        ]
        return {document["Statement"][0]["Condition"]["DateLessThanEquals"]["aws:TokenIssueTime"] for document in documents}


@pytest.fixture
def sessions(account: Account) -> Sessions:
    """Return a session whose first token is revoked at NOW_MS."""
    made = Sessions(account)
    made.misused("flow", issued_ms=None, telemetry=Telemetry.FLOW_LOGS)
    assert made.misused("first", issued_ms=NOW_MS - HOUR_MS).step is Step.APPLIED
    assert made.denied_until() == {"2026-09-21T14:13:20Z"}
    return made


@pytest.mark.parametrize("issued_ms", [NOW_MS - HOUR_MS, NOW_MS])
def test_a_token_that_the_deny_reaches_is_contained_already(sessions: Sessions, issued_ms: int) -> None:
    sessions.now_ms += 60_000
    decision = sessions.misused("second", issued_ms=issued_ms)
    assert decision.step is Step.NOOP
    assert "already contained" in decision.reason
    assert len(sessions.denied_until()) == 1


@pytest.mark.parametrize("time_ms", [NOW_MS - 60_000, NOW_MS, NOW_MS + 999])  # tokens are issued at whole seconds
def test_of_an_unknown_token_the_deny_reaches_what_was_done_before_it(sessions: Sessions, time_ms: int) -> None:
    sessions.now_ms += 60_000
    for number in range(3):
        assert sessions.misused(f"late-{number}", issued_ms=None, time_ms=time_ms).step is Step.NOOP
    assert len(sessions.denied_until()) == 1


@pytest.mark.parametrize("issued_ms", [NOW_MS + 1000, None])
def test_a_token_that_the_deny_does_not_reach_is_revoked_as_well(sessions: Sessions, issued_ms: int | None) -> None:
    sessions.now_ms += 60_000
    decision = sessions.misused("second", issued_ms=issued_ms)
    assert decision.step is Step.APPLIED
    assert sessions.denied_until() == {"2026-09-21T14:13:20Z", "2026-09-21T14:14:20Z"}
    assert sessions.misused("third", issued_ms=NOW_MS + 2000).step is Step.NOOP


def test_each_revocation_ends_by_itself(sessions: Sessions) -> None:
    sessions.now_ms += 60_000
    second = sessions.misused("second", issued_ms=NOW_MS + 1000).containment_id
    for later_ms, left in ((12 * HOUR_MS + 1, {"2026-09-21T14:14:20Z"}), (12 * HOUR_MS + 60_001, set())):
        ended, errors = expire(
            policy=sessions.policy,
            actions={sessions.action.name: sessions.action},
            journal=sessions.journal,
            now_ms=NOW_MS + later_ms,
            notify=sessions.notices.append,
        )
        assert ([result.step for result in ended], errors) == ([Step.UNDONE], ())
        assert sessions.denied_until() == left
    assert ended[0].containment_id == second


def test_the_policy_is_named_after_the_containment(sessions: Sessions) -> None:
    containment = sessions.misused("first", issued_ms=NOW_MS - HOUR_MS).containment_id
    names = sessions.account.clients("iam").list_role_policies(RoleName=ROLE)["PolicyNames"]
    assert names == [f"BreakwaterRevoke-{containment}"]
