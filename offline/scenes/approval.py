"""The policy asks: nothing is changed until a person says yes to the very plan that was shown, and one yes counts once.

The person follows the link of the notice: opening it shows the plan, to a link scanner as well, and only an answer with a token
of the identity provider acts.
"""

from __future__ import annotations

from offline.aws.browser import Browser
from offline.aws.http_apis import HttpApis
from offline.aws.identity_provider import IdentityProvider
from offline.findings import domain_request, port_probe
from offline.mailbox import Mailbox
from offline.operator_policy import arm, write
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.stage import Stage
from response.containment import fold

_ACTION = "quarantine_instance"
_SEEN, _SENT, _UNKNOWN, _ANSWERED = 200, 202, 401, 409


def run(stage: Stage) -> Scene:
    """Play the scene: proposal, its diff, the link opened, a yes without and with a token, the change, a second yes, undo."""
    aws, timeline, machine = stage.aws, stage.timeline, stage.launch("web-approval")
    provider = IdentityProvider()
    apis = HttpApis(aws, provider.keys)
    story = "The policy wants a person's word: two signals become a proposal, whose plan the operator sees before saying yes."
    with timeline.scene(
        "A person approves by a link", story, Provenance.GENERATED, "GuardDuty findings in their true format"
    ) as scene:
        before = stage.groups(machine)
        enforcing = arm(aws, mode="approve")
        mailbox = Mailbox(aws, "on-call-mail")
        timeline.note(Kind.EVENT, "the operator sets every action to approve")
        try:
            for finding in (port_probe(stage.world, machine), domain_request(stage.world, machine)):
                stage.put(finding, f"{finding['detail']['type']} on {machine.name}")
                timeline.drain()
            entries = stage.journal(_ACTION, "instance", machine.id)
            (proposal,) = fold(entries[0].stream, entries).proposals.values()
            timeline.diff(f"Proposed for {machine.name}", proposal.plan.before, proposal.plan.after)

            def note(text: str, status: int) -> None:
                timeline.note(Kind.EVENT, text, f"the page answers {status}", proposal.correlation_id)

            link = mailbox.link_to(proposal.id)
            scanned = [Browser(apis).open(link).status for _ in range(2)]
            note("a link scanner opens the link of the notice, twice", scanned[-1])
            nobody = Browser(apis)
            nobody.open(link)
            refused = nobody.send(link, answer="approve").status
            note("somebody who has not signed in sends a yes", refused)
            untouched = stage.groups(machine) == before and len(stage.journal(_ACTION, "instance", machine.id)) == len(entries)
            ada = Browser(apis, provider.token("00u1ada", email="ada@example.com", email_verified=True))
            seen = ada.open(link).status
            taken = ada.send(link, answer="approve", reason="it talks to a mining pool").status
            note("ada opens the link, signs in, and says yes", taken)
            timeline.drain()
            again = ada.send(link, answer="approve").status
            note("ada says yes once more", again)
            timeline.drain()
        finally:
            write(aws, enforcing)
        after, steps = stage.groups(machine), stage.steps(_ACTION, "instance", machine.id)
        approved = [entry for entry in stage.journal(_ACTION, "instance", machine.id) if entry.step == "APPROVED"]
        timeline.diff(f"Security groups of {machine.name}", before, after)
        stage.take_back(_ACTION, "instance", machine.id)
        scene.conclude(
            "the link only shows, a person's yes contains, once, undone exactly",
            opening_shows_and_changes_nothing=scanned == [_SEEN, _SEEN] and seen == _SEEN and untouched,
            yes_without_a_token_refused=refused == _UNKNOWN,
            contained_after_it=taken == _SENT and after != before and steps.count("APPLIED") == 1,
            in_the_name_of_who_signed_in=[entry.actor.partition(" ")[0] for entry in approved] == ["ada@example.com"],
            second_yes_is_told_that_it_is_answered=again == _ANSWERED,
            exact_undo=stage.groups(machine) == before,
        )
    return scene
