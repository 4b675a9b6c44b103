"""EventBridge: which rules an event reaches, and what of it arrives."""

from __future__ import annotations

import copy
from typing import Any

from moto.events import models

#: Fields of an event as targets get it, in AWS's order.
_ENVELOPE = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


def repair() -> None:
    """Apply to moto in this process; once.

    - A rule without a pattern (a schedule) takes no events; moto sends it every one.
    - A disabled rule takes none; moto forgets the state.
    - Targets get the whole envelope; moto leaves ``account`` out.
    """
    original_send = models.Rule.send_to_targets

    def send(self: models.Rule, original_event: Any, transform_input: bool = True) -> None:
        if self.event_pattern.get_pattern() and self.state.startswith("ENABLED"):
            original_send(self, original_event, transform_input)

    original_parse = models.EventTemplateParser.parse

    def parse(cls: Any, input_template: str | None, input_paths_map: dict[str, str], event: Any) -> Any:
        if input_template:
            return original_parse(input_template, input_paths_map, event)
        return {name: copy.deepcopy(event[name]) for name in _ENVELOPE if name in event}

    models.Rule.send_to_targets = send
    models.EventTemplateParser.parse = classmethod(parse)
