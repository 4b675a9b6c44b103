"""The local services as a child process: reached by the SDKs, asked through the control interface, ended with its parent."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.network import NetworkManagementClient

from offline.azure.ingestion import BREAKWATER_STREAM
from offline.azure.seed import rule
from offline.azure.services_process import ServicesFailed, ServicesProcess

DENY = {"properties": rule("deny", "Deny", 110, source="198.51.100.7/32")["properties"]}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicesProcess]:
    with ServicesProcess(tmp_path_factory.mktemp("services")) as process:
        yield process


@pytest.fixture
def network(started: ServicesProcess, monkeypatch: pytest.MonkeyPatch) -> NetworkManagementClient:
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)
    credential = ManagedIdentityCredential(client_id=started.settings["BREAKWATER_NETWORK_CLIENT_ID"])
    return NetworkManagementClient(
        credential, started.world.subscription_id, base_url=started.settings["BREAKWATER_ARM_ENDPOINT"]
    )


def test_it_is_driven_by_the_sdk_and_seen_through_the_control_interface(started, network):
    position, _ = started.calls()
    started.order("arm", "throttle", times=1)
    network.security_rules.begin_create_or_update("shop", "edge", "deny", DENY).result()
    _, calls = started.calls(position)
    assert [call.status for call in calls if call.method == "PUT"] == [429, 201]
    assert {call.client_id for call in calls} == {started.identities["network"].client_id}
    assert started.resource(f"{started.world.edge_group}/securityRules/deny")["properties"]["priority"] == 110


def test_the_rest_of_the_state_can_be_read(started):
    assert len(started.assignments(started.world.deployer)) == 2
    assert started.directory_object(started.world.mallory)["accountEnabled"] is True
    assert started.rows(BREAKWATER_STREAM) == started.comments(started.world.incident) == []


def test_rights_and_operations_can_be_ordered(started, network):
    started.order("arm", "slow", polls=1000)
    operation = network.security_rules.begin_create_or_update("shop", "inner", "deny", DENY, polling=False)
    assert operation.result().provisioning_state == "Updating"
    started.finish_operations()
    assert started.resource(started.world.inner_group)["properties"]["provisioningState"] == "Succeeded"
    started.allow(started.identities["network"].client_id, [])
    try:
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            network.network_security_groups.get("shop", "edge")
    finally:
        started.allow(started.identities["network"].client_id, ["*"])


@pytest.mark.parametrize(
    "ask",
    [
        lambda started: started.resource(started.world.edge_group + "-gone"),
        lambda started: started.order("arm", "explode"),
        lambda started: started.order("nothing", "throttle", times=1),
        lambda started: started.order("arm", "throttle", often=1),
        lambda started: started.comments("no incident"),
    ],
)
def test_what_cannot_be_done_says_why(started, ask):
    with pytest.raises(ServicesFailed, match="error"):
        ask(started)


def test_it_ends_with_whoever_started_it(tmp_path: Path):
    script = "import os, pathlib, sys; from offline.azure.services_process import ServicesProcess as P; "
    script += "p = P(pathlib.Path(sys.argv[1])); print(p._process.pid, flush=True); os.kill(os.getpid(), 9)"
    root = Path(__file__).resolve().parents[3]
    parent = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, capture_output=True, check=False)
    child = int(parent.stdout)
    try:
        watched = os.pidfd_open(child)
    except ProcessLookupError:
        return  # gone already
    with os.fdopen(watched):
        assert select.select([watched], [], [], 60)[0], "the services outlived the process that started them"
