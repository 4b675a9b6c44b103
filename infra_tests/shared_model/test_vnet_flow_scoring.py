"""The shipped detector reads VNet flow logs as it reads the other cloud's."""

from pathlib import Path

import pytest

from infra_tests.shared_model.test_vnet_flow_logs import flows_of
from shared_model.detector import Detector
from shared_model.flow_detection import detect
from shared_model.memory import InProcessMemory


def probes(count: int, tail: str, port=lambda n: 20 + n, every_ms: int = 1000):
    begin = 1_700_000_000_000
    return [f"{begin + n * every_ms},198.51.100.7,10.0.1.5,{40_000 + n},{port(n)},6,I,{tail}" for n in range(count)]


def visits(count: int):
    found = []
    for n in range(count):
        begin, ends = 1_700_000_000_000 + n * 37 % 1800 * 1000, f"10.0.1.5,203.0.113.9,{50_000 + n},443,6,O"
        found += [f"{begin},{ends},B,NX,0,0,0,0", f"{begin + 9000},{ends},E,NX,12,1840,15,9300"]
    return found


def test_the_shipped_detector_finds_a_scan_of_a_host_that_answers_every_probe():
    detector = Detector.load(Path(__file__).parents[2] / "model_artifacts" / "network")
    found = detect(
        flows_of(*probes(48, "E,NX,1,60,1,54")), detector, InProcessMemory(), now_ms=1_800_000_000_000, correlation_id=""
    )
    assert [verdict.entity.id for verdict in found.verdicts] == ["198.51.100.7"]


@pytest.mark.parametrize(
    ("tuples", "technique"),
    [
        (probes(48, "D,NX,0,0,0,0"), "T1046"),
        pytest.param(
            probes(48, "E,NX,1,60,1,54"),
            "T1046",
            marks=pytest.mark.xfail(strict=True, raises=AssertionError, reason="found, and named T1071 (decision 089)"),
        ),
        (probes(48, "E,NX,12,1800,14,2600", port=lambda n: 22, every_ms=3000), "T1110"),
        (visits(24), None),
    ],
)
def test_the_shipped_detector_reads_them_as_it_reads_the_other_clouds(tuples, technique):
    detector = Detector.load(Path(__file__).parents[2] / "model_artifacts" / "network")
    found = detect(flows_of(*tuples), detector, InProcessMemory(), now_ms=1_800_000_000_000, correlation_id="")
    assert [verdict.technique for verdict in found.verdicts] == ([technique] if technique else [])
