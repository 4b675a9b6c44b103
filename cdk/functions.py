"""A function as it is deployed: its folder, its role, its log group, and the queue that feeds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.explanations import RUNTIME, acknowledge
from cdk.identities import Surroundings, function_role
from cdk.names import Names, pascal
from cdk.packaging.targets import TARGETS
from cdk.settings import Settings
from lambdas.registry import FunctionSpec
from lambdas.settings import PREFIX

ROOT = Path(__file__).parent.parent
_ARCHITECTURES = {"aarch64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


class FolderMissing(Exception):
    """A function's folder was not built. Names the command that builds it."""


def deployed_function(
    scope: Construct,
    spec: FunctionSpec,
    settings: Settings,
    around: Surroundings,
    key: kms.IKey,
    environment: Mapping[str, str],
) -> lambda_.Function:
    """Make the function and, where a queue feeds it, its event source mapping.

    Raises
    ------
    FolderMissing
    """
    names = around.names
    target = TARGETS[settings.packages]
    folder = ROOT / "build" / target.name / spec.name
    if not folder.is_dir():
        raise FolderMissing(f"{folder.relative_to(ROOT)} is not there: run `python -m cdk.package --for {target.name}` first")
    function = lambda_.Function(
        scope,
        pascal(spec.name),
        function_name=names.resource(spec.name),
        description=f"Breakwater: {spec.name.replace('_', ' ')}.",
        # The embedded AWS runs the folder in this machine's interpreter, whatever is said here.
        runtime=lambda_.Runtime.PYTHON_3_12,
        architecture=_ARCHITECTURES[target.machine],
        handler=spec.handler,
        code=lambda_.Code.from_asset(str(folder)),
        role=function_role(scope, spec, around),
        memory_size=spec.memory_mb,
        timeout=Duration.seconds(spec.timeout_s),
        environment={PREFIX + name.upper(): value for name, value in environment.items()},
        environment_encryption=key,
        log_group=_log_group(scope, spec, names, settings, key),
    )
    acknowledge(function, "AwsSolutions-L1", RUNTIME)
    CfnOutput(scope, f"{pascal(spec.name)}FunctionName", value=function.function_name)
    if not spec.queue:
        return function
    lambda_.CfnEventSourceMapping(
        scope,
        f"{pascal(spec.name)}Source",
        event_source_arn=names.queue_arn(spec.queue, fifo=spec.fifo),
        function_name=function.function_name,
        batch_size=spec.batch_size,
        maximum_batching_window_in_seconds=None if spec.fifo else spec.batch_window_s,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=settings.respond_concurrency)
        if spec.fifo
        else None,
    )
    return function


def role_id(function: lambda_.Function) -> str:
    """IAM's id of a function's role (``AROA…``)."""
    return cast(iam.Role, function.role).role_id


def _log_group(scope: Construct, spec: FunctionSpec, names: Names, settings: Settings, key: kms.IKey) -> logs.LogGroup:
    group = logs.LogGroup(
        scope,
        f"{pascal(spec.name)}Logs",
        log_group_name=f"/aws/lambda/{names.resource(spec.name)}",
        encryption_key=key,
        removal_policy=RemovalPolicy.DESTROY,
    )
    cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = settings.log_days
    return group
