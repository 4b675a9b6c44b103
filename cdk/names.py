"""Names of what is deployed: fixed, so that operators find things and policies can name what another stack makes."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack

from lambdas.registry import FUNCTIONS, PAGE, FunctionSpec, Group


def kebab(name: str) -> str:
    """``detect_flows`` → ``detect-flows``."""
    return name.replace("_", "-")


def pascal(name: str) -> str:
    """``flow-logs`` or ``detect_flows`` → ``FlowLogs``, ``DetectFlows``: construct and output ids."""
    return "".join(part.capitalize() for part in kebab(name).split("-"))


@dataclass(frozen=True, slots=True)
class Names:
    """Names and ARNs below one prefix, in one account and region (which may be CloudFormation's own references)."""

    prefix: str
    partition: str
    account: str
    region: str

    @classmethod
    def of(cls, stack: Stack, prefix: str) -> Names:
        """Names in the stack's account and region."""
        return cls(prefix, stack.partition, stack.account, stack.region)

    @property
    def lake_bucket(self) -> str:
        """Buckets share one name space with everybody else's."""
        return f"{self.prefix}-lake-{self.account}-{self.region}"

    def resource(self, name: str) -> str:
        """Name of a regional resource."""
        return f"{self.prefix}-{kebab(name)}"

    def queue(self, name: str, *, fifo: bool = False) -> str:
        """Name of a queue; a FIFO queue's name must end so."""
        return self.resource(name) + (".fifo" if fifo else "")

    def queue_arn(self, name: str, *, fifo: bool = False) -> str:
        """ARN of a queue."""
        return self.arn("sqs", self.queue(name, fifo=fifo))

    def rule_arn(self, name: str) -> str:
        """ARN of a rule on the default event bus."""
        return self.arn("events", f"rule/{self.resource(name)}")

    def role(self, name: str) -> str:
        """Name of a role: IAM is global, so the region is part of it."""
        return f"{self.resource(name)}-{self.region}"

    def role_arn(self, name: str) -> str:
        """ARN of a role."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role(name)}"

    @property
    def own_roles(self) -> tuple[str, ...]:
        """ARNs of every role that Breakwater runs under: no action may touch them."""
        services = ("firehose", "log-subscription", "forward")
        return tuple(self.role_arn(name) for name in (*(spec.name for spec in (*FUNCTIONS, PAGE)), *Group, *services))

    @property
    def own_policies(self) -> tuple[str, ...]:
        """ARNs of the boundaries of these roles, and of what else they are denied by."""
        boundaries = (self.boundary_arn(group) for group in (None, *Group))
        return (*boundaries, self._policy_arn(f"{self.prefix}-never-touch-*"))

    def never_touch(self, group: Group, number: int) -> str:
        """Name of a managed policy that denies a group what the inline policy of its role has no room for."""
        return self.role(f"never-touch-{group}-{number}")

    def boundary(self, group: Group | None = None) -> str:
        """Name of the boundary of a group's role; of all other roles without a group."""
        return self.role(f"{group}-boundary" if group else "boundary")

    def boundary_arn(self, group: Group | None = None) -> str:
        """ARN of such a boundary."""
        return self._policy_arn(self.boundary(group))

    def _policy_arn(self, name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:policy/{name}"

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def dead_letters(queue: str) -> str:
    """Logical name of a queue's dead-letter queue."""
    return f"{queue}-dead-letters"


def sends_verdicts(spec: FunctionSpec) -> bool:
    """Say whether a function is a detector: only those may send verdicts."""
    return "model_artifacts" in spec.packages
