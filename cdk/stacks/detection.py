"""What looks: the detectors, and the rules that bring events to their queues."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from cdk import delivery
from cdk.functions import deployed_function, role_id
from cdk.lake import raw_prefixes
from cdk.names import sends_verdicts
from cdk.rules import API_CALLS, FINDINGS, WITH_READS, rule_to_queue
from cdk.settings import CREATE, Settings
from cdk.stacks.data import DataStack
from lambdas.registry import FUNCTIONS


class DetectionStack(Stack):
    """Detectors hold no right to change anything outside Breakwater."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, data: DataStack, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        names = data.names
        self.functions = {
            spec.name: deployed_function(self, spec, settings, data.surroundings, data.telemetry_key, data.environment_of(spec))
            for spec in FUNCTIONS
            if sends_verdicts(spec)
        }
        # Each has a role of its own, whose id SQS attests with every verdict.
        self.senders = {name: role_id(function) for name, function in self.functions.items()}
        self._deliver(data, settings)
        rule_to_queue(
            self, "findings", names, "findings", pattern=FINDINGS, description="GuardDuty's findings are triaged by Breakwater."
        )
        rule_to_queue(
            self,
            "api-calls",
            names,
            "api-calls",
            pattern=API_CALLS,
            state=WITH_READS,
            description="API calls and console sign-ins, within seconds; the trail's objects are the complete path.",
        )
        outside = {queue: (settings.lake_bucket, prefix) for queue, prefix in raw_prefixes(names).items()}
        if settings.trail_bucket:
            outside["api-calls"] = (settings.trail_bucket, settings.trail_prefix)
        for queue, (bucket, prefix) in outside.items():
            if bucket:
                self._objects_rule(data, queue, bucket, prefix)

    def _deliver(self, data: DataStack, settings: Settings) -> None:
        lake, key = data.lake_name, data.telemetry_key
        if settings.trail == CREATE:
            delivery.trail(self, data.names, lake, key)
        if settings.guardduty == CREATE:
            delivery.guardduty_detector(self)
        for number, vpc in enumerate(settings.flow_log_vpcs, 1):
            delivery.flow_log(self, data.names, number, vpc, lake)
        if settings.log_groups:
            delivery.log_delivery(self, data.names, settings.log_groups, lake, key, settings.bucket_keys)

    def _objects_rule(self, data: DataStack, queue: str, bucket: str, prefix: str) -> None:
        """Tell a queue of new objects in a bucket that is not ours, whose notifications are not ours to set."""
        objects: dict[str, Any] = {"bucket": {"name": [bucket]}}
        if prefix:
            objects["object"] = {"key": [{"prefix": prefix}]}
        rule_to_queue(
            self,
            f"{queue}-objects",
            data.names,
            queue,
            pattern={"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": objects},
            description=f"New objects in {bucket}.",
        )
