"""A scenario file is refused with its place and what to write instead; what is written in one is what is told."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from training.scenarios.amounts import parse_amount
from training.scenarios.library import FOLDER, InvalidScenario, load
from training.scenarios.published import ALERTS, FINDINGS, STRATUS, TECHNIQUES

FILES = sorted(FOLDER.glob("attacks/*.yaml")) + sorted(FOLDER.glob("benign/*.yaml"))
ATTACK = """\
about: the trail is stopped
telemetry: api_calls
cloud: aws
split: train
verdict: defense_evasion
imitates:
  stratus: [aws.defense-evasion.cloudtrail-stop]
chain:
  - tactic: defense-evasion
    technique: T1562.008
    calls:
      - cloudtrail:StopLogging*1-2
"""


def written(folder: Path, text: str, name: str = "attacks/audit-x.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_is_valid_and_its_techniques_are_real(path):
    told = load(path)
    assert told.family.is_attack == (path.parent.name == "attacks")
    for tactic, technique in told.family.chain:
        assert tactic in TECHNIQUES[technique].tactics
    assert set(told.scenario.imitates.stratus) <= STRATUS
    assert set(told.scenario.imitates.guardduty) <= FINDINGS
    assert set(told.scenario.imitates.defender) <= ALERTS


def test_a_good_file_is_told(tmp_path):
    told = load(written(tmp_path, ATTACK))
    assert (told.family.name, told.family.technique, told.family.chain) == (
        "audit/x",
        "T1562.008",
        (("defense-evasion", "T1562.008"),),
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("T1562.008", "T9999", "attacks/audit-x.yaml:9: chain[0]: 'T9999' is no technique"),
        ("tactic: defense-evasion", "tactic: impact", "audit-x.yaml:9: chain[0]: T1562.008 .* belongs to defense-evasion"),
        ("cloudtrail:StopLogging", "cloudtrail StopLogging", "audit-x.yaml:9: chain[0]: 'cloudtrail' is not a call"),
        ("cloudtrail-stop", "cloudtrail-halt", "audit-x.yaml:7: imitates.stratus: .*is no technique of Stratus"),
        ("split: train", "split: rain", "audit-x.yaml:4: split: Input should be 'train'"),
        ("cloud: aws", "cloud: azure", "audit-x.yaml:1: the file: cloud is azure, but not every call"),
        ("verdict: defense_evasion", "verdict: naughty", "audit-x.yaml:1: the file: verdict 'naughty' is no attack class"),
        ("chain:", "stollen: true\nchain:", "audit-x.yaml:8: stollen: no such word"),
        ("  stratus: [aws.defense-evasion.cloudtrail-stop]", "  incidents: []", "audit-x.yaml:1: .*says what it imitates"),
        ("about: the trail is stopped", "about: [", "audit-x.yaml:.*: is no YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, before, after, said):
    with pytest.raises(InvalidScenario, match=said.replace("[0]", r"\[0\]")):
        load(written(tmp_path, ATTACK.replace(before, after)))


def test_a_file_elsewhere_or_of_another_name_is_refused(tmp_path):
    with pytest.raises(InvalidScenario, match="a scenario lies in attacks/ or benign/"):
        load(written(tmp_path, ATTACK, "attacks/trail.yaml"))


def test_an_attack_with_a_held_out_call_is_a_test_whatever_it_says(tmp_path):
    told = load(written(tmp_path, ATTACK.replace("cloudtrail:StopLogging", "cloudtrail:PutEventSelectors")))
    assert told.family.split.value == "test"


def test_streams_are_complete(tmp_path):
    flow = """\
about: a scan of some kind
telemetry: flow_logs
split: train
verdict: scan
imitates: {guardduty: ["Recon:EC2/Portscan"]}
chain:
  - {tactic: discovery, technique: T1046}
traffic:
  - who: stranger
    to: victim
    port: 22
    attack: true
"""
    with pytest.raises(InvalidScenario, match=r"network-x.yaml:9: traffic\[0\]: say how many"):
        load(written(tmp_path, flow, "attacks/network-x.yaml"))
    assert load(written(tmp_path, flow + "    count: 30\n", "attacks/network-x.yaml")).family.verdict == "scan"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("40", 40, 40), ("5-10 s", 5, 10), ("2 min", 120, 120), ("1.5-2 kB", 1500, 2000), ([22, "80-81"], 22, 81)],
)
def test_an_amount_stays_within_what_is_written(text, low, high):
    amount, rng = parse_amount(text), random.Random(1)
    drawn = [amount.draw(rng) for _ in range(200)]
    assert low <= min(drawn) <= max(drawn) <= high


def test_about_is_a_median_with_a_spread():
    amount, rng = parse_amount("about 1 kB x2"), random.Random(1)
    drawn = sorted(amount.draw(rng) for _ in range(2001))
    assert 900 < drawn[1000] < 1100
    assert 0.6 < sum(500 <= value <= 2000 for value in drawn) / 2001 < 0.75


@pytest.mark.parametrize("text", ["many", "5-1", "3 parsecs", "about 5 x1", [], True, None])
def test_what_is_no_amount_says_so(text):
    with pytest.raises(ValueError, match=r"amount|range|unit|factor"):
        parse_amount(text)
