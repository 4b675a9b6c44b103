"""A log message's kind: its text with the variable parts masked.

Templates are mined once (:mod:`shared_model.template_mining`) and shipped; at serving time a message is matched against
them and nothing is learnt, so the same message always gives the same template. A message that none fits is masked by rule.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drain3.drain import Drain

CATALOGUE = Path(__file__).parent / "templates" / "system_logs.json"
#: Depth of the parse tree and similarity of the miner: part of the catalogue, since matching must walk the same tree.
DEPTH, SIMILARITY = 5, 0.5
VARIABLE = "<*>"
_LENGTH = 160

# Order matters: an address before its numbers.
_MASKS = tuple(
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"COMMAND=.*|(?<=CMD \().*(?=\))", "<COMMAND>"),
        (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:\w{3} +\d+|\d+ +\w{3})\b", "<DATE>"),
        (r"\b\d\d:\d\d:\d\d\b(?!:)", "<TIME>"),
        (r"(?<=user=)\S+|(?<=^\()[^)\s]+(?=\) [A-Z])|^[\w.-]+(?= : )|(?<=')[^']+(?=')|(?<=PWD=)\S+", "<*>"),
        (r"(?:(?<=[\s=(\[])|^)(?:[A-Za-z0-9_@-]+\.)+[A-Za-z]{2,}(?=[\s)\],:]|$)", "<HOST>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "<IP>"),
        (r"(?<![\w:.])(?=[0-9a-fA-F:]*(?:::|(?:[0-9a-fA-F]+:){4}))[0-9a-fA-F:]*[0-9a-fA-F](?![\w:])", "<IP>"),
        (r"\b(?:0x)?[0-9a-fA-F]{8,}\b", "<HEX>"),
        (r"\d+", "<NUM>"),
    )
)


def mask(message: str) -> str:
    """Replace what differs from message to message: commands, dates, accounts, hosts, addresses, ids, numbers. Cut the text."""
    for pattern, name in _MASKS:
        message = pattern.sub(name, message)
    return message[:_LENGTH].strip()


@lru_cache(maxsize=16384)
def template_of(message: str) -> str:
    """Template of a message: the catalogue's where one fits, else the masked message itself."""
    return _match(mask(message))


@lru_cache(maxsize=4096)
def _match(masked: str) -> str:
    if not masked:
        return ""
    cluster = _catalogue().match(masked)
    return str(cluster.get_template()) if cluster else masked


@lru_cache(maxsize=1)
def _catalogue() -> Drain:
    return build_tree(json.loads(CATALOGUE.read_text(encoding="utf-8"))["templates"])


def new_tree() -> Drain:
    """Make an empty parse tree with the catalogue's parameters."""
    # Imported here: only functions that read system logs carry drain3.
    from drain3.drain import Drain

    return Drain(depth=DEPTH, sim_th=SIMILARITY, param_str=VARIABLE, parametrize_numeric_tokens=True)


def build_tree(templates: list[str]) -> Drain:
    """Parse tree that holds exactly these templates."""
    from drain3.drain import LogCluster

    tree: Any = new_tree()
    for number, template in enumerate(templates, 1):
        cluster = LogCluster(template.split(), number)
        tree.id_to_cluster[number] = cluster
        tree.add_seq_to_prefix_tree(tree.root_node, cluster)
        tree.clusters_counter = number
    return tree
