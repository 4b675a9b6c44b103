"""``python -m training.jobs.submit sagemaker|azureml SETTINGS.yaml``: train in the cloud.

With ``--dry-run`` it prints exactly what would be sent, held against the service's own rules, and sends nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from training.jobs.hyperparameters import JobError
from training.jobs.settings import AzureSettings, SageMakerSettings, read_settings
from training.jobs.sources import Bundle, bundle


def main(arguments: Sequence[str] | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Submit, print or ask; 1 with the reason where it cannot be."""
    given = _parser().parse_args(arguments)
    try:
        (_sagemaker if given.service == "sagemaker" else _azureml)(given, now())
    except JobError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _sagemaker(given: argparse.Namespace, now: datetime) -> None:
    from training.jobs import sagemaker, sagemaker_access

    settings = read_settings(given.settings, SageMakerSettings)
    if given.policy:
        _print_json(
            {
                "trust": sagemaker_access.trust(settings),
                "role": sagemaker_access.permissions(settings),
                "submitter": sagemaker_access.submitter(settings),
            }
        )
    elif given.describe:
        found = sagemaker.describe(given.describe, settings.region)
        print(found.state, found.reason or found.result)
    elif given.stop:
        sagemaker.stop(given.stop, settings.region)
        print(f"{given.stop} is told to stop; what it has learnt stays in its checkpoints")
    else:
        job = sagemaker.SageMakerJob(settings, bundle(), now)
        job.check()
        if given.dry_run:
            _print_json({"put_object": job.upload(), "create_training_job": job.request()})
        _said(job.sources, str(job.estimate))
        if not given.dry_run:
            print(f"submitted: {job.submit()}")
            print(f"then: python -m training.promote s3://{settings.bucket}/{settings.prefix}/results/{job.names.job}")


def _azureml(given: argparse.Namespace, now: datetime) -> None:
    from training.jobs import azureml

    job = azureml.AzureJob(read_settings(given.settings, AzureSettings), bundle(), now)
    if given.compute:
        print(yaml.safe_dump(job.cluster(), sort_keys=False), end="")
        return
    if given.dry_run:
        if azureml.sdk_is_here():
            job.check()
        else:
            print("not validated by the SDK, which is not installed here: use .venv-azureml/bin/python", file=sys.stderr)
        print(yaml.safe_dump(job.job(), sort_keys=False), end="")
    else:
        print(f"submitted: {job.submit()}")
        print(f"then: az ml job download --name {job.names.job} --output-name model, and python -m training.promote FOLDER")
    _said(job.sources, str(job.estimate))


def _said(sources: Bundle, estimate: str) -> None:
    # Beside what is printed to be read by machines.
    print(f"sources: {len(sources.files)} files, {len(sources.content):,} bytes, {sources.digest[:12]}", file=sys.stderr)
    print(f"cost: {estimate}", file=sys.stderr)


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.jobs.submit", description=__doc__)
    services = parser.add_subparsers(dest="service", required=True)
    for service in ("sagemaker", "azureml"):
        one = services.add_parser(service)
        one.add_argument("settings", type=Path, help="YAML file; begin with a copy of one of training/jobs/examples")
        what = one.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
        if service == "sagemaker":
            what.add_argument("--policy", action="store_true", help="print the least rights of role and submitter")
            what.add_argument("--describe", metavar="JOB", help="say what became of a job")
            what.add_argument("--stop", metavar="JOB", help="stop a job; its checkpoints stay")
        else:
            what.add_argument("--compute", action="store_true", help="print the definition of the cluster")
    return parser


if __name__ == "__main__":
    sys.exit(main())
