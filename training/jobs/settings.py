"""What a person settles before a job is submitted: one YAML file for each service, checked before anything is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from training.jobs.hyperparameters import Hyperparameters, JobError
from training.jobs.machines import AZURE, SAGEMAKER, Machine

#: A tag names a moving target: what was reviewed is what must run.
Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.\-]*(:\d+)?/[a-z0-9._/\-]+@sha256:[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9\-]{1,22}[a-z0-9]$")]
_Bucket = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]$")]
_Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*$")]
_WORDS = {
    "Image": "name the image by its digest, HOST/REPOSITORY@sha256:…, as `docker buildx imagetools inspect` shows it",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Training(_Strict):
    """Hyperparameters, by the names of :class:`training.jobs.hyperparameters.Hyperparameters`."""

    detector: str = "all"
    seed: int = 1
    seeds: int = 3
    repeats: int = 0
    epochs: int = 20

    @model_validator(mode="after")
    def _fit(self) -> Self:
        try:
            self.hyperparameters()
        except JobError as error:
            raise ValueError(str(error)) from error
        return self

    def hyperparameters(self) -> Hyperparameters:
        return Hyperparameters(**self.model_dump())


class _Job(_Strict):
    name: _Name = "breakwater"
    training: Training = Training()
    image: Image
    spot: bool = True
    hours: float = Field(gt=0, le=120, description="longest run")
    tags: dict[str, str] = Field(default_factory=dict, max_length=40)


class Network(_Strict):
    """Subnets without a way to the internet, with endpoints to S3, and the groups of the job's interfaces."""

    subnets: list[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")]] = Field(min_length=1, max_length=16)
    security_groups: list[Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]{8,17}$")]] = Field(min_length=1, max_length=5)


def _one_of(machines: dict[str, Machine]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in machines:
            raise ValueError(
                f"no price of {name!r} is known: choose {', '.join(machines)}, or add it to training/jobs/machines.py"
            )
        return name

    return AfterValidator(check)


class SageMakerSettings(_Job):
    """Settings of ``submit sagemaker``.

    Attributes
    ----------
    role : str
        ARN of the role that the job runs as (``submit --policy`` prints what it may need).
    bucket, prefix
        Where sources go to, and checkpoints and the result.
    key : str
        ARN of the KMS key that encrypts all of it.
    data : str
        ``s3://bucket/prefix`` of recorded data; empty trains on scenarios alone.
    network : Network or None
        The job is cut off from every network either way; with it, SageMaker reaches S3 through your own endpoints too.
    wait_hours : float or None
        Longest wait for spot machines and run together; twice ``hours`` when not given.
    """

    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d$")]
    role: Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:role/[\w+=,.@\-/]+$")]
    bucket: _Bucket
    prefix: _Prefix = "breakwater-training"
    key: Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z\-]*:kms:[a-z0-9\-]+:\d{12}:key/[\w\-]+$")]
    machine: Annotated[str, _one_of(SAGEMAKER)] = "ml.c5.2xlarge"
    data: Annotated[str, StringConstraints(pattern=r"^(s3://[a-z0-9][a-z0-9.\-]+/[^\s*?]+)?$")] = ""
    network: Network | None = None
    wait_hours: float | None = Field(default=None, gt=0, le=240)

    @property
    def account(self) -> str:
        """Account of the role, which must own the bucket too."""
        return self.role.split(":")[4]

    @property
    def longest_wait(self) -> float:
        return self.wait_hours if self.wait_hours is not None else 2 * self.hours

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.longest_wait < self.hours:
            raise ValueError(
                f"wait_hours ({self.longest_wait:g}) holds the run too: it is never less than hours ({self.hours:g})"
            )
        if (region := self.key.split(":")[3]) != self.region:
            raise ValueError(f"the key is of {region}, the job of {self.region}: KMS keys are used in their own region")
        return self


class AzureSettings(_Job):
    """Settings of ``submit azureml``.

    Attributes
    ----------
    subscription, resource_group, workspace
    cluster : str
        Compute cluster; ``submit --compute`` prints the definition that it should have.
    machine : str
        VM size of the cluster.
    datastore : str
        Where checkpoints and the result go to.
    data : str
        ``azureml:NAME:VERSION`` of a folder of recorded data; empty trains on scenarios alone.
    """

    subscription: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    resource_group: Annotated[str, StringConstraints(pattern=r"^[\w.()\-]{1,90}$")]
    workspace: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][\w\-]{2,32}$")]
    cluster: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9\-]{1,31}$")]
    machine: Annotated[str, _one_of(AZURE)] = "Standard_F8s_v2"
    datastore: Annotated[str, StringConstraints(pattern=r"^\w+$")] = "workspaceblobstore"
    data: Annotated[str, StringConstraints(pattern=r"^(azureml:[\w.\-]+:[\w.\-]+)?$")] = ""


_Settings = TypeVar("_Settings", SageMakerSettings, AzureSettings)


def read_settings(path: Path, kind: type[_Settings]) -> _Settings:
    """Read one file. Raises JobError that names the file, every wrong field and what it should be."""
    try:
        given = yaml.safe_load(path.read_text())
    except OSError as error:
        raise JobError(f"{path}: {error.strerror}: begin with a copy of one of training/jobs/examples") from error
    except yaml.YAMLError as error:
        raise JobError(f"{path} is no YAML: {error}") from error
    if not isinstance(given, dict):
        raise JobError(f"{path} holds no settings: begin with a copy of one of training/jobs/examples")
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise JobError(f"{path}:\n" + "\n".join(f"  {_said(item)}" for item in error.errors())) from error


def _said(error: object) -> str:
    assert isinstance(error, dict)  # noqa: S101  (pydantic's ErrorDetails)
    place = ".".join(str(part) for part in error["loc"]) or "settings"
    if error["type"] == "string_pattern_mismatch":
        hint = _WORDS["Image"] if place == "image" else f"it must look like {error['ctx']['pattern']}"
        return f"{place}: {error['input']!r} does not fit: {hint}"
    if error["type"] == "extra_forbidden":
        return f"{place}: there is no such setting"
    if error["type"] == "missing":
        return f"{place}: is missing"
    return f"{place}: {re.sub('^Value error, ', '', error['msg'])}"
