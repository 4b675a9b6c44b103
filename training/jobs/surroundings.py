"""Where a job finds its data and leaves what it made: SageMaker says it by variables, Azure ML by arguments."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from training.jobs.hyperparameters import Hyperparameters, JobError

#: The channel that recorded data comes in.
CHANNEL = "data"
#: With the channel's name in capitals: where it is.
_CHANNEL_VARIABLE = "SM_CHANNEL_"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the service gives a job.

    Attributes
    ----------
    service : str
        ``sagemaker``, ``azureml`` or ``local``.
    job : str
        The service's name of the job.
    data : Path or None
        Folder of recorded data; None trains on scenarios alone.
    model : Path
        What is left here comes back.
    output : Path or None
        For what is read when a job went wrong.
    checkpoints : Path or None
        Outlives the machine; None keeps none.
    hyperparameters : Hyperparameters
    """

    service: str
    job: str
    data: Path | None
    model: Path
    output: Path | None
    checkpoints: Path | None
    hyperparameters: Hyperparameters


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Surroundings:
    """Read arguments and environment; an argument goes before a variable.

    SageMaker's variables are those of script mode: ``SM_CHANNEL_DATA``, ``SM_MODEL_DIR``, ``SM_OUTPUT_DATA_DIR``, ``SM_HPS`` or
    ``hyperparameters.json`` under ``SM_INPUT_CONFIG_DIR``. For checkpoints there is none: ``SM_CHECKPOINT_DIR`` is what
    :mod:`training.jobs.sagemaker` sets beside the others.

    Raises
    ------
    JobError
        A folder is missing, or a hyperparameter is none.
    """
    given = vars(_parser().parse_args(arguments))
    told = {name: value for name, value in given.items() if value is not None}

    def folder(argument: str, variable: str) -> Path | None:
        # Azure ML has no optional input: an empty text stands for one that was not given.
        value = told.get(argument) or environment.get(variable)
        return Path(value) if value else None

    model = folder("model_dir", "SM_MODEL_DIR")
    if model is None:
        raise JobError("where to leave the model is not said: give --model-dir, or set SM_MODEL_DIR")
    data = folder("data", f"{_CHANNEL_VARIABLE}{CHANNEL.upper()}")
    if data is None and (other := _other_channel(environment)):
        raise JobError(f"recorded data comes in the channel {CHANNEL!r}, and this job has {other!r}: give it that name")
    if data is not None and not data.is_dir():
        raise JobError(f"there is no data in {data}: check the job's {CHANNEL} channel or input, or leave it out")
    names = {field.name for field in fields(Hyperparameters)}
    own = {name: value for name, value in told.items() if name in names}
    service = "sagemaker" if "SM_MODEL_DIR" in environment else "azureml" if "AZUREML_RUN_ID" in environment else "local"
    return Surroundings(
        service=service,
        job=environment.get("TRAINING_JOB_NAME") or environment.get("AZUREML_RUN_ID") or "local",
        data=data,
        model=model,
        output=folder("output_dir", "SM_OUTPUT_DATA_DIR"),
        checkpoints=folder("checkpoints", "SM_CHECKPOINT_DIR"),
        hyperparameters=Hyperparameters.read({**_of_sagemaker(environment), **own}),
    )


def _other_channel(environment: Mapping[str, str]) -> str:
    """Name a channel that may be meant for the data; to train without it unasked would cost a whole job."""
    named = (name.removeprefix(_CHANNEL_VARIABLE).lower() for name in sorted(environment) if name.startswith(_CHANNEL_VARIABLE))
    return next((name for name in named if name not in (CHANNEL, "code")), "")


def failure_file(environment: Mapping[str, str]) -> Path | None:
    """File whose text SageMaker shows as the reason of a failure (/opt/ml/output/failure, beside …/data); None elsewhere."""
    output = environment.get("SM_OUTPUT_DATA_DIR")
    return Path(output).parent / "failure" if output else None


def _of_sagemaker(environment: Mapping[str, str]) -> dict[str, object]:
    text, source = environment.get("SM_HPS"), "SM_HPS"
    if text is None and "SM_INPUT_CONFIG_DIR" in environment:
        path = Path(environment["SM_INPUT_CONFIG_DIR"]) / "hyperparameters.json"
        text, source = (path.read_text() if path.is_file() else None), str(path)
    if text is None:
        return {}
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise JobError(f"{source} is no JSON ({error})") from error
    if not isinstance(values, dict):
        raise JobError(f"{source} holds a {type(values).__name__}, not an object of hyperparameters")
    return values


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.jobs.entry", description="Train as a job, or locally like one.")
    parser.add_argument("--data", help="folder of recorded data; absent or empty: scenarios alone")
    parser.add_argument("--model-dir", help="folder for what comes back")
    parser.add_argument("--output-dir", help="folder for the log")
    parser.add_argument("--checkpoints", help="folder that outlives the machine")
    for field in fields(Hyperparameters):
        parser.add_argument(f"--{field.name}", help=f"default {field.default}")
    return parser
