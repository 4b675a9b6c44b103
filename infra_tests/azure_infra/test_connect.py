"""connect.sh against an ``az`` that says what the real one does when the package was just deployed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from azure_infra.__main__ import FOLDER

#: Answers of ``az`` by its first words; the key is there from the time on that ``$KEY_AFTER`` says, and looks are counted.
_AZ = """#!/bin/sh
case "$1 $2 $3" in
"functionapp list "*) echo breakwater-detect-x ;;
"storage account list") echo /state ;;
"functionapp keys list")
    echo look >>"$LOOKS"
    if [ "$(wc -l <"$LOOKS")" -gt "$KEY_AFTER" ]; then echo "a/b+c=="; fi ;;
"deployment group create")
    for word; do case "$word" in @*) cat "${word#@}" >"$DEPLOYED" ;; esac; done ;;
esac
"""


def _connect(folder: Path, key_after: int) -> tuple[subprocess.CompletedProcess[str], int, str]:
    for name, script in (("az", _AZ), ("sleep", "#!/bin/sh\n")):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    looks, deployed = folder / "looks", folder / "deployed"
    given = {"LOOKS": str(looks), "DEPLOYED": str(deployed), "KEY_AFTER": str(key_after), "PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", FOLDER / "connect.sh", "breakwater"], env=given, capture_output=True, text=True, check=False, timeout=60
    )
    return done, len(looks.read_text().splitlines()), deployed.read_text() if deployed.exists() else ""


@pytest.mark.parametrize("key_after", [0, 3])
def test_it_waits_for_the_key_that_the_host_makes(tmp_path: Path, key_after: int) -> None:
    done, looks, deployed = _connect(tmp_path, key_after)
    assert (done.returncode, looks) == (0, key_after + 1), done.stderr
    assert "functionName={function}&code=a%2Fb%2Bc%3D%3D" in deployed
    assert "a%2Fb" not in done.stdout + done.stderr


def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    done, looks, deployed = _connect(tmp_path, 99)
    assert (done.returncode, looks, deployed) == (1, 20, "")
    assert "deploy the package first" in done.stderr
