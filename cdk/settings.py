"""The operator's settings: read from ``cdk.json``'s context (or ``-c key=value``), validated before anything is made.

Every key starts with ``breakwater:``. docs/deploy-aws.md explains each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

PREFIX = "breakwater:"
#: Which build of the functions is deployed: for Lambda, or for this machine's embedded AWS.
PACKAGES_KEY = "packages"
CREATE, NONE, SEND = "create", "none", "send"
#: What CloudWatch Logs accepts as retention, in days.
_RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


class SettingInvalid(ValueError):
    """A setting cannot be used. Names the context key, what was wrong, and what fits."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"context {key!r} is {value!r}: {expected}")
        self.key = key


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides.

    Attributes
    ----------
    name : str
        Prefix of every named resource.
    account, region : str
        Where it is deployed; ``""`` takes them from the command line's credentials.
    packages : str
        ``cloud`` (arm64, python3.12) or ``local`` (this machine, for the embedded AWS).
    lake_bucket : str
        An existing bucket for telemetry, which sends its events to EventBridge; ``""`` makes one.
    trail : str
        ``create`` a trail of all regions; or an existing bucket (``name/prefix``) that a trail already writes to and that
        sends its events to EventBridge; or ``none``.
    guardduty : str
        ``create`` a detector, the id of the existing one, or ``none``.
    security_hub : str
        ``send`` verdicts and containments to the account's Security Hub, which must be on; or ``none``.
    flow_log_vpcs : tuple of str
        VPCs whose flow logs are delivered.
    log_groups : tuple of str
        CloudWatch log groups whose lines are delivered.
    policy_file : str
        The operator's policy, relative to the repository.
    notify_emails : tuple of str
        Who is told of verdicts, refusals and alarms.
    slack_webhook, teams_webhook : str
        Names of the SSM parameters (SecureString, made by the operator) that hold the address of a channel's webhook.
    chat_topic : str
        ARN of an SNS topic, made by the operator, that Amazon Q Developer in chat applications listens on.
    page_issuer : str
        Identity provider (OpenID Connect issuer) by which people sign in to answer a proposal by its link; ``""`` makes no page,
        and notices name the console's command alone.
    page_client : str
        Client id under which the page is known there: the audience of its ID tokens.
    page_token_origin : str
        Origin of the provider's token endpoint, if that is not the issuer's own.
    bucket_keys : tuple of str
        ARNs of the KMS keys that encrypt the existing buckets.
    operators : tuple of str
        ARNs of the roles or users that may approve an undo and redrive dead letters; empty leaves the approval to the
        account's own IAM policies. Those of another account may answer as theirs: nobody else may name that account.
    memory_days, log_days, raw_days : int
        How long entity memory, function logs and raw telemetry are kept.
    respond_concurrency : int
        Responses that may run at once, 2 or more (a limit of SQS event sources).
    """

    name: str = "breakwater"
    account: str = ""
    region: str = ""
    packages: str = "cloud"
    lake_bucket: str = ""
    trail: str = CREATE
    guardduty: str = CREATE
    security_hub: str = NONE
    flow_log_vpcs: tuple[str, ...] = ()
    log_groups: tuple[str, ...] = ()
    policy_file: str = "policy/default.yaml"
    notify_emails: tuple[str, ...] = ()
    slack_webhook: str = ""
    teams_webhook: str = ""
    chat_topic: str = ""
    page_issuer: str = ""
    page_client: str = ""
    page_token_origin: str = ""
    bucket_keys: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    memory_days: int = 14
    log_days: int = 90
    raw_days: int = 90
    respond_concurrency: int = 2

    @classmethod
    def from_context(cls, context: Mapping[str, Any], root: Path) -> Settings:
        """Read and check the settings.

        Parameters
        ----------
        context : mapping
            Values as ``cdk.json`` has them, or text as ``-c`` gives it (a list as JSON, or separated by commas).
        root : Path
            Of the repository; ``policy_file`` must exist below it.

        Raises
        ------
        SettingInvalid
        """
        known = {PREFIX + field.name.replace("_", "-"): field for field in fields(cls) if field.name != PACKAGES_KEY}
        for key in context:
            if key.startswith(PREFIX) and key not in known:
                raise SettingInvalid(key, context[key], f"there is no such setting; there are {', '.join(sorted(known))}")
        given: dict[str, Any] = {}
        for key, field in known.items():
            if context.get(key) is not None:
                given[field.name] = _READERS[type(field.default)](key, context[key])
        if context.get(PACKAGES_KEY) is not None:
            given[PACKAGES_KEY] = _text(PACKAGES_KEY, context[PACKAGES_KEY])
        settings = cls(**given)
        settings._check(root)
        return settings

    def operator_accounts(self, own: str) -> tuple[str, ...]:
        """Accounts, besides one's own, whose people are operators."""
        return tuple(sorted({arn.split(":")[4] for arn in self.operators} - {own}))

    @property
    def trail_bucket(self) -> str:
        """Bucket of an existing trail, ``""`` where none was named."""
        return "" if self.trail in (CREATE, NONE) else self.trail.partition("/")[0]

    @property
    def trail_prefix(self) -> str:
        """Prefix of an existing trail's objects."""
        return self.trail.partition("/")[2]

    @property
    def trail_root(self) -> str:
        """Where an existing trail writes a folder for each account: ``bucket/prefix/AWSLogs/``, ``""`` where none was named.

        The prefix that is named may end before, at or behind that part. An organisation's trail has its id behind it.
        """
        if not self.trail_bucket:
            return ""
        named = re.match(r"(?P<before>(?:.*/)?)AWSLogs(?:/(?P<organisation>o-[a-z0-9]+))?(?:/|$)", self.trail_prefix)
        if not named:
            return f"{self.trail_bucket}/{self.trail_prefix.rstrip('/')}/AWSLogs/".replace("//", "/")
        organisation = f"{named['organisation']}/" if named["organisation"] else ""
        return f"{self.trail_bucket}/{named['before']}AWSLogs/{organisation}"

    def _check(self, root: Path) -> None:
        one_of = "one of {}".format
        self._match("name", r"[a-z][a-z0-9-]{1,19}", "2 to 20 lower-case letters, digits or hyphens, a letter first")
        self._match("account", r"(\d{12})?", "an account id of 12 digits")
        self._match("region", r"([a-z]{2,4}(-[a-z]+)+-\d)?", "a region, such as eu-central-1")
        if bool(self.account) != bool(self.region):
            raise SettingInvalid(self._key("account"), self.account, "give account and region together, or neither")
        self._match("packages", "cloud|local", one_of("cloud, local"))
        self._match("lake_bucket", f"({_BUCKET})?", "the name of an existing bucket")
        self._match(
            "trail",
            rf"create|none|{_BUCKET}(/.*)?",
            "create, none, or a bucket with its prefix, such as audit-logs/AWSLogs/",
        )
        for name in ("slack_webhook", "teams_webhook"):
            self._match(name, r"(/[\w./-]{1,500})?", "the name of an SSM parameter, such as /breakwater/slack-webhook")
        self._match("chat_topic", r"(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256})?", "the ARN of an SNS topic")
        self._match(
            "page_issuer", r"(https://[\w.-]+(:\d+)?(/[\w./~-]*)?)?", "an https address, such as https://login.example.com/"
        )
        self._match("page_client", r"[\w.:/~-]{0,200}", "the client id that the identity provider gave the page")
        self._match("page_token_origin", r"(https://[\w.-]+(:\d+)?)?", "an origin, such as https://tokens.example.com")
        if bool(self.page_issuer) != bool(self.page_client):
            expected = "give page-issuer and page-client together, or neither: without both nobody could answer by a link"
            raise SettingInvalid(self._key("page_issuer"), self.page_issuer, expected)
        if self.page_token_origin and not self.page_issuer:
            raise SettingInvalid(self._key("page_token_origin"), self.page_token_origin, "it needs page-issuer and page-client")
        self._match("guardduty", r"create|none|[0-9a-f]{32}", "create, none, or the id of the existing detector")
        self._match("security_hub", f"{SEND}|{NONE}", one_of(f"{SEND}, {NONE}"))
        self._match_each("flow_log_vpcs", r"vpc-[0-9a-f]{8,17}", "ids of VPCs, such as vpc-0123456789abcdef0")
        self._match_each("log_groups", r"[A-Za-z0-9_/.#-]{1,512}", "names of log groups, such as /var/log/secure")
        self._match_each("notify_emails", r"[^@\s]+@[^@\s]+\.[^@\s]+", "mail addresses")
        self._match_each("operators", r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/.+", "ARNs of IAM roles or users")
        self._match_each("bucket_keys", r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/.+", "ARNs of KMS keys")
        for name, least, most in (("memory_days", 1, 90), ("raw_days", 1, 3650), ("respond_concurrency", 2, 1000)):
            if not least <= getattr(self, name) <= most:
                raise SettingInvalid(self._key(name), getattr(self, name), f"a number from {least} to {most}")
        if self.log_days not in _RETENTION_DAYS:
            raise SettingInvalid(self._key("log_days"), self.log_days, one_of(sorted(_RETENTION_DAYS)))
        if not (root / self.policy_file).is_file():
            raise SettingInvalid(self._key("policy_file"), self.policy_file, "a file below the repository's root")

    def _match(self, name: str, pattern: str, expected: str) -> None:
        if not re.fullmatch(pattern, getattr(self, name)):
            raise SettingInvalid(self._key(name), getattr(self, name), expected)

    def _match_each(self, name: str, pattern: str, expected: str) -> None:
        for value in getattr(self, name):
            if not re.fullmatch(pattern, value):
                raise SettingInvalid(self._key(name), value, expected)

    @staticmethod
    def _key(name: str) -> str:
        return name if name == PACKAGES_KEY else PREFIX + name.replace("_", "-")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingInvalid(key, value, "a text")
    return value.strip()


def _number(key: str, value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value)):
        raise SettingInvalid(key, value, "a whole number")
    return int(str(value))


def _texts(key: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.startswith("[") else [part for part in value.split(",") if part.strip()]
        except json.JSONDecodeError as error:
            raise SettingInvalid(key, value, f"a JSON list ({error})") from error
    if not isinstance(value, list):
        raise SettingInvalid(key, value, "a list of texts")
    return tuple(dict.fromkeys(_text(key, part) for part in value))


_READERS = {str: _text, int: _number, tuple: _texts}
