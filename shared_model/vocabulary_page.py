"""Print ``docs/audit-vocabulary.md`` from the tables themselves: ``python -m shared_model.vocabulary_page``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from shared_model.vocabulary import (
    AGENTS,
    CALLERS,
    ERRORS,
    OBJECTS,
    ORIGINS,
    OUTCOMES,
    PROCESSES,
    SERVICES,
    VERBS,
)
from shared_model.vocabulary_aws import OBJECT_OF_SERVICE, OBJECT_WORDS, OPERATIONS, SERVICES_OF_AWS, VERB_PREFIXES
from shared_model.vocabulary_azure import SERVICES_OF_AZURE
from shared_model.vocabulary_page_azure import azure_lines
from shared_model.vocabulary_windows import EVENTS

_INTRODUCTION = """\
# The audit vocabulary

Printed by `python -m shared_model.vocabulary_page`; do not edit.

Audit records of every cloud and system logs of hosts are read into the same words, so that what the audit detector learns on one
source serves the others. What is not listed here becomes `other` (or `unknown`, `none`), never an error. Names of
principals, resources, hosts and programs are no words: a model that knew them would know who was attacked in its
training data. The user agent counts only as a coarse kind; a program that names itself is an `sdk`.

Codes are positions in these lists, are stored in entity memory and fixed in artifacts: append, never reorder.
"""


def page() -> str:
    """The whole page, Markdown."""
    return "\n".join(_lines()) + "\n"


def digest() -> str:
    """What the words meant, as 16 hex digits: a model that was trained under another digest may misread some records."""
    return hashlib.sha256(page().encode()).hexdigest()[:16]


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for name, levels in {
        "outcome": OUTCOMES,
        "error": ERRORS,
        "caller": CALLERS,
        "origin": ORIGINS,
        "agent": AGENTS,
    }.items():
        yield f"**{name}**: {_quoted(levels)}\n"
    yield "## Services\n"
    yield "| group | AWS `eventSource` (without its domain) | Azure provider (without `Microsoft.`) | programs and events |"
    yield "|---|---|---|---|"
    for group in SERVICES:
        aws = _quoted(service for service, of in SERVICES_OF_AWS.items() if of == group)
        azure = _quoted(provider for provider, of in SERVICES_OF_AZURE.items() if of == group)
        rest = "anything else" if group == "other" else ""
        yield f"| {group} | {aws or rest} | {azure or rest} | {_processes(group)} |"
    yield "\n# AWS\n\n## Verbs\n\nThe longest beginning of an `eventName` decides.\n"
    yield "| verb | beginnings |\n|---|---|"
    for verb in VERBS:
        yield f"| {verb} | {_quoted(sorted(prefix for prefix, of in VERB_PREFIXES if of == verb))} |"
    yield "\n## Objects\n\nThe first of these words that the rest of the name holds decides, in this order; else the"
    yield "service's own object.\n"
    yield "| word | object |\n|---|---|"
    for word, level in OBJECT_WORDS:
        yield f"| `{word}` | {level} |"
    unnamed = [level for level in OBJECTS if level not in {of for _, of in OBJECT_WORDS}]
    yield f"\nWithout a word of their own: {_quoted(unnamed)}.\n"
    yield "| service | object where the name says none |\n|---|---|"
    for service, level in sorted(OBJECT_OF_SERVICE.items()):
        yield f"| `{service}` | {level} |"
    yield "\n## Operations whose name misleads\n"
    yield "| operation | verb | object |\n|---|---|---|"
    for (service, operation), (verb, level) in sorted(OPERATIONS.items()):
        yield f"| `{service or '*'}:{operation}` | {verb} | {level} |"
    yield from azure_lines()


def _quoted(words: Iterable[str]) -> str:
    return " ".join(f"`{word}`" for word in words)


def _processes(group: str) -> str:
    tags = [process for process, of in PROCESSES.items() if of == group]
    events = [name for name, rule in EVENTS.items() if rule.service == group]
    named = _quoted((*tags, *events))
    return f"{named} and anything else" if group == "daemon" else named


if __name__ == "__main__":
    print(page(), end="")
