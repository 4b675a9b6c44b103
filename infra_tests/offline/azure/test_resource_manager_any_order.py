"""Whatever is sent in whatever order: no request fails in the service itself, no write is lost, the rules stay consistent."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azure.core.exceptions import HttpResponseError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from offline.azure import seed
from offline.azure.credential import make_token
from offline.azure.resource_manager.manager import ResourceManager
from offline.azure.web import Answer, Request

TOKEN = f"Bearer {make_token('https://management.azure.com', 'client', now_s=4e9)}"
HEADERS = {"authorization": TOKEN, "host": "127.0.0.1:1"}
VERSION = {"api-version": "2024-05-01"}
NAMES = st.sampled_from(["AllowHttps", "deny-1", "deny-2", "Deny-2", "deny-3"])
PRIORITIES = st.integers(99, 104) | st.sampled_from([300, 310])
DIRECTIONS = st.sampled_from(["Inbound", "Outbound"])


def ask(arm: ResourceManager, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    raw = b"" if body is None else json.dumps(body).encode()
    return arm.answer(Request(method, path, VERSION, {**HEADERS, **headers}, raw))


class Rules(RuleBasedStateMachine):
    """Rules of one group, written by several who each remember an ETag; a model says what must stand there."""

    def __init__(self) -> None:
        super().__init__()
        self.arm = ResourceManager(clock=lambda: 4e9)
        self.group = seed.seed(self.arm).edge_group
        self.model = {one["name"]: _slot(one) for one in self._group()["properties"]["securityRules"]}
        self.remembered = self._group()["etag"]

    def _group(self) -> dict[str, Any]:
        answer = ask(self.arm, "GET", self.group)
        assert answer.status == 200
        return answer.body  # type: ignore[return-value]

    @rule()
    def remember(self) -> None:
        self.remembered = self._group()["etag"]

    @rule(name=NAMES, priority=PRIORITIES, direction=DIRECTIONS, careful=st.booleans())
    def put_rule(self, name: str, priority: int, direction: str, careful: bool) -> None:
        before = self._group()["etag"]
        body = {"properties": seed.rule(name, "Deny", priority, direction=direction)["properties"]}
        headers = {"if-match": self.remembered} if careful else {}
        answer = ask(self.arm, "PUT", f"{self.group}/securityRules/{name}", body, **headers)
        kept = next((one for one in self.model if one.lower() == name.lower()), None)
        others = {slot for other, slot in self.model.items() if other != kept}
        if careful and self.remembered != before:
            assert answer.status == 412
        elif not 100 <= priority <= 4096 or (priority, direction) in others:
            assert answer.status == 400
        else:
            assert answer.status == (200 if kept else 201)
            self.model[kept or name] = (priority, direction)
            assert self._group()["etag"] != before

    @rule(name=NAMES, careful=st.booleans())
    def delete_rule(self, name: str, careful: bool) -> None:
        before = self._group()["etag"]
        kept = next((one for one in self.model if one.lower() == name.lower()), None)
        headers = {"if-match": self.remembered} if careful else {}
        answer = ask(self.arm, "DELETE", f"{self.group}/securityRules/{name}", **headers)
        if kept is None:
            assert answer.status == 204
        elif careful and self.remembered != before:
            assert answer.status == 412
        else:
            assert answer.status == 202
            del self.model[kept]

    @rule(flush=st.booleans())
    def put_group_back(self, flush: bool) -> None:
        group = self._group()
        group["properties"]["flushConnection"] = flush
        assert ask(self.arm, "PUT", self.group, group, **{"if-match": group["etag"]}).status == 200
        assert self._group()["properties"]["flushConnection"] is flush

    @rule(polls=st.integers(1, 3))
    def slow_write(self, polls: int) -> None:
        self.arm.faults.slow(polls)
        running = ask(self.arm, "PUT", self.group, self._group())
        assert ask(self.arm, "DELETE", f"{self.group}/securityRules/AllowHttps").status in (
            (429,) if "AllowHttps" in self.model else (204,)
        )
        url = running.headers["Azure-AsyncOperation"].removeprefix("https://127.0.0.1:1").split("?")[0]
        states = [ask(self.arm, "GET", url).body["status"] for _ in range(polls)]  # type: ignore[index]
        assert states == ["InProgress"] * (polls - 1) + ["Succeeded"]

    @rule()
    def failing_write(self) -> None:
        self.arm.faults.fail_operation()
        group = self._group()
        group["properties"]["securityRules"] = []
        assert ask(self.arm, "PUT", self.group, group).status == 200

    @invariant()
    def what_stands_there_is_what_was_written(self) -> None:
        shown = self._group()["properties"]["securityRules"]
        assert {one["name"]: _slot(one) for one in shown} == self.model
        assert len({_slot(one) for one in shown}) == len(shown)


def _slot(one: dict[str, Any]) -> tuple[int, str]:
    return one["properties"]["priority"], one["properties"]["direction"]


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("*")
MEMBERS = st.sampled_from(
    [
        "id",
        "name",
        "properties",
        "location",
        "tags",
        "securityRules",
        "ipConfigurations",
        "subnet",
        "subnets",
        "priority",
        "direction",
        "addressSpace",
        "addressPrefixes",
        "networkProfile",
        "networkInterfaces",
        "networkSecurityGroup",
        "roleDefinitionId",
        "principalId",
        "operation",
        "message",
        "sourceApplicationSecurityGroups",
        "applicationSecurityGroups",
        "loadBalancerBackendAddressPools",
    ]
)
BODIES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4), max_leaves=12
)
_SHOP = "/subscriptions/{subscription}/resourceGroups/shop"
PATHS = st.sampled_from(
    [
        f"{_SHOP}/providers/Microsoft.Network/networkSecurityGroups/edge",
        f"{_SHOP}/providers/Microsoft.Network/networkSecurityGroups/edge/securityRules/x",
        f"{_SHOP}/providers/Microsoft.Network/networkSecurityGroups",
        f"{_SHOP}/providers/Microsoft.Network/networkInterfaces/web-nic",
        f"{_SHOP}/providers/Microsoft.Network/networkInterfaces/web-nic/effectiveNetworkSecurityGroups",
        f"{_SHOP}/providers/Microsoft.Network/virtualNetworks/shop-net",
        f"{_SHOP}/providers/Microsoft.Network/virtualNetworks/shop-net/subnets/web",
        f"{_SHOP}/providers/Microsoft.Compute/virtualMachines/web",
        f"{_SHOP}/providers/Microsoft.Compute/virtualMachines/web/providers/Microsoft.Resources/tags/default",
        f"{_SHOP}/providers/Microsoft.Authorization/roleAssignments/x",
        f"{_SHOP}/providers/Microsoft.OperationalInsights/workspaces/shop-logs/providers/Microsoft.SecurityInsights/incidents/x/comments/y",
        f"{_SHOP}/providers/Microsoft.Resources/deployments/x",
        "/subscriptions/{subscription}/providers/Microsoft.Network/locations/westeurope/operations/x",
        "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/x",
        _SHOP,
        "/subscriptions",
        "/",
    ]
) | st.lists(
    st.sampled_from(["subscriptions", "providers", "Microsoft.Network", "x", "locations", "operations", ""]), max_size=7
).map(lambda words: "/" + "/".join(words))


@settings(max_examples=400, deadline=None)
@given(method=st.sampled_from(["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]), path=PATHS, body=BODIES, broken=st.booleans())
def test_no_request_fails_in_the_service_itself(method, path, body, broken):
    arm = ResourceManager(clock=lambda: 4e9)
    seed.seed(arm)
    raw = b"{" if broken else json.dumps(body).encode()
    path = path.replace("{subscription}", seed.SUBSCRIPTION_ID)
    answer = arm.answer(Request(method, path, VERSION, HEADERS, raw))  # an exception would be answered 500 by the server
    assert answer.status < 500
    arm.finish_operations()
    for kind in ("networkSecurityGroups", "networkInterfaces", "virtualNetworks"):
        listed = ask(arm, "GET", f"/subscriptions/{seed.SUBSCRIPTION_ID}/providers/Microsoft.Network/{kind}")
        assert listed.status == 200


def test_of_many_writers_who_each_check_the_etag_none_loses_a_rule(services, azure_clients):
    network = azure_clients("network", "network")

    def write(number: int) -> None:
        body = {"properties": seed.rule("x", "Deny", 110 + number)["properties"]}
        for _ in range(200):
            etag = network.network_security_groups.get("shop", "edge").etag
            try:
                network.security_rules.begin_create_or_update(
                    "shop", "edge", f"deny-{number}", body, headers={"If-Match": etag}, polling=False
                )
            except HttpResponseError as error:
                assert error.status_code == 412  # noqa: PT017 - anything else is a failure of the test
                continue
            return
        raise AssertionError("never got its turn")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    names = {one["name"] for one in services.arm.resource(services.world.edge_group)["properties"]["securityRules"]}
    assert names == {"AllowHttps", "AllowSshFromOffice", *(f"deny-{number}" for number in range(8))}
