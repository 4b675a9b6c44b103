"""What an identity was not granted: a plan that cannot be made says so, instead of being tried until nobody looks any more.

Consent to Graph's permissions and rights in further subscriptions come by and by, or never. A verdict that names something
out of reach must not end among the poison, and take with it what other actions could do about it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from azure_functions.cloud_errors import CloudForbidden
from response.actions import Action, Plan
from shared_model.events import Entity
from shared_model.verdicts import Verdict

_Action = TypeVar("_Action", bound=Action)
_Planner = Callable[[_Action, Entity, Verdict], Plan]


def refused_where_forbidden(plan: _Planner[_Action]) -> _Planner[_Action]:
    """Decorate an action's ``plan``: what its identity may not read is a refusal, with what to grant."""

    @wraps(plan)
    def planned(self: _Action, target: Entity, verdict: Verdict) -> Plan:
        try:
            return plan(self, target, verdict)
        except CloudForbidden as error:
            reason = f"Breakwater's identity may not look: {error}. Grant what docs/deploy-azure.md names, or contain it by hand"
            return Plan(
                action=self.name,
                target=target,
                before={},
                after={},
                touches=(),
                summary=f"{self.name} {target.id}",
                refusal=reason,
                resources=(target.id.lower(),),
            )

    return planned
