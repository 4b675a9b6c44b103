"""publish.sh against an ``az`` that says what the real one does while a right is not in force yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from azure_infra.__main__ import FOLDER

_FORBIDDEN = (
    "Failed to upload because Azure Storage responded with Forbidden : 403 (This request is not authorized to perform this "
    "operation.)"
)
#: ``az`` by its first words. Uploads are counted; those up to ``$REFUSED`` are answered with ``$SAYS``.
_AZ = """#!/bin/sh
case "$1 $2 $3" in
"functionapp list "*) [ -n "${NOBODY-}" ] || printf 'breakwater-detect-x\\nbreakwater-contain-x\\n' ;;
"functionapp function list") case "$*" in *detect*) echo "${RUNS:-0}" ;; *) echo 0 ;; esac ;;
"functionapp deployment source")
    echo "$*" >>"$UPLOADS"
    if [ "$(wc -l <"$UPLOADS")" -le "$REFUSED" ]; then echo "$SAYS" >&2; exit 1; fi ;;
esac
"""


def _publish(
    folder: Path, *arguments: str, refused: int = 0, says: str = _FORBIDDEN, **more: str
) -> tuple[subprocess.CompletedProcess[str], list[str], int]:
    sleeps = folder / "sleeps"
    for name, script in (("az", _AZ), ("sleep", f"#!/bin/sh\necho >>{sleeps}\n")):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    package, uploads = folder / "cloud.zip", folder / "uploads"
    package.touch()
    given = {"UPLOADS": str(uploads), "REFUSED": str(refused), "SAYS": says, "PATH": f"{folder}:/usr/bin:/bin", **more}
    done = subprocess.run(
        ["sh", FOLDER / "publish.sh", *arguments, "breakwater", package],
        env=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = uploads.read_text().splitlines() if uploads.exists() else []
    return done, lines, len(sleeps.read_text().splitlines()) if sleeps.exists() else 0


def test_each_app_gets_the_package_and_nothing_is_built_on_the_other_side(tmp_path: Path) -> None:
    done, uploads, waits = _publish(tmp_path)
    assert (done.returncode, waits) == (0, 0), done.stderr
    assert [line.split("--name ")[1].split()[0] for line in uploads] == ["breakwater-detect-x", "breakwater-contain-x"]
    assert all("--build-remote false" in line and f"--src {tmp_path}/cloud.zip" in line for line in uploads)


def test_a_right_that_is_not_in_force_yet_is_waited_for_and_each_try_is_told(tmp_path: Path) -> None:
    done, uploads, waits = _publish(tmp_path, refused=3)
    assert (done.returncode, len(uploads), waits) == (0, 5, 3), done.stderr
    assert [line for line in done.stdout.splitlines() if "not write its own storage yet" in line][-1].count("try 3 of 60") == 1
    assert done.stdout.splitlines()[-1] == "breakwater-contain-x has the package."


@pytest.mark.parametrize(
    "says",
    [
        "(AuthorizationFailed) The client has no authorization to perform action Microsoft.Web/sites/publish/action: 403",
        "The package is too large",
    ],
)
def test_what_waiting_does_not_help_is_told_at_once(tmp_path: Path, says: str) -> None:
    done, uploads, waits = _publish(tmp_path, refused=99, says=says)
    assert (done.returncode, len(uploads), waits) == (1, 1, 0)
    assert says in done.stderr
    assert "breakwater-detect-x does not have the package" in done.stderr


@pytest.mark.parametrize(
    "says",
    [
        "Deployment was successful but the app appears to be unhealthy. Please check the app logs.",
        "Failed to fetch host key to check for function app status",
    ],
)
def test_what_az_asks_the_app_afterwards_takes_no_package_away(tmp_path: Path, says: str) -> None:
    """It asks as nobody whom Entra knows: 401 of an app whose addresses let in whoever deploys."""
    done, uploads, waits = _publish(tmp_path, refused=1, says=says)
    assert (done.returncode, len(uploads), waits) == (0, 2, 0), done.stderr
    assert done.stdout.startswith("breakwater-detect-x has the package (az saw no healthy host")


def test_az_goes_to_the_subscription_that_azd_names(tmp_path: Path) -> None:
    done, uploads, _ = _publish(tmp_path, AZURE_SUBSCRIPTION_ID="11111111-0000-4000-8000-000000000000")
    assert done.returncode == 0, done.stderr
    assert all(line.endswith("--subscription 11111111-0000-4000-8000-000000000000") for line in uploads)


def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    done, uploads, waits = _publish(tmp_path, refused=999)
    assert (done.returncode, len(uploads), waits) == (1, 60, 59)
    assert "after 15 minutes" in done.stderr
    assert _FORBIDDEN in done.stderr


def test_the_hook_leaves_apps_alone_that_run_a_package(tmp_path: Path) -> None:
    done, uploads, _ = _publish(tmp_path, "--first", RUNS="7")
    assert done.returncode == 0, done.stderr
    assert len(uploads) == 1
    assert "breakwater-contain-x" in uploads[0]
    assert "breakwater-detect-x runs a package already." in done.stdout


def test_without_apps_it_says_what_to_do_first(tmp_path: Path) -> None:
    done, uploads, _ = _publish(tmp_path, NOBODY="yes")
    assert (done.returncode, uploads) == (1, [])
    assert "deploy azure_infra/main.bicep first" in done.stderr


def test_a_package_of_1980_is_packed_whole_west_of_greenwich_too(tmp_path: Path) -> None:
    """As the deploy folder is built: every file has the first time that a zip knows. Python packs it, which is there."""
    script, cloud = tmp_path / "azure_infra" / "publish.sh", tmp_path / "build" / "azure" / "cloud"
    script.parent.mkdir()
    shutil.copy(FOLDER / "publish.sh", script)
    for name in ("function_app.py", ".python_packages/lib/numpy.py"):
        file = cloud / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        os.utime(file, (315_532_800, 315_532_800))
    az = tmp_path / "az"
    az.write_text(_AZ)
    az.chmod(0o755)
    given = {"UPLOADS": str(tmp_path / "uploads"), "REFUSED": "0", "SAYS": "", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", script, "breakwater"], env={**given, "TZ": "America/New_York"}, check=True, timeout=60)
    with zipfile.ZipFile(cloud.parent / "cloud.zip") as package:
        held = {name: package.read(name).decode() for name in package.namelist() if not name.endswith("/")}
    assert held == {name: name for name in ("function_app.py", ".python_packages/lib/numpy.py")}
