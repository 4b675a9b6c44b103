"""``main.parameters.json`` with azd's environment in it, as cli/azd/pkg/infra/provisioning/bicep/bicep_provider.go fills it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:=(?P<otherwise>(?:[^${}]|\$\{[^{}]*\})*))?\}")


class AzdFailed(Exception):
    """A step of azd ended it; the message is what it would say."""


def filled(written: Mapping[str, Any], declared: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a deployment (``loadParameters``, ``ensureParameters``).

    Parameters
    ----------
    written
        ``parameters`` of the file.
    declared
        ``parameters`` of the template.
    environment
        Name to value.

    Raises
    ------
    AzdFailed
        Where azd would ask, or cannot read a value.
    """
    given: dict[str, Any] = {}
    for name, one in written.items():
        if name not in declared:
            raise AzdFailed(f"{name} is no parameter of the template")
        value = _valued(one["value"], declared[name], environment)
        if value is not None:
            given[name] = value
    if missing := [name for name, one in declared.items() if name not in given and "defaultValue" not in one]:
        raise AzdFailed(f"missing required inputs: {', '.join(missing)}")
    return given


def _valued(written: Any, declared: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    """A value as azd sends it; ``None`` leaves it to the template (``evalParamEnvSubst``, ``armParameterFileValue``)."""
    unset: list[str] = []
    if not isinstance(written, str):
        return json.loads(_substituted(json.dumps(written), environment, unset))
    text, kind = _substituted(written, environment, unset), declared["type"].lower()
    if not text:
        return None if unset or not declared.get("defaultValue") else ""
    if kind in ("array", "object"):
        try:
            return json.loads(text)
        except ValueError as problem:
            raise AzdFailed(f"substituting parameter ({kind}): value '{text}' is not valid JSON") from problem
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if kind == "int" else text


def _substituted(text: str, environment: Mapping[str, str], unset: list[str]) -> str:
    """``${NAME}`` and ``${NAME=otherwise}`` as github.com/drone/envsubst has it: the default may hold another one."""

    def of(found: re.Match[str]) -> str:
        if found["name"] not in environment:
            unset.append(found["name"])
        otherwise = _substituted(found["otherwise"] or "", environment, unset)
        return environment.get(found["name"], "") or otherwise

    return _VARIABLE.sub(of, text)
