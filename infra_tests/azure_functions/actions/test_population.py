"""What a share is a share of: counted in each subscription, kept for an hour, 0 where nobody may look."""

from __future__ import annotations

from azure_functions.actions.directory import Directory
from azure_functions.actions.population import Population
from azure_functions.actions.resource_manager import ResourceManager
from azure_functions.actions.role_assignments import RoleAssignments
from azure_functions.actions.storage_accounts import StorageAccounts
from azure_functions.cloud_errors import CloudForbidden, CloudThrottled
from infra_tests.azure_functions.actions.cloud import Cloud
from response.actions import CloudUnavailable


def test_each_kind_is_counted_where_it_is(cloud: Cloud) -> None:
    subscription, persistence = cloud.world.subscription_id, cloud.persistence
    assert ResourceManager(cloud.clients, "network", persistence).count_machines(subscription) == 3
    assert StorageAccounts(cloud.clients, "data", persistence).count(subscription) == 1
    for number in range(3):
        cloud.graph.add_user(f"{number:08}-0000-4000-8000-000000000000", f"user{number}@contoso.example")
    holders = {one["properties"]["principalId"] for one in cloud.arm.roles.assignments()}
    assert RoleAssignments(cloud.clients, "identity", persistence).count_principals(subscription) == len(holders) > 1
    assert Directory(cloud.clients, "identity", persistence).count_users() == 3


def test_a_count_is_asked_once_an_hour_in_each_subscription() -> None:
    asked: list[str] = []
    now = 0.0

    def count(subscription: str) -> int:
        asked.append(subscription)
        return len(asked)

    population = Population(count, clock=lambda: now)
    assert [population.of(each) for each in ("one", "one", "two", "one")] == [1, 1, 2, 1]
    now = 3600.0
    assert population.of("one") == 3


def test_where_nobody_may_look_there_is_no_count_for_an_hour() -> None:
    asked: list[str] = []

    def forbidden(subscription: str) -> int:
        asked.append(subscription)
        raise CloudForbidden("virtualMachines read", "AuthorizationFailed")

    population = Population(forbidden, clock=lambda: 0.0)
    assert [population.of("one"), population.of("one")] == [0, 0]
    assert asked == ["one"]


def test_a_count_that_is_throttled_holds_up_nothing_and_is_asked_again() -> None:
    answers = iter([CloudThrottled("virtualMachines read: 429", 17.0), CloudUnavailable("no answer"), 3])

    def count(_: str) -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    population = Population(count, clock=lambda: 0.0)
    assert [population.of("one") for _ in range(4)] == [0, 0, 3, 3]
