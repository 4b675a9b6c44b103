"""Azure's and Windows' part of the page that :mod:`shared_model.vocabulary_page` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared_model.vocabulary_azure import (
    ACTION_PREFIXES,
    AGENTS_OF_APPLICATIONS,
    CALLERS_OF_AZURE,
    DESCRIBING,
    ERROR_PATTERNS_OF_AZURE,
    OBJECT_OF_PROVIDER,
    OBJECT_OF_TYPE,
    OPERATIONS_OF_AZURE,
    SERVICES_OF_TYPES,
    VERB_OF_DELETE,
    VERB_OF_WRITE,
)
from shared_model.vocabulary_entra import ACTIVITIES_OF_ENTRA, ERRORS_OF_SIGN_IN, SIGN_INS_OF_ENTRA, VERBS_OF_ENTRA
from shared_model.vocabulary_windows import EVENTS, TARGET


def azure_lines() -> Iterator[str]:
    """Lines of the part, Markdown."""
    yield from _resource_manager()
    yield from _callers_and_errors()
    yield from _entra()
    yield from _windows()


def _resource_manager() -> Iterator[str]:
    yield "\n# Azure Resource Manager\n"
    yield "An operation reads `Microsoft.Compute/virtualMachines/extensions/write`: provider, types, and what is done. Case does"
    yield "not count. The provider gives the service, except here:\n"
    yield "| operations that begin with | service |\n|---|---|"
    for provider, beginning, group in SERVICES_OF_TYPES:
        yield f"| `{provider}/{beginning}` | {group} |"
    yield "\nThe last of its types that is listed gives the object, else the provider does. `write` is create (update where the"
    yield "status says that nothing new was made), `delete` is delete"
    yield f"(of some types another verb, in brackets); `read` is describe where AWS calls it so ({', '.join(DESCRIBING)}) and"
    yield "get elsewhere. Of an action, the longest beginning of the word before `/action` decides.\n"
    yield "| object | types | providers without such a type |\n|---|---|---|"
    for level in sorted({*OBJECT_OF_TYPE.values(), *OBJECT_OF_PROVIDER.values()}):
        types = ", ".join(_with_verbs(name) for name, of in OBJECT_OF_TYPE.items() if of == level)
        yield f"| {level} | {types} | {_quoted(name for name, of in OBJECT_OF_PROVIDER.items() if of == level)} |"
    yield "\n| verb | beginnings of an action |\n|---|---|"
    for verb in dict.fromkeys(verb for _, verb in sorted(ACTION_PREFIXES, key=lambda item: item[1])):
        yield f"| {verb} | {_quoted(sorted(beginning for beginning, of in ACTION_PREFIXES if of == verb))} |"
    yield "\nOperations whose name misleads:\n"
    yield "| operation ends with | verb | object |\n|---|---|---|"
    for (provider, end), (verb, level) in sorted(OPERATIONS_OF_AZURE.items()):
        yield f"| `{provider or '*'}: …/{end}` | {verb} | {level or 'of its type'} |"


def _with_verbs(name: str) -> str:
    verbs = [
        f"{operation} = {verbs[name]}"
        for operation, verbs in (("write", VERB_OF_WRITE), ("delete", VERB_OF_DELETE))
        if name in verbs
    ]
    return f"`{name}`" + (f" ({', '.join(verbs)})" if verbs else "")


def _callers_and_errors() -> Iterator[str]:
    yield "\n| kind of caller | caller |\n|---|---|"
    for kind, level in CALLERS_OF_AZURE.items():
        yield f"| {kind} | {level} |"
    yield "\nThe agent is told by the user agent, else by the application that the token was given to: an `sdk`, except for\n"
    yield "| application | agent |\n|---|---|"
    for application, level in AGENTS_OF_APPLICATIONS.items():
        yield f"| `{application}` | {level} |"
    yield "\n| error | codes, statuses and sentences that match | Entra's numbers |\n|---|---|---|"
    for level, pattern in ERROR_PATTERNS_OF_AZURE:
        escaped = pattern.replace("|", "\\|")
        yield f"| {level} | `{escaped}` | {_quoted(number for number, of in ERRORS_OF_SIGN_IN.items() if of == level)} |"


def _entra() -> Iterator[str]:
    yield "\n# Entra ID\n"
    yield "| sign-in | service | verb | object |\n|---|---|---|---|"
    for operation, words in SIGN_INS_OF_ENTRA.items():
        yield f"| {operation} | {' | '.join(words)} |"
    yield "\nChanges of the directory are of the service identity. The first of these phrases that an activity's name holds"
    yield "decides; where it gives no verb, the first word does.\n"
    yield "| phrase | verb | object |\n|---|---|---|"
    for phrase, verb, level in ACTIVITIES_OF_ENTRA:
        yield f"| {phrase} | {verb} | {level} |"
    yield "\n| first word | verb |\n|---|---|"
    for word, verb in VERBS_OF_ENTRA.items():
        yield f"| {word} | {verb} |"


def _windows() -> Iterator[str]:
    yield "\n# Windows events\n"
    yield "Messages of Linux are read by the same rules on both clouds (`shared_model/system_log_rules.py`). The user of an event"
    yield "is the account that it is about (target) or who did it (subject). Logons of services, tasks and the system itself are"
    yield "(connect, session); a command is told by what its line does (`shared_model/windows_log_rules.py`).\n"
    yield "| event | service | verb | object | outcome | user |\n|---|---|---|---|---|---|"
    for name, rule in EVENTS.items():
        account = "target" if rule.user == TARGET else "subject"
        yield f"| {name} | {rule.service} | {rule.verb} | {rule.object} | {rule.outcome} | {account} |"


def _quoted(words: Iterable[str]) -> str:
    return " ".join(f"`{word}`" for word in words)
