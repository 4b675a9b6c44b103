"""What a job is told, by either service, and what is wrong with it."""

from __future__ import annotations

import json
import signal

import pytest

from training.jobs import entry
from training.jobs.hyperparameters import DETECTORS, Hyperparameters, JobError
from training.jobs.surroundings import failure_file, read
from training.tasks import TASKS


def sagemaker(tmp_path, **hyperparameters) -> dict[str, str]:
    """Variables as SageMaker's containers have them."""
    (tmp_path / "config").mkdir()
    (tmp_path / "channel").mkdir()
    (tmp_path / "config" / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    return {
        "SM_MODEL_DIR": str(tmp_path / "model"),
        "SM_OUTPUT_DATA_DIR": str(tmp_path / "output" / "data"),
        "SM_CHANNEL_DATA": str(tmp_path / "channel"),
        "SM_CHECKPOINT_DIR": str(tmp_path / "checkpoints"),
        "SM_INPUT_CONFIG_DIR": str(tmp_path / "config"),
        "TRAINING_JOB_NAME": "breakwater-network-1",
    }


def test_the_detectors_are_those_that_training_has():
    assert set(DETECTORS) == set(TASKS)


def test_sagemaker_says_it_by_variables_and_a_file(tmp_path):
    environment = sagemaker(tmp_path, detector="network", seed="7", epochs="3", sagemaker_region="eu-central-1")
    told = read([], environment)
    assert told.hyperparameters == Hyperparameters("network", seed=7, epochs=3)
    assert (told.service, told.job) == ("sagemaker", "breakwater-network-1")
    assert told.model == tmp_path / "model"
    assert told.data == tmp_path / "channel"
    assert told.checkpoints == tmp_path / "checkpoints"
    assert failure_file(environment) == tmp_path / "output" / "failure"


def test_data_in_a_channel_of_another_name_is_not_left_out_without_a_word(tmp_path):
    environment = sagemaker(tmp_path)
    environment["SM_CHANNEL_TRAINING"] = environment.pop("SM_CHANNEL_DATA")
    with pytest.raises(JobError, match="channel 'data', and this job has 'training'"):
        read([], environment)
    assert read(["--data", environment.pop("SM_CHANNEL_TRAINING")], environment).data == tmp_path / "channel"
    assert read([], environment | {"SM_CHANNEL_CODE": str(tmp_path)}).data is None


def test_values_as_the_sagemaker_sdk_quotes_them_are_read(tmp_path):
    told = read([], sagemaker(tmp_path, detector='"audit"', seed='"2"'))
    assert told.hyperparameters == Hyperparameters("audit", seed=2)


def test_sm_hps_goes_before_the_file(tmp_path):
    environment = {**sagemaker(tmp_path, detector="audit"), "SM_HPS": '{"detector": "network"}'}
    assert read([], environment).hyperparameters.detector == "network"


def test_azure_ml_says_it_by_arguments(tmp_path):
    arguments = ["--detector", "audit", "--seed", "2", "--data", "", "--model-dir", str(tmp_path / "m"), "--checkpoints", "ck"]
    told = read(arguments, {"AZUREML_RUN_ID": "breakwater-audit-2"})
    assert (told.service, told.job, told.data) == ("azureml", "breakwater-audit-2", None)
    assert told.hyperparameters == Hyperparameters("audit", seed=2)


def test_an_argument_goes_before_a_variable(tmp_path):
    told = read(["--seed", "9"], sagemaker(tmp_path, seed="7"))
    assert told.hyperparameters.seed == 9


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"detector": "networks"}, "choose all, network or audit"),
        ({"seeds": "0"}, "seeds is 0: give a whole number from 1 to 20"),
        ({"epochs": "many"}, "epochs is 'many'"),
        ({"epoch": "3"}, "unknown hyperparameter 'epoch'"),
        ({"seed": "1.5"}, "seed is '1.5'"),
    ],
)
def test_a_wrong_hyperparameter_is_named(tmp_path, given, said):
    with pytest.raises(JobError, match=said):
        read([], sagemaker(tmp_path, **given))


def test_a_channel_that_is_not_there_is_named(tmp_path):
    environment = sagemaker(tmp_path)
    (tmp_path / "channel").rmdir()
    with pytest.raises(JobError, match="data channel"):
        read([], environment)


def test_without_a_model_folder_nothing_is_trained():
    with pytest.raises(JobError, match="--model-dir"):
        read([], {})


def test_broken_hyperparameters_are_named(tmp_path):
    with pytest.raises(JobError, match="SM_HPS is no JSON"):
        read([], {**sagemaker(tmp_path), "SM_HPS": "{"})


def test_a_job_that_breaks_leaves_the_reason_and_its_traceback(tmp_path, monkeypatch):
    def broken(_):
        raise OSError("No space left on device")

    monkeypatch.setattr(entry, "run_job", broken)
    environment = sagemaker(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(OSError, match="No space"):
            entry.main([], environment)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert failure_file(environment).read_text() == "OSError: No space left on device (the log holds the traceback)"
