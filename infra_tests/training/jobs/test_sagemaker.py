"""Submission to SageMaker, against moto and botocore's own description of the service."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

pytest.importorskip("moto", reason="the embedded AWS lives in the development environment, apart from training's")

from moto import mock_aws

from training.jobs import sagemaker, sagemaker_access, submit
from training.jobs.hyperparameters import JobError
from training.jobs.sagemaker import SageMakerJob
from training.jobs.settings import SageMakerSettings, read_settings
from training.jobs.sources import bundle
from training.promotion.refusal import Refused
from training.promotion.returned import fetch

EXAMPLE = Path(__file__).resolve().parents[3] / "training" / "jobs" / "examples" / "sagemaker.yaml"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.fixture
def account():
    """An account with the bucket of the example."""
    with mock_aws():
        settings = read_settings(EXAMPLE, SageMakerSettings)
        boto3.client("s3").create_bucket(
            Bucket=settings.bucket, CreateBucketConfiguration={"LocationConstraint": settings.region}
        )
        yield settings


def job(**changes) -> SageMakerJob:
    return SageMakerJob(read_settings(EXAMPLE, SageMakerSettings).model_copy(update=changes), bundle(), NOW)


def test_a_submitted_job_is_the_one_that_was_printed(account, capsys):
    assert submit.main(["sagemaker", str(EXAMPLE), "--dry-run"], now=lambda: NOW) == 0
    printed = json.loads(capsys.readouterr().out)["create_training_job"]
    assert boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
    sent = []
    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register(
        "provide-client-params.sagemaker.CreateTrainingJob", lambda params, **_: sent.append(params)
    )
    assert submit.main(["sagemaker", str(EXAMPLE)], now=lambda: NOW) == 0
    assert sent == [printed]
    found = boto3.client("sagemaker").describe_training_job(TrainingJobName=printed["TrainingJobName"])
    for part in ("RoleArn", "HyperParameters", "ResourceConfig", "StoppingCondition", "VpcConfig", "CheckpointConfig"):
        assert found[part] == printed[part]


def test_its_sources_lie_where_the_job_looks_for_them_encrypted(account):
    one = job()
    one.submit()
    code = next(item for item in one.request()["InputDataConfig"] if item["ChannelName"] == "code")
    uri = code["DataSource"]["S3DataSource"]["S3Uri"]
    found = boto3.client("s3").get_object(Bucket=account.bucket, Key=f"{uri.split('/', 3)[3]}sources.tar.gz")
    assert found["Body"].read() == one.sources.content
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", account.key)


def test_it_is_described(account, capsys):
    one = job()
    one.submit()
    assert submit.main(["sagemaker", str(EXAMPLE), "--describe", one.names.job]) == 0
    assert capsys.readouterr().out.split()[0] == "Completed"
    assert sagemaker.describe(one.names.job, account.region).result.startswith("s3://")


def test_it_is_stopped(monkeypatch, capsys):
    # moto does not know StopTrainingJob; the stub is held to botocore's description of it.
    client = boto3.client("sagemaker")
    with Stubber(client) as stub:
        stub.add_response("stop_training_job", {}, {"TrainingJobName": "breakwater-1"})
        stub.add_client_error("stop_training_job", "ValidationException", "The request was rejected: the job has ended")
        monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
        assert submit.main(["sagemaker", str(EXAMPLE), "--stop", "breakwater-1"]) == 0
        assert submit.main(["sagemaker", str(EXAMPLE), "--stop", "breakwater-1"]) == 1
        stub.assert_no_pending_responses()
    assert "could not stop breakwater-1" in capsys.readouterr().err


def test_a_job_that_is_not_there_is_an_error_and_not_a_state(account, capsys):
    assert submit.main(["sagemaker", str(EXAMPLE), "--describe", "breakwater-none"]) == 1
    assert "could not ask after breakwater-none" in capsys.readouterr().err


def test_a_bucket_that_is_not_there_submits_nothing():
    with mock_aws():
        with pytest.raises(JobError, match="not submitted"):
            job().submit()
        assert boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


def test_what_sagemaker_would_refuse_is_refused_here():
    broken = job()
    with pytest.raises(JobError, match="TrainingJobName"):
        SageMakerJobNamed(broken.settings, broken.sources, broken.now).check()


class SageMakerJobNamed(SageMakerJob):
    """One whose name is longer than the service allows (as a number, which it does not allow either)."""

    def request(self):
        return {**super().request(), "TrainingJobName": 7}


def test_every_job_is_cut_off_encrypted_and_bounded():
    for changes in ({}, {"network": None}, {"spot": False}, {"machine": "ml.g5.xlarge"}, {"data": ""}):
        one = job(**changes)
        one.check()
        request = one.request()
        assert request["EnableNetworkIsolation"] is True
        assert request["EnableInterContainerTrafficEncryption"] is True
        assert request["OutputDataConfig"]["KmsKeyId"] == one.settings.key
        assert request["StoppingCondition"]["MaxRuntimeInSeconds"] == 4 * 3600


def test_spot_waits_and_on_demand_does_not():
    assert job().request()["StoppingCondition"]["MaxWaitTimeInSeconds"] == 8 * 3600
    assert "MaxWaitTimeInSeconds" not in job(spot=False).request()["StoppingCondition"]


def test_a_machine_with_its_own_encrypted_disk_takes_no_key_for_it():
    assert "VolumeKmsKeyId" in job(machine="ml.p3.2xlarge").request()["ResourceConfig"]
    assert "VolumeKmsKeyId" not in job(machine="ml.g4dn.xlarge").request()["ResourceConfig"]


def test_the_same_job_submitted_again_finds_its_checkpoints_and_another_does_not():
    one, later = job(), replace(job(), now=datetime(2026, 11, 24, tzinfo=UTC))
    other = job(image=job().settings.image.replace("000", "abc"))
    assert one.request()["CheckpointConfig"] == later.request()["CheckpointConfig"]
    assert one.names.job != later.names.job
    assert one.request()["CheckpointConfig"] != other.request()["CheckpointConfig"]


def test_no_right_is_wider_than_the_job():
    settings = read_settings(EXAMPLE, SageMakerSettings)
    # These take no resource (ec2:Describe*, the registry's token), or are held to a namespace by a condition.
    anywhere = {"SeeTheNetwork", "SignInToTheRegistry", "ReportUse"}
    for policy in (sagemaker_access.permissions(settings), sagemaker_access.submitter(settings)):
        for statement in policy["Statement"]:
            assert not [action for action in statement["Action"] if "*" in action]
            if statement["Sid"] not in anywhere:
                assert all(settings.account in item or settings.bucket in item for item in statement["Resource"])
    granted = {action for item in sagemaker_access.permissions(settings)["Statement"] for action in item["Action"]}
    assert not granted & {"s3:DeleteObject", "iam:PassRole", "s3:PutBucketPolicy", "kms:ScheduleKeyDeletion"}
    assert sagemaker_access.trust(settings)["Statement"][0]["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}


def test_rights_to_data_and_network_are_there_only_where_both_are_used():
    def sids(**changes):
        return {item["Sid"] for item in sagemaker_access.permissions(job(**changes).settings)["Statement"]}

    assert sids() - sids(data="") == {"ReadData", "FindData"}
    assert sids() - sids(network=None) == {"SeeTheNetwork", "HaveAnInterfaceInIt"}


def test_a_result_is_fetched_from_where_sagemaker_leaves_it(account, tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        entry = tarfile.TarInfo("run.json")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"{}"))
    name = f"{account.prefix}/results/breakwater-1"
    boto3.client("s3").put_object(Bucket=account.bucket, Key=f"{name}/output/model.tar.gz", Body=content.getvalue())
    assert (fetch(f"s3://{account.bucket}/{name}", tmp_path) / "run.json").read_text() == "{}"
    with pytest.raises(Refused, match="has the job completed"):
        fetch(f"s3://{account.bucket}/{name}-2", tmp_path)
