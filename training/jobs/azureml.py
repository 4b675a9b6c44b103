"""The command job of Azure ML, as its SDK reads it from YAML, and the cluster that it should run on.

Only :func:`check` and :func:`submit` need the SDK (azure-ai-ml), which has an environment of its own.
"""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from training.jobs.hyperparameters import JobError
from training.jobs.machines import AZURE, Estimate
from training.jobs.plan import Names
from training.jobs.settings import AzureSettings
from training.jobs.sources import Bundle, unpack

_SCHEMAS = "https://azuremlschemas.azureedge.net/latest"
#: Seconds after which an idle cluster gives its machine back.
_IDLE_S = 300


def sdk_is_here() -> bool:
    """Whether this environment can validate and submit."""
    try:
        return importlib.util.find_spec("azure.ai.ml") is not None
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True)
class AzureJob:
    """One submission, complete before anything is sent.

    Attributes
    ----------
    settings : AzureSettings
    sources : Bundle
    now : datetime
        Of the submission, with a time zone.
    """

    settings: AzureSettings
    sources: Bundle
    now: datetime

    @cached_property
    def names(self) -> Names:
        wanted = self.settings.training.hyperparameters()
        return Names.of(self.settings.name, wanted, self.sources, self.settings.data, self.settings.image, self.now)

    @property
    def estimate(self) -> Estimate:
        return Estimate(AZURE[self.settings.machine], self.settings.hours, self.settings.spot)

    def job(self) -> dict[str, Any]:
        """Return the command job, in the words of Azure ML's commandJob schema. ``code`` is a folder beside the file."""
        settings, store = self.settings, f"azureml://datastores/{self.settings.datastore}/paths/breakwater-training"
        hyperparameters = settings.training.hyperparameters().text()
        inputs: dict[str, Any] = {**hyperparameters}
        arguments = [f"--{name} ${{{{inputs.{name}}}}}" for name in hyperparameters]
        if settings.data:
            inputs["data"] = {"type": "uri_folder", "path": settings.data, "mode": "ro_mount"}
            arguments.append("--data ${{inputs.data}}")
        arguments += [
            "--model-dir ${{outputs.model}}",
            "--output-dir ${{outputs.log}}",
            "--checkpoints ${{outputs.checkpoints}}",
        ]
        return {
            "$schema": f"{_SCHEMAS}/commandJob.schema.json",
            "type": "command",
            "name": self.names.job,
            "display_name": self.names.run,
            "experiment_name": "breakwater-training",
            "code": "./code",
            "command": "python -m training.jobs.entry " + " ".join(arguments),
            "environment": {"image": settings.image},
            "environment_variables": {"PYTHONUNBUFFERED": "1"},
            "compute": f"azureml:{settings.cluster}",
            "resources": {"instance_count": 1},
            "limits": {"timeout": round(settings.hours * 3600)},
            # The cluster's identity reads data and writes results; the submitter's token does not travel.
            "identity": {"type": "managed"},
            "inputs": inputs,
            "outputs": {
                "model": {"type": "uri_folder", "mode": "upload", "path": f"{store}/results/{self.names.job}/model"},
                "log": {"type": "uri_folder", "mode": "upload", "path": f"{store}/results/{self.names.job}/log"},
                # Mounted and not uploaded at the end: what is written here is there when the machine is taken away.
                "checkpoints": {"type": "uri_folder", "mode": "rw_mount", "path": f"{store}/checkpoints/{self.names.run}"},
            },
            "tags": {**settings.tags, "breakwater-purpose": "training", "breakwater-sources": self.sources.digest[:12]},
        }

    def cluster(self) -> dict[str, Any]:
        """Return the cluster: no public address, no way in by SSH, nothing left running, low priority where spot is wanted."""
        return {
            "$schema": f"{_SCHEMAS}/amlCompute.schema.json",
            "name": self.settings.cluster,
            "type": "amlcompute",
            "size": self.settings.machine,
            "tier": "low_priority" if self.settings.spot else "dedicated",
            "min_instances": 0,
            "max_instances": 1,
            "idle_time_before_scale_down": _IDLE_S,
            "enable_node_public_ip": False,
            "ssh_public_access_enabled": False,
            "identity": {"type": "system_assigned"},
        }

    def check(self) -> None:
        """Have the SDK read and validate both definitions, without a workspace. Raises JobError, also where there is no SDK."""
        with tempfile.TemporaryDirectory() as folder:
            self._loaded(Path(folder))

    def submit(self) -> str:
        """Submit to the workspace and return the job's page. Raises JobError."""
        with tempfile.TemporaryDirectory() as folder:
            loaded = self._loaded(Path(folder))
            from azure.ai.ml import MLClient
            from azure.core.exceptions import AzureError
            from azure.identity import DefaultAzureCredential

            settings = self.settings
            try:
                client = MLClient(DefaultAzureCredential(), settings.subscription, settings.resource_group, settings.workspace)
                self._on_the_right_cluster(client.compute.get(settings.cluster))
                return str(client.jobs.create_or_update(loaded).studio_url)
            except AzureError as error:
                raise JobError(f"the job was not submitted: {error}") from error

    def _on_the_right_cluster(self, found: Any) -> None:
        """Refuse a cluster that is not what the settings say: its machine decides cost, its tier whether jobs are interrupted."""
        wanted = self.cluster()
        for name in ("size", "tier", "enable_node_public_ip"):
            value = getattr(found, name, None)
            if str(value).lower() != str(wanted[name]).lower():
                raise JobError(
                    f"cluster {self.settings.cluster} has {name} {value}, the settings say {wanted[name]}: change either, "
                    "`submit azureml --compute` prints the definition"
                )

    def _loaded(self, folder: Path) -> Any:
        try:
            from azure.ai.ml import load_compute, load_job
        except ImportError as error:
            raise JobError("azure-ai-ml is not installed here: run this with .venv-azureml/bin/python (make azureml)") from error
        from azure.core.exceptions import AzureError
        from marshmallow.exceptions import ValidationError

        unpack(self.sources.content, folder / "code")
        (folder / "job.yml").write_text(yaml.safe_dump(self.job(), sort_keys=False))
        (folder / "cluster.yml").write_text(yaml.safe_dump(self.cluster(), sort_keys=False))
        try:
            load_compute(folder / "cluster.yml")
            job = load_job(folder / "job.yml")
            result = job._validate()  # what the SDK itself calls before it sends
        except (ValidationError, AzureError) as error:
            raise JobError(f"Azure ML's SDK refuses the definition: {error}") from error
        if not result.passed:
            raise JobError(f"Azure ML's SDK refuses the job: {result.error_messages}")
        return job
