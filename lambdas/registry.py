"""Every function that is deployed, once: packaging, CDK, the embedded AWS and the tests read it from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """Groups of actions by what they change, each with a role of its own: who takes over one has not the rights of the others.

    ``UNDO`` takes back what those of all groups have done, and can do nothing else.
    """

    NETWORK = "network"
    IDENTITY = "identity"
    DATA = "data"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One deployed function.

    Attributes
    ----------
    name : str
        Also its module in ``lambdas/`` and its folder under ``build/``.
    requirements : tuple of str
        Distribution names; their versions come from ``requirements/functions.lock``.
    packages : tuple of str
        Our own packages and data folders that go in.
    queue : str
        The queue that feeds it (logical name), ``""`` where none does.
    memory_mb, timeout_s : int
    batch_size, batch_window_s : int
        Of its event source mapping.
    fifo : bool
    groups : tuple of Group
        Whose roles it assumes, and nobody else's.
    """

    name: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    queue: str
    memory_mb: int
    timeout_s: int
    batch_size: int
    batch_window_s: int = 0
    fifo: bool = False
    groups: tuple[Group, ...] = ()

    @property
    def handler(self) -> str:
        """Handler string of the Lambda runtime."""
        return f"lambdas.{self.name}.handler"


#: Of functions whose message may take most of their time (a customer's function is waited for). A batch in which each does
#: ends within as many deliveries as it has messages, before the queue gives up.
_SLOW_BATCH = 4
_BASE = ("boto3", "aws-lambda-powertools")
_TRIAGE = (*_BASE, "numpy", "ai-edge-litert")
_DETECT = (*_TRIAGE, "isal")
_RESPOND = ((*_BASE, "pydantic"), ("lambdas", "shared_model", "response"))
_CONTAIN = (Group.NETWORK, Group.IDENTITY, Group.DATA)

FUNCTIONS: tuple[FunctionSpec, ...] = (
    FunctionSpec(
        "detect_flows", _DETECT, ("lambdas", "shared_model", "model_artifacts"), "flow-logs", 1769, 120, 4, batch_window_s=5
    ),
    FunctionSpec(
        "detect_api_calls", _DETECT, ("lambdas", "shared_model", "model_artifacts"), "api-calls", 1024, 60, 50, batch_window_s=1
    ),
    FunctionSpec(
        "detect_system_logs",
        (*_DETECT, "drain3"),
        ("lambdas", "shared_model", "model_artifacts"),
        "system-logs",
        1024,
        60,
        10,
        batch_window_s=1,
    ),
    FunctionSpec("triage_findings", _TRIAGE, ("lambdas", "shared_model", "model_artifacts"), "findings", 1024, 60, 10),
    FunctionSpec("respond", *_RESPOND, "verdicts", 512, 60, _SLOW_BATCH, fifo=True, groups=_CONTAIN),
    FunctionSpec("answer_proposals", *_RESPOND, "answers", 512, 60, _SLOW_BATCH, groups=_CONTAIN),
    FunctionSpec("expire_containments", *_RESPOND, "containments", 512, 60, 10, groups=(Group.UNDO,)),
)
#: The page behind the links in notices: fed by an HTTP API, and deployed only where people can sign in to it.
PAGE = FunctionSpec("proposal_page", *_RESPOND, "", 512, 15, 0)


def spec_of(name: str) -> FunctionSpec:
    """Return what the registry says of a function."""
    return next(spec for spec in (*FUNCTIONS, PAGE) if spec.name == name)
