"""``make package``: build the folders of the functions, and check those for Lambda without running them.

Usage: ``python -m cdk.package [--for local|cloud|both] [--function NAME]``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cdk.packaging.assembly import FolderTooLarge, build
from cdk.packaging.distributions import DistributionMissing
from cdk.packaging.installer import InstallFailed
from cdk.packaging.static_check import problems
from cdk.packaging.targets import CLOUD, TARGETS
from lambdas.registry import FUNCTIONS, PAGE

ROOT = Path(__file__).parent.parent
_EVERY = (*FUNCTIONS, PAGE)


def main(arguments: list[str] | None = None) -> int:
    """Build what was asked for; print each folder's size. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cdk.package", description="Build the folders of the functions.")
    parser.add_argument("--for", dest="target", choices=(*TARGETS, "both"), default="both", help="this machine, Lambda, or both")
    parser.add_argument("--function", choices=[spec.name for spec in _EVERY], help="only this one")
    options = parser.parse_args(arguments)
    targets = list(TARGETS.values()) if options.target == "both" else [TARGETS[options.target]]
    functions = [spec for spec in _EVERY if options.function in (None, spec.name)]
    by_name = {spec.name: spec for spec in functions}
    found: list[str] = []
    try:
        for target in targets:
            compiled = True
            print(f"{target.name}: Python {target.version} on {target.machine}", flush=True)
            for folder in build(functions, target, ROOT):
                share = f"{folder.size_bytes / 1e6:5.1f} of {target.size_limit_bytes / 1e6:.0f} MB"
                print(f"  {folder.function:<20} {share}  {'built' if folder.fresh else 'unchanged'}", flush=True)
                compiled = compiled and folder.compiled
                if target is CLOUD:
                    found += [f"{folder.function}: {problem}" for problem in problems(folder, by_name[folder.function], target)]
            if not compiled:
                print(
                    f"  without bytecode: no python{target.version} is on the path, and node_modules has none (`make setup`). "
                    "Cold starts take some 400 ms longer.",
                    flush=True,
                )
    except (InstallFailed, DistributionMissing, FolderTooLarge) as problem:
        print(problem, file=sys.stderr)
        return 1
    if found:
        print("These would fail on Lambda:\n  " + "\n  ".join(found), file=sys.stderr)
        return 1
    if CLOUD in targets:
        print("cloud: wheels, native code, symbol versions and imports fit Lambda's python3.12 on arm64")
    return 0


if __name__ == "__main__":
    sys.exit(main())
