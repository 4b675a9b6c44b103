"""EventBridge: which rules an event reaches, and what of it arrives."""

from __future__ import annotations

import copy
from typing import Any

from moto.events import models
from moto.events.utils import EventTemplateParser

from offline.aws.repairs.seams import substitute

#: Fields of an event as targets get it, in AWS's order.
_ENVELOPE = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


def repair() -> None:
    """Apply to moto in this process; once.

    - A rule without a pattern (a schedule) takes no events; moto sends it every one.
    - A disabled rule takes none; moto forgets the state.
    - Targets get the whole envelope; moto leaves ``account`` out.
    """

    def send(self: models.Rule, original_event: Any, transform_input: bool = True) -> None:
        if self.event_pattern.get_pattern() and self.state.startswith("ENABLED"):
            original_send(self, original_event, transform_input)

    def parse(cls: Any, input_template: str | None, input_paths_map: dict[str, str], event: Any) -> Any:
        if input_template:
            return original_parse.__func__(input_template, input_paths_map, event)
        return {name: copy.deepcopy(event[name]) for name in _ENVELOPE if name in event}

    original_send = substitute(models.Rule, "send_to_targets", send)
    original_parse = substitute(EventTemplateParser, "parse", classmethod(parse))
