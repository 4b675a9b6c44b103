"""What the deployment left out, with reasons; and that the deployed whole listens on the loopback interface only."""

from __future__ import annotations

import json

import pytest

from console.aws.stack import Deployment
from console.deployment import Health
from lambdas.registry import FUNCTIONS
from offline import processes
from offline.aws.embedded import EmbeddedAws
from offline.aws.skipped import REASONS, ResourcesMissing, check
from offline.journal import OperatorClients

pytestmark = pytest.mark.e2e


def test_every_function_is_there_and_fed_by_its_queue(aws: EmbeddedAws) -> None:
    fed = {(mapping.function_name, mapping.queue_name, mapping.batch_size) for mapping in aws.mappings()}
    assert fed == {
        (f"breakwater-{spec.name.replace('_', '-')}", f"breakwater-{spec.queue}{'.fifo' * spec.fifo}", spec.batch_size)
        for spec in FUNCTIONS
    }
    assert all(mapping.reports_failures for mapping in aws.mappings())


def test_the_doctor_finds_what_was_deployed_under_the_names_that_it_looks_for(aws: EmbeddedAws) -> None:
    signs = [*Deployment("breakwater", OperatorClients(aws)).signs(0)]
    bad = [sign.what for sign in signs if sign.health is Health.BAD]
    # moto makes no alarms; other tests leave dead letters.
    assert [what for what in bad if "alarms" not in what and "dead letters in" not in what] == []
    assert f"{len(FUNCTIONS)} of {len(FUNCTIONS)} functions take from their queues" in [sign.what for sign in signs]
    assert any(sign.what.startswith("policy of ") and sign.health is Health.GOOD for sign in signs)


def test_what_was_left_out_has_a_reason(aws: EmbeddedAws) -> None:
    assert aws.skipped
    assert all(each.reason for each in aws.skipped)


def test_an_unknown_type_that_is_left_out_fails(bare_aws: EmbeddedAws) -> None:
    cloudformation = bare_aws.client("cloudformation")
    template = {"Resources": {"Pipe": {"Type": "AWS::Pipes::Pipe", "Properties": {}}, "Queue": {"Type": "AWS::SQS::Queue"}}}
    cloudformation.create_stack(StackName="left-out", TemplateBody=json.dumps(template))
    try:
        with pytest.raises(ResourcesMissing, match="AWS::Pipes::Pipe Pipe in left-out"):
            check(cloudformation)
    finally:
        cloudformation.delete_stack(StackName="left-out")


def test_the_list_of_reasons_names_nothing_that_is_made(aws: EmbeddedAws) -> None:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    made = {
        resource["ResourceType"]
        for stack in ("BreakwaterData", "BreakwaterDetection", "BreakwaterResponse")
        for page in pages.paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
    }
    assert not made & REASONS.keys()


def test_all_of_it_listens_on_loopback_only(aws: EmbeddedAws) -> None:
    addresses = processes.listening_addresses(aws.pids())
    assert addresses
    assert {address for address, _ in addresses} == {"127.0.0.1"}
