"""Brings what a SageMaker job left in S3."""

from __future__ import annotations

from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from training.promotion.refusal import Refused

_RESULT = "output/model.tar.gz"
_MOST_BYTES = 20 * 1024 * 1024


def download(uri: str, target: Path) -> Path:
    """Download ``s3://BUCKET/…/JOB`` (or the model.tar.gz in it) to the target and return it. Raises Refused."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not key.endswith(".tar.gz"):
        key = f"{key.rstrip('/')}/{_RESULT}"
    client = boto3.client("s3")
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > _MOST_BYTES:
            raise Refused(f"s3://{bucket}/{key} has {answer['ContentLength']:,} bytes: that is no result of a training job")
        target.write_bytes(answer["Body"].read())
    except (BotoCoreError, ClientError) as error:
        raise Refused(f"s3://{bucket}/{key} could not be brought ({error}): has the job completed?") from error
    return target
