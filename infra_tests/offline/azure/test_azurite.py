"""Azurite as adapters meet it: over TLS, with tokens only, and gone with whoever started it."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob import BlobServiceClient
from cryptography import x509

from infra_tests.offline.endings import HOWEVER, nothing_is_left
from offline import processes
from offline.azure.azurite import ACCOUNTS, Azurite, azurite
from offline.azure.certificates import Certificates, make_certificates
from offline.azure.credential import OfflineCredential
from offline.azure.storage import Storage


def test_all_three_services_keep_what_the_sdks_give_them(storage: Storage) -> None:
    storage.create(tables=["memory"], queues=["verdicts"], containers=["lake"], flow_containers=["flows"])
    storage.tables.get_table_client("memory").create_entity({"PartitionKey": "p", "RowKey": "r", "Count": 3})
    storage.queues.get_queue_client("verdicts").send_message("one")
    storage.blobs.get_blob_client("lake", "a/b").upload_blob(b"line")

    assert storage.tables.get_table_client("memory").get_entity("p", "r")["Count"] == 3
    assert [message.content for message in storage.queues.get_queue_client("verdicts").peek_messages(5)] == ["one"]
    assert storage.blobs.get_blob_client("lake", "a/b").download_blob().readall() == b"line"
    assert [container.name for container in storage.flow_blobs.list_containers()] == ["flows"]


def test_making_what_is_there_changes_nothing(storage: Storage) -> None:
    storage.create(queues=["verdicts"], containers=["lake"], tables=["memory"])
    storage.blobs.get_blob_client("lake", "kept").upload_blob(b"1")
    storage.create(queues=["verdicts"], containers=["lake"], tables=["memory"])
    assert storage.blobs.get_blob_client("lake", "kept").exists()


def test_a_test_starts_with_nothing(storage: Storage) -> None:
    storage.create(tables=["one"], queues=["two"], containers=["three"], flow_containers=["four"])
    storage.empty()
    assert not list(storage.tables.list_tables())
    assert not list(storage.queues.list_queues())
    assert not list(storage.blobs.list_containers())
    assert not list(storage.flow_blobs.list_containers())


def test_nobody_comes_in_without_a_token(running_azurite: Azurite, certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.authority)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{running_azurite.blob_endpoint()}?comp=list", context=context)


def test_an_old_token_is_refused(running_azurite: Azurite, certificates: Certificates) -> None:
    two_days_ago = datetime.now(UTC).timestamp() - 2 * 86400
    client = BlobServiceClient(
        running_azurite.blob_endpoint(),
        credential=OfflineCredential(clock=lambda: two_days_ago),
        connection_verify=str(certificates.authority),
        retry_total=0,
    )
    with pytest.raises(HttpResponseError, match="Lifetime validation failed"):
        next(iter(client.list_containers()))


def test_who_does_not_trust_the_authority_does_not_speak_to_it(running_azurite: Azurite) -> None:
    client = BlobServiceClient(running_azurite.blob_endpoint(), credential=OfflineCredential(), retry_total=0)
    with pytest.raises(ServiceRequestError, match="CERTIFICATE_VERIFY_FAILED"):
        next(iter(client.list_containers()))


def test_it_listens_on_loopback_only_and_ends_with_its_block(tmp_path: Path, certificates: Certificates) -> None:
    with azurite(tmp_path / "azurite", certificates) as running:
        below = [running.process.pid, *processes.descendants(running.process.pid)]
        listening = processes.listening_addresses(below)
        assert {address for address, _ in listening} == {"127.0.0.1"}
        assert len(listening) == 3
        assert set(running.settings.values()) == {
            f"{running.blob}/{ACCOUNTS[0]}",
            f"{running.queue}/{ACCOUNTS[0]}",
            f"{running.table}/{ACCOUNTS[0]}",
            f"{running.blob}/{ACCOUNTS[1]}",
        }
    assert not any(processes.alive(pid) for pid in below)


def test_the_authority_signs_nothing_else_and_the_certificate_names_loopback_only(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, now=datetime(2026, 1, 1, tzinfo=UTC))
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"localhost", "127.0.0.1", "::1"}
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(made.authority.read_bytes()))
    assert made.key.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["authority.pem", "server.key", "server.pem"]


#: Starts Azurite, says which processes there are, and waits or fails.
PROGRAM = """
import json, signal, sys, tempfile
from pathlib import Path
from offline import processes
from offline.azure.azurite import azurite
from offline.azure.certificates import make_certificates
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored
with tempfile.TemporaryDirectory() as name, azurite(Path(name), make_certificates(Path(name) / "certificates")) as running:
    print(json.dumps([running.process.pid, *processes.descendants(running.process.pid)]), flush=True)
    if sys.stdin.readline() == "fail\\n":
        raise RuntimeError("as asked")
"""


@pytest.mark.parametrize("how", HOWEVER)
def test_however_its_starter_ends_no_azurite_is_left(how: str) -> None:
    assert nothing_is_left(PROGRAM, how)
