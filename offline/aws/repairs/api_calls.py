"""Record every call where moto has worked out which service, action and resource it is."""

from __future__ import annotations

from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin

from offline.aws.calls import Call, CallLog, resource_of
from offline.aws.lambda_service import LambdaService


def repair(log: CallLog, service: LambdaService) -> None:
    """Watch moto's own authorisation step (which allows everything here); once per process."""

    def record(self: Any, iam_request_cls: type, resource: str = "*") -> None:
        access_key = str(self.access_key or "")
        name = str(self.service_name or "")
        log.record(
            Call(
                function=service.name_of(access_key),
                access_key=access_key,
                service=name,
                action=str(self._get_action()),
                resource=resource
                if resource != "*"
                else resource_of(name, str(self.region), str(self.current_account), _bytes(self.raw_body), self.data or {}),
            )
        )

    ActionAuthenticatorMixin._authenticate_and_authorize_action = record


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()
