"""Firehose: the name of a delivered object when its prefix says how."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from moto.core.utils import utcnow
from moto.firehose.models import FirehoseBackend

from offline.aws.repairs.seams import substitute

_EXPRESSION = re.compile(r"!\{timestamp:([^}]*)\}")
#: Java's letters in such an expression, as far as they stand for whole parts of a time.
_LETTERS = (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"))


def repair() -> None:
    """Apply to moto in this process; once. moto writes the expression itself into the name, and a date after it."""

    def path(delivery_stream_name: str, version_id: str, prefix: str) -> str:
        if not _EXPRESSION.search(prefix):
            return str(original.__func__(delivery_stream_name, version_id, prefix))
        now = utcnow().replace(tzinfo=UTC)
        name = f"{delivery_stream_name}-{version_id}-{now:%Y-%m-%d-%H-%M-%S}-{now.timestamp():.6f}"
        return object_prefix(prefix, now) + name

    original = substitute(FirehoseBackend, "_format_s3_object_path", staticmethod(path))


def object_prefix(prefix: str, at: datetime) -> str:
    """Evaluate ``!{timestamp:...}`` in a prefix. A prefix with an expression gets no date of its own.

    https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
    """

    def evaluate(found: re.Match[str]) -> str:
        pattern = found.group(1)
        for letters, directive in _LETTERS:
            pattern = pattern.replace(letters, directive)
        return at.strftime(pattern)

    return _EXPRESSION.sub(evaluate, prefix)
