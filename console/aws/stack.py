"""Breakwater on AWS: table and queue by the names that the infrastructure gives, under the credentials that boto3 finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from console.aws.signs import of_alarms, of_functions, of_policy, of_queues
from console.deployment import Health, NotPossible, Sign
from lambdas.actions.catalogue import KNOWN, make_actions
from lambdas.actions.never_touch import objections
from lambdas.adapters.journal import DynamoJournal
from lambdas.adapters.policy import longer_than_a_parameter
from lambdas.clients import Clients, LazyClients
from lambdas.cloud_errors import AccessDenied, in_core_words
from response.actions import Plan
from response.policy import KnownAction, Policy
from response.policy_text import as_json, parse_yaml
from shared_model.errors import BreakwaterError
from shared_model.events import Entity
from shared_model.verdicts import Verdict

_SIGN_IN = "sign in (`aws sso login`, or AWS_PROFILE) and try again"
_REGION = "AWS_DEFAULT_REGION names the region that Breakwater was deployed to"
_PLACE = "is this the account and region of the deployment (AWS_PROFILE, AWS_DEFAULT_REGION), and --name its `breakwater:name`?"
_RIGHTS = "your role needs a right there: `breakwater:operators` in cdk.json names who may (docs/deploy-aws.md)"
#: What to do, by words in the code of the service's error, or in the name of botocore's own.
_ADVICE = (
    (("NoRegion", "InvalidRegion"), _REGION),
    (("Credential", "Profile", "Token", "SSO", "UnrecognizedClient"), _SIGN_IN),
    (("AccessDenied", "KMS"), _RIGHTS),
    (("ResourceNotFound", "NonExistentQueue", "QueueDoesNotExist", "EndpointConnection"), _PLACE),
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, by its name prefix.

    Attributes
    ----------
    name : str
        As in the ``breakwater:name`` setting.
    clients : Clients
        Under the operator's own identity.
    """

    name: str
    clients: Clients = field(default_factory=LazyClients)

    @property
    def where(self) -> str:
        """Cloud, region and table."""
        return f"AWS, {self.clients('dynamodb').meta.region_name}, table {self.name}-journal"

    @property
    def journal(self) -> DynamoJournal:
        """The journal, to read."""
        return DynamoJournal(self.clients, f"{self.name}-journal")

    def streams(self) -> Iterator[str]:
        """Yield the name of every stream. Reads the whole table's keys: for a person, not for a function."""
        seen: set[str] = set()
        with in_core_words("journal"):
            pages = self.clients("dynamodb").get_paginator("scan")
            for page in pages.paginate(TableName=f"{self.name}-journal", ProjectionExpression="pk"):
                new = {item["pk"]["S"] for item in page["Items"]} - seen
                seen |= new
                yield from sorted(new)

    def ask_for_undo(self, body: str) -> None:
        """Send a request to the function that undoes."""
        self._send("containments", body)

    def send_answer(self, body: str) -> None:
        """Send an answer to the function that acts on it."""
        self._send("answers", body)

    def _send(self, queue: str, body: str) -> None:
        with in_core_words(f"{queue} queue"):
            sqs = self.clients("sqs")
            url = sqs.get_queue_url(QueueName=f"{self.name}-{queue}")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=body)

    def operator(self) -> str:
        """ARN of whoever runs this command: the journal keeps it as who approved."""
        with in_core_words("caller identity"):
            return str(self.clients("sts").get_caller_identity()["Arn"])

    def requester(self) -> str:
        """ARN of whoever runs this command. The root user and federated users have no id by which SQS tells them from others."""
        arn = self.operator()
        if arn.endswith(":root") or ":federated-user/" in arn:
            raise NotPossible(
                f"nothing was sent: the functions cannot attest {arn}, and would refuse it. Sign in as a user, or assume a role "
                "(AWS_PROFILE), that breakwater:operators names"
            )
        return arn

    def actions(self) -> Mapping[str, KnownAction]:
        """Return the actions of AWS, and what a policy must fit."""
        return KNOWN

    def too_much(self, policy: Policy, text: bytes) -> Iterator[str]:
        """What a parameter of SSM, and the roles that are denied what is never touched, have no room for."""
        yield from longer_than_a_parameter(as_json(parse_yaml(text)))
        yield from objections(policy.never_touch)

    def regions_unknown(self, names: Iterable[str]) -> list[str]:
        """Those that the SDK does not list, in any partition."""
        from boto3 import Session

        session = Session()
        known = {
            one for partition in session.get_available_partitions() for one in session.get_available_regions("ec2", partition)
        }
        return sorted(set(names) - known)

    def plan(self, action: str, target: Entity, verdict: Verdict, policy: Policy) -> Plan:
        """Make the plan, under the operator's own identity."""
        return make_actions(lambda _: self.clients, {action: policy.of(action).settings})[action].plan(target, verdict)

    @property
    def attests_answers(self) -> bool:
        """SQS does."""
        return True

    def replace_policy(self, text: bytes) -> bytes:
        """Refuse: IAM denies what the policy never touches, so both are deployed together."""
        raise NotPossible(
            "on AWS the policy is deployed with the roles that it limits: name the file in cdk.json (breakwater:policy-file), "
            "then `cdk diff` and `cdk deploy --all`"
        )

    def signs(self, now_ms: int) -> Iterator[Sign]:
        """What alarms, queues, triggers and the policy say. Alarms know the time themselves."""
        for what, right, look in (
            ("alarms", "cloudwatch:DescribeAlarms", of_alarms),
            ("queues", "sqs:GetQueueUrl and sqs:GetQueueAttributes", of_queues),
            ("functions", "lambda:ListEventSourceMappings", of_functions),
            ("policy", "ssm:GetParameter", of_policy),
        ):
            try:
                yield from look(self.clients, self.name)
            except AccessDenied as error:
                yield Sign(Health.UNKNOWN, f"{what}: could not look: {error}", f"your role needs {right}; the rest is told below")

    def advice(self, error: BreakwaterError) -> str:
        """What a person does about it."""
        cause = error.__cause__
        said = f"{type(cause).__name__} {getattr(cause, 'response', {}).get('Error', {}).get('Code', '')}"
        return next((advice for words, advice in _ADVICE if any(word in said for word in words)), "")
