"""People on call in the embedded AWS: each a session of one role, as operators sign in, so that SQS knows who sent what."""

from __future__ import annotations

from typing import Any

from offline.aws.embedded import ACCOUNT, REGION, EmbeddedAws
from offline.seed import make_role

_ROLE = "on-call"


def arn_of(person: str) -> str:
    """Return the ARN under which a person works."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{_ROLE}/{person}"


def send(aws: EmbeddedAws, person: str, queue: str, body: str) -> None:
    """Put a message into a queue (its whole name) in the name of a person."""
    sqs = _signed_in(aws, person, "sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=body)


def _signed_in(aws: EmbeddedAws, person: str, service: str) -> Any:
    import boto3

    iam = aws.client("iam")
    roles = {each["RoleName"] for page in iam.get_paginator("list_roles").paginate() for each in page["Roles"]}
    if _ROLE not in roles:
        make_role(iam, _ROLE, 3600)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{_ROLE}"
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName=person)["Credentials"]
    return boto3.session.Session().client(
        service,
        region_name=REGION,
        endpoint_url=aws.endpoint.replace("localhost", "127.0.0.1"),
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
