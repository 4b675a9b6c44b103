"""What all rooms' tests share: one embedded AWS with Breakwater on it, deployed once per session, and one Azurite."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import botocore.client
import botocore.loaders
import botocore.session
import pytest
from hypothesis import HealthCheck, settings

from infra_tests.azurite import certificates, running_azurite, storage, storage_clients
from infra_tests.shared_model.ocsf_schema import problems
from offline.aws.embedded import EmbeddedAws
from offline.operator_policy import arm
from offline.seed import World, seed
from shared_model.lake import ocsf_files

__all__ = ["aws", "certificates", "running_azurite", "storage", "storage_clients", "world"]

# How long an example takes says more of the machine than of the code. Where CI is set the examples are the same every time.
settings.register_profile("breakwater", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("breakwater")

#: Of the records that are put into the lake at once, so many are checked.
_CHECKED = 20


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """moto makes a session for every test, and botocore reads the models of all services anew for each: EC2's is 4 MB of JSON.

    So does it make the class of each client anew, with a method for each of EC2's 700 operations.
    """
    made: dict[str, type] = {}
    make_class = botocore.client.ClientCreator._create_client_class  # type: ignore[attr-defined]

    def class_of(creator: object, service_name: str, service_model: object) -> type:
        if service_name not in made:
            made[service_name] = make_class(creator, service_name, service_model)
        return made[service_name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.loaders.create_loader))
        patch.setattr(botocore.client.ClientCreator, "_create_client_class", class_of)
        yield


@pytest.fixture
def what_leaves_fits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test has put into the lake, on either cloud, fits in OCSF's schema; of many records at once, the first ones."""
    found: list[str] = []

    def checked(objects: Iterable[Mapping[str, Any]], **given: Any) -> Iterator[tuple[str, bytes]]:
        records = [*objects]
        found.extend(problem for record in records[:_CHECKED] for problem in problems(record))
        return ocsf_files(records, **given)

    for cloud in ("lambdas", "azure_functions"):
        monkeypatch.setattr(f"{cloud}.adapters.lake.ocsf_files", checked)
    yield
    assert found == []


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    """Breakwater deployed with the real CDK command line, in enforce mode and with room in its budget.

    Shared by all end-to-end tests: each works on entities of its own.
    """
    with EmbeddedAws.start() as embedded:
        embedded.deploy(say=lambda line: None)
        arm(embedded, containments_per_hour=1000)
        embedded.drain()  # S3 announces every new notification with a test message
        yield embedded


@pytest.fixture(scope="session")
def world(aws: EmbeddedAws) -> World:
    """The seeded account."""
    return seed(aws)
