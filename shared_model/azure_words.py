"""Azure's records in the words of the audit vocabulary: the counterpart of what :mod:`shared_model.vocabulary` does for AWS."""

from __future__ import annotations

import re
from functools import lru_cache

from shared_model.vocabulary import Operation, origin_of
from shared_model.vocabulary_azure import (
    ACTION_PREFIXES,
    AGENTS_OF_APPLICATIONS,
    CALLERS_OF_AZURE,
    DESCRIBING,
    ERROR_PATTERNS_OF_AZURE,
    OBJECT_OF_PROVIDER,
    OBJECT_OF_TYPE,
    OPERATIONS_OF_AZURE,
    SERVICES_OF_AZURE,
    SERVICES_OF_TYPES,
    VERB_OF_DELETE,
    VERB_OF_WRITE,
)
from shared_model.vocabulary_entra import ACTIVITIES_OF_ENTRA, ERRORS_OF_SIGN_IN, SIGN_INS_OF_ENTRA, VERBS_OF_ENTRA

_ENTRA = "entra"
_ERRORS = tuple((level, re.compile(pattern, re.IGNORECASE)) for level, pattern in ERROR_PATTERNS_OF_AZURE)
_APPLICATION = "appid/"
_COMMAND_LINES = ("azurecli", "azure-cli", "azurepowershell", "windowspowershell", "powershell/")
_BY_LENGTH = tuple(sorted(OPERATIONS_OF_AZURE.items(), key=lambda item: (-len(item[0][1]), item[0])))


@lru_cache(maxsize=8192)
def operation_of_azure(service: str, operation: str, created: bool | None = None) -> Operation:
    """Classify a resource provider with the rest of the operation (lower case), or ``entra`` with an activity.

    ``created`` is whether a write made something new; a write of which that is not known counts as one that did.

    Examples
    --------
    >>> operation_of_azure("microsoft.authorization", "roleassignments/write")
    Operation(service='identity', verb='add', object='policy')
    >>> operation_of_azure("microsoft.compute", "virtualmachines/start/action")
    Operation(service='compute', verb='start', object='instance')
    >>> operation_of_azure("entra", "Add member to role")
    Operation(service='identity', verb='add', object='policy')
    >>> operation_of_azure("contoso.widgets", "widgets/frobnicate/action")
    Operation(service='other', verb='other', object='other')
    """
    if service == _ENTRA:
        return _of_entra(operation)
    provider = service.removeprefix("microsoft.")
    group = next((of for name, beginning, of in SERVICES_OF_TYPES if name == provider and operation.startswith(beginning)), "")
    group = group or SERVICES_OF_AZURE.get(provider, "other")
    *types, kind = operation.split("/")
    word = ""
    if kind == "action" and types:
        word = types.pop()
    named = next((OBJECT_OF_TYPE[name] for name in (*reversed(types), word) if name in OBJECT_OF_TYPE), "")
    what = named or OBJECT_OF_PROVIDER.get(provider, "other")
    for (name, end), (verb, level) in _BY_LENGTH:
        if name in ("", provider) and (operation == end or operation.endswith(f"/{end}")):
            return Operation(group, verb, level or what)
    return Operation(group, _verb(group, kind, word, types[-1] if types else "", created), what)


def _verb(group: str, kind: str, word: str, last_type: str, created: bool | None) -> str:
    if kind == "read":
        return "describe" if group in DESCRIBING else "get"
    if kind == "write":
        return VERB_OF_WRITE.get(last_type, "update" if created is False else "create")
    if kind == "delete":
        return VERB_OF_DELETE.get(last_type, "delete")
    # Names of platform events ("autoscale…") stand alone, actions before ``/action``.
    return next((verb for beginning, verb in ACTION_PREFIXES if (word or kind).startswith(beginning)), "other")


def _of_entra(operation: str) -> Operation:
    if known := SIGN_INS_OF_ENTRA.get(operation):
        return Operation(*known)
    name = operation.lower()
    first = VERBS_OF_ENTRA.get(name.split(" ", 1)[0], "other")
    for phrase, verb, what in ACTIVITIES_OF_ENTRA:
        if phrase in name:
            return Operation("identity", verb or first, what)
    return Operation("identity", first, "other")


@lru_cache(maxsize=1024)
def error_of_azure(code: str) -> str:
    """Class of a code of Resource Manager, an HTTP status, Entra's number or its sentence; ``none`` for an empty one."""
    if not code:
        return "none"
    if known := ERRORS_OF_SIGN_IN.get(code.lower()):
        return known
    return next((level for level, pattern in _ERRORS if pattern.search(code)), "other")


def caller_of_azure(kind: str) -> str:
    """Class of :attr:`~shared_model.events.ApiCall.caller_kind`."""
    return CALLERS_OF_AZURE.get(kind, "unknown")


@lru_cache(maxsize=8192)
def origin_of_azure(source: str) -> str:
    """Class of where a call came from; the platform's own calls come from a resource provider."""
    return "service" if source.startswith("microsoft.") else origin_of(source)


@lru_cache(maxsize=4096)
def agent_of_azure(user_agent: str) -> str:
    """Coarse kind of a program, by its user agent or by the application (``appid/…``) that the token was given to."""
    agent = user_agent.lower()
    if not agent:
        return "none"
    if agent.startswith(_APPLICATION):
        return AGENTS_OF_APPLICATIONS.get(agent.removeprefix(_APPLICATION), "sdk")
    if any(name in agent for name in _COMMAND_LINES):
        return "cli"
    return "browser" if agent.startswith(("mozilla", "opera/")) else "sdk"
