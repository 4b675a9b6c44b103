"""CloudFormation: resource types and properties that moto's services have but its CloudFormation leaves out.

A type that stays unsupported is on the list in :mod:`offline.aws.skipped`, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from moto.awslambda.models import Permission
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import ResourceMap
from moto.core.common_models import CloudFormationModel
from moto.events.models import EventBus
from moto.firehose.models import firehose_backends
from moto.iam.models import Role
from moto.kms.models import Key, kms_backends
from moto.logs.models import logs_backends
from moto.s3 import models as s3
from moto.s3 import notifications
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.ssm.models import Parameter

from offline.aws.repairs import http_apis
from offline.aws.repairs.seams import substitute

Properties = Mapping[str, Any]
Create = Callable[[str, Properties, str, str], dict[str, str]]

# moto finds its types among the direct subclasses of CloudFormationModel, which Python holds weakly.
_registered: list[type] = []


def repair() -> None:
    """Register the missing types and mend the incomplete ones; once per process, before the first stack."""
    _register("AWS::SQS::QueuePolicy", "", _queue_policy)
    _register("AWS::SNS::TopicPolicy", "", _topic_policy)
    _register("AWS::SNS::Subscription", "", _subscription)
    _register("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", _delivery_stream)
    _register("AWS::Logs::SubscriptionFilter", "FilterName", _subscription_filter)
    for type_name, create in http_apis.creates().items():
        _register(type_name, "", create)
    # {"Ref": bus} gave the model object itself.
    EventBus.physical_resource_id = property(lambda self: self.name)  # type: ignore[attr-defined]
    # Without an id it would count as left out.
    Permission.physical_resource_id = property(lambda self: f"permission-{id(self):x}")  # type: ignore[attr-defined]
    _notify_from_template()
    _keys_from_template()
    _parameters_from_template()
    _policies_from_template()
    _say_what_failed()


def _register(type_name: str, name_property: str, create: Create) -> None:
    class Registered(CloudFormationModel):
        def __init__(self, attributes: dict[str, str]) -> None:
            self._attributes = attributes

        @property
        def physical_resource_id(self) -> str:
            return self._attributes["Ref"]

        def get_cfn_attribute(self, attribute_name: str) -> str:
            return self._attributes[attribute_name]

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        @staticmethod
        def cloudformation_type() -> str:
            return type_name

        @staticmethod
        def cloudformation_name_type() -> str:
            return name_property

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
        ) -> Any:
            return cls(create(resource_name, cloudformation_json["Properties"], account_id, region_name))

        @classmethod
        def update_from_cloudformation_json(
            cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
        ) -> Any:
            return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

        @classmethod
        def delete_from_cloudformation_json(cls, *_: Any) -> None:
            return None

    Registered.__module__ = "moto.embedded.models"  # moto takes the service's name from here
    _registered.append(Registered)


def _queue_policy(name: str, properties: Properties, account: str, region: str) -> dict[str, str]:
    for url in properties["Queues"]:
        policy = {"Policy": json.dumps(properties["PolicyDocument"])}
        sqs_backends[account][region].set_queue_attributes(url.rsplit("/", 1)[-1], policy)
    return {"Ref": name, "Id": name}


def _topic_policy(name: str, properties: Properties, account: str, region: str) -> dict[str, str]:
    for arn in properties["Topics"]:
        sns_backends[account][region].set_topic_attribute(arn, "Policy", json.dumps(properties["PolicyDocument"]))
    return {"Ref": name, "Id": name}


def _subscription(name: str, properties: Properties, account: str, region: str) -> dict[str, str]:
    made = sns_backends[account][region].subscribe(properties["TopicArn"], properties["Endpoint"], properties["Protocol"])
    return {"Ref": made.arn, "Arn": made.arn}


def _delivery_stream(name: str, properties: Properties, account: str, region: str) -> dict[str, str]:
    arn = firehose_backends[account][region].create_delivery_stream(
        region=region,
        delivery_stream_name=name,
        delivery_stream_type=properties.get("DeliveryStreamType", "DirectPut"),
        kinesis_stream_source_configuration={},
        delivery_stream_encryption_configuration_input=properties.get("DeliveryStreamEncryptionConfigurationInput", {}),
        s3_destination_configuration=properties.get("S3DestinationConfiguration", {}),
        extended_s3_destination_configuration=dict(properties.get("ExtendedS3DestinationConfiguration", {})),
        redshift_destination_configuration={},
        elasticsearch_destination_configuration={},
        splunk_destination_configuration={},
        http_endpoint_destination_configuration={},
        snowflake_destination_configuration={},
        iceberg_destination_configuration={},
        tags=properties.get("Tags", []),
    )
    return {"Ref": name, "Arn": arn}


def _subscription_filter(name: str, properties: Properties, account: str, region: str) -> dict[str, str]:
    logs = logs_backends[account][region]
    group = properties["LogGroupName"]
    if group not in logs.groups:  # on AWS the template names groups that exist; here nobody made them
        logs.create_log_group(group, {})
    logs.put_subscription_filter(
        group, name, properties.get("FilterPattern", ""), properties["DestinationArn"], properties.get("RoleArn", "")
    )
    return {"Ref": name}


_KINDS = (
    ("QueueConfigurations", "QueueConfiguration", "Queue"),
    ("TopicConfigurations", "TopicConfiguration", "Topic"),
    ("LambdaConfigurations", "CloudFunctionConfiguration", "Function"),
)


def _notify_from_template() -> None:
    """Buckets in a template get their notifications, and a notification names key and sequencer as on AWS."""

    def create(cls: Any, /, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any) -> Any:
        bucket: s3.FakeBucket = original.__func__(cls, resource_name, cloudformation_json, account_id, region_name, **more)
        wanted = cloudformation_json.get("Properties", {}).get("NotificationConfiguration")
        if wanted:
            bucket.set_notification_configuration(notification_request(wanted))
        return bucket

    original = substitute(s3.FakeBucket, "create_from_cloudformation_json", classmethod(create))

    def with_sequencer(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        message = event(event_name, bucket, key, notification_id)
        written = message["Records"][0]["s3"]["object"]
        written["key"] = quote_plus(key.name, safe="/")  # AWS keeps the slashes
        written["sequencer"] = f"{int(key.last_modified.timestamp() * 1e6):018X}"
        return message

    event = substitute(notifications, "_get_s3_event", with_sequencer)


def _keys_from_template() -> None:
    """Keys in a template may have tags (moto expects the words of the KMS API) and a use, and their policy is kept as JSON."""

    def create(cls: Any, /, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any) -> Any:
        properties = dict(cloudformation_json["Properties"])
        properties["KeyPolicy"] = json.dumps(properties["KeyPolicy"])
        properties["Tags"] = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", ())]
        if "KeySpec" not in properties:
            return original.__func__(cls, resource_name, {"Properties": properties}, account_id, region_name, **more)
        return kms_backends[account_id][region_name].create_key(
            policy=properties["KeyPolicy"],
            key_usage=properties["KeyUsage"],
            key_spec=properties["KeySpec"],
            description=properties.get("Description", ""),
            tags=properties["Tags"],
        )

    original = substitute(Key, "create_from_cloudformation_json", classmethod(create))


def _parameters_from_template() -> None:
    """Tags of a parameter are a map in a template, unlike every other type's; moto expects the list of the API."""

    def create(cls: Any, /, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any) -> Any:
        properties = dict(cloudformation_json["Properties"])
        tags = properties.get("Tags", {})
        properties["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        return original.__func__(cls, resource_name, {"Properties": properties}, account_id, region_name, **more)

    original = substitute(Parameter, "create_from_cloudformation_json", classmethod(create))


def _policies_from_template() -> None:
    """Policies within a role's template are documents, which moto kept as Python's own text for them."""

    def put_policy(self: Any, policy_name: str, policy_json: Any) -> None:
        original(self, policy_name, policy_json if isinstance(policy_json, str) else json.dumps(policy_json))

    original = substitute(Role, "put_policy", put_policy)


def _say_what_failed() -> None:
    """A resource whose creation raised KeyError was reported as one that the template does not have."""

    def get(self: ResourceMap, key: str, default: Any = None) -> Any:
        if key not in self._parsed_resources and key not in self._resource_json_map:
            return default
        try:
            return self[key]
        except KeyError as missing:
            raise ValidationError(message=f"resource {key}: property or resource {missing} is missing") from missing

    ResourceMap.get = get  # type: ignore[assignment,method-assign]


def notification_request(template: Properties) -> dict[str, Any]:
    """Notification configuration of a template in the words of the S3 API, which moto keeps.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-notificationconfiguration.html
    """
    request: dict[str, Any] = {}
    for plural, singular, target in _KINDS:
        for entry in template.get(plural, ()):
            rules = entry.get("Filter", {}).get("S3Key", {}).get("Rules", ())
            converted: dict[str, Any] = {
                target if target != "Function" else "CloudFunction": entry[target],
                "Event": [entry["Event"]],
            }
            if rules:
                names = [{"Name": rule["Name"].lower(), "Value": rule["Value"]} for rule in rules]
                converted["Filter"] = {"S3Key": {"FilterRule": names}}
            request.setdefault(singular, []).append(converted)
    bridge = template.get("EventBridgeConfiguration")
    if bridge is not None and str(bridge.get("EventBridgeEnabled", True)).lower() == "true":
        request["EventBridgeConfiguration"] = {}
    return request
