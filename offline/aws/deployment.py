"""Deploys the real CDK app to the embedded AWS with the real CDK command line.

What does not depend on each other runs side by side, and what has not changed is not done again: function folders
(:mod:`cdk.package` sees to that), the synthesised assembly and the zips of its assets, both kept in ``build/`` under the
hash of their inputs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from offline import processes
from offline.aws.identity_provider import CLIENT, ISSUER

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
_KEPT_ASSEMBLIES = 2
_INPUTS = ("cdk/**/*.py", "lambdas/**/*.py", "response/**/*.py", "policy/*", "cdk.json", "requirements/dev.lock")
#: Settings of the deployment here: this machine's packages, one group of host logs, so that its delivery is there too, and the
#: identity provider by which people answer proposals.
HOST_LOGS = "/shop/hosts"
_SIGN_IN = ("-c", f"breakwater:page-issuer={ISSUER}", "-c", f"breakwater:page-client={CLIENT}")
_CONTEXT = ("-c", "packages=local", "-c", f"breakwater:log-groups={HOST_LOGS}", *_SIGN_IN)
_QUIET = ("--no-notices", "--no-color", "--ci")

Say = Callable[[str], None]


class DeploymentFailed(Exception):
    """A step of the deployment failed. Carries the end of its output."""


def deploy(environment: Mapping[str, str], *, account: str, region: str, scratch: Path, say: Say) -> float:
    """Package, synthesise, bootstrap and deploy; return the seconds it took.

    Parameters
    ----------
    environment : mapping
        In which AWS tools reach the embedded AWS (:meth:`offline.aws.embedded.EmbeddedAws.environment`).
    account, region : str
    scratch : Path
        An empty folder of this run.
    say : callable
        Told of every step.

    Raises
    ------
    DeploymentFailed
    """
    started = time.monotonic()
    environment = {**environment, "PATH": _path(environment), "PYTHONDONTWRITEBYTECODE": "1", "CDK_DISABLE_CLI_TELEMETRY": "true"}
    with ThreadPoolExecutor(1) as beside:
        # From a folder without cdk.json: bootstrapping needs no app, and would synthesise it.
        bootstrap = ["cdk", "bootstrap", f"aws://{account}/{region}", *_QUIET]
        bootstrapped = beside.submit(run, bootstrap, environment, scratch, say, "bootstrap")
        app = assembly(environment, say)
        bootstrapped.result()
    command = ["cdk", "deploy", "--all", "--method=direct", "--app", str(app), "--require-approval=never", "--concurrency=3"]
    run([*command, *_QUIET, "--output", str(app)], environment, ROOT, say, "deploy")
    return time.monotonic() - started


def assembly(environment: Mapping[str, str], say: Say) -> Path:
    """Folder of the synthesised app, built from the functions' local packages; made anew only when an input changed."""
    run([sys.executable, "-m", "cdk.package", "--for", "local"], environment, ROOT, say, "package")
    BUILD.mkdir(exist_ok=True)
    target = BUILD / f"assembly-{_fingerprint()}"
    with _alone(BUILD / ".assembly.lock"):
        if not target.exists():
            partial = BUILD / f".{target.name}"
            shutil.rmtree(partial, ignore_errors=True)
            command = ["cdk", "synth", "--quiet", *_CONTEXT, "--output", str(partial)]
            run([*command, *_QUIET], environment, ROOT, say, "synth")
            _reuse_zips(partial)
            partial.rename(target)
        else:
            say("synth: unchanged")
        target.touch()
        _prune(target)
    return target


def run(command: Sequence[str], environment: Mapping[str, str], cwd: Path, say: Say, step: str) -> None:
    """Run one step to its end, saying what it achieves; raise DeploymentFailed with its last lines if it fails."""
    started = time.monotonic()
    last: deque[str] = deque(maxlen=60)
    try:
        process = processes.spawn(command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise DeploymentFailed(f"{command[0]} is not there: run `make setup`") from None
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            last.append(line)
            if line.lstrip().startswith(("✅", "❌")):
                say(f"{step}: {line.strip().lstrip('✅❌ ')}")
        status = process.wait()
    finally:
        processes.end(process)
        if process.stdout:
            process.stdout.close()
    if status:
        raise DeploymentFailed(f"{step} failed (exit status {status}):\n" + "\n".join(last))
    say(f"{step}: {time.monotonic() - started:.1f} s")


def _path(environment: Mapping[str, str]) -> str:
    # The CDK's command line from node_modules; its Node, and the app's Python, from the environment that runs us.
    return os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / "node_modules" / ".bin"), environment.get("PATH", "")])


def _fingerprint() -> str:
    digest = hashlib.sha256(repr(_CONTEXT).encode())
    files = [path for pattern in _INPUTS for path in sorted(ROOT.glob(pattern)) if path.is_file()]
    for path in [*files, *sorted((BUILD / "local").glob(".*.inputs"))]:
        digest.update(f"{path.relative_to(ROOT)}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _reuse_zips(new: Path) -> None:
    """Take over zips of unchanged assets from earlier assemblies: zipping is half of a deployment."""
    (new / ".cache").mkdir()
    wanted = {path.name.removeprefix("asset.") for path in new.glob("asset.*")}
    for zipped in BUILD.glob("assembly-*/.cache/*.zip"):
        link = new / ".cache" / zipped.name
        if zipped.stem in wanted and not link.exists():
            link.hardlink_to(zipped)


def _prune(newest: Path) -> None:
    folders = sorted(BUILD.glob("assembly-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in folders[_KEPT_ASSEMBLIES:]:
        if path != newest:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
