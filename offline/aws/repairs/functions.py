"""Lambda: invocations run in :class:`~offline.aws.lambda_service.LambdaService`, their output in CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.awslambda import models
from moto.core.utils import unix_time_millis
from moto.sts.models import sts_backends

from offline.aws.lambda_service import DeployedFunction, LambdaService, as_payload
from offline.aws.repairs.seams import substitute


def repair(service: LambdaService) -> None:
    """Point moto's Lambda back end at the service; once per process."""

    def init(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        original_init(self, account_id, spec, *args, **kwargs)
        # moto drops LoggingConfig: a function that was given its own log group would write elsewhere.
        self.logs_group_name = (spec.get("LoggingConfig") or {}).get("LogGroup") or self.logs_group_name

    def invoke(self: Any, event: Any = None) -> tuple[str, bool, str]:
        invocation = service.invoke(_deployed(self), as_payload(event))
        _log(self, invocation.lines)
        return invocation.payload.decode(errors="replace"), invocation.error, "\n".join(invocation.lines)[-4096:]

    original_init = substitute(models.LambdaFunction, "__init__", init)
    substitute(models.LambdaFunction, "_invoke_lambda", invoke)


def role_credentials(role_arn: str, function: str) -> Mapping[str, str]:
    """Temporary credentials of the function's role, as Lambda takes them: the session is named after the function."""
    account = role_arn.split(":")[4]
    role = sts_backends[account]["aws"].assume_role(
        region_name="us-east-1",
        role_session_name=function[:64],
        role_arn=role_arn,
        policy="",
        duration=3600,
        external_id="",
    )
    return {
        "AWS_ACCESS_KEY_ID": role.access_key_id,
        "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
        "AWS_SESSION_TOKEN": role.session_token,
    }


def _deployed(function: Any) -> DeployedFunction:
    return DeployedFunction(
        name=function.function_name,
        region=function.region,
        handler=function.handler,
        role_arn=function.role,
        code=function.code_bytes,
        environment={key: str(value) for key, value in function.environment_vars.items()},
        timeout_s=int(function.timeout),
        memory_mb=int(function.memory_size),
    )


def _log(function: Any, lines: tuple[str, ...]) -> None:
    logs, group, stream = function.logs_backend, function.logs_group_name, "embedded"
    if group not in logs.groups:  # Lambda creates a missing group as well
        logs.create_log_group(group, {})
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    now = int(unix_time_millis())
    events = [{"timestamp": now, "message": line} for line in lines if line]
    if events:
        logs.put_log_events(group, stream, events)
