"""The app's functions as the library indexed them: bindings, retry policies, and where their triggers' services are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from offline.azure.functions_host.host_settings import HostSettings
from offline.azure.functions_host.library import messages

_SETTING = re.compile(r"%([^%]+)%")
#: Triggers that the host brings itself; every other one comes with the extension bundle.
_BUILT_IN = ("httpTrigger", "timerTrigger")


class AppUnusable(Exception):
    """The host would not start this app, or start it without a function. Says what to do."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry policy of a function: how often again (None: for ever), and how long to wait before."""

    most: int | None
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes
    ----------
    name, id : str
    bindings : tuple of dict
        As ``function.json`` would hold them, settings (``%NAME%``) filled in.
    retry : Retry or None
    """

    name: str
    id: str
    bindings: tuple[Mapping[str, Any], ...]
    retry: Retry | None

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The one binding that starts it."""
        return next(binding for binding in self.bindings if str(binding["type"]).endswith("Trigger"))

    @property
    def kind(self) -> str:
        """Type of the trigger: ``queueTrigger``, ``httpTrigger`` and so on."""
        return str(self.trigger["type"])

    @property
    def takes_reference(self) -> bool:
        """Whether the trigger's parameter takes where its data are, and not the data (``SupportsDeferredBinding``)."""
        return bool(self.trigger.get("properties", {}).get("SupportsDeferredBinding"))


def read_functions(metadata: Iterable[Any], environment: Mapping[str, str], settings: HostSettings) -> Mapping[str, Function]:
    """Read the library's metadata, by name.

    Raises
    ------
    AppUnusable
        No function at all (the library does not call that an error), an unknown setting, a trigger without its connection or
        without the extension bundle.
    """
    found = {each.name: _read(each, environment) for each in metadata}
    if not found:
        raise AppUnusable("the library found no function: function_app.py must lie beside host.json and register the blueprints")
    for function in found.values():
        if function.kind not in _BUILT_IN and not settings.has_bundle:
            raise AppUnusable(f"{function.name} has a {function.kind}, and host.json names no extension bundle that brings it")
        for binding in function.bindings:
            if "connection" in binding:
                _check_connection(function.name, str(binding["connection"]), environment)
    return found


def connection_setting(function: Function, name: str, environment: Mapping[str, str]) -> str:
    """Value of one setting of the trigger's connection, such as ``queueServiceUri``.

    Raises
    ------
    AppUnusable
    """
    variable = f"{function.trigger.get('connection', 'AzureWebJobsStorage')}__{name}"
    if not environment.get(variable):
        raise AppUnusable(f"{function.name}: its trigger needs the setting {variable}")
    return environment[variable]


def _read(metadata: Any, environment: Mapping[str, str]) -> Function:
    bindings = tuple(_filled(json.loads(text), metadata.name, environment) for text in metadata.raw_bindings)
    retry = None
    if metadata.HasField("retry_options"):
        options = metadata.retry_options
        fixed = options.retry_strategy == messages().RpcRetryOptions.fixed_delay
        delay = (options.delay_interval if fixed else options.minimum_interval).ToTimedelta()
        retry = Retry(None if options.max_retry_count < 0 else options.max_retry_count, delay)
    return Function(metadata.name, metadata.function_id, bindings, retry)


def _filled(binding: Mapping[str, Any], function: str, environment: Mapping[str, str]) -> Mapping[str, Any]:
    def value_of(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise AppUnusable(f"{function}: a binding names the setting {match[1]}, which the app does not have")
        return environment[match[1]]

    return {key: _SETTING.sub(value_of, value) if isinstance(value, str) else value for key, value in binding.items()}


def _check_connection(function: str, connection: str, environment: Mapping[str, str]) -> None:
    if connection in environment:
        raise AppUnusable(f"{function}: {connection} holds a connection string; name the service and an identity instead")
    if not any(name.startswith(f"{connection}__") for name in environment):
        raise AppUnusable(f"{function}: its trigger needs settings that start with {connection}__")
