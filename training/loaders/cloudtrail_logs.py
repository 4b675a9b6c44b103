"""Recorded CloudTrail logs of attacks: Stratus Red Team's single techniques, Panther's rule tests, Invictus' attacked account.

Each is embedded in benign history of the same principal, account, region, address and program, and has a control: the same
history with a further benign script instead of the attack. So neither length nor padding nor format gives anything away.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.loaders.cleaned import Cleaned
from training.loaders.compressed import read_xz, read_xz_text
from training.scenarios.audit_story import LabelledRecord
from training.scenarios.cloudtrail_records import AGENTS, Caller, record, timestamp
from training.scenarios.family import BENIGN
from training.scenarios.past import sketch_of
from training.scenarios.principals import Principal, history
from training.scenarios.site import EPOCH_MS

Record = dict[str, Any]
#: Text that would give the label away: the tool's name in user agents, role and bucket names.
_TOOL_NAME = re.compile(r"stratus[-_ ]?red[-_ ]?team(?:[-_][0-9a-f-]{36})?|stratus", re.IGNORECASE)
#: Calls by which a technique is prepared and which honest principals make all day: they are not the attack.
PRELUDE = frozenset({"sts:AssumeRole", "sts:GetCallerIdentity", "ec2:DescribeInstances", "ssm:DescribeInstanceInformation"})
#: A third of the techniques and cases is held out, chosen by the hash of the name: nobody's taste had a part in it.
HELD_OUT_SHARE = 3
_TACTICS = {
    "TA0001": "initial_access", "TA0002": "execution", "TA0003": "persistence", "TA0004": "privilege_escalation",
    "TA0005": "defense_evasion", "TA0006": "credential_access", "TA0007": "discovery", "TA0008": "lateral_movement",
    "TA0009": "exfiltration", "TA0010": "exfiltration", "TA0040": "impact",
}  # fmt: skip
_SEVERE = frozenset({"Medium", "High", "Critical"})


@dataclass(frozen=True, slots=True)
class RecordedAttack:
    """One recorded attack.

    Attributes
    ----------
    name : str
        Technique of Stratus (``aws.persistence.iam-backdoor-user``) or rule of Panther.
    verdict : str
        Class of the audit detector.
    records : tuple of dict
        CloudTrail records in order of time, the tool's name masked.
    source : str
        ``stratus`` or ``panther``.
    """

    name: str
    verdict: str
    records: tuple[Record, ...]
    source: str

    @property
    def key_operations(self) -> frozenset[str]:
        """The calls that make up the technique, as ``service:Operation`` without the version that Lambda appends."""
        return frozenset(operation(item) for item in self.records) - PRELUDE


def operation(item: Record) -> str:
    """``service:Operation`` of a record; Lambda's API version at the end of the name is dropped."""
    name = re.sub(r"20\d{6}(v\d)?$", "", str(item.get("eventName", "")))
    return f"{str(item.get('eventSource', '')).split('.')[0]}:{name}"


def held_out(names: Iterable[str]) -> frozenset[str]:
    """Return the third of these names whose SHA-256 comes first."""
    ordered = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return frozenset(ordered[: len(ordered) // HELD_OUT_SHARE])


def masked(document: Any) -> Any:
    """Copy of a record in which the attack tool's name stands nowhere, not in keys either."""
    if isinstance(document, dict):
        return {masked(key): masked(value) for key, value in document.items()}
    if isinstance(document, list):
        return [masked(value) for value in document]
    return _TOOL_NAME.sub("workload", document) if isinstance(document, str) else document


def read_stratus(root: Path) -> list[RecordedAttack]:
    """Read every technique of Stratus Red Team's detonation logs, in order of name."""
    attacks = []
    for path in sorted((root / "cloudtrail_stratus").glob("*.json.xz")):
        document = json.loads(read_xz(path))
        records = document["Records"] if isinstance(document, dict) else document
        name = path.name.removesuffix(".json.xz")
        ordered = sorted(records, key=lambda item: str(item["eventTime"]))
        attacks.append(RecordedAttack(name, name.split(".")[1].replace("-", "_"), tuple(masked(ordered)), "stratus"))
    return attacks


def read_panther(root: Path) -> list[RecordedAttack]:
    """Read the firing CloudTrail test of every Panther rule of severity Medium or more that names a MITRE tactic.

    A rule's ``ExpectedResult`` says that it fires, not that somebody attacked; severity and tactic narrow that down.
    """
    import yaml

    attacks = []
    for path in sorted((root / "panther" / "aws_cloudtrail_rules").glob("*.yml*")):
        text = read_xz_text(path) if path.suffix == ".xz" else path.read_text()
        rule = yaml.safe_load(text)
        tactics = [str(entry).split(":")[0] for entry in (rule.get("Reports") or {}).get("MITRE ATT&CK", [])]
        verdict = next((_TACTICS[tactic] for tactic in tactics if tactic in _TACTICS), None)
        if verdict is None or rule.get("Severity") not in _SEVERE:
            continue
        firing = [
            test["Log"] for test in rule.get("Tests", []) if test.get("ExpectedResult") and isinstance(test.get("Log"), dict)
        ]
        usable = [
            log for log in firing if "eventName" in log and "eventSource" in log and isinstance(log.get("userIdentity"), dict)
        ]
        if usable:
            attacks.append(RecordedAttack(path.name.split(".")[0], verdict, (masked(usable[0]),), "panther"))
    return attacks


def read_invictus(root: Path) -> list[tuple[Record, bool]]:
    """Read the attacked account's records in order of time, each with whether the attack tool made it.

    It did where its name stood in the user agent or the identity. The tool's name is masked; nothing else is changed.
    """
    records: list[Record] = []
    for path in sorted((root / "cloudtrail_invictus").glob("*.json.xz")):
        records += json.loads(read_xz(path))["Records"]
    records.sort(key=lambda item: str(item["eventTime"]))
    marks = [bool(_TOOL_NAME.search(json.dumps([item.get("userAgent"), item.get("userIdentity")]))) for item in records]
    return [(masked(item), mark) for item, mark in zip(records, marks, strict=True)]


def clean_stratus(root: Path, _: Iterable[str]) -> Iterator[tuple[str, Cleaned]]:
    """Techniques as they are read: in order of time, the tool's name nowhere."""
    for attack in read_stratus(root):
        content = json.dumps({"Records": attack.records}, indent=1).encode()
        yield f"{attack.name}.json.xz", Cleaned(content, len(attack.records), len(attack.records))


def clean_panther(root: Path, names: Iterable[str]) -> Iterator[tuple[str, Cleaned]]:
    """Rules as they are read: the firing case of those that count, the tool's name nowhere, one tactic a class."""
    import yaml

    read = {attack.name: attack for attack in read_panther(root)}
    for name in names:
        folder, _, file = name.rpartition("/")
        attack = read.get(file.split(".")[0])
        if attack is None:
            yield name, Cleaned(b"", 1, 0)
            continue
        tactic = next(tactic for tactic, meant in _TACTICS.items() if meant == attack.verdict)
        told = {
            "Severity": "High", "Reports": {"MITRE ATT&CK": [tactic]},
            "Tests": [{"ExpectedResult": True, "Log": record} for record in attack.records],
        }  # fmt: skip
        yield f"{folder}/{attack.name}.yml", Cleaned(yaml.safe_dump(told, sort_keys=False, allow_unicode=True).encode(), 1, 1)


def clean_invictus(root: Path, names: Iterable[str]) -> Iterator[tuple[str, Cleaned]]:
    """Files of the attacked account, the tool's name nowhere but in the two fields that say whose call it was."""
    for name in names:
        records = json.loads(read_xz(root / "cloudtrail_invictus" / name))["Records"]
        told = [{**masked(item), **{key: item[key] for key in ("userAgent", "userIdentity") if key in item}} for item in records]
        yield name, Cleaned(json.dumps({"Records": told}, indent=1).encode(), len(records), len(records))


def embed(attack: RecordedAttack, profile: Principal, seed: int, *, calls: int, control: bool = False) -> list[LabelledRecord]:
    """Put the attack, or for a control one more benign script, behind ``calls`` benign calls of the same principal.

    Where an attack has several principals (a user who assumes a role), each has its history. Addresses and programs stay those of
    the record; the tool's own user agent becomes an SDK's. The past before that history is one of the profile's too.
    """
    rng = random.Random(f"{attack.name}#{seed}#{calls}")
    agent = rng.choice(AGENTS["sdk"] + AGENTS["cli"])
    begin = EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000
    told: list[LabelledRecord] = []
    after = begin
    identities: dict[str, Record] = {}
    for item in attack.records:
        identities.setdefault(json.dumps(item["userIdentity"].get("arn") or item["userIdentity"].get("principalId")), item)
    for item in identities.values():
        before = _like(item, agent, history(profile, _caller(item, agent), rng, begin, calls), rng)
        told += before
        after = max(after, *(_recorded_ms(line.record) for line in before)) if before else after
    known = _caller(attack.records[0], _program(attack.records[0], agent))
    past = sketch_of(profile, known, random.Random(f"past of {attack.name}#{seed}#{calls}"), begin)
    at = after + int(rng.lognormvariate(12, 1.2))
    if control:
        for item in identities.values():
            extra = history(profile, _caller(item, agent), rng, at, max(1, min(12, len(attack.records))))
            told += _like(item, agent, extra, rng)
    else:
        first = _recorded_ms(attack.records[0])
        for number, item in enumerate(attack.records):
            moved = copy.deepcopy(item)
            shift = _recorded_ms(item) - first
            moved["eventTime"] = timestamp(at + (shift if 0 <= shift < 86_400_000 else 1000 * number))
            moved["eventID"] = hashlib.sha256(f"{attack.name}#{seed}#{calls}#{number}".encode()).hexdigest()[:32]
            if "workload" in str(moved.get("userAgent", "")):
                moved["userAgent"] = agent
            told.append(
                LabelledRecord(moved, BENIGN if operation(moved) in PRELUDE and not _on_instance(item) else attack.verdict)
            )
    return [replace(line, past=past) for line in sorted(told, key=lambda line: str(line.record["eventTime"]))]


def _on_instance(item: Record) -> bool:
    return "/i-" in str(item["userIdentity"].get("arn", ""))


def _caller(item: Record, agent: str) -> Caller:
    account = str(item.get("recipientAccountId") or item["userIdentity"].get("accountId") or "")
    return Caller(
        "IAMUser", "history", "", "", str(item.get("sourceIPAddress", "")), agent, str(item.get("awsRegion", "")), account=account
    )


def _like(item: Record, agent: str, calls: list[tuple[int, Any, Caller]], rng: random.Random) -> list[LabelledRecord]:
    """Benign records with the identity, address, region and program of a recorded one."""
    lines = []
    for at, call, caller in calls:
        written = record(rng, replace(caller, agent=_program(item, agent)), call, at)
        written["userIdentity"] = copy.deepcopy(item["userIdentity"])
        written["awsRegion"] = item.get("awsRegion", written["awsRegion"])
        lines.append(LabelledRecord(written, BENIGN))
    return lines


def _program(item: Record, agent: str) -> str:
    """The program of a recorded call, ``agent`` in place of the attack tool."""
    own = str(item.get("userAgent", ""))
    return agent if not own or "workload" in own else own


def _recorded_ms(item: Record) -> int:
    text = str(item.get("eventTime", "")).replace("Z", "").replace("T", " ")[:19]
    try:
        return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return 0
