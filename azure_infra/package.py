"""``make package-azure``: build the Function app's deploy folder, and check that for the cloud without running it.

Usage: ``python -m azure_infra.package [--for local|cloud|both]``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from azure_infra.packaging.check import problems
from azure_infra.packaging.folder import DeployFolderTooLarge, build
from azure_infra.packaging.targets import CLOUD, SIZE_LIMIT_BYTES, TARGETS
from cdk.packaging.distributions import DistributionMissing
from cdk.packaging.installer import InstallFailed

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Build what was asked for; print each folder's size. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m azure_infra.package", description="Build the Function app's deploy folder.")
    parser.add_argument("--for", dest="target", choices=(*TARGETS, "both"), default="both", help="this machine, Azure, or both")
    options = parser.parse_args(arguments)
    found: list[str] = []
    try:
        for target in list(TARGETS.values()) if options.target == "both" else [TARGETS[options.target]]:
            folder = build(target, ROOT)
            share = f"{folder.size_bytes / 1e6:5.1f} of {SIZE_LIMIT_BYTES / 1e6:.0f} MB"
            state = "built" if folder.fresh else "unchanged"
            print(f"{folder.path.relative_to(ROOT)}: Python {target.version} on {target.machine}, {share}, {state}", flush=True)
            if not folder.compiled:
                print(f"  without bytecode: this machine has no Python {target.version}, so it starts more slowly")
            if target is CLOUD:
                found = problems(folder)
    except (InstallFailed, DistributionMissing, DeployFolderTooLarge) as problem:
        print(problem, file=sys.stderr)
        return 1
    if found:
        print("These would fail on Azure:\n  " + "\n  ".join(found), file=sys.stderr)
        return 1
    if options.target != "local":
        print("cloud: wheels, native code, symbol versions and imports fit Flex Consumption's Python 3.13 on x86-64")
    return 0


if __name__ == "__main__":
    sys.exit(main())
