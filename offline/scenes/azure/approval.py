"""The policy asks: nothing is changed until a person says yes to the very plan that was shown, and one yes counts once.

The person follows the link of the comment on the incident: opening it shows the plan, to a link scanner as well, and only the
answer of somebody whom Entra has let in acts.
"""

from __future__ import annotations

from offline.azure.incident_bodies import KEYS_LISTED, MASS_DOWNLOAD, resource
from offline.azure.page import SIGNED_IN, Browser, link_to
from offline.report.record import Kind, Provenance, Scene
from offline.scenes.azure.stage import AzureStage
from response.containment import fold
from shared_model.events import EntityKind

#: The only action that the demo's policy asks about: an account of storage has many users.
ACTION = "close_storage_account"
_SEEN, _SENT, _UNKNOWN, _ANSWERED = 200, 202, 401, 409


def run(stage: AzureStage) -> Scene:
    """Play the scene: proposal, its diff, the link opened, a yes without and with a sign-in, the change, a second yes, undo."""
    timeline, operator, account = stage.timeline, stage.operator, stage.azure.services.world.storage
    story = "The policy wants a person's word: two signals become a proposal, whose plan the operator sees before saying yes."
    source = "incidents of Microsoft Sentinel in the form of a playbook's trigger"
    with timeline.scene("A person approves by a link", story, Provenance.GENERATED, source) as scene:
        before = stage.estate.switches_of(account)
        for rule in (KEYS_LISTED, MASS_DOWNLOAD):
            incident = stage.incident(rule, [resource(account)], f"names the storage account {account.rpartition('/')[2]}")
        entries = operator.journal(ACTION, EntityKind.BUCKET, account)
        (proposal,) = fold(entries[0].stream, entries).proposals.values()
        timeline.diff("Proposed for the storage account", proposal.plan.before, proposal.plan.after)

        def note(text: str, status: int) -> None:
            timeline.note(Kind.EVENT, text, f"the page answers {status}", proposal.correlation_id)

        link = link_to(proposal.id, stage.azure.services.arm.incidents.comments(incident))
        scanned = [Browser(stage.azure).open(link).status for _ in range(2)]
        note("a link scanner opens the link of the comment, twice", scanned[-1])
        nobody = Browser(stage.azure)
        nobody.open(link)
        refused = nobody.send(link, answer="approve").status
        note("somebody who has not signed in sends a yes", refused)
        timeline.drain()
        untouched = stage.estate.switches_of(account) == before
        untouched &= len(operator.journal(ACTION, EntityKind.BUCKET, account)) == len(entries)
        ada = Browser(stage.azure, SIGNED_IN)
        seen = ada.open(link).status
        taken = ada.send(link, answer="approve", reason="nobody of ours reads all of it").status
        note("ada opens the link, signs in, and says yes", taken)
        timeline.drain()
        again = ada.send(link, answer="approve").status
        note("ada says yes once more", again)
        timeline.drain()
        after, written = stage.estate.switches_of(account), operator.journal(ACTION, EntityKind.BUCKET, account)
        timeline.diff("The storage account", before, after)
        stage.take_back(ACTION, EntityKind.BUCKET, account)
        scene.conclude(
            "the link only shows, a person's yes contains, once, undone exactly",
            opening_shows_and_changes_nothing=scanned == [_SEEN, _SEEN] and seen == _SEEN and untouched,
            yes_without_a_sign_in_refused=refused == _UNKNOWN,
            contained_after_it=taken == _SENT and after != before and [e.step for e in written].count("APPLIED") == 1,
            in_the_name_of_who_signed_in=[e.actor.partition(" ")[0] for e in written if e.step == "APPROVED"]
            == ["ada@example.com"],
            second_yes_is_told_that_it_is_answered=again == _ANSWERED,
            exact_undo=stage.estate.switches_of(account) == before,
        )
    return scene
