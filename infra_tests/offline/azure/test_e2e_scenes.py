"""The demo's scenes on the embedded Azure, against what they promise."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from infra_tests.offline.azure.conftest import WIDTH
from offline.demo_azure import SCENES
from offline.report.record import Cloud, Kind, Scene
from offline.scenes.azure import audit
from offline.scenes.azure.stage import AzureStage

#: An id that was cut off would end in the ellipsis or in the line's end.
_CUT_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{1,26}(…|$)")


@pytest.mark.e2e
@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__module__.rpartition(".")[2])
def test_a_scene_comes_out_as_it_must(
    request: pytest.FixtureRequest, shown: io.StringIO, play: Callable[[AzureStage], Scene]
) -> None:
    # Other tests let their journal grow old or forge it: an auditor finds that.
    stage = request.getfixturevalue("untouched_stage" if play is audit.run else "stage")
    begin = len(shown.getvalue())
    scene = play(stage)
    told = shown.getvalue()[begin:]
    assert not scene.failed, f"{scene.outcome}\n{told}"
    assert scene.cloud is Cloud.AZURE
    kinds = {entry.kind for entry in scene.timeline}
    assert {Kind.EVENT} <= kinds
    caused = [entry for entry in scene.timeline if entry.kind in (Kind.SCORE, Kind.DECISION, Kind.CHANGE, Kind.UNDO)]
    assert all(entry.correlation_id and entry.number for entry in caused)
    if Kind.CHANGE in kinds:
        assert scene.diffs
        assert scene.latency is not None
        assert min(scene.latency.decision, scene.latency.action) > 0
    for line in told.splitlines():
        assert len(line) <= WIDTH
        assert not _CUT_ID.search(line), line


def test_every_scene_on_aws_has_a_counterpart_of_the_same_name_unless_it_is_long_and_knows_no_cloud() -> None:
    from offline import demo_aws

    here, there, core = (
        {play.__module__.rpartition(".")[2] for play in scenes} for scenes in (SCENES, demo_aws.SCENES, demo_aws.OF_THE_CORE)
    )
    assert there - core <= here
    assert core <= there
