"""An audit record of any cloud in the words of the vocabulary."""

from __future__ import annotations

from typing import NamedTuple

from shared_model.azure_words import agent_of_azure, caller_of_azure, error_of_azure, operation_of_azure, origin_of_azure
from shared_model.events import ApiCall
from shared_model.vocabulary import Operation, agent_of, caller_of_aws, error_of, operation_of_aws, origin_of

_AZURE = "azure"


class CallWords(NamedTuple):
    """Service, verb and object of the operation; classes of error, caller, origin and agent."""

    operation: Operation
    error: str
    caller: str
    origin: str
    agent: str


def operation_of(call: ApiCall) -> Operation:
    """Service group, verb and object of a call."""
    if call.provider == _AZURE:
        return operation_of_azure(call.service, call.operation, call.created)
    return operation_of_aws(call.service, call.operation)


def words_of(call: ApiCall) -> CallWords:
    """All words of a call. Each cloud has tables of its own for the same words."""
    code = "" if call.succeeded else call.error_code
    if call.provider == _AZURE:
        return CallWords(
            operation_of(call),
            error_of_azure(code),
            caller_of_azure(call.caller_kind),
            origin_of_azure(call.source_address),
            agent_of_azure(call.user_agent),
        )
    return CallWords(
        operation_of(call),
        error_of(code),
        caller_of_aws(call.caller_kind, call.principal.id),
        origin_of(call.source_address),
        agent_of(call.user_agent),
    )
