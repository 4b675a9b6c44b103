"""``policy check``: every mistake with its line and what fits there."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from console.__main__ import main
from lambdas.actions.catalogue import ACTIONS
from response.policy_schema import PolicyModel

ROOT = Path(__file__).parents[2]
GOOD = """\
version: 1
rules:
  - name: quarantine-instance
    action: quarantine_instance
    target: instance
    when:
      min_probability: 0.5
actions:
  quarantine_instance:
    mode: enforce
    time_to_live: 24h
"""
TWO_MORE = """\
  - {name: at-night, action: quarantine_instance, target: instance, when: {hours: ["22:00-06:00"]}, mode: approve,
     time_to_live: 12h}
  - {name: too-far, action: quarantine_instance, target: instance, mode: enforce, time_to_live: 7d}
"""


def check(file: Path, cloud: str = "azure") -> tuple[int, list[str]]:
    printed: list[str] = []
    return main(["policy", "check", str(file), "--cloud", cloud], out=printed.append), printed


@pytest.mark.parametrize(("cloud", "name"), [("aws", "default.yaml"), ("azure", "azure.yaml")])
def test_the_shipped_policies_are_good_and_only_observe(cloud: str, name: str) -> None:
    status, (line, *rules) = check(ROOT / "policy" / name, cloud)
    assert status == 0
    assert "enforces" not in line
    assert rules
    assert all(", observe for " in rule for rule in rules)
    assert {"only", "observes", "quarantine_instance,"} <= set(line.split())


def test_the_policy_of_the_other_cloud_is_told_as_such() -> None:
    for name, cloud in (("default.yaml", "azure"), ("azure.yaml", "aws")):
        status, printed = check(ROOT / "policy" / name, cloud)
        assert status == 1
        assert printed[-1] == "where these are actions of the other cloud: --cloud says which one is meant"


def test_two_people_answer_by_the_link_where_a_queue_attests_nobody(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("mode: enforce", "mode: approve\n    four_eyes: two"), encoding="utf-8")
    assert check(file, "aws")[0] == 0
    assert len(check(file, "aws")[1]) == 2
    status, (effect, _, condition) = check(file, "azure")
    assert status == 0
    assert "asks before quarantine_instance" in effect
    assert condition.startswith("quarantine_instance: both people must answer by the link")
    assert "without the page behind it" in condition


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_what_gives_something_back_never_ends_by_itself(tmp_path: Path, cloud: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD + "    at_end: undo\n  block_address:\n    at_end: undo\n", encoding="utf-8")
    status, (line,) = check(file, cloud)
    assert status == 1
    assert line.startswith(f"{file}:12: actions.quarantine_instance.at_end: undo gives back its networks to a machine")
    assert line.endswith("only a person may do that: give ask")


def test_it_says_what_each_action_may_do(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD, encoding="utf-8")
    status, (line, rule) = check(file, "aws")
    idle = ", ".join(action.name for action in ACTIONS if action.name != "quarantine_instance")
    assert (status, line) == (0, f"{file}: enforces quarantine_instance; has no rule for {idle}")
    assert rule == "  quarantine-instance: quarantine_instance, enforce for 24h, then ask"


def test_it_says_of_each_rule_how_far_it_goes_and_what_holds_it_back(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("actions:", f"{TWO_MORE}actions:"), encoding="utf-8")
    _, printed = check(file, "aws")
    assert printed[0].startswith(f"{file}: enforces quarantine_instance; asks before quarantine_instance; has no rule for ")
    assert printed[1:] == [
        "  quarantine-instance: quarantine_instance, enforce for 24h, then ask",
        "  at-night: quarantine_instance, approve for 12h, then ask",
        "  too-far: quarantine_instance, enforce for 24h, then ask "
        "(its time_to_live 7d is held back by actions.quarantine_instance.time_to_live)",
    ]


@pytest.mark.parametrize(
    ("cloud", "regions", "said"),
    [
        ("aws", "[mars, eu-central-1, EU-West-1, eusc-de-east-1]", ["no region mars that"]),
        ("aws", "[eu-centrl-1, frankfurt]", ["no region eu-centrl-1, frankfurt that"]),
        ("aws", "[us-gov-west-1, cn-north-1]", []),
        ("azure", "[eu-central-1, westeurope]", ["no region eu-central-1 that"]),
    ],
)
def test_a_region_that_the_cloud_does_not_have_is_doubted(tmp_path: Path, cloud: str, regions: str, said: list[str]) -> None:
    """There the rule would wait for ever, and nothing else would tell. But a newer region may be one: it is no mistake."""
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("0.5", f"0.5\n      regions: {regions}"), encoding="utf-8")
    status, printed = check(file, cloud)
    assert status == 0
    assert [said[0] in line for line in printed[2:]] == [True] * len(said)


def test_a_rule_that_another_leaves_nothing_to_is_not_said_to_be_armed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    narrow = (
        "  - {name: on-canaries, action: quarantine_instance, target: instance, when: {min_probability: 0.9}, mode: enforce}\n"
    )
    file.write_text(GOOD.replace("0.5", "0.5\n    mode: observe").replace("actions:", f"{narrow}actions:"), encoding="utf-8")
    status, (effect, _, hidden) = check(file, "aws")
    assert status == 0
    assert "enforces" not in effect
    assert hidden == (
        "  on-canaries: quarantine_instance, never decides: quarantine-instance stands before it and matches whatever it does"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "    target: instance",
            "    traget: instance",
            ["3: rules.0.target: is missing", "5: rules.0.traget: * did you mean target?"],
        ),
        ("enforce", "arm", ["10: actions.quarantine_instance.mode: Input should be 'observe', 'approve' or 'enforce'"]),
        ("0.5", "7", ["7: rules.0.when.min_probability: Input should be less than or equal to 1 (it is 7)"]),
        (
            "24h",
            "soon",
            ["11: actions.quarantine_instance.time_to_live: give a duration such as 90s, 30m, 12h or 7d (it is 'soon')"],
        ),
        (
            "min_probability: 0.5",
            "techniques: [T1110, scan]",
            ["7: rules.0.when.techniques.1: 'scan' does not fit: give a MITRE * T1110"],
        ),
        (
            "action: quarantine_instance",
            "action: quarantine",
            ["4: rules.0.action: there is no action 'quarantine'; there are block_address,"],
        ),
        (
            "    target: instance",
            "    target: instance\n    mode: arm\n    time_to_live: soon",
            [
                "6: rules.0.mode: Input should be 'observe', 'approve' or 'enforce'",
                "7: rules.0.time_to_live: give a duration such as 90s, 30m, 12h or 7d (it is 'soon')",
            ],
        ),
        ("    target: instance", "    target: instance\n    modus: observe", ["6: rules.0.modus: * did you mean mode?"]),
        ("target: instance", "target: session", ["5: rules.0.target: * acts on instance, not on session"]),
        ("version: 1", "version: 2", ["1: version: Input should be 1 (it is 2)"]),
        ("actions:", "rules: []\nactions:", ["8: rules: stands in line 2 already, which would not count: join the two"]),
        (
            "    mode: enforce",
            "    mode: enforce\n    mode: observe",
            ["11: actions.quarantine_instance.mode: stands in line 10 already"],
        ),
        ("    action:", "   action:", ["4: not YAML: "]),
        ("version: 1\n", "", ["1: version: is missing: add it"]),
        (
            "  quarantine_instance:",
            "  Quarantine:",
            ["9: actions.Quarantine: 'Quarantine' does not fit: give the name of an action"],
        ),
        (GOOD, "", ["1: a policy is keys and values, the first of them version: 1"]),
        (GOOD, "- 1\n", ["1: a policy is keys and values, the first of them version: 1"]),
        (GOOD, "version: 1\nnever_touch:\n", ["2: never_touch: give keys and values below it, or take it out (it is None)"]),
        (GOOD, "version: 1\nrules:\n", ["2: rules: give a list, or take it out (it is None)"]),
        (
            "min_probability: 0.5",
            "accounts: [123456789012]",
            ["7: rules.0.when.accounts.0: give a text; * a number, stands in quotes"],
        ),
        ("min_probability: 0.5", "detectors: [netwrok]", ["7: rules.0.when.detectors: * 'netwrok': did you mean network?"]),
        ("min_probability: 0.5", "detectors: [ids]", ["7: rules.0.when.detectors: * there are network, audit, guardduty,"]),
        (
            "    when:\n",
            "    corroborate: [flow_logs]\n    when:\n      telemetry: [flow_logs]\n",
            ["6: rules.0.corroborate: the rule is about flow_logs, and a second signal is one of another telemetry"],
        ),
        (
            GOOD,
            "version: 1\nnever_touch:\n  principals: [admin]\n",
            ["3: never_touch.principals.0: 'admin' does not fit: give the ARN"],
        ),
    ],
)
def test_a_mistake_has_its_line_and_what_fits_there(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    file = tmp_path / "mine.yaml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    status, printed = check(file)
    assert status == 1
    assert len(printed) == len(said)
    for line, expected in zip(printed, said, strict=True):
        first, *rest = expected.split(" * ")
        assert line.startswith(f"{file}:{first}")
        assert all(part in line for part in rest)


@pytest.mark.parametrize(
    ("cloud", "added", "said"),
    [
        (
            "aws",
            "    settings:\n      tags: {aws:a: b}",
            "12: actions.quarantine_instance.settings.tags.aws:a: give a key that AWS takes",
        ),
        ("aws", "    settings: {snapshot: true}", "11: actions.quarantine_instance.settings.snapshot: there is no such setting"),
        (
            "aws",
            "  block_address_in_waf:\n    settings:\n      ip_sets: [blocked]",
            "13: actions.block_address_in_waf.settings.ip_sets.0: 'blocked' is no ARN of an IP set",
        ),
        ("aws", "  restrict_role:\n    settings: {hard: true}", "12: actions.restrict_role.settings: restrict_role has none"),
        (
            "azure",
            "  invoke_function:\n    settings: {function: 'https://contain.example/api', audience: 'https://graph.microsoft.com'}",
            "12: actions.invoke_function.settings.audience: give the application id URI",
        ),
        (
            "azure",
            "  block_address_in_waf:\n    settings:\n      firewall_policies: [shop]",
            "13: actions.block_address_in_waf.settings.firewall_policies.0: 'shop' is no id",
        ),
        ("azure", "    settings: {snapshots: true}", "11: actions.quarantine_instance.settings: quarantine_instance has none"),
    ],
)
def test_settings_are_read_by_their_action(tmp_path: Path, cloud: str, added: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("    mode: enforce", f"    mode: enforce\n{added}", 1), encoding="utf-8")
    status, (printed,) = check(file, cloud)
    assert status == 1
    assert printed.startswith(f"{file}:{said}")


def test_all_mistakes_are_said_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        dedent("""\
            version: 1
            budget:
              containments_per_hour: -1
            corroboration:
              window: 1
            """),
        encoding="utf-8",
    )
    _, printed = check(file)
    assert [line.split(":")[1] for line in printed] == ["3", "5"]


def test_every_mapping_of_the_schema_says_which_keys_it_has(tmp_path: Path) -> None:
    stray = {"nonsense": 1}
    parts = [name for name, part in PolicyModel.model_json_schema()["properties"].items() if "$ref" in part]
    rule = {"name": "a", "action": "quarantine_instance", "target": "instance", "when": stray}
    document = {"version": 1, "rules": [rule | stray], "actions": {"quarantine_instance": stray}, **dict.fromkeys(parts, stray)}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(document | stray), encoding="utf-8")
    _, printed = check(file)
    assert len(printed) == len(parts) + 4
    assert all("nonsense: there is no such key: here stand " in line for line in printed)


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _ = check(tmp_path / "none.yaml")
    assert status == 1
    assert "cannot read" in capsys.readouterr().err


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"version: \xff\xfe\n")
    status, (line,) = check(file)
    assert status == 1
    assert "not YAML" in line


def test_a_list_that_iam_has_no_room_for_is_told_before_anything_is_deployed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    listed = "\n".join(f"    - keep-{number}" for number in range(200))
    file.write_text(f"{GOOD}never_touch:\n  tags:\n{listed}\n", encoding="utf-8")
    status, said = check(file, "aws")
    assert status == 1
    assert len(said) == 3  # of each role that contains
    assert all("never_touch: IAM has no room for" in line and "tag keep-" in line for line in said)
    assert check(file, "azure")[0] == 0


def test_a_policy_that_no_parameter_holds_is_told_before_anything_is_deployed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    listed = "\n".join(f"    - i-{number:017x}" for number in range(400))
    file.write_text(f"{GOOD}never_touch:\n  instances:\n{listed}\n", encoding="utf-8")
    status, (line,) = check(file, "aws")
    assert status == 1
    assert "more than a parameter of SSM holds (8192)" in line
