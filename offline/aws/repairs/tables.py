"""DynamoDB: a write and its condition are one step."""

from __future__ import annotations

import threading

from moto.dynamodb.models import DynamoDBBackend

from offline.aws.repairs.seams import one_at_a_time, substitute


def repair() -> None:
    """Apply to moto in this process; once.

    Writes exclude each other. moto evaluates the condition first and writes afterwards, with nothing in between that
    holds another thread back: two could both find their condition true, and more be taken than a limit allows.
    """
    lock = threading.RLock()
    for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
        substitute(DynamoDBBackend, name, one_at_a_time(getattr(DynamoDBBackend, name), lock))
