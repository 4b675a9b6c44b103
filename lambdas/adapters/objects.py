"""Telemetry objects in S3: what a notification names, opened as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import unquote_plus

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from shared_model.errors import UnreadableTelemetry

#: How AWS services name an account in the keys of what they deliver: plain, or as a Hive partition.
_ACCOUNT = re.compile(r"(?:^|/)(?:AWSLogs/|aws-account-id=)(\d{12})/")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object.

    Attributes
    ----------
    bucket, key, version : str
        ``version`` is the sequencer (or ETag) of this writing of the object.
    account : str
        Whose telemetry it is, for records that do not say it: what the key names, ``""`` where it names none.
    """

    bucket: str
    key: str
    version: str
    account: str = ""

    @property
    def url(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def correlation_id(self) -> str:
        """Follows the object's records to the journal: the same for every delivery of this writing."""
        return f"{self.url}#{self.version}"


def notified(document: Mapping[str, Any]) -> tuple[StoredObject, ...] | None:
    """Return the objects that an S3 notification or an EventBridge ``Object Created`` event names.

    None where the document is neither, or one of its records names no object: what is left out here would be lost. Empty for
    the test event that S3 sends when notifications are set up.
    Keys in S3's own notifications are URL-encoded, those of EventBridge are not.
    """
    if document.get("Event") == "s3:TestEvent":
        return ()
    if document.get("source") == "aws.s3":
        detail = document.get("detail")
        found = _stored(detail, encoded=False) if isinstance(detail, Mapping) else None
        return (found,) if found else None
    records = document.get("Records")
    if not isinstance(records, list) or not all(isinstance(r, Mapping) and isinstance(r.get("s3"), Mapping) for r in records):
        return None
    named = tuple(each for record in records if (each := _stored(record["s3"], encoded=True)))
    return named if named and len(named) == len(records) else None


class Objects:
    """Opens objects."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def open(self, stored: StoredObject) -> BinaryIO:
        """Return the object's bytes as a stream. Raises UnreadableTelemetry when it is gone."""
        try:
            with in_core_words(stored.url):
                body = self._clients("s3").get_object(Bucket=stored.bucket, Key=stored.key)["Body"]
        except CloudRefusal as refusal:
            if refusal.code in ("NoSuchKey", "NoSuchBucket"):
                raise UnreadableTelemetry(
                    stored.url, "the object is gone: put it back, or let the lake keep it longer"
                ) from refusal
            raise
        return cast(BinaryIO, body)


def _stored(place: Mapping[str, Any], *, encoded: bool) -> StoredObject | None:
    try:
        bucket, item = place["bucket"]["name"], place["object"]
        key, version = item["key"], str(item.get("sequencer") or item.get("eTag") or item.get("etag") or "")
    except (AttributeError, KeyError, TypeError):
        return None
    if not (isinstance(bucket, str) and bucket and isinstance(key, str) and key):
        return None
    key = unquote_plus(key) if encoded else key
    return StoredObject(bucket, key, version, next(iter(_ACCOUNT.findall(key)), ""))


def chunks(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of at most this many items: bounds memory, however large an object is."""
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
