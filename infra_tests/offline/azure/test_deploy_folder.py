"""The staged deploy folder alone in the real Functions library: this machine's, and the cloud's where Python 3.13 is here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from azure_functions.registry import FUNCTIONS, QUEUES, VNET_FLOW_LOGS, Trigger
from azure_infra.packaging.folder import DeployFolder, build, our_modules
from azure_infra.packaging.targets import CLOUD, LOCAL, SITE_PACKAGES
from cdk.packaging.interpreters import find_python
from offline.azure.embedded import PLAYBOOK_PRINCIPAL_ID, EmbeddedAzure
from offline.azure.functions_host.delivery import Fate
from offline.azure.functions_host.worker_process import Interpreter, WorkerFailed

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Staged:
    """A deploy folder and the interpreter that it is for."""

    folder: DeployFolder
    python: Interpreter


@pytest.fixture(scope="module", params=[LOCAL, CLOUD], ids=["local", "cloud"])
def staged(request: pytest.FixtureRequest) -> Staged:
    target = request.param
    python = find_python(target.python)
    if python is None or os.uname().machine != target.machine:
        pytest.skip(f"the cloud's folder runs on Python {target.version} and {target.machine} only, which this machine has not")
    return Staged(build(target, ROOT), Interpreter(python, target.python))


@pytest.fixture(scope="module")
def azure(staged: Staged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAzure]:
    with EmbeddedAzure.start(tmp_path_factory.mktemp("azure"), app=staged.folder.path, python=staged.python) as running:
        yield running


def flow_record(minute: int) -> dict[str, object]:
    """A record with one flow."""
    flow = f"{1_790_000_000_000 + minute * 60_000},198.51.100.7,10.20.1.4,{40_000 + minute},22,6,I,E,NX,9,900,8,800"
    group = {"rule": "r", "flowTuples": [flow]}
    return {
        "time": f"2026-09-21T13:{minute:02}:20.0000000Z",
        "flowLogVersion": 4,
        "flowLogGUID": "66666666-0000-4000-8000-000000000001",
        "macAddress": "0022481C0F1B",
        "category": "FlowLogFlowEvent",
        "flowLogResourceID": "/SUBSCRIPTIONS/66666666-0000-4000-8000-000000000000/RESOURCEGROUPS/SHOP/X",
        "targetResourceID": "/subscriptions/66666666-0000-4000-8000-000000000000/resourceGroups/shop/x",
        "operationName": "FlowLogFlowEvent",
        "flowRecords": {"flows": [{"aclID": "66666666-0000-4000-8000-000000000002", "flowGroups": [group]}]},
    }


def test_the_library_finds_exactly_the_functions_of_the_registry(azure: EmbeddedAzure) -> None:
    assert {name: function.kind for name, function in azure.host.functions.items()} == {
        spec.name: str(spec.trigger) for spec in FUNCTIONS
    }


def test_every_trigger_is_bound_to_what_the_registry_says(azure: EmbeddedAzure) -> None:
    for spec in FUNCTIONS:
        trigger = azure.host.functions[spec.name].trigger
        match spec.trigger:
            case Trigger.BLOB:
                wanted = {"path": f"{spec.source}/{{name}}", "source": "EventGrid", "connection": spec.connection}
            case Trigger.EVENT_HUB:
                wanted = {"eventHubName": spec.source, "cardinality": "many", "dataType": "BINARY"}
                wanted |= {"connection": spec.connection, "consumerGroup": "breakwater"}
            case Trigger.QUEUE:
                wanted = {"queueName": spec.source, "connection": spec.connection}
            case Trigger.TIMER:
                wanted = {"schedule": spec.source}
            case Trigger.HTTP:
                wanted = {"route": spec.source}
        bound = {key: str(trigger.get(key)).lower() for key in wanted}
        assert bound == {key: value.lower() for key, value in wanted.items()}, spec.name


def test_blobs_are_handed_over_by_reference(azure: EmbeddedAzure) -> None:
    asked = {name: azure.host.functions[name].takes_reference for name in ("detect_flows", "detect_nsg_flows")}
    assert asked == {"detect_flows": True, "detect_nsg_flows": True}


def test_of_a_flow_log_that_grows_each_event_reads_only_what_is_new(azure: EmbeddedAzure) -> None:
    read = []
    for records in (1, 3):
        blob = json.dumps({"records": [flow_record(minute) for minute in range(records)]}).encode()
        azure.write_flow_blob(VNET_FLOW_LOGS, "flowLogResourceID=/X/y=2026/PT1H.json", blob)
        (delivery,) = azure.host.drain()
        assert (delivery.fate, delivery.outcome.error) == (Fate.DONE, "")
        lines = [json.loads(each.record.message) for each in azure.host.logs(invocation_id=delivery.outcome.invocation_id)]
        read.append(sum(line["events"] for line in lines if line["message"] == "scored"))
    assert read == [1, 2]


def test_nothing_but_triggers_and_http_answers_is_bound(azure: EmbeddedAzure) -> None:
    bound = {name: [binding["type"] for binding in function.bindings] for name, function in azure.host.functions.items()}
    assert bound == {
        spec.name: [str(spec.trigger), "http"] if spec.trigger is Trigger.HTTP else [str(spec.trigger)] for spec in FUNCTIONS
    }


def test_every_event_hub_function_tries_for_ever(azure: EmbeddedAzure) -> None:
    for spec in FUNCTIONS:
        if spec.trigger is Trigger.EVENT_HUB:
            retry = azure.host.functions[spec.name].retry
            assert retry is not None, spec.name
            assert retry.most is None, spec.name


def test_the_app_is_well(azure: EmbeddedAzure) -> None:
    answer = azure.host.request("health")
    assert answer.status == 200, answer.body
    assert answer.json()["missing_settings"] == []


def test_an_event_that_can_never_be_read_goes_to_the_dead_letters(azure: EmbeddedAzure) -> None:
    azure.host.hub("api-calls").send(json.dumps({"records": [{"category": "Unheard-of"}]}).encode())
    assert [delivery.fate for delivery in azure.host.drain()] == [Fate.DONE]
    letters = azure.storage.queues.get_queue_client("api-calls-dead-letters").get_queue_properties()
    assert letters.approximate_message_count == 1
    there = {queue.name for queue in azure.storage.queues.list_queues()}
    assert there == set(QUEUES)  # nothing is poison


def test_the_timer_runs(azure: EmbeddedAzure) -> None:
    assert azure.host.fire_timer("expire_containments").outcome.error == ""


def test_only_the_playbook_may_ask_for_triage(azure: EmbeddedAzure) -> None:
    assert azure.host.request("triage_findings", body=b"{}").status in (401, 403)
    assert azure.host.request("triage_findings", body=b"{}", principal_id="somebody else").status in (401, 403)
    assert azure.host.request("triage_findings", body=b"{}", principal_id=PLAYBOOK_PRINCIPAL_ID).status == 400


def test_every_module_of_ours_and_every_sdk_can_be_imported_from_the_folder_alone(staged: Staged) -> None:
    sdks = [
        *("azure.identity", "azure.data.tables", "azure.storage.queue", "azure.storage.blob", "azure.monitor.ingestion"),
        *("azure.mgmt.network.models", "azure.mgmt.compute.models", "azure.mgmt.authorization.models"),
    ]
    program = (
        "import sys; folder = sys.argv[1]; sys.path = [p for p in sys.path if 'site-packages' not in p]\n"
        f"sys.path[:0] = [folder, folder + '/{SITE_PACKAGES}']\n"
        "import importlib\n"
        "for name in sys.argv[2:]: importlib.import_module(name)\n"
        "from azure.mgmt.authorization import AuthorizationManagementClient as A\n"
        "from azure.mgmt.compute import ComputeManagementClient as C\n"
        "from azure.mgmt.network import NetworkManagementClient as N\n"
        "from azure.identity import ManagedIdentityCredential\n"
        "who = ManagedIdentityCredential(client_id='x')\n"
        "A(who, 's').role_assignments, C(who, 's').virtual_machines, N(who, 's').security_rules\n"
        "here = [m for m in sys.modules.values() if 'site-packages' in (getattr(m, '__file__', '') or '')]\n"
        "print(len(here)); assert all(m.__file__.startswith(folder) for m in here)\n"
    )
    command = [staged.python.program, "-I", "-S", "-B", "-c", program, str(staged.folder.path), *our_modules(staged.folder.path)]
    done = subprocess.run([*command, *sdks], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 200


def test_a_distribution_that_the_folder_lacks_keeps_the_app_from_starting(staged: Staged, tmp_path: Path) -> None:
    shutil.copytree(staged.folder.path, tmp_path / "app", copy_function=os.link)
    shutil.rmtree(tmp_path / "app" / SITE_PACKAGES / "werkzeug")
    with (
        pytest.raises(WorkerFailed, match="No module named 'werkzeug'"),
        EmbeddedAzure.start(tmp_path / "azure", app=tmp_path / "app", python=staged.python),
    ):
        pass
