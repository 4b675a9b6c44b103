"""``make benchmark``: every benchmark, one after the other. Each also runs alone: ``python -m benchmarks.<name>``."""

from __future__ import annotations

import subprocess
import sys

_ALL = ("flow_path", "vnet_flow_path", "large_flow_blob", "function_init", "lambda_runtime", "azure_host", "cost")


def main() -> int:
    """Run each in a process of its own, so that none inherits another's memory; 1 when one failed."""
    failed = []
    for name in _ALL:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
