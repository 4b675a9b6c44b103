"""The local Resource Manager answers with the shapes of recorded calls: members, types, values, and the headers that count.

What was recorded is written to a new Resource Manager, beside what it points to, and read back.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from offline.azure.credential import make_token
from offline.azure.resource_manager.errors import ArmError
from offline.azure.resource_manager.manager import ResourceManager
from offline.azure.web import Answer, Request
from training.data_root import data_root

FOLDER = "azure_arm_cassettes"
ASYNC_URL = re.compile(
    r"https://[^/]+/subscriptions/[^/]+/providers/[^/]+/locations/\w+/operations/[0-9a-f-]{36}\?api-version=[\d-]+"
)
ETAG = re.compile(r'W/"[0-9a-f-]{36}"')
#: What a recording has and we do not, and the other way round, with the reason.
DIFFERENT = {
    "networksecuritygroups": {".properties.flowLogs"},  # points back from flow logs, which are not recorded with it
    "networkinterfaces": {".properties.nicType"},  # newer than some recordings
    "virtualmachines": {".resources"},  # extensions, which nothing here reads
    "networkwatchers": set[str](),
}

if data_root() is None or not (data_root() / FOLDER).is_dir():  # type: ignore[operator]
    pytest.skip("needs the recorded Resource Manager calls: see the data's README", allow_module_level=True)


def interactions() -> list[tuple[str, dict[str, Any]]]:
    root = data_root()
    assert root is not None
    return [
        (path.name.split(".")[1], interaction)
        for path in sorted((root / FOLDER).glob("*.json.xz"))
        for interaction in json.loads(lzma.decompress(path.read_bytes()))["interactions"]
        if urlsplit(interaction["request"]["uri"]).hostname == "management.azure.com"
    ]


def recorded_resources() -> Iterator[Any]:
    seen: set[str] = set()
    for name, interaction in interactions():
        body = interaction["response"]["body"].get("data")
        if interaction["request"]["method"] != "GET" or not isinstance(body, dict):
            continue
        for resource in body.get("value", [body]):
            kind = str(resource.get("type", "")).split("/")[-1].lower()
            text = json.dumps(resource, sort_keys=True)
            if kind in DIFFERENT and text not in seen:
                seen.add(text)
                resource["properties"].pop("instanceView", None)  # has a test of its own
                yield pytest.param(resource, id=f"{name}-{resource['name']}-{len(seen)}")


def ask(arm: ResourceManager, method: str, uri: str, body: Any = None) -> Answer:
    parts = urlsplit(uri)
    token = make_token("https://management.azure.com", "client", now_s=4e9)
    headers = {"authorization": f"Bearer {token}", "host": "127.0.0.1:1"}
    raw = b"" if body is None else json.dumps(body).encode()
    return arm.answer(Request(method, parts.path, {name.lower(): value for name, value in parse_qsl(parts.query)}, headers, raw))


@pytest.mark.parametrize("resource", list(recorded_resources()))
def test_what_was_recorded_is_answered_again(resource):
    arm = made_for(resource)
    answer = ask(arm, "GET", f"https://management.azure.com{resource['id']}?api-version=2024-05-01")
    assert answer.status == 200
    differing = set(differences(resource, answer.body))
    assert differing <= DIFFERENT[resource["type"].split("/")[-1].lower()]
    if str(resource["type"]).startswith("Microsoft.Network/"):
        assert ETAG.fullmatch(answer.headers["ETag"])
        assert ETAG.fullmatch(resource["etag"])


def test_a_recorded_write_of_a_rule_is_answered_as_it_was():
    [recorded] = [
        one for _, one in interactions() if one["request"]["method"] == "PUT" and "securityRules" in one["request"]["uri"]
    ]
    wanted = recorded["response"]
    group = recorded["request"]["uri"].split("/securityRules/")[0].removeprefix("https://management.azure.com")
    arm = made_for({"id": group, "type": "Microsoft.Network/networkSecurityGroups", "location": "eastus", "properties": {}})
    sent = {name: value for name, value in wanted["body"]["data"]["properties"].items() if name != "provisioningState"}
    answer = ask(arm, "PUT", recorded["request"]["uri"], {"properties": sent})
    assert answer.status == wanted["status"]["code"] == 201
    for headers in ({name.lower(): value for name, value in answer.headers.items()}, first_values(wanted["headers"])):
        assert ASYNC_URL.fullmatch(headers["azure-asyncoperation"])
    named = {"name": wanted["body"]["data"]["name"], "id": wanted["body"]["data"]["id"]}  # recorded under a name that was masked
    assert set(differences(wanted["body"]["data"], {**answer.body, **named})) == set()  # type: ignore[dict-item]


def test_an_instance_view_has_the_recorded_members():
    [recorded] = [one["response"]["body"]["data"] for _, one in interactions() if "instanceview" in one["request"]["uri"].lower()]
    arm, theirs = made_for(recorded), recorded["properties"]["instanceView"]
    path = f"https://management.azure.com{recorded['id']}?api-version=2020-12-01"
    ours = ask(arm, "GET", f"{path}&$expand=instanceview").body["properties"]["instanceView"]  # type: ignore[index]
    assert set(ours) <= set(theirs)
    assert [one["code"] for one in ours["statuses"]] == [one["code"] for one in theirs["statuses"]]
    assert ours["computerName"] == theirs["computerName"]
    assert ours["disks"][0]["name"] == theirs["disks"][0]["name"]
    assert "instanceView" not in ask(arm, "GET", path).body["properties"]  # type: ignore[index]


def test_an_asynchronous_question_is_accepted_as_it_was():
    [recorded] = [
        one for _, one in interactions() if one["request"]["method"] == "POST" and "effectiveRouteTable" in one["request"]["uri"]
    ]
    [nic] = [
        one.values[0]
        for one in recorded_resources()
        if one.values[0]["name"] == "myVMNic" and "virtualMachine" in one.values[0]["properties"]
    ][:1]
    arm = made_for(nic)
    answer = ask(arm, "POST", f"https://management.azure.com{nic['id']}/effectiveNetworkSecurityGroups?api-version=2019-09-01")
    assert (
        (answer.status, answer.body)
        == (recorded["response"]["status"]["code"], recorded["response"]["body"]["data"])
        == (202, None)
    )
    ours, theirs = answer.headers["Location"], first_values(recorded["response"]["headers"])["location"]
    for location in (ours, theirs):
        assert re.fullmatch(
            r"https://[^/]+/subscriptions/[^/]+/providers/Microsoft\.Network/locations/\w+/operationResults/[0-9a-f-]{36}\?.+",
            location,
        )
    result = ask(arm, "GET", ours)
    assert result.status == 200
    assert set(result.body) == {"value"}  # type: ignore[arg-type]


def first_values(headers: dict[str, list[str]]) -> dict[str, str]:
    return {name.lower(): values[0] for name, values in headers.items()}


def differences(recorded: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Paths at which two bodies differ; ETags are new with every write."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for name in recorded.keys() | ours.keys():
            if name == "etag":
                continue
            if name in recorded and name in ours:
                yield from differences(recorded[name], ours[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
        for one, other in zip(recorded, ours, strict=True):
            yield from differences(one, other, f"{path}[]")
    elif recorded != ours or type(recorded) is not type(ours):
        yield path


# -- what a recorded resource points to, so that it can be written


def made_for(resource: dict[str, Any]) -> ResourceManager:
    arm = ResourceManager(clock=lambda: 4e9)
    words = resource["id"].split("/")
    arm.groups.add_subscription(words[2], "recorded")
    arm.groups.add(words[2], words[4], resource["location"])
    properties, kind = resource["properties"], resource["type"].split("/")[-1].lower()
    if kind == "networkinterfaces":
        for configuration in properties["ipConfigurations"]:
            _subnet(arm, configuration["properties"]["subnet"]["id"], resource["location"])
        if "networkSecurityGroup" in properties:
            arm.put(properties["networkSecurityGroup"]["id"], {"location": resource["location"]})
    if kind == "virtualmachines":
        for reference in properties["networkProfile"]["networkInterfaces"]:
            _interface(arm, reference["id"], resource["location"])
    arm.put(resource["id"], resource)
    if "virtualMachine" in properties:
        profile = {"networkProfile": {"networkInterfaces": [{"id": resource["id"]}]}}
        arm.put(properties["virtualMachine"]["id"], {"location": resource["location"], "properties": profile})
    for subnet in properties.get("subnets", []):
        _subnet(arm, subnet["id"], resource["location"], resource["id"])
    for reference in properties.get("networkInterfaces", []):
        _interface(arm, reference["id"], resource["location"], resource["id"])
    return arm


def _subnet(arm: ResourceManager, subnet: str, location: str, group: str = "") -> None:
    network, _, name = subnet.rpartition("/subnets/")
    try:
        present = arm.resource(network)["properties"]["subnets"]
    except ArmError:
        present = []
    inner: dict[str, Any] = {"addressPrefix": "10.0.0.0/24"}
    if group:
        inner["networkSecurityGroup"] = {"id": group}
    if name not in [one["name"] for one in present]:
        subnets = [*present, {"name": name, "properties": inner}]
        arm.put(
            network,
            {"location": location, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}, "subnets": subnets}},
        )


def _interface(arm: ResourceManager, interface: str, location: str, group: str = "") -> None:
    subnet = "/".join([*interface.split("/")[:5], "providers/Microsoft.Network/virtualNetworks/net/subnets/s"])
    _subnet(arm, subnet, location)
    properties: dict[str, Any] = {"ipConfigurations": [{"name": "ipconfig1", "properties": {"subnet": {"id": subnet}}}]}
    if group:
        properties["networkSecurityGroup"] = {"id": group}
    arm.put(interface, {"location": location, "properties": properties})
