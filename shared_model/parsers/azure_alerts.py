"""One alert of Sentinel or Defender, in any of its shapes, as plain facts: what incidents and exports have in common.

Shapes: Defender for Cloud's export to a hub and workflow automation (PascalCase), its API and Sentinel's API (``id`` and
``properties``), and rows of the table SecurityAlert (lists as JSON text). Format: "Alerts schemas" of Defender for Cloud, the
table reference of SecurityAlert.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.events import Telemetry
from shared_model.parsers.azure_alert_types import is_own, telemetry_of
from shared_model.parsers.azure_fields import items, machine_of, part, said, subscription_of
from shared_model.parsers.fields import FieldError, lookup, time_ms

_QUERIES = ("query", "search query", "analytics rule query")
_TIMES = (
    "processingendtime",
    "processingendtimeutc",
    "endtimeutc",
    "endtime",
    "timegeneratedutc",
    "timegenerated",
    "lastmodifiedtimeutc",
)
# Titles of Defender's own samples and of the alert that proves an installation.
_SAMPLE = re.compile(r"\[sample alert\]|(?:azure security center|microsoft defender for cloud|defender for cloud) test alert")
#: In the id of an alert of Defender for Cloud, which lies in the subscription that it is about.
_OF_DEFENDER = "/providers/microsoft.security/"
#: A rule's alerts may name the workspace that it looked into.
_WORKSPACE = "/providers/microsoft.operationalinsights/workspaces/"
#: What only a rule over this system's verdicts hands on with its alerts.
_OWN_DETAIL = "verdictid"
# An alert of a rule carries ids in place of a type: of the workspace and of the rule.
_RULE_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Alert:
    """Facts of an alert.

    Attributes
    ----------
    id, type, title, severity : str
        ``severity`` as written, ``High``; ``type`` of a rule's alert is ``Rule/`` and its first tactic.
    product : str
        Product, component and provider, one after another.
    tactics, techniques : str
        As text: lists and names as they stand there.
    time_ms : int or None
        When it was last processed, else when what it saw ended.
    entities : tuple
        Folded entities.
    resources : tuple of str
        Ids of the resources it names.
    tenant, seen_in, account : str
        Directory, subscription in which it happened, and that of the alert itself (which may be the workspace's); ``""`` where it
        names none.
    telemetry : Telemetry
    own : bool
        Drawn from this system's own verdicts.
    sample : bool
        Marked as a sample or a test by the product.
    """

    id: str
    type: str
    title: str
    severity: str
    product: str
    tactics: str
    techniques: str
    time_ms: int | None
    entities: tuple[Any, ...]
    resources: tuple[str, ...]
    tenant: str
    seen_in: str
    account: str
    telemetry: Telemetry
    own: bool
    sample: bool


def read_alert(record: Mapping[str, Any]) -> Alert:
    """Read one folded alert. Raises FieldError where its time is none; what else is missing is left empty."""
    facts = {**record, **part(record, "properties")}
    extended = part(facts, "extendedproperties")
    additional = part(facts, "additionaldata")
    query = said(additional, *_QUERIES) or said(extended, *_QUERIES)
    title = said(facts, "alertdisplayname", "displayname", "alertname")
    tactics = _as_text(facts, additional, "tactics", "intent")
    kind = said(facts, "alerttype") or title
    if _RULE_IDS.match(kind):
        tactic = re.search(r"[A-Za-z]+", tactics)
        kind = f"Rule/{tactic[0]}" if tactic else "Rule"
    product = " ".join(
        filter(None, (said(facts, "productname"), said(facts, "productcomponentname"), said(facts, "providername", "vendorname")))
    )
    resources = tuple(dict.fromkeys(_resources(record, facts)))
    own_id = said(record, "id")
    seen_in = next(filter(None, map(subscription_of, resources)), "") or said(facts, "azureresourcesubscriptionid").lower()
    if _OF_DEFENDER in own_id.lower():
        seen_in = seen_in or subscription_of(own_id)
    return Alert(
        id=said(facts, "systemalertid") or said(record, "name", "id") or said(facts, "provideralertid"),
        type=kind,
        title=title or kind,
        severity=said(facts, "severity", "alertseverity"),
        product=product,
        tactics=tactics,
        techniques=_as_text(facts, additional, "techniques", "subtechniques"),
        time_ms=_time_ms(facts),
        entities=tuple(items(facts, "entities")),
        resources=resources,
        tenant=said(facts, "aadtenantid", "azureresourcetenantid").lower(),
        seen_in=seen_in,
        account=seen_in or subscription_of(own_id) or said(facts, "workspacesubscriptionid", "subscriptionid").lower(),
        telemetry=telemetry_of(product, kind, query, unknown=_most_likely(facts, resources)),
        own=is_own(query) or _OWN_DETAIL in part(additional, "custom details") or _OWN_DETAIL in part(extended, "custom details"),
        sample=_is_sample(title, query),
    )


def is_alert(record: Mapping[str, Any]) -> bool:
    """Whether a folded record has what every alert has: its id and what it is called."""
    facts = {**record, **part(record, "properties")}
    return bool(said(facts, "systemalertid", "alerttype", "alertdisplayname", "provideralertid"))


def _resources(record: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    for identifier in items(facts, "resourceidentifiers"):
        if found := said(identifier, "azureresourceid"):
            yield found
    for name in ("azureresourceid", "associatedresource", "resourceid"):
        found = said(facts, name)
        if found.startswith("/subscriptions/") and _WORKSPACE not in found.lower():
            yield found


def _as_text(facts: Mapping[str, Any], additional: Mapping[str, Any], *names: str) -> str:
    values = [value for part_of_alert in (facts, additional) for name in names if (value := lookup(part_of_alert, name))]
    return " ".join(value if isinstance(value, str) else json.dumps(value, default=str) for value in values)


def _time_ms(facts: Mapping[str, Any]) -> int | None:
    for name in _TIMES:
        if value := lookup(facts, name):
            try:
                return time_ms(value, name)
            except FieldError:
                continue  # another of its times may be one
    return None


def _most_likely(facts: Mapping[str, Any], resources: tuple[str, ...]) -> Telemetry:
    """What an alert about such entities is most likely drawn from: the log of a machine, API calls of a caller, flows."""
    kinds = {said(entity, "type", "kind").lower() for entity in items(facts, "entities") if isinstance(entity, Mapping)}
    if "host" in kinds or any(machine_of(resource) for resource in resources):
        return Telemetry.SYSTEM_LOGS
    return Telemetry.FLOW_LOGS if kinds == {"ip"} else Telemetry.API_CALLS


def _is_sample(title: str, query: str) -> bool:
    """Samples say so in their title. Of a rule with a query it proves nothing: an intruder may have named what it quotes."""
    return not query and _SAMPLE.match(title.lower()) is not None
