"""Resource types that the embedded AWS does not make, each with the reason why that is all right.

moto skips what it does not know while the stack says CREATE_COMPLETE. :func:`check` compares what the templates ask
for with what is there: anything missing that is not on this list fails the deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Type → why nothing is lost here, and where it is proven instead.
REASONS: Mapping[str, str] = {
    "AWS::CDK::Metadata": "The CDK's note about itself; it does nothing on AWS either.",
    "AWS::S3::BucketPolicy": "moto would enforce it without its conditions, and refuse everything. Asserted on the templates.",
    "AWS::CloudWatch::Alarm": "Functions publish no metrics to moto, so none could ring. Asserted on the templates.",
    "AWS::CloudWatch::CompositeAlarm": "As alarms.",
    "AWS::CloudTrail::Trail": "Nothing here is recorded: objects of recorded trails are put into the lake instead.",
    "AWS::GuardDuty::Detector": "Has nothing to analyse here: recorded findings are put on the event bus instead.",
    "AWS::EC2::FlowLog": "No packets flow here: recorded flow logs are put into the lake instead.",
    "AWS::Glue::Database": "Only queries need the catalogue; nobody queries here. Asserted on the templates.",
    "AWS::Glue::Table": "As the database.",
    "AWS::Athena::WorkGroup": "As the database.",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """One resource of a deployed template that is not there."""

    stack: str
    logical_id: str
    type: str

    @property
    def reason(self) -> str:
        """Why that is all right; ``""`` when it is not."""
        return REASONS.get(self.type, "")


class ResourcesMissing(Exception):
    """moto skipped resources that Breakwater needs. Names each with what to do."""


def skipped_resources(cloudformation: Any) -> list[Skipped]:
    """Resources of all deployed stacks (but the CDK's own) that were asked for and are not there.

    Parameters
    ----------
    cloudformation : boto3 client
    """
    found: list[Skipped] = []
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            name = stack["StackName"]
            if name == "CDKToolkit":
                continue
            wanted = cloudformation.get_template(StackName=name)["TemplateBody"]["Resources"]
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
            there = {
                resource["LogicalResourceId"]
                for page in pages
                for resource in page["StackResourceSummaries"]
                if resource.get("PhysicalResourceId")
            }
            found += [Skipped(name, logical_id, wanted[logical_id]["Type"]) for logical_id in wanted if logical_id not in there]
    return found


def check(cloudformation: Any) -> list[Skipped]:
    """Return what was skipped with a reason; raise ResourcesMissing when something was skipped without one."""
    skipped = skipped_resources(cloudformation)
    unexplained = [each for each in skipped if not each.reason]
    if unexplained:
        listed = "\n".join(f"  {each.type} {each.logical_id} in {each.stack}" for each in unexplained)
        raise ResourcesMissing(
            f"the embedded AWS silently left out resources that the templates ask for:\n{listed}\n"
            "Add what is missing to offline/aws/repairs/cloudformation.py, or the type with its reason to offline/aws/skipped.py."
        )
    return skipped
