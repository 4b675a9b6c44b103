"""Record every call where moto has worked out which service, action and resource it is, and for whom a role is assumed."""

from __future__ import annotations

from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin
from moto.sts.responses import TokenResponse

from offline.aws.calls import Call, CallLog, permitted_as, resource_of
from offline.aws.lambda_service import LambdaService
from offline.aws.repairs.seams import substitute


def repair(log: CallLog, service: LambdaService) -> None:
    """Watch moto's own authorisation step (which allows everything here); once per process."""

    def record(self: Any, iam_request_cls: type, resource: str = "*") -> None:
        access_key, name, body = str(self.access_key or ""), str(self.service_name or ""), _bytes(self.raw_body)
        if resource == "*":
            resource = resource_of(name, str(self.region), str(self.current_account), body, self.data or {})
        function = service.name_of(access_key)
        role, session = assumed.get(access_key, ("", ""))
        for action in permitted_as(name, str(self._get_action()), body):
            log.record(Call(function, access_key, name, action, resource, role, session))

    def assume_role(self: Any) -> Any:
        answer = original(self)
        made = answer.result["Credentials"]
        assumed[str(made.access_key_id)] = made.role_arn.rpartition("/")[2], made.session_name
        service.lend(str(self.access_key or ""), str(made.access_key_id))
        return answer

    # By access key. A function's own role is assumed for it by Lambda, which does not come by here.
    assumed: dict[str, tuple[str, str]] = {}
    substitute(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", record)
    original = substitute(TokenResponse, "assume_role", assume_role)


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()
