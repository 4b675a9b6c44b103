"""Azure CLI as azure-identity finds and runs it: a small script that prints tokens, or says why not."""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from offline.azure.credential import LIFETIME_S, make_token

ENGINEER = "alice@example.com"
OBJECT_ID = "33333333-0000-4000-8000-000000000001"
_AUDIENCES = {"storage": "https://storage.azure.com", "management": "https://management.azure.com"}


@dataclass(frozen=True)
class SignIn:
    """What Azure CLI will answer."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> SignIn:
        """Put Azure CLI in front on the path, with the engineer signed in."""
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        made = cls(folder)
        for name, audience in _AUDIENCES.items():
            made._answer(name, audience)
        made.knows()
        return made

    def knows(self, *services: str) -> None:
        """Give out tokens for these services too, each by its address; for whatever else one of Resource Manager's."""
        for at, address in enumerate(services):
            self._answer(f"service{at}", address)
        known = " ".join(f"*{address}*) name=service{at};;" for at, address in enumerate(services))
        resource = f'case "$*" in *storage.azure.com*) name=storage;; {known} *) name=management;; esac'
        self._script(f'{resource}\necho "$*" >> {self.folder}/asked\ncat {self.folder}/$name.json')

    def ends(self, reason: str) -> None:
        """The sign-in is over, or never was."""
        self._script(f"echo {reason!r} >&2\nexit 1")

    def refuses(self, service: str, reason: str) -> None:
        """Give out no token for one service, known by its address."""
        script = self.folder / "az"
        _, _, rest = script.read_text(encoding="utf-8").partition("\n")
        self._script(f'case "$*" in *{service}*) echo {reason!r} >&2; exit 1;; esac\n{rest}')

    def asked(self) -> list[str]:
        """How the tool was called."""
        return (self.folder / "asked").read_text(encoding="utf-8").splitlines()

    def audience(self, name: str, audience: str) -> None:
        """Give out tokens for another service."""
        self._answer(name, audience)

    def _script(self, body: str) -> None:
        script = self.folder / "az"
        script.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        script.chmod(0o700)

    def _answer(self, name: str, audience: str) -> None:
        now = time.time()
        head, claims, signature = make_token(audience, "az", now_s=now, principal_id=OBJECT_ID).split(".")
        read = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        named = base64.urlsafe_b64encode(json.dumps({**read, "upn": ENGINEER, "idtyp": "user"}).encode()).rstrip(b"=").decode()
        answer = {"accessToken": f"{head}.{named}.{signature}", "expires_on": int(now) + LIFETIME_S, "tokenType": "Bearer"}
        (self.folder / f"{name}.json").write_text(json.dumps(answer), encoding="utf-8")
