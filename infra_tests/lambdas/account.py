"""An AWS account in moto, laid out as the infrastructure lays it out, and functions that run in it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import RLock
from types import MappingProxyType, ModuleType
from typing import Any

import pytest
from moto.iam.models import iam_backends

from lambdas.clients import LazyClients
from lambdas.function import Function
from lambdas.settings import Settings
from response.anchors import is_anchors
from response.journal import JournalEntry
from response.orders import is_orders
from response.policy import policy_json

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
NOW_MS = 1_790_000_000_000


class FurnishedClients(LazyClients):
    """Clients of an account in which what a service keeps for Breakwater stands as soon as anybody asks for its client.

    A test of one action needs no tables, queues and topics; making them takes longer than most such tests.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked_for: set[tuple[str, str, bool]] = set()
        self._listeners: list[tuple[str, Callable[..., None]]] = []
        self._lock = RLock()

    def __call__(self, service: str, region: str = "", *, once: bool = False) -> Any:
        with self._lock:  # some tests call from several threads
            client = super().__call__(service, region, once=once)
            if (service, region, once) not in self._asked_for:
                self._asked_for.add((service, region, once))
                if service == "sns":
                    self("sqs")  # where notices go
                if furnish := _FURNISHING.get(service):
                    furnish(client)
                for event, listener in self._listeners:
                    client.meta.events.register(event, listener)
            return client

    def listen(self, event: str, listener: Callable[..., None]) -> None:
        """Tell a listener of an event of every client, of whatever service, made before or after."""
        self._listeners.append((event, listener))
        for service, region, once in self._asked_for:
            self(service, region, once=once).meta.events.register(event, listener)


#: IAM ids of the detectors' sessions, as SQS sees them.
DETECTORS = {
    name: f"AROAEXAMPLE{number:010d}:breakwater-{name.replace('_', '-')}"
    for number, name in enumerate(("detect_flows", "detect_api_calls", "detect_system_logs", "triage_findings"))
}
#: Who asks for an undo: ARN, and IAM id, as SQS sees it.
ON_CALL, ON_CALL_ID = f"arn:aws:iam::{ACCOUNT}:user/on-call", "AIDAEXAMPLEONCALL000"


@dataclass
class Account:
    clients: FurnishedClients = field(default_factory=FurnishedClients)
    settings: Settings = field(default_factory=lambda: _SETTINGS)
    queues: dict[str, str] = field(default_factory=lambda: dict(_QUEUES))
    now_ms: int = NOW_MS
    log: io.StringIO = field(default_factory=io.StringIO)

    def set_policy(self, *, mode: str = "enforce", **changes: Any) -> None:
        _put_policy(self.clients("ssm"), mode, changes)

    def rename_journal(self, name: str) -> None:
        _table(self.clients("dynamodb"), name, keys=("pk", "sk"), journal_indexes=True)
        self.settings = replace(self.settings, journal_table=name)

    def install(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType, clients: LazyClients | None = None) -> ModuleType:
        """Let a handler's module work in this account, at this account's time; with clients of its own if it has some."""
        original: Function = module.FUNCTION
        function = Function(
            original.name, needs=(), clients=clients or self.clients, settings=self.settings, clock=lambda: self.now_ms
        )
        monkeypatch.setattr(module, "FUNCTION", function)
        # The logger of a service is made once, with the standard output of whichever test came first.
        function.logger.registered_handler.stream = self.log  # type: ignore[attr-defined]
        if original.name == "expire_containments":
            self._has_an_engineer()
        if hasattr(module, "ROOM"):
            monkeypatch.setattr(module, "ROOM", type(module.ROOM)(function))
        return module

    def _has_an_engineer(self) -> None:
        users = iam_backends[ACCOUNT]["aws"].users
        if not any(user.name == "on-call" for user in users.values()):
            self.clients("iam").create_user(UserName="on-call")
            next(user for user in users.values() if user.name == "on-call").id = ON_CALL_ID

    def lines(self) -> list[dict[str, Any]]:
        """What the functions logged."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def take(self, queue: str) -> list[dict[str, Any]]:
        """Receive and delete everything in a queue, with its attributes."""
        taken: list[dict[str, Any]] = []
        sqs, url = self.clients("sqs"), self.queues[queue]
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += messages
        return taken

    def journal(self) -> list[JournalEntry]:
        """Every entry about containments and the switch, by stream and sequence."""
        from lambdas.adapters.journal import DynamoJournal

        items = self.clients("dynamodb").scan(TableName=self.settings.journal_table)["Items"]
        journal = DynamoJournal(self.clients, self.settings.journal_table)
        return [
            entry
            for name in sorted({item["pk"]["S"] for item in items if not _is_apart(item["pk"]["S"])})
            for entry in journal.stream(name)
        ]

    def steps(self) -> list[str]:
        return [entry.step for entry in self.journal()]

    def vpc(self) -> str:
        return str(self.clients("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

    def group(self, vpc: str, name: str, tags: dict[str, str] | None = None) -> str:
        specification = [{"ResourceType": "security-group", "Tags": _tags(tags)}] if tags else []
        made = self.clients("ec2").create_security_group(
            GroupName=name, Description=name, VpcId=vpc, TagSpecifications=specification
        )
        return str(made["GroupId"])

    def instance(self, vpc: str, groups: list[str], *, interfaces: int = 1, tags: dict[str, str] | None = None) -> str:
        ec2 = self.clients("ec2")
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{len(ec2.describe_subnets()['Subnets']) % 250}.0/24")
        subnet_id = subnet["Subnet"]["SubnetId"]
        image = some_image(ec2)
        # Groups on the interface, not on the instance: moto adds the instance's to every interface, for ever.
        instance = ec2.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet_id, "Groups": groups}],
        )["Instances"][0]["InstanceId"]
        for index in range(1, interfaces):
            eni = ec2.create_network_interface(SubnetId=subnet_id, Groups=groups)["NetworkInterface"]["NetworkInterfaceId"]
            ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=index)
        if tags:
            ec2.create_tags(Resources=[instance], Tags=_tags(tags))
        return str(instance)

    def groups_of(self, instance: str) -> dict[str, list[str]]:
        found = self.clients("ec2").describe_network_interfaces(
            Filters=[{"Name": "attachment.instance-id", "Values": [instance]}]
        )
        return {i["NetworkInterfaceId"]: sorted(g["GroupId"] for g in i["Groups"]) for i in found["NetworkInterfaces"]}


def _is_apart(stream: str) -> bool:
    return is_anchors(stream) or is_orders(stream)


def sqs_event(*bodies: str, fifo_groups: tuple[str, ...] = (), sender: str = ON_CALL_ID) -> dict[str, Any]:
    """Build the event that Lambda's SQS event source makes of these bodies."""
    return {
        "Records": [
            {
                "messageId": f"message-{index}",
                "receiptHandle": "receipt",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SenderId": sender}
                | ({"MessageGroupId": fifo_groups[index]} if fifo_groups else {}),
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:queue" + (".fifo" if fifo_groups else ""),
                "awsRegion": "eu-central-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def redelivered(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Build the event of verdicts that were taken from their queue, as if triage, which speaks for all, had sent them."""
    groups = tuple(message["Attributes"]["MessageGroupId"] for message in messages)
    return sqs_event(*(message["Body"] for message in messages), fifo_groups=groups, sender=DETECTORS["triage_findings"])


def _tags(tags: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _table(dynamodb: Any, name: str, *, keys: tuple[str, ...], journal_indexes: bool = False) -> None:
    attributes = dict.fromkeys(keys, "S")
    extra: dict[str, Any] = {}
    if journal_indexes:
        attributes |= {"expiring": "S", "expires_ms": "N", "containment_id": "S", "written": "S", "time_ms": "N"}
        extra["GlobalSecondaryIndexes"] = [
            _index("expiring", "expiring", "expires_ms"),
            _index("containments", "containment_id", "sk"),
            _index("written", "written", "time_ms", projection="KEYS_ONLY"),
        ]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": k, "AttributeType": t} for k, t in attributes.items()],
        BillingMode="PAY_PER_REQUEST",
        **extra,
    )


def _index(name: str, partition: str, sort: str, projection: str = "ALL") -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": projection},
    }


def some_image(ec2: Any) -> str:
    return str(ec2.register_image(Name="web", Architecture="x86_64")["ImageId"])


_QUEUES = {
    name: f"https://sqs.eu-central-1.amazonaws.com/{ACCOUNT}/{queue}"
    for name, queue in {
        "verdicts": "verdicts.fifo",
        "dead-letters": "dead-letters",
        "verdicts-dead-letters": "verdicts-dead-letters.fifo",
        "source": "source",
        "notices": "notices",
    }.items()
}


def _role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/breakwater-{name}-eu-central-1"


_SETTINGS = Settings(
    memory_table="memory",
    signals_table="signals",
    journal_table="journal",
    verdict_queue_url=_QUEUES["verdicts"],
    queue_url=_QUEUES["source"],
    dead_letter_queue_url=_QUEUES["dead-letters"],
    lake_bucket="lake",
    policy_parameter="/breakwater/policy",
    notification_topic_arn=f"arn:aws:sns:eu-central-1:{ACCOUNT}:notices",
    own_role_arns=_role_arn("respond"),
    verdict_senders=",".join(f"{name}={sender.partition(':')[0]}" for name, sender in DETECTORS.items()),
    network_role_arn=_role_arn("network"),
    identity_role_arn=_role_arn("identity"),
    data_role_arn=_role_arn("data"),
    undo_role_arn=_role_arn("undo"),
)


def _make_tables(dynamodb: Any) -> None:
    _table(dynamodb, "memory", keys=("pk",))
    _table(dynamodb, "signals", keys=("pk", "sk"))
    _table(dynamodb, "journal", keys=("pk", "sk"), journal_indexes=True)


def _make_queues(sqs: Any) -> None:
    for url in _QUEUES.values():
        name = url.rpartition("/")[2]
        made = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if name.endswith(".fifo") else {})
        assert made["QueueUrl"] == url


def _make_topic(sns: Any) -> None:
    topic = sns.create_topic(Name="notices")["TopicArn"]
    assert topic == _SETTINGS.notification_topic_arn
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:eu-central-1:{ACCOUNT}:notices")


def _make_lake(s3: Any) -> None:
    s3.create_bucket(Bucket=_SETTINGS.lake_bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})


def _put_policy(ssm: Any, mode: str = "enforce", changes: Mapping[str, Any] = MappingProxyType({})) -> None:
    policy = json.loads(_default_policy())
    for part in (*policy["rules"], *policy["actions"].values()):
        part["mode"] = mode
    policy |= changes
    ssm.put_parameter(Name=_SETTINGS.policy_parameter, Value=json.dumps(policy), Type="String", Overwrite=True)


@cache
def _default_policy() -> str:
    return policy_json(ROOT / "policy" / "default.yaml")


_FURNISHING: Mapping[str, Callable[[Any], None]] = {
    "dynamodb": _make_tables,
    "sqs": _make_queues,
    "sns": _make_topic,
    "s3": _make_lake,
    "ssm": _put_policy,
}
