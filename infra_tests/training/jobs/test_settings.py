"""Settings are checked before anything is sent, and every wrong one is named with what it should be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from training.jobs.hyperparameters import JobError
from training.jobs.machines import AZURE, SAGEMAKER, Estimate
from training.jobs.settings import AzureSettings, SageMakerSettings, read_settings

EXAMPLES = Path(__file__).resolve().parents[3] / "training" / "jobs" / "examples"


def changed(tmp_path: Path, service: str, **changes) -> Path:
    """The example with changes; None takes a setting out."""
    given = yaml.safe_load((EXAMPLES / f"{service}.yaml").read_text())
    given.update(changes)
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in given.items() if value is not None}))
    return path


@pytest.mark.parametrize(("service", "kind"), [("sagemaker", SageMakerSettings), ("azureml", AzureSettings)])
def test_the_examples_are_settings(service, kind):
    assert read_settings(EXAMPLES / f"{service}.yaml", kind).hours == 4


def test_a_region_of_the_sovereign_cloud_is_one(tmp_path):
    key = "arn:aws-eusc:kms:eusc-de-east-1:123456789012:key/1"
    settings = read_settings(changed(tmp_path, "sagemaker", region="eusc-de-east-1", key=key), SageMakerSettings)
    assert settings.region == "eusc-de-east-1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"role": None}, "role: is missing"),
        ({"role": "breakwater-training"}, "role: 'breakwater-training' does not fit"),
        ({"image": "example.com/breakwater:latest"}, "name the image by its digest"),
        ({"machine": "ml.p5.48xlarge"}, "no price of 'ml.p5.48xlarge' is known: choose ml.m5.xlarge"),
        ({"machin": "ml.m5.xlarge"}, "machin: there is no such setting"),
        ({"hours": 0}, "hours: Input should be greater than 0"),
        ({"hours": 6, "wait_hours": 5}, "never less than hours"),
        ({"spot": "yes"}, "spot: Input should be a valid boolean"),
        ({"region": "us-east-1"}, "the key is of eu-central-1, the job of us-east-1"),
        ({"data": "recorded-data"}, "data: 'recorded-data' does not fit"),
        ({"data": "s3://bucket/*"}, "data: 's3://bucket/\\*' does not fit"),
        ({"network": {"subnets": []}}, "network.subnets: List should have at least 1 item"),
        ({"training": {"seeds": 50}}, "training: seeds is 50: give a whole number from 1 to 20"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, change, said):
    with pytest.raises(JobError, match=said):
        read_settings(changed(tmp_path, "sagemaker", **change), SageMakerSettings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subscription": "mine"}, "subscription: 'mine' does not fit"),
        ({"machine": "Standard_ND96"}, "no price of 'Standard_ND96' is known"),
        ({"data": "breakwater-recorded-data"}, "data: 'breakwater-recorded-data' does not fit"),
    ],
)
def test_a_wrong_setting_of_azure_is_named(tmp_path, change, said):
    with pytest.raises(JobError, match=said):
        read_settings(changed(tmp_path, "azureml", **change), AzureSettings)


def test_all_wrong_settings_are_named_at_once(tmp_path):
    with pytest.raises(JobError) as raised:
        read_settings(changed(tmp_path, "sagemaker", bucket="A", prefix="/x", hours=-1), SageMakerSettings)
    assert len(str(raised.value).splitlines()) == 4


def test_no_file_and_no_yaml_say_where_to_begin(tmp_path):
    with pytest.raises(JobError, match="training/jobs/examples"):
        read_settings(tmp_path / "absent.yaml", AzureSettings)
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(JobError, match="no YAML"):
        read_settings(tmp_path / "broken.yaml", AzureSettings)


def test_the_estimate_is_the_longest_run_at_the_price_on_demand():
    estimate = Estimate(SAGEMAKER["ml.g4dn.xlarge"], 4, spot=True)
    assert estimate.ceiling == pytest.approx(4 * SAGEMAKER["ml.g4dn.xlarge"].dollars_an_hour)
    assert "to be checked" in str(estimate)
    assert "1 T4" in str(estimate)


def test_each_service_has_machines_with_and_without_a_gpu():
    for machines in (SAGEMAKER, AZURE):
        assert {bool(machine.accelerator) for machine in machines.values()} == {True, False}
