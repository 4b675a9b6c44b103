"""Every call that a function makes in a test, held against the roles of whoever makes it when it is deployed.

Azurite looks at no role, and the other local services know no resource: here each call is translated into what Azure would ask
(https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory, the permissions of each operation). A
call that is not here fails the test in which it is made: somebody must look up what it asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from azure_functions.plain_rest import PlainRest
from azure_functions.timed_transport import Timed
from infra_tests.azure_functions.granted import MESSAGES, Asked, Grant, allowing
from offline.azure.azurite import FLOW_LOG_ACCOUNT, STATE_ACCOUNT, Azurite
from offline.azure.credential import read_token
from offline.azure.services import Services

_STORAGE = "Microsoft.Storage/storageAccounts"
_ROWS, _BLOBS = f"{_STORAGE}/tableServices/tables/entities", f"{_STORAGE}/blobServices/containers/blobs"
#: Identities whose calls of Resource Manager are held against the roles of the app itself; those of the others are the actions'.
_OWN = ("detect", "respond", "page")
_INNER = re.compile(r"^(DELETE|GET|MERGE|PATCH|POST|PUT) (https?://\S+) HTTP/1\.1\r?\n((?:[^\r\n]+\r?\n)*)", re.MULTILINE)


class Unknown(Exception):
    """A call of which nobody has said yet what it asks for."""


@dataclass
class Watched:
    """What functions did.

    Attributes
    ----------
    azurite : Azurite
    services : Services
    used : set of Grant
    objections : list of str
        Calls that the deployed roles would not have allowed.
    """

    azurite: Azurite
    services: Services
    used: set[Grant] = field(default_factory=set)
    objections: list[str] = field(default_factory=list)

    def sent(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> None:
        """Note a request, where it is one to storage by an identity of the app."""
        said = {name.lower(): value for name, value in headers.items()}
        kind = next((k for k in ("blob", "queue", "table") if url.startswith(f"{getattr(self.azurite, k)}/")), "")
        who = self._who(said.get("authorization", ""))
        if not (kind and who):
            return
        try:
            self._hold(who, list(_asked(kind, method, url, said, body)))
        except Unknown as unknown:
            self.objections.append(str(unknown))

    def end(self) -> None:
        """Note the calls that the local services have recorded."""
        for who in _OWN:
            for call in self.services.calls.calls(self.services.identities[who].client_id):
                if call.operation and not call.fault:  # without one there is nothing of that path to be allowed
                    self._hold(who, [Asked((frozenset({name}),), _place(call.service, call.path)) for name in call.operations])

    def _hold(self, who: str, questions: list[Asked]) -> None:
        for question in questions:
            found = allowing(who, question)
            self.used |= found
            if not found:
                wanted = " or ".join(" and ".join(sorted(each)) for each in question.operations)
                self.objections.append(f"{who} is not allowed {wanted} on {question.on} {question.path}".rstrip())

    def _who(self, authorization: str) -> str:
        try:
            client_id = str(read_token(authorization.removeprefix("Bearer "))["appid"])
        except (KeyError, ValueError):
            return ""
        return next((group for group, one in self.services.identities.items() if one.client_id == client_id), "")


def watch(monkeypatch: pytest.MonkeyPatch, azurite: Azurite, services: Services) -> Watched:
    """Watch all functions until the test ends."""
    watched = Watched(azurite, services)
    send, answered = Timed.send, PlainRest._answered

    def sends(self: Any, request: Any, **options: Any) -> Any:
        watched.sent(request.method, request.url, request.headers, request.body)
        return send(self, request, **options)

    def answers(self: Any, method: str, path: str, body: Any, headers: Mapping[str, str]) -> bytes:
        url = f"{self._pool.scheme}://{self._pool.host}:{self._pool.port}{self._path}{path}"
        watched.sent(method, url, {**headers, "authorization": self.authorization()}, body)
        return answered(self, method, path, body, headers)

    monkeypatch.setattr(Timed, "send", sends)
    monkeypatch.setattr(PlainRest, "_answered", answers)
    return watched


def _place(service: str, path: str) -> str:
    if service == "vault":
        return "key of the links"
    if service == "logs":
        return "rule of Sentinel's table"
    return "workspace" if "/providers/Microsoft.SecurityInsights/" in path else "subscription"


def _asked(kind: str, method: str, url: str, headers: Mapping[str, str], body: Any) -> Iterator[Asked]:
    parts = urlsplit(url)
    _, account, *rest = unquote(parts.path).split("/", 3)
    query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if kind == "table" and rest == ["$batch"]:
        text = body.decode() if isinstance(body, bytes) else str(body)
        for verb, inner, lines in _INNER.findall(text):
            named = dict(line.partition(":")[::2] for line in lines.lower().splitlines())
            yield from _asked(kind, verb, inner, {name: value.strip() for name, value in named.items()}, b"")
        return
    if kind == "table" and account == STATE_ACCOUNT:
        yield Asked(_of_rows(method, headers), f"state/tables/{rest[0].partition('(')[0]}")
    elif kind == "queue" and account == STATE_ACCOUNT and method == "POST" and rest[1:] == ["messages"]:
        # A sender's role has the first; the second, with which messages can be changed too, is enough as well.
        yield Asked((frozenset({f"{MESSAGES}/add/action"}), frozenset({f"{MESSAGES}/write"})), f"state/queues/{rest[0]}")
    elif kind == "queue" and account == STATE_ACCOUNT and method == "PUT" and rest[1:2] and rest[1].startswith("messages/"):
        yield Asked((frozenset({f"{MESSAGES}/write"}),), f"state/queues/{rest[0]}")
    elif kind == "blob" and account in (STATE_ACCOUNT, FLOW_LOG_ACCOUNT) and rest:
        on = f"state/containers/{rest[0]}" if account == STATE_ACCOUNT else "flow logs"
        yield Asked(_of_blobs(method, query, headers), on, rest[1] if len(rest) > 1 else "")
    else:
        raise Unknown(f"{method} {parts.path} of a {kind} service: say in {__name__} which operation it asks for, and on what")


def _of_rows(method: str, headers: Mapping[str, str]) -> tuple[frozenset[str], ...]:
    write = frozenset({f"{_ROWS}/write"})
    if method == "GET":
        return (frozenset({f"{_ROWS}/read"}),)
    if method == "POST":
        return (frozenset({f"{_ROWS}/add/action"}), write)
    if method == "DELETE":
        return (frozenset({f"{_ROWS}/delete"}),)
    update = f"{_ROWS}/update/action"
    if "if-match" in headers:
        return (frozenset({update}), write)
    return (write, frozenset({update, f"{_ROWS}/add/action"}))  # inserts, or writes over


def _of_blobs(method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[frozenset[str], ...]:
    if method in ("GET", "HEAD"):
        return (frozenset({f"{_BLOBS}/read"}),)
    if method != "PUT" or query:
        raise Unknown(f"{method} of a blob with {dict(query)}: say in {__name__} which operation it asks for")
    write, add = frozenset({f"{_BLOBS}/write"}), frozenset({f"{_BLOBS}/add/action"})
    return (add, write) if headers.get("if-none-match") == "*" else (write,)
