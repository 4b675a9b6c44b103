"""The training job of SageMaker: one request, its sources in S3, and what became of it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.validate import ParamValidator

from training.jobs.hyperparameters import JobError
from training.jobs.machines import SAGEMAKER, Estimate
from training.jobs.plan import Names
from training.jobs.settings import SageMakerSettings
from training.jobs.sources import Bundle
from training.jobs.surroundings import CHANNEL

_INPUT, _CODE, _CHECKPOINTS = "/opt/ml/input", "/opt/ml/code", "/opt/ml/checkpoints"
#: Sources come as a channel, since a job without a network can fetch nothing. SageMaker puts channels before the image starts.
_START = (
    f"mkdir -p {_CODE} && tar -xzf {_INPUT}/data/code/sources.tar.gz -C {_CODE}"
    f" && cd {_CODE} && exec python -m training.jobs.entry"
)
#: Script mode's variables, said outright: an image needs no toolkit of SageMaker's to set them.
_ENVIRONMENT = {
    "SM_MODEL_DIR": "/opt/ml/model",
    "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
    "SM_INPUT_CONFIG_DIR": f"{_INPUT}/config",
    "SM_CHECKPOINT_DIR": _CHECKPOINTS,
    "PYTHONUNBUFFERED": "1",
}
_DISK_GB = 30


@dataclass(frozen=True)
class SageMakerJob:
    """One submission, complete before anything is sent.

    Attributes
    ----------
    settings : SageMakerSettings
    sources : Bundle
    now : datetime
        Of the submission, with a time zone.
    """

    settings: SageMakerSettings
    sources: Bundle
    now: datetime

    @cached_property
    def names(self) -> Names:
        wanted = self.settings.training.hyperparameters()
        return Names.of(self.settings.name, wanted, self.sources, self.settings.data, self.settings.image, self.now)

    @property
    def estimate(self) -> Estimate:
        return Estimate(SAGEMAKER[self.settings.machine], self.settings.hours, self.settings.spot)

    @property
    def sources_key(self) -> str:
        """Where the sources lie in the bucket: under their own digest, so that no job's sources are ever overwritten."""
        return f"{self.settings.prefix}/sources/{hashlib.sha256(self.sources.content).hexdigest()}/sources.tar.gz"

    def upload(self) -> dict[str, Any]:
        """Arguments of S3's PutObject, without the body."""
        checksum = base64.b64encode(hashlib.sha256(self.sources.content).digest()).decode()
        return {
            "Bucket": self.settings.bucket,
            "Key": self.sources_key,
            "ChecksumSHA256": checksum,
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": self.settings.key,
            # A bucket of that name in a stranger's account must not get our sources.
            "ExpectedBucketOwner": self.settings.account,
        }

    def request(self) -> dict[str, Any]:
        """Arguments of CreateTrainingJob."""
        settings, root = self.settings, f"s3://{self.settings.bucket}/{self.settings.prefix}"
        stopping = {"MaxRuntimeInSeconds": round(settings.hours * 3600)}
        if settings.spot:
            stopping["MaxWaitTimeInSeconds"] = round(settings.longest_wait * 3600)
        resources: dict[str, Any] = {"InstanceType": settings.machine, "InstanceCount": 1, "VolumeSizeInGB": _DISK_GB}
        if not SAGEMAKER[settings.machine].own_disk:
            resources["VolumeKmsKeyId"] = settings.key
        channels = [_channel("code", f"{root}/sources/{hashlib.sha256(self.sources.content).hexdigest()}/")]
        environment = dict(_ENVIRONMENT)
        if settings.data:
            channels.append(_channel(CHANNEL, settings.data))
            environment[f"SM_CHANNEL_{CHANNEL.upper()}"] = f"{_INPUT}/data/{CHANNEL}"
        request: dict[str, Any] = {
            "TrainingJobName": self.names.job,
            "RoleArn": settings.role,
            "AlgorithmSpecification": {
                "TrainingImage": settings.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", _START],
            },
            "HyperParameters": settings.training.hyperparameters().text(),
            "Environment": environment,
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": f"{root}/results", "KmsKeyId": settings.key},
            "CheckpointConfig": {"S3Uri": f"{root}/checkpoints/{self.names.run}", "LocalPath": _CHECKPOINTS},
            "ResourceConfig": resources,
            "StoppingCondition": stopping,
            "EnableManagedSpotTraining": settings.spot,
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": True,
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(self.tags().items())],
        }
        if settings.network is not None:
            request["VpcConfig"] = {
                "Subnets": list(settings.network.subnets),
                "SecurityGroupIds": list(settings.network.security_groups),
            }
        return request

    def tags(self) -> dict[str, str]:
        return {**self.settings.tags, "breakwater:purpose": "training", "breakwater:sources": self.sources.digest[:12]}

    def check(self) -> None:
        """Hold the request against SageMaker's own description of it, without sending it. Raises JobError."""
        shape = _client("sagemaker", self.settings.region).meta.service_model.operation_model("CreateTrainingJob").input_shape
        report = ParamValidator().validate(self.request(), shape)
        if report.has_errors():
            raise JobError(f"SageMaker would refuse the job:\n{report.generate_report()}")

    def submit(self) -> str:
        """Upload the sources, create the job, and return its ARN. Raises JobError."""
        self.check()
        try:
            _client("s3", self.settings.region).put_object(**self.upload(), Body=self.sources.content)
            answer = _client("sagemaker", self.settings.region).create_training_job(**self.request())
        except (BotoCoreError, ClientError) as error:
            raise JobError(f"the job was not submitted: {error}") from error
        return str(answer["TrainingJobArn"])


@dataclass(frozen=True, slots=True)
class Progress:
    """What SageMaker says of a job: its state, why it failed (or ""), and where its result lies (or "")."""

    state: str
    reason: str
    result: str


def describe(name: str, region: str) -> Progress:
    """Ask after a job. Raises JobError where there is none, or where one could not ask."""
    try:
        answer = _client("sagemaker", region).describe_training_job(TrainingJobName=name)
    except (BotoCoreError, ClientError) as error:
        raise JobError(f"could not ask after {name}: {error}") from error
    result = answer.get("ModelArtifacts", {}).get("S3ModelArtifacts", "") if answer["TrainingJobStatus"] == "Completed" else ""
    return Progress(answer["TrainingJobStatus"], answer.get("FailureReason", ""), result)


def stop(name: str, region: str) -> None:
    """Stop a job; its checkpoints stay. Raises JobError."""
    try:
        _client("sagemaker", region).stop_training_job(TrainingJobName=name)
    except (BotoCoreError, ClientError) as error:
        raise JobError(f"could not stop {name}: {error}") from error


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region)
