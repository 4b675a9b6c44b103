"""Mine the catalogue of log templates.

``python -m shared_model.template_mining LOG... > shared_model/templates/system_logs.json``, at training time, over logs that may
be shipped in this form. The order of messages would decide the result, so they are sorted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared_model.log_templates import DEPTH, SIMILARITY, mask, new_tree
from shared_model.parsers.fields import FieldError
from shared_model.parsers.syslog_lines import parse_syslog


def mine(messages: Iterable[str], *, at_least: int = 1) -> list[str]:
    """Mine templates.

    Parameters
    ----------
    messages : iterable of str
        Without their syslog header. Their order does not matter.
    at_least : int
        Templates of fewer messages are left out: a rare text may hold a name that should not be shipped.

    Returns
    -------
    list of str
        Sorted, without repeats.
    """
    tree: Any = new_tree()
    for masked, count in sorted(Counter(masked for message in messages if (masked := mask(message))).items()):
        for _ in range(count):
            tree.add_log_message(masked)
    return sorted({cluster.get_template() for cluster in tree.clusters if cluster.size >= at_least})


def main(arguments: list[str] | None = None) -> None:
    """Print the catalogue of the given syslog files."""
    parser = argparse.ArgumentParser(description="Mine log templates from syslog files.")
    parser.add_argument("logs", nargs="+", type=Path, help="syslog files; a line that is none is skipped and counted")
    parser.add_argument("--at-least", type=int, default=1, help="leave out templates of fewer messages")
    options = parser.parse_args(arguments)
    messages, skipped = [], 0
    for path in options.logs:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                messages.append(parse_syslog(line, now_ms=2**41).message)
            except FieldError:
                skipped += bool(line.strip())
    templates = mine(messages, at_least=options.at_least)
    json.dump({"depth": DEPTH, "similarity": SIMILARITY, "templates": templates}, sys.stdout, indent=1)
    print()
    print(f"{len(messages)} messages, {skipped} lines that are no syslog, {len(templates)} templates", file=sys.stderr)


if __name__ == "__main__":
    main()
