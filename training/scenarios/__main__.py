"""``python -m training.scenarios --out DIR``: write generated telemetry in its true formats, labels apart."""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

from training.scenarios import Scenario, Split, families, generate


def write(scenario: Scenario, folder: Path) -> Path:
    """Write one scenario as the service would deliver it, and ``<name>.labels.json`` beside it. Returns the telemetry's file."""
    stem = f"{scenario.family.name.replace('/', '-')}-{scenario.seed}"
    if scenario.flow_log is not None:
        path, content = folder / f"{stem}.log.gz", scenario.flow_log.encode()
    elif scenario.log is not None:
        path, content = folder / f"{stem}.json.gz", json.dumps(scenario.log).encode()
    else:
        path, content = folder / f"{stem}.json.gz", json.dumps({"Records": list(scenario.records)}).encode()
    path.write_bytes(gzip.compress(content, mtime=0))
    family = scenario.family
    labels = {
        "family": family.name, "verdict": family.verdict, "technique": family.technique, "imitates": family.imitates,
        "split": family.split, "seed": scenario.seed, "labels": scenario.labels,
    }  # fmt: skip
    (folder / f"{stem}.labels.json").write_text(json.dumps(labels, indent=1) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.scenarios", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to (made when absent)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1, help="stories of each family")
    parser.add_argument("--split", type=Split, choices=list(Split), default=None, help="only families of this split")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    count = 0
    for scenario in generate(arguments.seed, split=arguments.split, repeats=arguments.repeats):
        write(scenario, arguments.out)
        count += 1
    print(f"{count} scenarios of {len(families(split=arguments.split))} families in {arguments.out}")


if __name__ == "__main__":
    main()
