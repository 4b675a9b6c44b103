"""Every function that is deployed, once: packaging, CDK, the embedded AWS and the tests read it from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """Groups of actions by what they change: whoever takes over the rights of one has not those of the others."""

    NETWORK = "network"
    IDENTITY = "identity"
    DATA = "data"


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

    @property
    def handler(self) -> str:
        """Handler string of the Lambda runtime."""
        return f"lambdas.{self.name}.handler"


_BASE = ("boto3", "aws-lambda-powertools")
_TRIAGE = (*_BASE, "numpy", "ai-edge-litert")
_DETECT = (*_TRIAGE, "isal")
_RESPOND = (*_BASE, "pydantic")

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
    FunctionSpec("respond", _RESPOND, ("lambdas", "shared_model", "response"), "verdicts", 512, 60, 10, fifo=True),
    FunctionSpec("answer_proposals", _RESPOND, ("lambdas", "shared_model", "response"), "answers", 512, 60, 10),
    FunctionSpec("expire_containments", _RESPOND, ("lambdas", "shared_model", "response"), "containments", 512, 60, 10),
)
#: The page behind the links in notices: fed by an HTTP API, and deployed only where people can sign in to it.
PAGE = FunctionSpec("proposal_page", _RESPOND, ("lambdas", "shared_model", "response"), "", 512, 15, 0)
