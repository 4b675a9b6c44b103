"""Queues: one before every function, its dead letters beside it, and a policy that names who may send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.names import Names, dead_letters, pascal
from lambdas.registry import FunctionSpec

#: A message must stay invisible while its function may still work on it: six times, as Lambda's documentation asks.
VISIBILITY_FACTOR = 6
#: Deliveries before a message is a dead letter. With the delays of ``lambdas/function.py`` what fails is tried for half an hour,
#: most of them in its first minutes. Lambda asks for 5 or more: a throttled poller counts as one.
MAX_RECEIVES = 10
_KEPT = Duration.days(14)


@dataclass(frozen=True, slots=True)
class FedQueue:
    """The queue of one function, and its dead letters."""

    queue: sqs.Queue
    dead_letters: sqs.Queue
    key: kms.IKey


@dataclass(frozen=True, slots=True)
class Senders:
    """Who may send to a queue.

    Attributes
    ----------
    buckets, rules : sequence of str
        ARNs of buckets that notify it and of EventBridge rules that target it.
    principals : sequence of str
        ARNs of IAM principals.
    closed : bool
        Deny everyone else, whatever the account's IAM policies allow.
    """

    buckets: Sequence[str] = ()
    rules: Sequence[str] = ()
    principals: Sequence[str] = ()
    closed: bool = True


def fed_queue(scope: Construct, spec: FunctionSpec, names: Names, key: kms.IKey, senders: Senders) -> FedQueue:
    """Make the queue of a function with its dead letters, both encrypted under the key."""
    dead = _queue(scope, dead_letters(spec.queue), spec, names, key)
    queue = _queue(scope, spec.queue, spec, names, key, dead)
    # By name: a reference would make the two queues depend on each other.
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [names.queue_arn(spec.queue, fifo=spec.fifo)]}
    cast(sqs.CfnQueue, dead.node.default_child).redrive_allow_policy = allowed
    account: dict[str, object] = {"StringEquals": {"aws:SourceAccount": names.account}}
    for service, sources in (("s3", senders.buckets), ("events", senders.rules)):
        if not sources:
            continue
        conditions: dict[str, object] = account | {"ArnEquals": {"aws:SourceArn": list(sources)}}
        who = iam.ServicePrincipal(f"{service}.amazonaws.com")
        _add(queue, f"Send{pascal(service)}", iam.Effect.ALLOW, who, conditions)
        if service == "events":  # an event that cannot be delivered goes to the dead letters, under the same rule's name
            _add(dead, "SendUndeliverable", iam.Effect.ALLOW, who, conditions)
    if senders.closed:
        others: dict[str, object] = {}
        if sources := [*senders.buckets, *senders.rules]:
            others["ArnNotEquals"] = {"aws:SourceArn": sources}
        if senders.principals:
            others["ArnNotLike"] = {"aws:PrincipalArn": list(senders.principals)}
        _add(queue, "NobodyElseSends", iam.Effect.DENY, iam.AnyPrincipal(), others)
    return FedQueue(queue, dead, key)


def _queue(
    scope: Construct, name: str, spec: FunctionSpec, names: Names, key: kms.IKey, dead: sqs.Queue | None = None
) -> sqs.Queue:
    return sqs.Queue(
        scope,
        f"{pascal(name)}Queue",
        queue_name=names.queue(name, fifo=spec.fifo),
        fifo=spec.fifo or None,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        data_key_reuse=Duration.hours(1),
        enforce_ssl=True,
        retention_period=_KEPT,
        visibility_timeout=Duration.seconds(VISIBILITY_FACTOR * spec.timeout_s + spec.batch_window_s),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=MAX_RECEIVES) if dead else None,
        removal_policy=RemovalPolicy.DESTROY,
    )


def _add(queue: sqs.Queue, sid: str, effect: iam.Effect, who: iam.IPrincipal, conditions: Mapping[str, object]) -> None:
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            sid=sid,
            effect=effect,
            principals=[who],
            actions=["sqs:SendMessage"],
            resources=[queue.queue_arn],
            conditions=dict(conditions),
        )
    )
