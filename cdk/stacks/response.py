"""What acts: the responder, the expiry that undoes, and the roles of the groups of actions, as which they do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from constructs import Construct

from cdk.functions import deployed_function
from cdk.groups import group_role
from cdk.identities import CONTAINING
from cdk.names import sends_verdicts
from cdk.proposal_page import page_api, page_url, route_to_page
from cdk.rules import rule_to_queue
from cdk.settings import Settings
from cdk.stacks.data import DataStack
from lambdas.registry import FUNCTIONS, PAGE, Group


class ResponseStack(Stack):
    """The only identities that change anything: three contain, another undoes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        data: DataStack,
        senders: Mapping[str, str],
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        around, key = data.surroundings, data.telemetry_key
        self.page_api = page_api(self, data.names) if data.link_key else None
        links = {"link_key": around.link_key_arn, "page_url": page_url(self.page_api)} if self.page_api else {}
        attested = {"verdict_senders": ",".join(f"{name}={role}" for name, role in senders.items())}
        self.functions = {
            spec.name: deployed_function(
                self,
                spec,
                settings,
                around,
                key,
                data.environment_of(spec)
                | (links if spec.queue in CONTAINING else {})
                | (attested if spec.queue == "verdicts" else {}),
            )
            for spec in FUNCTIONS
            if not sends_verdicts(spec)
        }
        if self.page_api:
            page = deployed_function(self, PAGE, settings, around, key, data.environment_of_page() | links)
            route_to_page(self, self.page_api, page, data.names, settings, key)
            self.functions[PAGE.name] = page
        for group in Group:
            works = [self.functions[spec.name].role for spec in FUNCTIONS if group in spec.groups]
            group_role(self, group, data.surroundings, [role for role in works if role is not None])
        rule_to_queue(
            self,
            "expire",
            data.names,
            "containments",
            schedule="rate(5 minutes)",
            message='{"expire": true}',
            description="Containments whose time is over are asked about or undone.",
        )
