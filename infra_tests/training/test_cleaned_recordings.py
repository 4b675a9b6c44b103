"""A cleaned recording reads as the original does, and holds nothing that its loader leaves out."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest
import yaml

from training.datasets import catalogue
from training.loaders.cloudtrail_logs import (
    clean_invictus,
    clean_panther,
    clean_stratus,
    read_invictus,
    read_panther,
    read_stratus,
)
from training.loaders.single_flows import clean_cicids, clean_netflow, read_cicids, read_netflow
from training.loaders.zeek import clean_ctu_days, clean_iot23, iot23_connections, read_ctu_day
from training.stages.load import RECORDINGS, recordings

_CONN = {
    "ts": "1536227352.123", "uid": "C1", "id.orig_h": "192.168.1.7", "id.orig_p": "40000", "id.resp_h": "203.0.113.9",
    "id.resp_p": "23", "proto": "tcp", "service": "-", "duration": "0.5", "conn_state": "S0", "history": "S",
    "orig_pkts": "3", "orig_ip_bytes": "180", "resp_pkts": "0", "resp_ip_bytes": "0",
}  # fmt: skip


def put(path: Path, text: str) -> str:
    """Write a file, compressed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(text.encode()) if path.suffix == ".xz" else text.encode())
    return path.name


def cleaned(clean, root: Path, dataset: str, names: list[str]) -> tuple[Path, dict[str, tuple[int, int]], str]:
    """Clean into a root of its own; that root, read and kept by name, and all text."""
    target, counts, text = root / "cleaned", {}, ""
    for name, one in clean(root, names):
        counts[name] = (one.read, one.kept)
        if one.kept:
            put(target / dataset / name, one.content.decode())
            text += one.content.decode()
    return target, counts, text


def csv_of(rows: list[dict[str, str]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"


def test_a_capture_keeps_connections_and_one_label_a_class(tmp_path):
    rows = [
        {**_CONN, "detailed-label": "PartOfAHorizontalPortScan"},
        {**_CONN, "ts": "1536227351.9", "detailed-label": "C&C-Torii"},
        {**_CONN, "proto": "unknown_transport", "detailed-label": "-"},
        {**_CONN, "orig_pkts": "0", "history": "", "detailed-label": "DDoS"},
        {**_CONN, "detailed-label": "-"},
    ]
    name = put(tmp_path / "zeek_iot23" / "CTU-Malware-Capture-9-1-labeled.csv.xz", csv_of(rows))
    root, counts, text = cleaned(clean_iot23, tmp_path, "zeek_iot23", [name])
    assert counts == {name: (5, 3)}
    assert iot23_connections(root, "9-1") == iot23_connections(tmp_path, "9-1")
    assert "Torii" not in text
    assert "C1" not in text


def test_a_day_loses_its_background(tmp_path):
    rows = [{**_CONN, "label": label} for label in ("Malicious", "Background", "Benign")]
    lines = ["#separator x", "\t".join(("#fields", *rows[0])), *("\t".join(row.values()) for row in rows)]
    name = put(tmp_path / "zeek_ctu_days" / "099-conn.log.labeled.xz", "\n".join(lines) + "\n")
    root, counts, text = cleaned(clean_ctu_days, tmp_path, "zeek_ctu_days", [name])
    assert counts == {name: (3, 2)}
    assert read_ctu_day(root, "099") == read_ctu_day(tmp_path, "099")
    assert "Background" not in text


def test_repeated_rows_and_rows_without_a_class_are_dropped(tmp_path):
    columns = (
        " Destination Port", " Flow Duration", " Total Fwd Packets", " Total Backward Packets", "Total Length of Fwd Packets",
        " Total Length of Bwd Packets", " Idle", " Label",
    )  # fmt: skip
    lines = [
        "443,1999,3,2,500.0,900.0,7,BENIGN", "443,1999,3,2,500.0,900.0,8,BENIGN",  # the same shape
        "22,5000000,0,1,12.0,0.0,0,SSH-Patator", "22,5000000,0,1,900.0,0.0,0,SSH-Patator",  # no packet out
        "80,-1,1,0,0.0,0.0,0,Heartbleed", "53,10,1,1,-4,30,0,BENIGN",
    ]  # fmt: skip
    name = put(tmp_path / "cicids2017" / "someday.csv.xz", "\n".join([",".join(columns), *lines]) + "\n")
    root, counts, _ = cleaned(clean_cicids, tmp_path, "cicids2017", [name])
    assert counts == {name: (6, 4)}
    assert read_cicids(root, "someday") == read_cicids(tmp_path, "someday")


def test_netflow_keeps_distinct_shapes_in_the_order_of_their_classes(tmp_path):
    head = "L4_DST_PORT,PROTOCOL,FLOW_DURATION_MILLISECONDS,IN_PKTS,IN_BYTES,OUT_PKTS,OUT_BYTES,IPV4_SRC_ADDR,Attack"
    lines = [
        "80,6,12.0,0,60,1,60,192.0.2.1,DDoS", "80,6,12,1,60,1,60,192.0.2.2,DoS", "53,17,1,1,40,1,90,192.0.2.3,Benign",
        "81,6,12,1,60,1,60,192.0.2.4,DoS", "1,6,1,1,1,1,1,192.0.2.5,Worms",
    ]  # fmt: skip
    name = put(tmp_path / "netflow_nf_bot_iot_v2" / "botiot_reduced.csv.xz", "\n".join([head, *lines]) + "\n")
    root, counts, text = cleaned(clean_netflow, tmp_path, "netflow_nf_bot_iot_v2", [name])
    assert counts == {name: (5, 3)}
    assert read_netflow(root) == read_netflow(tmp_path)
    assert "192.0.2" not in text


def a_record(agent: str, at: str = "2024-01-01T00:00:01Z") -> dict[str, object]:
    return {
        "eventTime": at, "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "userAgent": agent,
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/dana"},
        "requestParameters": {"userName": "stratus-red-team-user", "tags": []},
    }  # fmt: skip


def test_the_attack_tools_name_stands_nowhere(tmp_path):
    records = [a_record("stratus-red-team_x", "2024-01-01T00:00:09Z"), a_record("aws-cli/2")]
    name = put(tmp_path / "cloudtrail_stratus" / "aws.persistence.iam-user.json.xz", json.dumps(records))
    root, counts, text = cleaned(clean_stratus, tmp_path, "cloudtrail_stratus", [name])
    assert counts == {name: (2, 2)}
    assert repr(read_stratus(root)) == repr(read_stratus(tmp_path))
    assert "stratus" not in text


def test_of_a_log_that_is_judged_by_the_tools_name_it_stands_where_it_is_read(tmp_path):
    records = [a_record("stratus-red-team_x"), a_record("aws-cli/2", "2024-01-01T00:00:00Z")]
    name = put(tmp_path / "cloudtrail_invictus" / "one.json.xz", json.dumps({"Records": records}))
    root, counts, text = cleaned(clean_invictus, tmp_path, "cloudtrail_invictus", [name])
    assert counts == {name: (2, 2)}
    assert repr(read_invictus(root)) == repr(read_invictus(tmp_path))
    assert [mark for _, mark in read_invictus(root)] == [False, True]
    assert text.count("stratus") == 1


def test_of_a_rule_only_the_firing_case_is_kept(tmp_path):
    firing = {"Name": "fires", "ExpectedResult": True, "Log": a_record("aws-cli/2")}
    quiet = {"Name": "does not", "ExpectedResult": False, "Log": a_record("quiet")}
    rule = {"Severity": "Medium", "Reports": {"MITRE ATT&CK": ["TA0010:T1537"]}, "Tests": [quiet, firing]}
    folder = tmp_path / "panther" / "aws_cloudtrail_rules"
    names = [
        f"aws_cloudtrail_rules/{put(folder / file, yaml.safe_dump(document))}"
        for file, document in (("a_rule.yml", rule), ("b_rule.yml", {**rule, "Severity": "Info"}))
    ]
    root, counts, text = cleaned(clean_panther, tmp_path, "panther", names)
    assert counts == {names[0]: (1, 1), names[1]: (1, 0)}
    assert repr(read_panther(root)) == repr(read_panther(tmp_path))
    assert [attack.verdict for attack in read_panther(root)] == ["exfiltration"]
    assert "quiet" not in text


@pytest.mark.parametrize("detector", RECORDINGS)
def test_a_build_loads_what_the_catalogue_has_of_its_data_sets(detector):
    files = recordings(detector)
    assert {file.dataset for file in files} == set(RECORDINGS[detector])
    passed_over = {file for file in catalogue() if file.dataset in RECORDINGS[detector]} - set(files)
    assert {file.dataset for file in passed_over} == ({"cicids2017"} if detector == "network" else set())
