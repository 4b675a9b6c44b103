"""Microsoft's Bicep types, as its own server says them over a pipe: ``azmcp`` of the npm packages ``@azure/mcp-…`` carries them.

They are generated from the public API specifications, and are what the Bicep compiler checks against. Each type is said in the
latest version that the package has.
"""

from __future__ import annotations

import json
import platform
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_TOOL = "bicepschema_get"
_ENVIRONMENT = {
    # With all three it opens no socket to anybody, not even to ask for the machine's own identity.
    "AZURE_MCP_COLLECT_TELEMETRY": "false",
    "AZURE_MCP_COLLECT_TELEMETRY_MICROSOFT": "false",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED": "true",
    # Else .NET wants libicu, which a bare Debian has not.
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
}
_PROTOCOL = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "breakwater", "version": "1"}}
#: It answers in seconds; what hangs is ended.
_PATIENCE_S = 300.0

Definitions = list[dict[str, Any]]


class NoCommand(Exception):
    """Microsoft builds none for this kind of machine."""


def command() -> Path:
    """Where ``npm ci`` puts the one for this machine.

    Raises
    ------
    NoCommand
    """
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"@azure/mcp-{platform.system().lower()}-{machine}"
    if package not in json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["optionalDependencies"]:
        raise NoCommand(f"there is no {package}")
    return ROOT / "node_modules" / package / "dist" / "azmcp"


def definitions(kinds: Iterable[str]) -> dict[str, Definitions | None]:
    """What it says of resource types: each with the types that it is made of, or None where it has none.

    Raises
    ------
    NoCommand
    """
    arguments = [str(command()), "server", "start", "--mode", "all", "--namespace", "bicepschema"]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=said, env=_ENVIRONMENT, text=True) as server,
    ):
        watch = threading.Timer(_PATIENCE_S, server.kill)
        watch.start()
        try:
            return _asked(server, sorted(set(kinds)))
        except (EOFError, BrokenPipeError) as error:
            said.seek(0)
            raise EOFError(f"{error}; it said: {said.read()[:2000]}") from error
        finally:
            watch.cancel()
            server.kill()


def _asked(server: subprocess.Popen[str], kinds: list[str]) -> dict[str, Definitions | None]:
    _ask(server, 0, "initialize", _PROTOCOL)
    _send(server, method="notifications/initialized")
    # One after another: of several at once each reads the index of all types for itself.
    return {
        kind: _definitions(_ask(server, number, "tools/call", {"name": _TOOL, "arguments": {"resource-type": kind}}))
        for number, kind in enumerate(kinds, 1)
    }


def _ask(server: subprocess.Popen[str], number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    _send(server, id=number, method=method, params=params)
    assert server.stdout
    for line in server.stdout:
        # Between the answers are lines of a library that looks for a screen.
        if line.startswith("{") and (message := json.loads(line)).get("id") == number:
            result: dict[str, Any] = message["result"]
            return result
    raise EOFError(f"azmcp ended without an answer to {method} {params}")


def _send(server: subprocess.Popen[str], **message: Any) -> None:
    assert server.stdin
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    server.stdin.flush()


def _definitions(result: dict[str, Any]) -> Definitions | None:
    answer = json.loads(result["content"][0]["text"])
    found: Definitions | None = answer["results"]["BicepSchemaResult"] if answer["status"] == 200 else None
    return found
