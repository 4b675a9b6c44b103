"""The operator's command on Azure: a whole containment, the way to the deployment, and what its errors say."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.azure.account import locate
from console.azure.person import Person
from console.azure.stack import Deployment
from console.deployment import NotPossible
from infra_tests.azure_functions.app import App
from infra_tests.azure_functions.test_handlers import guarded_by, two_signals
from infra_tests.console.conftest import Console
from infra_tests.console.sign_in import ENGINEER, OBJECT_ID, SignIn
from offline.azure.certificates import Certificates
from offline.azure.seed import SUBSCRIPTION_ID
from offline.azure.services import Services
from offline.azure.storage import Storage
from offline.azure.web import Answer, Request, WebService

OTHER_TENANT = "7a3e0002-0000-4000-8000-000000000002"
POLICY = Path(__file__).parents[2] / "policy" / "azure.yaml"


def test_a_quarantine_is_found_and_undone_in_the_engineers_name(on_azure: Console, app: App) -> None:
    before = guarded_by(app)
    for body in two_signals(app):
        app.message("respond", body)
    assert guarded_by(app) != before
    on_azure("status")
    line = next(line for line in on_azure.printed if "virtualmachines/web" in line)
    assert on_azure("undo", line.split()[0]) == 0
    (body,) = app.taken("containments")
    app.message("undo_containment", body)
    assert guarded_by(app) == before
    on_azure("show", line.split()[0])
    assert f"UNDONE  by {ENGINEER} ({OBJECT_ID})  case-" in on_azure.printed[-1].split("\n")[0]


class TestSignIn:
    def test_nobody_is_signed_in(self, on_azure: Console, sign_in: SignIn, capsys: pytest.CaptureFixture[str]) -> None:
        sign_in.ends("ERROR: Please run 'az login' to setup account.")
        assert on_azure("status") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("breakwater: not signed in to Azure (")
        assert line.endswith("run `az login`")

    def test_the_sign_in_has_ended(self, on_azure: Console, sign_in: SignIn, capsys: pytest.CaptureFixture[str]) -> None:
        sign_in.ends("ERROR: AADSTS700082: The refresh token has expired due to inactivity. The token was issued in spring.")
        assert on_azure("undo", "0" * 32) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "AADSTS700082" in line
        assert line.endswith("run `az login`")

    def test_a_guest_is_who_they_are_in_the_accounts_own_tenant(
        self, on_azure: Console, sign_in: SignIn, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        authority = f"https://login.microsoftonline.com/{OTHER_TENANT}/oauth2/authorize"
        challenge = {"WWW-Authenticate": f"Bearer authorization_uri={authority} resource_id=https://storage.azure.com"}
        answers = iter([Answer(401, _refusal("InvalidAuthenticationInfo"), challenge)])
        with _answering(lambda _: next(answers, Answer(200, {"value": []})), certificates, monkeypatch):
            assert Deployment("breakwater").operator() == on_azure.engineer
        assert [f"--tenant {OTHER_TENANT}" in line for line in sign_in.asked()] == [False, True]

    def test_a_token_is_asked_for_once(self, on_azure: Console, sign_in: SignIn, storage: Storage) -> None:
        assert on_azure("status") == 0
        assert on_azure("show", "0" * 32) == 1
        assert len(sign_in.asked()) == 2  # a command each


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "AuthorizationPermissionMismatch", "operatorPrincipalIds"),
        (403, "AuthorizationFailure", "operatorAddresses"),
        (401, "InvalidAuthenticationInfo", "az login --tenant"),
        (404, "TableNotFound", "--account"),
    ],
)
def test_a_refusal_says_whom_to_ask_for_what(
    on_azure: Console,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    code: str,
    advice: str,
) -> None:
    with _answering(lambda _: Answer(status, _refusal(code)), certificates, monkeypatch):
        assert on_azure("status") == 1
    error, what_to_do = capsys.readouterr().err.splitlines()
    assert code in error
    assert advice in what_to_do


def test_where_nothing_answers(on_azure: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with WebService(lambda _: Answer(200)) as closed:
        pass
    monkeypatch.setenv("BREAKWATER_TABLE_ENDPOINT", closed.url.replace("http:", "https:"))
    assert on_azure("status") == 1
    _, what_to_do = capsys.readouterr().err.splitlines()
    assert "--account" in what_to_do


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://", "breakwaterst.table.core.windows.net"])
def test_an_address_that_is_none_is_told_before_anybody_is_asked(
    on_azure: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    monkeypatch.setenv("BREAKWATER_QUEUE_ENDPOINT", address)
    for command in (("status",), ("doctor",), ("undo", "x"), ("disarm", "--reason", "drill"), ("journal", "verify")):
        assert on_azure(*command) == 1
        said = capsys.readouterr().err
        assert said == f"breakwater: BREAKWATER_QUEUE_ENDPOINT is {address!r}: make it an address that begins with https://\n"


class TestLocating:
    @pytest.fixture
    def services(self, certificates: Certificates, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
        with Services(certificates) as services:
            for name, value in certificates.environment.items():
                monkeypatch.setenv(name, value)
            yield services

    def test_by_the_name_prefix(self, services: Services) -> None:
        _account(services, "breakwaterstabcd", "breakwater", lake=True)
        _account(services, "breakwaterhdabcd", "breakwater", lake=False)  # a host's
        _account(services, "harbourstabcd", "harbour", lake=True)
        found = locate("breakwater", "", _only_arm(services), Person())
        assert found.table == "https://breakwaterstabcd.table.core.windows.net"
        assert found.queue == "https://breakwaterstabcd.queue.core.windows.net"
        assert found.blob == "https://breakwaterstabcd.blob.core.windows.net"

    def test_none_says_how_to_name_it(self, services: Services) -> None:
        with pytest.raises(NotPossible, match=r"'harbour' \(--name\).*--account"):
            locate("harbour", "", _only_arm(services), Person())

    def test_two_of_a_name_are_both_named(self, services: Services) -> None:
        for account in ("breakwaterstabcd", "breakwaterstefgh"):
            _account(services, account, "breakwater", lake=True)
        with pytest.raises(NotPossible, match=r"breakwaterstabcd.*breakwaterstefgh"):
            locate("breakwater", "", _only_arm(services), Person())

    @pytest.mark.parametrize("given", ["breakwaterst1", f"/subscriptions/{SUBSCRIPTION_ID}/x/storageAccounts/BreakwaterST1"])
    def test_as_given_nobody_is_asked(self, given: str) -> None:
        account = "https://breakwaterst1.table.core.windows.net"
        assert locate("breakwater", given, {}, Person()).table == account
        assert locate("breakwater", "", {"BREAKWATER_STATE_ACCOUNT_ID": given}, Person()).table == account

    def test_in_another_azure(self) -> None:
        sovereign = {"BREAKWATER_ARM_ENDPOINT": "https://management.chinacloudapi.cn/"}
        assert locate("breakwater", "abc", sovereign, Person()).blob == "https://abc.blob.core.chinacloudapi.cn"

    @pytest.mark.parametrize(
        ("given", "environment", "said"),
        [
            ("my account", {}, "no storage account"),
            ("", {"BREAKWATER_TABLE_ENDPOINT": "https://one"}, "BREAKWATER_QUEUE_ENDPOINT is not set"),
        ],
    )
    def test_what_cannot_be_an_account(self, given: str, environment: dict[str, str], said: str) -> None:
        with pytest.raises(NotPossible, match=said):
            locate("breakwater", given, environment, Person())


class TestPolicy:
    def test_it_is_put_where_the_functions_read_it_and_what_changes_is_shown(
        self, on_azure: Console, storage: Storage, tmp_path: Path
    ) -> None:
        assert on_azure("policy", "upload", str(POLICY)) == 0
        assert _in_force(storage) == POLICY.read_bytes()
        assert on_azure("policy", "upload", str(POLICY)) == 0
        assert on_azure.printed[-1].startswith("it is in force already")
        armed = tmp_path / "armed.yaml"
        armed.write_text(
            POLICY.read_text(encoding="utf-8").replace("  mode: observe\n", "  mode: enforce\n", 1), encoding="utf-8"
        )
        assert on_azure("policy", "upload", str(armed)) == 0
        assert on_azure.printed[0].startswith(f"{armed}: enforces quarantine_instance; only observes block_address")
        assert [line for line in on_azure.printed if line.startswith(("-  ", "+  "))] == [
            "-    mode: observe",
            "+    mode: enforce",
        ]
        assert _in_force(storage) == armed.read_bytes()

    def test_one_that_two_must_answer_asks_whether_they_can(self, on_azure: Console, storage: Storage, tmp_path: Path) -> None:
        by_two = tmp_path / "by-two.yaml"
        by_two.write_text(
            POLICY.read_text(encoding="utf-8").replace("    at_end: ask\n", "    at_end: ask\n    four_eyes: two\n", 1),
            encoding="utf-8",
        )
        assert on_azure("policy", "upload", str(by_two)) == 1
        assert "say so with --page" in on_azure.printed[-1]
        assert not storage.blobs.get_blob_client("policy", "policy.yaml").exists()
        assert on_azure("policy", "upload", "--page", str(by_two)) == 0
        assert _in_force(storage) == by_two.read_bytes()

    def test_one_with_a_mistake_stays_here(self, on_azure: Console, storage: Storage, tmp_path: Path) -> None:
        broken = tmp_path / "broken.yaml"
        broken.write_text("version: 1\nrulez: []\n", encoding="utf-8")
        assert on_azure("policy", "upload", str(broken)) == 1
        assert on_azure.printed == [f"{broken}:2: rulez: there is no such key: did you mean rules?"]
        assert not storage.blobs.get_blob_client("policy", "policy.yaml").exists()

    def test_somebody_elses_policy_of_this_moment_is_not_overwritten(
        self, on_azure: Console, storage: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from azure.storage.blob import StorageStreamDownloader

        blob = storage.blobs.get_blob_client("policy", "policy.yaml")
        blob.upload_blob(b"version: 1\n")
        read: Callable[..., Any] = StorageStreamDownloader.readall

        def read_and_then_somebody_writes(self: Any) -> Any:
            text = read(self)
            blob.upload_blob(b"version: 1\nrules: []\n", overwrite=True)
            return text

        with monkeypatch.context() as patch:
            patch.setattr(StorageStreamDownloader, "readall", read_and_then_somebody_writes)
            assert on_azure("policy", "upload", str(POLICY)) == 1
        assert "somebody else" in capsys.readouterr().err
        assert _in_force(storage) == b"version: 1\nrules: []\n"


def _in_force(storage: Storage) -> bytes:
    return bytes(storage.blobs.get_blob_client("policy", "policy.yaml").download_blob().readall())


def _account(services: Services, name: str, application: str, *, lake: bool) -> None:
    services.arm.put(
        f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/{name}",
        {
            "location": "westeurope",
            "tags": {"application": application},
            "sku": {"name": "Standard_LRS"},
            "kind": "StorageV2",
            "properties": {"isHnsEnabled": lake},
        },
    )


def _only_arm(services: Services) -> dict[str, str]:
    return {"BREAKWATER_ARM_ENDPOINT": services.arm.url}


def _refusal(code: str) -> dict[str, Any]:
    return {"odata.error": {"code": code, "message": {"lang": "en-US", "value": "made up here"}}}


@contextmanager
def _answering(
    answer: Callable[[Request], Answer], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let tables be answered by a function."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.certificate, certificates.key)
    with WebService(answer, tls) as service:
        monkeypatch.setenv("BREAKWATER_TABLE_ENDPOINT", service.url)
        yield
