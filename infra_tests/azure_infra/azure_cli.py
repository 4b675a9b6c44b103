"""The real Azure CLI, signed in to the embedded Azure, and what docs/deploy-azure.md tells its user to type."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra_tests.azure_infra.conftest import FOLDER
from offline.azure.services import Services

ROOT = FOLDER.parent
AZ = ROOT / ".venv-az" / "bin" / "az"
GUIDE = (ROOT / "docs" / "deploy-azure.md").read_text(encoding="utf-8")


def commands_of_the_guide(begin: str) -> str:
    """The block of commands that has a line which begins so."""
    blocks = [block for block in GUIDE.split("\n\n") if block.startswith("    ")]
    (found,) = [block for block in blocks if any(line.strip().startswith(begin) for line in block.splitlines())]
    return "\n".join(line.removeprefix("    ") for line in found.splitlines())


def line_of_the_guide(begin: str) -> str:
    """The one command of the guide that begins so."""
    (line,) = [line.strip() for line in GUIDE.splitlines() if line.startswith("    ") and line.strip().startswith(begin)]
    return line


class Az:
    """``az`` as somebody who deploys has it: a folder of settings, a cloud, a sign-in.

    Parameters
    ----------
    services
        The embedded Azure. Nothing else can be reached.
    folder
        Its settings.
    hurried
        Whether it, and the scripts that call it, wait only for a moment where they would wait for Azure.
    """

    def __init__(self, services: Services, folder: Path, *, hurried: bool = False) -> None:
        deployer = services.identity.assign("whoever deploys")
        self.principal = deployer.object_id
        # What it compiles of itself is kept: it is started anew for each command.
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "TMPDIR")}
        self.environment = {
            **kept,
            "HOME": str(folder),
            "PATH": f"{AZ.parent}:/usr/local/bin:/usr/bin:/bin",
            "AZURE_CONFIG_DIR": str(folder / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "0",
            "AZURE_CORE_NO_COLOR": "1",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
            **services.environment,
        }
        if hurried:
            self._hurry(folder / "hurried")
        endpoints = {
            "resourceManager": services.arm.url,
            "management": services.arm.url,
            "activeDirectory": "https://127.0.0.1:9",
            "activeDirectoryResourceId": services.arm.audiences[0],
            "microsoftGraphResourceId": services.graph.url,
            "appServiceResourceId": services.publishing.audiences[0],
        }
        cloud = {"endpoints": endpoints, "suffixes": {"storageEndpoint": "core.windows.net"}}
        self.sh(
            f"az cloud register -n embedded --skip-endpoint-discovery --cloud-config '{json.dumps(cloud)}'\n"
            "az cloud set -n embedded --only-show-errors\n"
            f"az login --identity --client-id {deployer.client_id} -o none"
        )

    def __call__(self, *arguments: str) -> Any:
        """What a command answers."""
        said = self.tried(*arguments)
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout) if said.stdout.strip() else None

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, whether it ends well or not."""
        return self._run([AZ, *arguments, "-o", "json"])

    def _hurry(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text("import time\nslept = time.sleep\ntime.sleep = lambda s: slept(min(s, 0.01))\n")
        (folder / "sleep").write_text("#!/bin/sh\n")
        (folder / "sleep").chmod(0o755)
        self.environment |= {"PYTHONPATH": str(folder), "PATH": f"{folder}:{self.environment['PATH']}"}

    def sh(self, script: str, **variables: str) -> str:
        """What a script of several commands prints."""
        done = self._run(["sh", "-euc", script], variables)
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout

    def _run(self, command: list[Any], more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.environment, **(more or {})},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
