"""What the host sends of a blob, as the function is given it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import get_type_hints

import pytest
from azurefunctions.extensions.base import Datum, get_binding_registry

from azure_functions.blob_reference import BlobReference, BlobReferenceConverter
from infra_tests.azure_functions.app import INDEXED

SAID = {"Connection": "BREAKWATER_FLOW_LOGS", "ContainerName": "logs", "BlobName": "y=2026/m=09/PT1H.json"}


def sent(said: dict[str, str]) -> Datum:
    data = SimpleNamespace(version="1.0", source="AzureStorageBlobs", content_type="application/json")
    data.content = json.dumps(said).encode()
    return Datum(data, "model_binding_data")


def test_it_names_container_and_blob() -> None:
    blob = BlobReferenceConverter.decode(sent(SAID), trigger_metadata={}, pytype=BlobReference)
    assert (blob.container, blob.name, blob.path) == ("logs", "y=2026/m=09/PT1H.json", "logs/y=2026/m=09/PT1H.json")


def test_the_librarys_way_without_protocol_buffers_is_served_too() -> None:
    """It passes no type, and would fail with the types of the platform's own extension."""
    assert BlobReferenceConverter.decode(sent(SAID), trigger_metadata={}) == BlobReference("logs", SAID["BlobName"])


@pytest.mark.parametrize(("data", "kind"), [(Datum(b'{"records":[]}', "bytes"), "bytes"), (None, "nothing")])
def test_content_in_place_of_a_reference_is_not_taken_for_one(data: Datum | None, kind: str) -> None:
    with pytest.raises(ValueError, match=f"the host sent {kind} in place of a blob's reference"):
        BlobReferenceConverter.decode(data, trigger_metadata={}, pytype=BlobReference)


@pytest.mark.parametrize("name", ["detect_flows", "detect_nsg_flows"])
def test_the_library_asks_the_host_for_references(name: str) -> None:
    """What the library does when it indexes the app, and so without its process: see also the deploy folder's tests."""
    function, registry = INDEXED[name], get_binding_registry()
    given = get_type_hints(function.get_user_function())["blob"]
    assert registry.check_supported_type(given)
    (binding,), _ = registry.get_raw_bindings(function, {"blob": SimpleNamespace(pytype=given)})
    assert json.loads(binding)["properties"] == {"SupportsDeferredBinding": True}
    assert json.loads(binding)["source"] == "EventGrid"
