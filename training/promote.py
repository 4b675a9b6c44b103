"""``python -m training.promote JOB_OUTPUT``: take a trained detector back into model_artifacts, if it is no worse.

Without ``--accept`` nothing is written: what came back is checked, scored beside the present detector and shown. To take it, say
the digest that was shown: ``--accept DIGEST``. So what is written is what was reviewed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_model.detector import Detector
from training.artifact import ARTIFACTS
from training.evaluation_sample import SampleUnfit, judge, read
from training.promotion.comparison import Row, of_evaluations, of_sample, table
from training.promotion.fitness import check_fitness, check_version
from training.promotion.refusal import Refused
from training.promotion.returned import Returned, check, fetch, replace_folder

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Review:
    """What is known of one returned detector; ``rows`` is empty where there is no present one."""

    name: str
    rows: tuple[Row, ...]

    @property
    def worse(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.worse)


def review(returned: Returned, name: str, artifacts: Path = ARTIFACTS) -> Review:
    """Compare one returned detector with the present one. Raises Refused where it could not serve or cannot be compared."""
    here = artifacts / name
    present = Detector.load(here) if (here / "detector.json").is_file() else None
    detector = check_fitness(returned.folder / name, present)
    told, evaluation = returned.record["detectors"][name]["tests"], _evaluation(returned.folder / name)
    if told != {title: {key: test[key] for key in ("windows", "entities")} for title, test in evaluation["tests"].items()}:
        raise Refused(f"{name}: record and evaluation.json give different figures: they are not of one run")
    if present is None:
        return Review(name, ())
    check_version(returned.folder / name, here)
    try:
        stories = read(name)
    except SampleUnfit as error:
        raise Refused(str(error)) from error
    rows = [*of_evaluations(_evaluation(here), evaluation), *of_sample(judge(present, stories), judge(detector, stories))]
    return Review(name, tuple(rows))


def accept(returned: Returned, names: Sequence[str], artifacts: Path = ARTIFACTS) -> None:
    """Put the returned detectors, with the record of their run, in the place of the present ones."""
    for name in names:
        (returned.folder / name / "run.json").write_text(json.dumps(returned.record, indent=1) + "\n")
        replace_folder(artifacts / name, returned.folder / name)


def main(arguments: Sequence[str] | None = None, *, artifacts: Path = ARTIFACTS) -> int:
    """Review, and write when told to; 1 when the result is refused."""
    given = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            returned = check(fetch(given.output, Path(folder)))
            names = _wanted(returned, given.detector)
            _describe(returned)
            reviews = [_reviewed(returned, name, artifacts) for name in names]
            for one in reviews:
                print(f"\n{one.name}\n{table(list(one.rows)) if one.rows else 'there is no present detector to compare with'}")
            if refused := [f"{one.name}: {row.figure} on {row.where}" for one in reviews for row in one.worse]:
                raise Refused("worse than the present detector: " + "; ".join(refused))
            return _decide(returned, names, given.accept, artifacts)
        except Refused as error:
            print(f"\nREFUSED, nothing was written: {error}", file=sys.stderr)
            return 1


def _reviewed(returned: Returned, name: str, artifacts: Path) -> Review:
    try:
        return review(returned, name, artifacts)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused(f"{name}: its documents are not as a build writes them ({error!r}): build it with this checkout") from error


def _decide(returned: Returned, names: Sequence[str], said: str | None, artifacts: Path) -> int:
    shown = returned.digest[:_SHOWN]
    if said is None:
        print(f"\nNo worse. Nothing was written; to take {' and '.join(names)}, run this again with --accept {shown}")
        return 0
    if len(said) < _SHOWN or not returned.digest.startswith(said):
        raise Refused(f"--accept says {said}, this result is {shown}: it is not the one that was reviewed")
    # Copied first: the result may be a folder that is not ours to write to.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        replace_folder(copy, returned.folder)
        accept(Returned(copy, returned.record, returned.digest), names, artifacts)
    print(f"\nTaken: {', '.join(str(artifacts / name) for name in names)}. Review the change and commit it.")
    return 0


def _describe(returned: Returned) -> None:
    record = returned.record
    print(f"job {record['job']} ({record['service']}), {record['began']} to {record['ended']}, result {returned.digest[:_SHOWN]}")
    print(f"sources {record['source'][:_SHOWN]}, data {record['data']['as_published']} files as published")
    print(", ".join(f"{key} {value}" for key, value in {**record["hyperparameters"], **record["versions"]}.items()))


def _wanted(returned: Returned, wanted: str | None) -> tuple[str, ...]:
    if wanted is None:
        return returned.detectors
    if wanted not in returned.detectors:
        raise Refused(f"the result holds {', '.join(returned.detectors)}, not {wanted}")
    return (wanted,)


def _evaluation(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return document


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.promote", description=__doc__)
    parser.add_argument("output", metavar="JOB_OUTPUT", help="folder, model.tar.gz or s3://BUCKET/PREFIX/results/JOB")
    parser.add_argument("--detector", help="only this one of the result")
    parser.add_argument("--accept", metavar="DIGEST", help="write it to model_artifacts; DIGEST as the review shows it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
