"""The long run: ``python -m infra_tests.response.histories --drawn 100000 --out docs/histories.md``."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path

import pytest

from infra_tests.response.histories.history import Fails, drawn, written
from infra_tests.response.histories.mutations import MUTATIONS
from infra_tests.response.histories.playing import Figures, failing, smallest
from infra_tests.response.histories.sweeps import crashes, interruptions, net


def main() -> int:
    """Play, print what fails, and write the figures into the page. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--drawn", type=int, default=100_000, help="how many seeds")
    parser.add_argument("--out", type=Path, help="page whose figures are replaced")
    options = parser.parse_args()
    figures, started = Figures(), time.process_time()
    failed = 0
    for name, histories in (
        ("drawn", map(drawn, range(options.first, options.first + options.drawn))),
        ("crashes", crashes()),
        ("interruptions", interruptions()),
    ):
        before = figures.histories
        for history, error in failing(histories, figures):
            failed += 1
            print(f"{error}\n{written(smallest(history))}\n", flush=True)
        print(f"{name}: {figures.histories - before} histories kept every invariant", flush=True)
    seconds = time.process_time() - started
    caught = [(mutation.__name__, _caught(mutation)) for mutation in MUTATIONS]
    for name, after in caught:
        print(f"{name}: {'NOT CAUGHT' if after is None else f'caught by history {after}'}", flush=True)
    if options.out is not None:
        _write(options.out, _page(figures, failed, seconds, options.first, options.drawn, caught))
    return 1 if failed or any(after is None for _, after in caught) else 0


def _caught(mutation: object) -> int | None:
    """Return how many histories it took to see that something is missing."""
    with pytest.MonkeyPatch.context() as patch:
        mutation(patch)  # type: ignore[operator]
        figures = Figures()
        found = next(failing(net(), figures), None)
    return None if found is None else figures.histories + 1


def _page(
    figures: Figures, failed: int, seconds: float, first: int, number: int, caught: list[tuple[str, int | None]]
) -> list[str]:
    steps = ", ".join(f"{step} {count:,}" for step, count in sorted(figures.entries.items(), key=lambda each: -each[1]))
    faults = {fails: sum(count for (_, met), count in figures.calls.items() if met is fails) for fails in Fails}
    return [
        "| what | figure |",
        "|---|---|",
        f"| seeds | {first:,} to {first + number - 1:,} |",
        f"| histories (seeds and sweeps) | {figures.histories:,} |",
        f"| that broke an invariant | {failed} |",
        f"| moments | {figures.moments:,} |",
        f"| calls that could fail | {sum(figures.calls.values()):,} |",
        *(f"| {fails} | {count:,} |" for fails, count in faults.items()),
        f"| changes of the cloud | {figures.writes:,} |",
        f"| journal entries | {steps} |",
        f"| processor time | {seconds:,.0f} s on one core ({platform.machine()}, Python {platform.python_version()}) |",
        "",
        "| taken away or turned round | seen after so many histories |",
        "|---|---|",
        *(f"| `{name}` | {'never' if after is None else f'{after:,}'} |" for name, after in caught),
    ]


def _write(page: Path, lines: list[str]) -> None:
    text = page.read_text()
    begin, end = "<!-- figures -->\n", "<!-- end of figures -->"
    before, _, rest = text.partition(begin)
    page.write_text(before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2])


if __name__ == "__main__":
    sys.exit(main())
