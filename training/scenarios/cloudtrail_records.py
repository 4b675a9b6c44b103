"""Writes API calls as CloudTrail records, in the shapes of the S3 log file and of the EventBridge envelope.

Format: AWS CloudTrail User Guide, "CloudTrail record contents" (event version 1.09) and "CloudTrail userIdentity element".
"""

# ruff: noqa: E501  (texts as the services write them)
from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from training.scenarios.script import Call
from training.scenarios.site import ACCOUNT, hexadecimal, internet_address

Record = dict[str, Any]
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_READS = ("Get", "List", "Describe", "Head", "Lookup", "Search", "Query", "Select", "Check", "Decode", "Simulate", "BatchGet")
#: Operations that are read-only although their name does not begin like one, and the other way round.
_READ_EXCEPTIONS = {
    "AssumeRole": True,
    "GetFederationToken": False,
    "AssumeRoleWithWebIdentity": True,
    "AssumeRoleWithSAML": True,
    "Decrypt": True,
    "GetSigninToken": False,
    "GenerateDataKey": True,
    "CheckMfa": False,
}
#: Services whose ``eventSource`` is not ``<service>.amazonaws.com``.
_SOURCES = {"cloudwatch": "monitoring.amazonaws.com", "config": "config.amazonaws.com"}
_GLOBAL = frozenset({"iam", "organizations", "route53", "cloudfront"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, from where, with which program: everything of a record that is not the call itself.

    ``kind`` is CloudTrail's ``userIdentity.type``. ``session`` is an assumed role's session name; an instance's role has the
    instance id there. ``issued_ms`` is when the session's token was issued.
    """

    kind: str
    name: str
    principal_id: str
    access_key: str
    address: str
    agent: str
    region: str
    account: str = ACCOUNT
    session: str = ""
    mfa: bool | None = None
    issued_ms: int | None = None

    def identity(self) -> Record:
        """``userIdentity`` element."""
        if self.kind == "Root":
            return {
                "type": "Root", "principalId": self.account, "arn": f"arn:aws:iam::{self.account}:root", "accountId": self.account,
                "accessKeyId": self.access_key, "sessionContext": {"attributes": self._attributes()},
            }  # fmt: skip
        if self.kind == "AssumedRole":
            role = {
                "type": "Role", "principalId": self.principal_id, "arn": f"arn:aws:iam::{self.account}:role/{self.name}",
                "accountId": self.account, "userName": self.name,
            }  # fmt: skip
            return {
                "type": "AssumedRole", "principalId": f"{self.principal_id}:{self.session}",
                "arn": f"arn:aws:sts::{self.account}:assumed-role/{self.name}/{self.session}", "accountId": self.account,
                "accessKeyId": self.access_key, "sessionContext": {"sessionIssuer": role, "attributes": self._attributes()},
            }  # fmt: skip
        identity: Record = {
            "type": "IAMUser", "principalId": self.principal_id, "arn": f"arn:aws:iam::{self.account}:user/{self.name}",
            "accountId": self.account, "accessKeyId": self.access_key, "userName": self.name,
        }  # fmt: skip
        if self.mfa is not None:
            identity["sessionContext"] = {"attributes": self._attributes()}
        return identity

    def _attributes(self) -> Record:
        return {"creationDate": timestamp(self.issued_ms or 0), "mfaAuthenticated": "true" if self.mfa else "false"}


def timestamp(time_ms: int) -> str:
    """ISO 8601 with whole seconds, as CloudTrail writes ``eventTime``."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def identifier(rng: random.Random, prefix: str, digits: int = 17) -> str:
    """IAM unique id or access key id: prefix (AKIA, ASIA, AIDA, AROA) and base-32 digits."""
    return prefix + "".join(rng.choices(_BASE32, k=digits))


def record(rng: random.Random, caller: Caller, call: Call, time_ms: int) -> Record:
    """One record of the call. A refused call carries ``errorCode`` and no ``responseElements``."""
    name, service = call.operation, call.service
    if service == "signin":
        return _sign_in(rng, caller, call, time_ms)
    read_only = _READ_EXCEPTIONS.get(name, name.startswith(_READS))
    region = "us-east-1" if service in _GLOBAL else caller.region
    written: Record = {
        "eventVersion": "1.09",
        "userIdentity": caller.identity(),
        "eventTime": timestamp(time_ms),
        "eventSource": _SOURCES.get(service, f"{service}.amazonaws.com"),
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": caller.address,
        "userAgent": caller.agent,
        "requestParameters": _granting(parameters(rng, service, name, caller), call, caller),
        "responseElements": None if read_only or call.denied else {"requestId": hexadecimal(rng, 12)},
        "requestID": _uuid(rng),
        "eventID": _uuid(rng),
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": caller.account,
        "eventCategory": "Management",
    }
    if call.denied:
        written["errorCode"] = "Client.UnauthorizedOperation" if service == "ec2" else "AccessDenied"
        written["errorMessage"] = f"User: {written['userIdentity']['arn']} is not authorized to perform: {service}:{name}"
    return written


def envelope(written: Record) -> Record:
    """The same record as EventBridge delivers it."""
    sign_in = written["eventType"] == "AwsConsoleSignIn"
    service = written["eventSource"].split(".")[0]
    return {
        "version": "0",
        "id": written["eventID"],
        "detail-type": "AWS Console Sign In via CloudTrail" if sign_in else "AWS API Call via CloudTrail",
        "source": f"aws.{service}",
        "account": written["recipientAccountId"],
        "time": written["eventTime"],
        "region": written["awsRegion"],
        "resources": [],
        "detail": written,
    }


def _sign_in(rng: random.Random, caller: Caller, call: Call, time_ms: int) -> Record:
    identity = {key: value for key, value in caller.identity().items() if key not in ("sessionContext",)}
    identity["accessKeyId"] = ""
    written: Record = {
        "eventVersion": "1.08", "userIdentity": identity, "eventTime": timestamp(time_ms), "eventSource": "signin.amazonaws.com",
        "eventName": call.operation, "awsRegion": "us-east-1", "sourceIPAddress": caller.address, "userAgent": BROWSER,
        "requestParameters": None, "responseElements": {call.operation: "Failure" if call.denied else "Success"},
        "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "Yes" if caller.mfa else "No"},
        "eventID": _uuid(rng), "readOnly": False, "eventType": "AwsConsoleSignIn", "managementEvent": True,
        "recipientAccountId": caller.account, "eventCategory": "Management",
    }  # fmt: skip
    if call.denied:
        written["errorMessage"] = "Failed authentication"
    return written


def _uuid(rng: random.Random) -> str:
    text = hexadecimal(rng, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


_WORDS = ("orders", "billing", "search", "ingest", "report", "web", "cache", "ledger", "media", "audit", "mail", "login")


def parameters(rng: random.Random, service: str, operation: str, caller: Caller) -> Record | None:
    """``requestParameters`` with the names that the service uses for what the call is about; None where it takes none."""
    word = rng.choice(_WORDS)
    if service == "iam":
        kind = (
            "userName"
            if any(part in operation for part in ("User", "AccessKey", "LoginProfile", "MFA"))
            else "roleName"
            if "Role" in operation
            else "policyArn"
        )
        return {kind: f"{word}-{rng.randrange(20)}" if kind != "policyArn" else f"arn:aws:iam::{caller.account}:policy/{word}"}
    if service == "sts" and operation.startswith("AssumeRole"):
        return {
            "roleArn": f"arn:aws:iam::{caller.account}:role/{word}-role",
            "roleSessionName": f"{word}-{rng.randrange(1000)}",
            "durationSeconds": 3600,
        }
    if service == "secretsmanager" and operation != "ListSecrets":
        return {"secretId": f"arn:aws:secretsmanager:{caller.region}:{caller.account}:secret:{word}-{rng.randrange(40)}"}
    if service == "ssm":
        target = f"i-0{hexadecimal(rng, 16)}", f"i-0{hexadecimal(rng, 16)}"
        name = f"/{word}/{rng.randrange(40)}"
        if operation == "SendCommand":
            return {"instanceIds": [target[0]], "documentName": "AWS-RunShellScript"}
        return {"target": target[1]} if operation == "StartSession" else {"name": name}
    if service == "s3":
        return {"bucketName": f"{word}-{caller.account}", "Host": "s3.amazonaws.com"}
    if service == "ec2":
        for part, key, prefix in (
            ("Snapshot", "snapshotId", "snap-0"),
            ("SecurityGroup", "groupId", "sg-0"),
            ("Image", "imageId", "ami-0"),
            ("Vpc", "vpcId", "vpc-0"),
            ("FlowLogs", "flowLogId", "fl-0"),
            ("Instance", "instanceId", "i-0"),
            ("PasswordData", "instanceId", "i-0"),
        ):
            if part in operation:
                return {key: f"{prefix}{hexadecimal(rng, 16)}"}
        return {"filterSet": {}}
    if service == "lambda":
        return {"functionName": f"{word}-handler"}
    if service == "kms":
        return {"keyId": f"arn:aws:kms:{caller.region}:{caller.account}:key/{_uuid(rng)}"}
    if service == "cloudtrail":
        return {"name": f"arn:aws:cloudtrail:{caller.region}:{caller.account}:trail/{word}"}
    if service == "guardduty":
        return {"detectorId": hexadecimal(rng, 32)}
    return {"resourceName": word} if rng.random() < 0.7 else None


_FOREIGN = "210987654321"  # an account that is nobody's here
#: What each of these calls asks for when it leaves less watched.
_UNWATCHED: dict[str, Record] = {
    "UpdateTrail": {"isMultiRegionTrail": False, "includeGlobalServiceEvents": False},
    "PutEventSelectors": {"eventSelectors": [{"readWriteType": "ReadOnly", "includeManagementEvents": False}]},
    "PutConfigurationRecorder": {"configurationRecorder": {"recordingGroup": {"allSupported": False, "resourceTypes": []}}},
    "UpdateDetector": {"enable": False},
    "CreateFilter": {"action": "ARCHIVE"},
}


def _granting(asked: Record | None, call: Call, caller: Caller) -> Record | None:
    """What is asked for, with the part that opens it to everybody, to an account outside, or gives every right."""
    if not call.grant:
        return asked
    name, written = call.operation, dict(asked or {})
    everybody = call.grant == "public"
    if call.grant == "unwatched":
        return written | _UNWATCHED[name]
    if call.grant == "admin":
        if "Attach" in name:
            return written | {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
        return written | {"policyDocument": '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'}
    if name.startswith(("AuthorizeSecurityGroup", "ModifySecurityGroupRules")):
        ranges = {"items": [{"cidrIp": "0.0.0.0/0"}]}
        return written | {"ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": ranges}]}}
    if "NetworkAcl" in name or name == "CreateRoute":
        return written | {"cidrBlock": "0.0.0.0/0", "ruleAction": "allow"}
    if name in ("ModifySnapshotAttribute", "ModifyImageAttribute"):
        kind = "createVolumePermission" if "Snapshot" in name else "launchPermission"
        return written | {kind: {"add": {"items": [{"group": "all"} if everybody else {"userId": _FOREIGN}]}}}
    if name in ("ModifyDBSnapshotAttribute", "ModifyDBClusterSnapshotAttribute"):
        return written | {"attributeName": "restore", "valuesToAdd": ["all" if everybody else _FOREIGN]}
    if "Acl" in name:
        return written | {"x-amz-acl": "public-read"}
    if name == "AddPermission":
        return written | {"principal": "*" if everybody else _FOREIGN, "action": "lambda:InvokeFunction"}
    if "PubliclyAccessible" in name or name in ("ModifyCluster", "ModifyDBCluster", "CreateFunctionUrlConfig"):
        return written | {"publiclyAccessible": True} if "Url" not in name else written | {"authType": "NONE"}
    principal = "*" if everybody else f"arn:aws:iam::{_FOREIGN}:root"
    return written | {
        "policyDocument": f'{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"*:*"}}]}}'
    }


BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36"
AGENTS = {
    "console": ("[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.4]", "AWS Internal", BROWSER, "console.amazonaws.com"),
    "cli": ("aws-cli/2.15.10 Python/3.11.6 Linux/6.1.0 exe/x86_64 prompt/off command/ec2.describe-instances", "aws-cli/1.32.1 Python/3.9.16 Linux/5.10 botocore/1.34.1"),
    "sdk": ("Boto3/1.34.1 Python/3.11.6 Linux/6.1.0 Botocore/1.34.1", "aws-sdk-go-v2/1.24.0 os/linux lang/go#1.21.5 md/GOOS#linux", "aws-sdk-java/2.21.0 Linux/5.10 OpenJDK_64-Bit_Server_VM/17"),
    "terraform": ("APN/1.0 HashiCorp/1.0 Terraform/1.6.6 (+https://www.terraform.io) terraform-provider-aws/5.31.0 aws-sdk-go-v2/1.24.0",),
}  # fmt: skip


def make_caller(rng: random.Random, kind: str, agent: str, *, now_ms: int, mfa: bool | None = None) -> Caller:
    """Draw a caller. ``kind``: ``user``, ``role``, ``instance`` (a role's session on an instance) or ``root``; ``agent``: key of AGENTS."""
    region, word = rng.choice(("eu-central-1", "us-east-1", "us-west-2")), rng.choice(_WORDS)
    address = internet_address(rng)
    program = rng.choice(AGENTS[agent])
    if kind == "user":
        key = identifier(rng, "ASIA" if agent == "console" else "AKIA", 16)
        issued = now_ms - rng.randrange(60_000, 7_200_000) if agent == "console" else None
        return Caller(
            "IAMUser",
            f"{word}.{rng.randrange(90)}",
            identifier(rng, "AIDA"),
            key,
            address,
            program,
            region,
            mfa=mfa if agent == "console" else None,
            issued_ms=issued,
        )
    if kind == "root":
        return Caller(
            "Root", "root", ACCOUNT, identifier(rng, "ASIA", 16), address, BROWSER, region, mfa=mfa, issued_ms=now_ms - 600_000
        )
    instance = kind == "instance"
    session = (
        f"i-0{hexadecimal(rng, 16)}"
        if instance
        else rng.choice((f"{word}-{rng.randrange(10**9)}", f"{word}@example.com", f"botocore-session-{now_ms // 1000}"))
    )
    if instance and rng.random() < 0.5:
        address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(4, 250)}"
    return Caller(
        "AssumedRole", f"{word}-{'instance' if instance else 'automation'}-role", identifier(rng, "AROA"), identifier(rng, "ASIA", 16),
        address, program, region, session=session, mfa=bool(mfa), issued_ms=now_ms - rng.randrange(60_000, 3_600_000),
    )  # fmt: skip


def at_address(caller: Caller, address: str) -> Caller:
    return replace(caller, address=address)


def elsewhere(rng: random.Random, caller: Caller, agent: str = "cli") -> Caller:
    """The same credentials used from another address with another program: what a thief does."""
    return replace(caller, address=internet_address(rng), agent=rng.choice(AGENTS[agent]))
