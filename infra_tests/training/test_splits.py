"""What is held out is held out: recomputed from the recorded data, and looked for in what training sees."""

from __future__ import annotations

import json
import random
import zipfile
from hashlib import sha256

import pytest

from shared_model.encoders import audit, network
from training import datasets
from training.audit_data import recorded, recorded_stories
from training.data_root import data_root
from training.datasets import DataFile, catalogue, plain_content, take, verify
from training.loaders.cloudtrail_logs import embed, held_out, masked, operation, read_invictus, read_panther, read_stratus
from training.loaders.zeek import captures, read_iot23
from training.scenarios import Split, named
from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.principals import principal_of
from training.splits import CTU_DAYS, HELD_OUT_PANTHER, HELD_OUT_STRATUS, TEST_CAPTURES, TRAIN_CAPTURES, VALIDATION_CAPTURES

ROOT = data_root()
needs_data = pytest.mark.skipif(ROOT is None, reason="recorded data is absent: set BREAKWATER_DATA")


@needs_data
def test_the_lists_are_what_their_rule_gives():
    assert held_out(attack.name for attack in read_stratus(ROOT)) == HELD_OUT_STRATUS
    assert held_out(attack.name for attack in read_panther(ROOT)) == HELD_OUT_PANTHER


@needs_data
def test_nothing_that_training_sees_contains_a_held_out_call():
    split = recorded(ROOT)
    assert {attack.name for attack in split.held_out} == HELD_OUT_STRATUS | HELD_OUT_PANTHER
    for attack in split.train:
        assert attack.name not in HELD_OUT_STRATUS | HELD_OUT_PANTHER
        assert not attack.key_operations & HELD_OUT_OPERATIONS


@needs_data
def test_every_call_of_a_held_out_technique_is_reserved():
    sign_in = {"signin:ConsoleLogin"}  # every sign-in attack is this one call
    for attack in recorded(ROOT).held_out:
        assert attack.key_operations - sign_in <= HELD_OUT_OPERATIONS, attack.name


@needs_data
def test_the_tool_that_made_an_attack_is_not_named():
    told = [json.dumps(attack.records) for attack in read_stratus(ROOT) + read_panther(ROOT)]
    told += [json.dumps(record) for record, _ in read_invictus(ROOT)]
    assert not [text for text in told if "stratus" in text.lower()]
    assert not [name for name in (*audit.FEATURES, *network.FEATURES) if "stratus" in name.lower()]


def test_masking_reaches_every_depth():
    record = {
        "userAgent": "stratus-red-team_5c59eb79-6dac-405c-a4c4-e19aec03c666",
        "a": [{"role": "x-Stratus-Red-Team-y"}],
        "n": 3,
    }
    assert masked(record) == {"userAgent": masked(record)["userAgent"], "a": [{"role": "x-workload-y"}], "n": 3}
    assert "stratus" not in json.dumps(masked(record)).lower()


@needs_data
@pytest.mark.parametrize("calls", [0, 14])
def test_an_attack_and_its_control_differ_in_nothing_but_what_was_done(calls):
    attack = next(attack for attack in read_stratus(ROOT) if attack.name == "aws.persistence.iam-backdoor-user")
    profile = principal_of(named("audit/developer"), random.Random(1))
    hostile = embed(attack, profile, 1, calls=calls)
    control = embed(attack, profile, 1, calls=calls, control=True)
    for aspect in ("userIdentity", "awsRegion", "userAgent", "sourceIPAddress"):
        seen = {json.dumps(line.record.get(aspect), sort_keys=True) for line in hostile}
        assert seen == {json.dumps(line.record.get(aspect), sort_keys=True) for line in control}, aspect
    shared = min(len(hostile), len(control)) - 1
    assert [operation(line.record) for line in hostile[:calls]] == [operation(line.record) for line in control[:calls]]
    assert shared >= calls - 1
    assert {line.label for line in hostile} == ({"benign", "persistence"} if calls else {"persistence"})
    assert {line.label for line in control} == {"benign"}


@needs_data
def test_recorded_attacks_parse_and_have_controls():
    stories = list(recorded_stories(recorded(ROOT).held_out, Split.TEST, seed=1, histories=(4,)))
    assert sum(story.attack for story in stories) >= 20
    assert sum(not story.attack for story in stories) >= 20


@needs_data
def test_captures_belong_to_one_split():
    named = [*TRAIN_CAPTURES, *VALIDATION_CAPTURES, *TEST_CAPTURES]
    assert sorted(named) == sorted(captures(ROOT))
    assert not set(named) & set(CTU_DAYS)


@needs_data
def test_a_capture_becomes_labelled_records():
    capture = read_iot23(ROOT, "44-1")
    assert {"benign", "command_and_control", "denial_of_service"} == set(capture.flow_log.labels)
    with pytest.raises(FileNotFoundError, match="no capture 99-9"):
        read_iot23(ROOT, "99-9")


@needs_data
def test_the_recorded_data_is_as_published():
    assert not [checked for checked in verify(ROOT) if checked.problem and checked.file.dataset == "zeek_iot23"]


@needs_data
def test_brought_files_are_known_by_their_content(tmp_path):
    from training.loaders.compressed import read_xz

    file = next(file for file in catalogue() if file.name.startswith("aws.persistence.iam-backdoor-user"))
    brought, root = tmp_path / "downloads", tmp_path / "data"
    brought.mkdir()
    (brought / "some name.json").write_bytes(read_xz(ROOT / file.dataset / file.name))
    (brought / "other.json").write_text("{}")
    assert take(brought, root) == [file]
    assert [checked.file for checked in verify(root) if not checked.problem] == [file]


def test_files_are_taken_out_of_the_archives_in_which_they_are_published(tmp_path, monkeypatch):
    content = b"a,b\n1,2\n"
    digest = sha256(content).hexdigest()
    published = DataFile("cicids2017", "Tuesday.csv.xz", "r", "Tuesday.csv.zip", "c", "MIT", len(content), digest)
    monkeypatch.setattr(datasets, "catalogue", lambda: [published])
    brought, root = tmp_path / "downloads", tmp_path / "data"
    brought.mkdir()
    with zipfile.ZipFile(brought / "Tuesday.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("MachineLearningCVE/Tuesday.csv", content)
    with zipfile.ZipFile(brought / "two.zip", "w") as archive:
        archive.writestr("one.csv", "1")
        archive.writestr("two.csv", "2")
    (brought / "damaged.zip").write_bytes((brought / "Tuesday.csv.zip").read_bytes()[:40])
    assert take(brought, root) == [published]
    assert plain_content(root / "cicids2017" / "Tuesday.csv.xz") == content


def test_an_absent_file_says_where_it_comes_from(tmp_path):
    problems = [checked.problem for checked in verify(tmp_path)]
    assert problems
    assert all(problem.startswith("absent: bring ") for problem in problems)
