"""What is kept: keys, lake, queues, tables, policy and notifications. Everything else is built on this stack."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from cdk import keys
from cdk.catalog import catalog
from cdk.groups import group_boundary
from cdk.identities import Surroundings, boundary
from cdk.lake import CLOUDTRAIL, lake_bucket, raw_prefixes
from cdk.names import Names, pascal, sends_verdicts
from cdk.policy import PolicyText
from cdk.queues import FedQueue, Senders, fed_queue
from cdk.settings import NONE, SEND, Settings
from cdk.tables import tables
from lambdas.registry import FUNCTIONS, PAGE, FunctionSpec, Group

#: Queues that people send to: open to the account's own IAM policies where no operators are named.
PEOPLES = ("containments", "answers")
#: Rules that send to each queue.
RULES = {"findings": ("findings",), "api-calls": ("api-calls",), "containments": ("expire",)}


class DataStack(Stack):
    """Keys, lake, queues, tables, policy, topic."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, policy: PolicyText, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        self.names = names = Names.of(self, settings.name)
        self._settings, self._policy = settings, policy
        self.telemetry_key = keys.telemetry_key(self, names)
        self.response_key = keys.response_key(self, names)
        self.link_key = keys.link_key(self, names) if settings.page_issuer else None
        self.queues = {spec.queue: self._queue(spec) for spec in FUNCTIONS}
        self.lake = self._lake()
        trail = "" if settings.trail == NONE else settings.trail_root or f"{self.lake_name}/{CLOUDTRAIL}AWSLogs/"
        catalog(self, names, self.lake_name, trail=trail)
        self.tables = tables(self, names, self.telemetry_key, self.response_key)
        self.topic = self._topic()
        self.policy_parameter = ssm.StringParameter(
            self,
            "Policy",
            parameter_name=f"/{names.prefix}/policy",
            description="The operator's policy, as JSON.",
            string_value=policy.json,
            # Advanced above 4 KB, and ever after: SSM refuses to make an advanced parameter a standard one again, so that a
            # tier computed here would stop the deployment of a shorter policy.
            tier=ssm.ParameterTier.INTELLIGENT_TIERING,
        )
        boundary(self, self.surroundings)
        for group in Group:
            group_boundary(self, group, self.surroundings)
        self._outputs()

    @property
    def surroundings(self) -> Surroundings:
        """What the functions of the other stacks work with."""
        raw = {queue: f"{self._lake_arn}/{prefix}*" for queue, prefix in raw_prefixes(self.names).items()}
        if self._settings.trail_bucket:
            raw["api-calls"] = f"arn:{self.partition}:s3:::{self._settings.trail_bucket}/{self._settings.trail_prefix}*"
        return Surroundings(
            names=self.names,
            lake_arn=self._lake_arn,
            raw_arns=raw,
            telemetry_key_arn=self.telemetry_key.key_arn,
            response_key_arn=self.response_key.key_arn,
            other_key_arns=self._settings.bucket_keys,
            chat_topic_arn=self._settings.chat_topic,
            webhook_arns=[self.names.arn("ssm", f"parameter{name}") for name in self._webhooks.values()],
            never=self._policy.never,
            settings=self._policy.settings,
            security_hub_arn=self._security_hub_arn,
            operator_accounts=self._settings.operator_accounts(self.account),
            link_key_arn=self.link_key.key_arn if self.link_key else "",
        )

    @property
    def _webhooks(self) -> dict[str, str]:
        """The parameters of those channels that have one, by the setting that names them."""
        known = {
            "slack_webhook_parameter": self._settings.slack_webhook,
            "teams_webhook_parameter": self._settings.teams_webhook,
        }
        return {setting: name for setting, name in known.items() if name}

    @property
    def lake_name(self) -> str:
        """Name of the lake's bucket: fixed, so that no other stack needs a reference to it."""
        return self._settings.lake_bucket or self.names.lake_bucket

    @property
    def _security_hub_arn(self) -> str:
        """The account's own product, ``""`` where nothing is sent."""
        sends = self._settings.security_hub == SEND
        return self.names.arn("securityhub", f"product/{self.account}/default") if sends else ""

    @property
    def _lake_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.lake_name}"

    def environment_of(self, spec: FunctionSpec) -> dict[str, str]:
        """What a function is told, by the names of ``lambdas/settings.py``."""
        fed = self.queues[spec.queue]
        told = {
            "queue_url": fed.queue.queue_url,
            "dead_letter_queue_url": fed.dead_letters.queue_url,
            "lake_bucket": self.lake_name,
        }
        if sends_verdicts(spec):
            told |= {
                "memory_table": self.tables.memory.table_name,
                "memory_days": str(self._settings.memory_days),
                "verdict_queue_url": self.queues["verdicts"].queue.queue_url,
            }
            if spec.queue == "api-calls" and self._settings.trail == NONE:
                told |= {"trail": NONE}
        else:
            told |= {
                "signals_table": self.tables.signals.table_name,
                "journal_table": self.tables.journal.table_name,
                "policy_parameter": self.policy_parameter.parameter_name,
                "notification_topic_arn": self.topic.topic_arn,
                "own_role_arns": ",".join(self.names.own_roles),
                **{f"{group}_role_arn": self.names.role_arn(group) for group in spec.groups},
                **self._webhooks,
                **({"chat_topic_arn": self._settings.chat_topic} if self._settings.chat_topic else {}),
                **({"security_hub_product_arn": self._security_hub_arn} if self._security_hub_arn else {}),
            }
        if spec.queue in ("answers", "containments") and (accounts := self._settings.operator_accounts(self.account)):
            told |= {"operator_accounts": ",".join(accounts)}
        if self.link_key and spec.queue == "answers":
            told |= {"page_role_arn": self.names.role_arn(PAGE.name)}
        return told

    def environment_of_page(self) -> dict[str, str]:
        """What the page is told."""
        settings = self._settings
        told = {
            "journal_table": self.tables.journal.table_name,
            "answer_queue_url": self.queues["answers"].queue.queue_url,
            "page_issuer": settings.page_issuer,
            "page_client": settings.page_client,
        }
        return told | ({"page_token_origin": settings.page_token_origin} if settings.page_token_origin else {})

    def _queue(self, spec: FunctionSpec) -> FedQueue:
        names, settings = self.names, self._settings
        rules = [*RULES.get(spec.queue, ())]
        buckets = []
        if spec.queue in raw_prefixes(names):
            outside = settings.lake_bucket or (settings.trail_bucket if spec.queue == "api-calls" else "")
            if outside:
                rules.append(f"{spec.queue}-objects")
            else:
                buckets.append(self._lake_arn)
        principals = list(settings.operators)
        if spec.queue == "verdicts":
            principals += [names.role_arn(other.name) for other in FUNCTIONS if sends_verdicts(other)]
        if spec.queue == "answers" and settings.page_issuer:
            principals.append(names.role_arn(PAGE.name))
        senders = Senders(
            buckets=buckets,
            rules=[names.rule_arn(rule) for rule in rules],
            principals=principals,
            closed=spec.queue not in PEOPLES or bool(settings.operators),
        )
        key = self.response_key if spec.queue in PEOPLES else self.telemetry_key
        return fed_queue(self, spec, names, key, senders)

    def _lake(self) -> s3.IBucket:
        settings = self._settings
        if settings.lake_bucket:
            return s3.Bucket.from_bucket_name(self, "Lake", settings.lake_bucket)
        listeners = {name: self.queues[name].queue for name in raw_prefixes(self.names)}
        if settings.trail_bucket:
            del listeners["api-calls"]
        return lake_bucket(self, self.names, self.telemetry_key, settings.raw_days, listeners)

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Notifications",
            topic_name=self.names.resource("notifications"),
            display_name="Breakwater",
            master_key=self.response_key,
            enforce_ssl=True,
        )
        topic.apply_removal_policy(RemovalPolicy.DESTROY)
        # A policy of one's own replaces the one that lets in the account's services.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": self.account},
                    "ArnLike": {"aws:SourceArn": self.names.arn("cloudwatch", f"alarm:{self.names.prefix}-*")},
                },
            )
        )
        for address in self._settings.notify_emails:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _outputs(self) -> None:
        outputs = {
            "LakeBucketName": self.lake.bucket_name,
            "MemoryTableName": self.tables.memory.table_name,
            "SignalsTableName": self.tables.signals.table_name,
            "JournalTableName": self.tables.journal.table_name,
            "PolicyParameterName": self.policy_parameter.parameter_name,
            "NotificationTopicArn": self.topic.topic_arn,
        }
        for name, fed in self.queues.items():
            outputs[f"{pascal(name)}QueueUrl"] = fed.queue.queue_url
            outputs[f"{pascal(name)}DeadLettersUrl"] = fed.dead_letters.queue_url
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
