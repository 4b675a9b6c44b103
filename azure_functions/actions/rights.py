"""What an identity was not granted: what cannot be planned or done says so, instead of being tried until nobody looks any more.

Consent to Graph's permissions and rights in further subscriptions come by and by, or never. A verdict that names something
out of reach must not end among the poison, and take with it what other actions could do about it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from azure_functions.cloud_errors import CloudForbidden, CloudRefusal
from response.actions import Action, CannotApply, Plan
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


def cannot_apply(refused: CloudRefusal | CloudForbidden, instead: str) -> CannotApply:
    """Return what ``apply`` raises where Resource Manager refuses a change: what to grant, or what to do instead.

    A policy that enforces says nothing of rights: they are assigned by a deployment with ``armed=true``, and take minutes to be
    in force everywhere.
    """
    if isinstance(refused, CloudForbidden):
        return CannotApply(
            f"Breakwater's identity may look and not change: {refused}. Deploy with armed=true (docs/deploy-azure.md), also in "
            "the subscription of the resource (of a firewall policy: with its id in firewallPolicyIds), or take the policy back "
            f"to observe. {instead}"
        )
    return CannotApply(f"{refused}. {instead}")
