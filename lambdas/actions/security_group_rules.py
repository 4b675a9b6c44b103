"""Rules of a security group as EC2 lists them one by one: read, taken away by id, and put back as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdas.actions.pages import interfaces_with
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from response.actions import CloudUnavailable, UndoResult

#: What makes a rule: of two with the same of these, EC2 takes only one.
_WHAT = ("IsEgress", "IpProtocol", "FromPort", "ToPort", "CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroup")
_NO_PORT = -1

Rule = Mapping[str, Any]


def same(one: Rule, other: Rule) -> bool:
    """Say whether two rules let the same through."""
    return all(one.get(field) == other.get(field) for field in _WHAT)


def say(rule: Rule) -> str:
    """One rule in words: ``ingress tcp 22 from 0.0.0.0/0 (ssh)``."""
    way, to = ("egress", "to") if rule["IsEgress"] else ("ingress", "from")
    protocol = "everything" if rule["IpProtocol"] == "-1" else str(rule["IpProtocol"])
    first, last = rule.get("FromPort", _NO_PORT), rule.get("ToPort", _NO_PORT)
    ports = "" if first == last == _NO_PORT else f" {first}" if first == last else f" {first}-{last}"
    other = next(rule[field] for field in ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroup") if rule.get(field))
    source = other["GroupId"] if isinstance(other, Mapping) else other
    note = f" ({rule['Description']})" if rule.get("Description") else ""
    return f"{way} {protocol}{ports} {to} {source}{note}"


class SecurityGroupRules:
    """Reads and changes single rules."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def group(self, group_id: str) -> Mapping[str, Any] | None:
        """Return a security group as EC2 describes it, None where there is none of that id."""
        try:
            with in_core_words("DescribeSecurityGroups"):
                groups = self._clients("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
        except CloudRefusal as refusal:
            if refusal.code.startswith("InvalidGroup"):
                return None
            raise
        found: Mapping[str, Any] = groups[0]
        return found

    def read(self, group_id: str) -> dict[str, Rule]:
        """Return the rules of a group by id, as plain data that a plan can hold."""
        filters = [{"Name": "group-id", "Values": [group_id]}]
        with in_core_words("DescribeSecurityGroupRules"):
            pages = self._clients("ec2").get_paginator("describe_security_group_rules").paginate(Filters=filters)
            return {rule["SecurityGroupRuleId"]: _plain(rule) for page in pages for rule in page["SecurityGroupRules"]}

    def used_by(self, group_id: str) -> list[str]:
        """Return the interfaces that have the group."""
        return sorted(str(each["NetworkInterfaceId"]) for each in interfaces_with(self._clients, "group-id", group_id))

    def revoke(self, group_id: str, rules: Mapping[str, Rule]) -> None:
        """Take rules away by their ids. Raises CloudUnavailable where one of them went meanwhile: look again."""
        ec2 = self._clients("ec2")
        calls = {False: ec2.revoke_security_group_ingress, True: ec2.revoke_security_group_egress}
        for egress, call in calls.items():
            ids = sorted(name for name, rule in rules.items() if rule["IsEgress"] is egress)
            try:
                with in_core_words("RevokeSecurityGroupRules"):
                    if ids:
                        call(GroupId=group_id, SecurityGroupRuleIds=ids)
            except CloudRefusal as refusal:
                if "NotFound" in refusal.code:
                    raise CloudUnavailable(f"the rules of {group_id} changed meanwhile: {refusal}") from refusal
                raise

    def authorize(self, group_id: str, rule: Rule) -> UndoResult:
        """Put a rule back as it was."""
        ec2 = self._clients("ec2")
        call = ec2.authorize_security_group_egress if rule["IsEgress"] else ec2.authorize_security_group_ingress
        tags = [{"Key": key, "Value": value} for key, value in rule["Tags"].items()]
        specification = [{"ResourceType": "security-group-rule", "Tags": tags}] if tags else []
        try:
            with in_core_words("AuthorizeSecurityGroupRules"):
                call(GroupId=group_id, IpPermissions=[_permission(rule)], TagSpecifications=specification)
        except CloudRefusal as refusal:
            return UndoResult.holding(f"{say(rule)} stays closed: {refusal}", refusal=refusal)
        return UndoResult((say(rule),))


def _plain(rule: Rule) -> dict[str, Any]:
    fields = ("IsEgress", "IpProtocol", "FromPort", "ToPort", "CidrIpv4", "CidrIpv6", "PrefixListId", "Description")
    plain = {field: rule[field] for field in fields if rule.get(field) is not None}
    if referenced := rule.get("ReferencedGroupInfo"):
        kept = ("GroupId", "UserId", "VpcId", "VpcPeeringConnectionId")
        plain["ReferencedGroup"] = {field: referenced[field] for field in kept if referenced.get(field)}
    return plain | {"Tags": {tag["Key"]: tag["Value"] for tag in rule.get("Tags", ())}}


def _permission(rule: Rule) -> dict[str, Any]:
    note = {"Description": rule["Description"]} if rule.get("Description") else {}
    permission: dict[str, Any] = {"IpProtocol": rule["IpProtocol"]}
    if rule["IpProtocol"] != "-1":
        permission |= {field: rule[field] for field in ("FromPort", "ToPort") if field in rule}
    if block := rule.get("CidrIpv4"):
        permission["IpRanges"] = [{"CidrIp": block, **note}]
    elif block := rule.get("CidrIpv6"):
        permission["Ipv6Ranges"] = [{"CidrIpv6": block, **note}]
    elif prefixes := rule.get("PrefixListId"):
        permission["PrefixListIds"] = [{"PrefixListId": prefixes, **note}]
    else:
        permission["UserIdGroupPairs"] = [{**rule["ReferencedGroup"], **note}]
    return permission
