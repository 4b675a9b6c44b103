"""The app as the platform indexes it: which functions, on which triggers, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import GenericAlias
from typing import Any, get_type_hints

import pytest

from azure_functions.function import RETRY_AFTER_S
from azure_functions.registry import CONNECTIONS, CONSUMER_GROUP, EVENT_HUBS, FUNCTIONS, QUEUES, FunctionSpec, Trigger
from azure_functions.settings import SettingMissing, Settings, variable
from infra_tests.azure_functions.app import INDEXED

ROOT = Path(__file__).parents[2]
_SOURCES = {
    Trigger.BLOB: lambda binding: binding["path"].partition("/")[0],
    Trigger.EVENT_HUB: lambda binding: binding["eventHubName"],
    Trigger.HTTP: lambda binding: binding["route"],
    Trigger.QUEUE: lambda binding: binding["queueName"],
    Trigger.TIMER: lambda binding: binding["schedule"],
}


def binding_of(name: str) -> dict[str, Any]:
    return json.loads(str(INDEXED[name]))["bindings"][0]  # type: ignore[no-any-return]


def test_every_function_of_the_registry_is_there_and_no_other() -> None:
    assert set(INDEXED) == {spec.name for spec in FUNCTIONS}


@pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.name)
def test_its_trigger_is_the_registrys(spec: FunctionSpec) -> None:
    binding = binding_of(spec.name)
    assert binding["type"] == spec.trigger
    assert _SOURCES[spec.trigger](binding) == spec.source
    assert binding.get("connection", "") == spec.connection
    assert not spec.connection or spec.connection in CONNECTIONS
    assert not spec.dead_letters or spec.dead_letters in QUEUES


@pytest.mark.parametrize("hub", EVENT_HUBS)
def test_batches_of_a_hub_are_never_given_up(hub: str) -> None:
    (spec,) = [each for each in FUNCTIONS if each.source == hub]
    binding = binding_of(spec.name)
    assert (binding["cardinality"], binding["consumerGroup"], binding["dataType"]) == ("MANY", CONSUMER_GROUP, "BINARY")
    retry = INDEXED[spec.name].get_settings_dict("retry_policy")
    assert (retry["strategy"], retry["max_retry_count"]) == ("fixed_delay", "-1")


@pytest.mark.parametrize("name", INDEXED)
def test_the_worker_takes_every_annotation(name: str) -> None:
    """It refuses ``list[…]`` and takes ``typing.List[…]``."""
    hints = get_type_hints(INDEXED[name].get_user_function())
    assert hints
    assert not [hint for hint in hints.values() if isinstance(hint, GenericAlias)]


def test_flow_logs_come_by_event_grid() -> None:
    assert {binding_of(name)["source"] for name in ("detect_flows", "detect_nsg_flows")} == {"EventGrid"}


def test_indexing_imports_nothing_heavy() -> None:
    script = "import sys, function_app; function_app.app.get_functions(); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(answer.stdout.split())
    heavy = {"numpy", "pydantic", "yaml", "drain3", "ai_edge_litert", "requests", "msal"}
    assert loaded & heavy == set()
    assert {name for name in loaded if name.startswith("azure.") and not name.startswith("azure.functions")} == set()
    # What the programming model itself needs (werkzeug and what that brings), and about 160 modules of ours.
    assert len(loaded) < 500


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingMissing, match="BREAKWATER_TABLE_ENDPOINT"):
        Settings.from_environment({variable("queue_endpoint"): "https://q"}, needs=("queue_endpoint", "table_endpoint"))


def test_an_empty_variable_is_none() -> None:
    settings = Settings.from_environment({variable("arm_endpoint"): "", variable("memory_days"): "7"})
    assert (settings.arm_endpoint, settings.memory_days) == ("https://management.azure.com", "7")


def test_every_function_needs_settings_that_there_are() -> None:
    from azure_functions.health import WATCHED

    assert {function.name for function in WATCHED} == {spec.name for spec in FUNCTIONS} - {"health"}
    assert {need for function in WATCHED for need in function.needs} <= {each.name for each in fields(Settings)}


class TestHostJson:
    HOST = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))

    def test_queues_hold_what_failed_and_give_it_up_when_every_pause_was_made(self) -> None:
        queues = self.HOST["extensions"]["queues"]
        assert (queues["messageEncoding"], queues["maxDequeueCount"]) == ("base64", len(RETRY_AFTER_S) + 1)
        assert queues["visibilityTimeout"] > "00:00:00"

    def test_no_error_is_sampled_away(self) -> None:
        excluded = self.HOST["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")
        assert {"Exception", "Trace", "Request"} <= set(excluded)

    def test_a_checkpoint_is_written_for_each_batch_and_reading_starts_at_the_beginning(self) -> None:
        hubs = self.HOST["extensions"]["eventHubs"]
        assert (hubs["batchCheckpointFrequency"], hubs["initialOffsetOptions"]["type"]) == (1, "fromStart")
