"""``breakwater journal verify`` and ``journal export``: for the auditor. They know no cloud, and change nothing."""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from console.deployment import Deployment, NotPossible, Print
from response.anchors import as_copy, is_anchors
from response.audit import Copy, NotACopy, Report, read_copies, verify
from response.case_audit import CaseReport, verify_case
from response.cases import is_case
from response.remediation import is_remediation, of_entry


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """Add both commands; return where they stand."""
    parser = commands.add_parser("journal", help="verify the journal, or write it out")
    group = parser.add_subparsers(required=True, metavar="command")
    check = group.add_parser("verify", help="say whether anything was altered, is missing or was put in; 1 where it was")
    check.add_argument("case", nargs="?", default="", help="id of a case: say it of that one, entry by entry")
    check.add_argument(
        "--copies",
        type=Path,
        nargs="+",
        default=[],
        help="copies of anchors from outside: files or folders of the lake (journal-anchors/), or lines of the function's log",
    )
    check.set_defaults(run=run_verify)
    out = group.add_parser("export", help="print every entry as one line of OCSF 1.5.0")
    out.add_argument("--anchors", action="store_true", help="print the anchors instead, to be kept elsewhere for --copies")
    out.set_defaults(run=run_export)
    return group


def run_verify(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print what is wrong, and how much was looked at."""
    try:
        copies = [copy for path in options.copies for file in _files(path) for copy in _copies(file)]
    except OSError as error:
        raise NotPossible(f"cannot read {error.filename}: {error.strerror or error}") from error
    if options.copies and not copies:
        raise NotPossible("there is no copy of an anchor there: docs/audit.md says where they lie")
    if options.case:
        return _verify_case(where, options.case, copies, out)
    report = verify(where.journal, [*where.streams()], now_ms=time.time_ns() // 1_000_000, copies=copies)
    for problem in report.problems:
        out(str(problem))
    for line in _summary(report):
        out(line)
    out(f"NOT AS IT WAS WRITTEN: {len(report.problems)} findings" if report.problems else "nothing altered, missing or put in")
    out(f"({where.where})")
    return 1 if report.problems else 0


def _verify_case(where: Deployment, case: str, copies: Sequence[Copy], out: Print) -> int:
    """Print each entry of a case with what vouches for it, then its streams, then what is wrong."""
    if not is_case(case):
        raise NotPossible(
            f"{case} is no id of a case: breakwater cases --all lists them, and show ID names that of a containment"
        )
    report = verify_case(where.journal, [*where.streams()], case, now_ms=time.time_ns() // 1_000_000, copies=copies)
    for line in _of_case(report):
        out(line)
    if not report.entries:
        out(f"the journal has no case {case}; breakwater cases --all lists them")
    elif report.problems:
        out(f"{case} IS NOT AS IT WAS WRITTEN: {len(report.problems)} findings")
    else:
        out(f"{case}: nothing altered, missing or put in")
    if report.elsewhere:
        out(f"{len(report.elsewhere)} entries of other streams are missing or altered, perhaps of this case too: nobody can say")
    out(f"({where.where})")
    return 0 if report.entries and not report.problems and not report.elsewhere else 1


def _of_case(report: CaseReport) -> Iterator[str]:
    accused = {(each.stream, each.sequence): str(each.fault) for each in report.problems}
    for each in report.entries:
        entry = each.entry
        how = accused.get((entry.stream, entry.sequence), "held" if each.anchor else "not yet")
        by = f"  {each.anchor}" if each.anchor else ""
        yield f"{_time(entry.time_ms)}  {how:<10}  {entry.stream}/{entry.sequence}  {entry.step}  by {entry.actor}{by}"
    for part in report.parts:
        held = f"anchors hold it up to {part.held}" if part.held else "no anchor holds it yet"
        yield f"{part.stream}: {part.of_case} of {part.entries} entries are of this case, {held}"
    for problem in (*report.problems, *report.elsewhere):
        yield str(problem)


def run_export(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print the journal, oldest first within each stream."""
    for name in sorted({*where.streams()}):
        for entry in where.journal.stream(name):
            if options.anchors and is_anchors(name):
                out(json.dumps(as_copy(entry), sort_keys=True))
            elif not options.anchors and is_remediation(entry):
                out(json.dumps(of_entry(entry), sort_keys=True))
    return 0


def _summary(report: Report) -> Iterator[str]:
    before = f", {report.unchained} of them from before there was a chain" if report.unchained else ""
    yield f"{report.entries} entries in {report.streams} streams{before}"
    last = ""
    if report.last_anchor_ms is not None:
        last = f", the last of {_time(report.last_anchor_ms)}"
    since = f"; {report.since} entries since then, which only the next one will hold" if report.since else ""
    yield f"{report.anchors} anchors{last}{since}"
    yield f"{report.copies} copies of anchors from outside" if report.copies else "no copies of anchors from outside were given"


def _files(path: Path) -> Sequence[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def _copies(file: Path) -> Iterator[Copy]:
    data = file.read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        yield from read_copies(text.splitlines())
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        said = error if isinstance(error, NotACopy) else f"no text, or cut off: {error}"
        raise NotPossible(f"{file}: {said}") from error


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
