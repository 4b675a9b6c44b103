"""Structured logs: one JSON object a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

#: Made once: ``json.dumps`` with settings of its own makes one for each line.
_JSON = json.JSONEncoder(separators=(",", ":"), default=str)
#: Every request, and every invocation, would be a line of theirs, at the level that our own lines have. The host says itself
#: which function it calls.
for _name in ("azure.core", "azure.identity", "azure.functions", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Logger(logging.LoggerAdapter[logging.Logger]):
    """One JSON object per line: what the call says, the function, and the ids of the message at hand.

    The same calls as on AWS: ``logger.info("verdict", extra={...})``. In Application Insights: ``parse_json(message)``.
    """

    def __init__(self, function: str) -> None:
        logger = logging.getLogger(f"breakwater.{function}")
        logger.setLevel(logging.INFO)
        super().__init__(logger, {})
        self._function = function
        self._keys: ContextVar[dict[str, Any] | None] = ContextVar(f"keys of {function}", default=None)

    def append_keys(self, **keys: Any) -> None:
        """Put keys into every following line of this invocation."""
        self._keys.set({**(self._keys.get() or {}), **keys})

    def clear_keys(self) -> None:
        """Forget them."""
        self._keys.set(None)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As logging.Logger, without a walk up the stack for who called: the line names the function."""
        if kwargs.keys() - {"extra"}:
            super().log(level, msg, *args, **kwargs)
        elif self.isEnabledFor(level):
            line, _ = self.process(msg, kwargs)
            self.logger.handle(self.logger.makeRecord(self.logger.name, level, "", 0, line, (), None))

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Make one JSON object of message, keys and ``extra``."""
        extra: Mapping[str, Any] = kwargs.pop("extra", None) or {}
        line = {"message": msg, "function": self._function, **(self._keys.get() or {}), **extra}
        # The text is the whole line: no "%" in it asks for an argument.
        return _JSON.encode(line), kwargs
