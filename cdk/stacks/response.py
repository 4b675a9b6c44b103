"""What acts: the responder, and the expiry that undoes."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from cdk.functions import deployed_function
from cdk.names import sends_verdicts
from cdk.rules import rule_to_queue
from cdk.settings import Settings
from cdk.stacks.data import DataStack
from lambdas.registry import FUNCTIONS


class ResponseStack(Stack):
    """The only identities that change anything: one contains, another undoes."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, data: DataStack, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        self.functions = {
            spec.name: deployed_function(self, spec, settings, data.surroundings, data.telemetry_key, data.environment_of(spec))
            for spec in FUNCTIONS
            if not sends_verdicts(spec)
        }
        rule_to_queue(
            self,
            "expire",
            data.names,
            "containments",
            schedule="rate(5 minutes)",
            message='{"expire": true}',
            description="Containments whose time is over are asked about or undone.",
        )
