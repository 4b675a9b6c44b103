"""Record every call where moto has worked out which service, action and resource it is."""

from __future__ import annotations

from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin

from offline.aws.calls import Call, CallLog, permitted_as, resource_of
from offline.aws.lambda_service import LambdaService
from offline.aws.repairs.seams import substitute


def repair(log: CallLog, service: LambdaService) -> None:
    """Watch moto's own authorisation step (which allows everything here); once per process."""

    def record(self: Any, iam_request_cls: type, resource: str = "*") -> None:
        access_key, name, body = str(self.access_key or ""), str(self.service_name or ""), _bytes(self.raw_body)
        if resource == "*":
            resource = resource_of(name, str(self.region), str(self.current_account), body, self.data or {})
        for action in permitted_as(name, str(self._get_action()), body):
            log.record(Call(service.name_of(access_key), access_key, name, action, resource))

    substitute(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", record)


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()
