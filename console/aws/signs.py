"""Signs of life on AWS: the alarms, which watch for silence too, what waits in queues and who takes it, the policy."""

from __future__ import annotations

from collections.abc import Iterator

from console.deployment import Health, Sign
from console.policy import signs_of
from lambdas.actions.catalogue import KNOWN
from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, in_core_words
from lambdas.registry import FUNCTIONS, FunctionSpec
from response.policy import parse_policy
from response.telling import moment

_SILENT = "-silent"
#: States of a trigger in which it takes nothing, and will not by itself.
_OFF = frozenset({"Disabled", "Disabling", "Deleting"})
_DEPLOY = "cdk deploy --all: what is there stays, what is missing is made"
_MEND = "mend the file that breakwater:policy-file names (breakwater policy check FILE), then cdk deploy --all"
_LETTERS = "each says its reason (attribute `reason`): mend that, then redrive them; what can never be handled, delete"


def of_alarms(clients: Clients, name: str) -> Iterator[Sign]:
    """Yield what the alarms say: each that rings or knows nothing yet, the others together."""
    with in_core_words("DescribeAlarms"):
        pages = clients("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{name}-")
        alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    if not alarms:
        yield Sign(Health.BAD, "there are no alarms: nobody would hear of telemetry that stops", "deploy the stack Observability")
        return
    quiet = 0
    for alarm in alarms:
        said, state = f"{alarm['AlarmName']}: {alarm.get('AlarmDescription', '')}", alarm["StateValue"]
        if state == "ALARM":
            yield Sign(Health.BAD, said, _log_of(alarm["AlarmName"], name))
        elif state != "OK" and alarm["AlarmName"].endswith(_SILENT):
            yield Sign(Health.UNKNOWN, f"{alarm['AlarmName']} knows nothing yet", "look again within an hour")
        else:
            quiet += 1
    yield Sign(Health.GOOD, f"{quiet} of {len(alarms)} alarms are quiet")


def _log_of(alarm: str, name: str) -> str:
    """Where to look on: the log of the function that an alarm is named after, as most are."""
    functions = (_deployed(spec, name) for spec in FUNCTIONS)
    function = next((each for each in functions if alarm.startswith(f"{each}-")), "")
    return f"aws logs tail /aws/lambda/{function} --since 1h" if function else ""


def _deployed(spec: FunctionSpec, name: str) -> str:
    """Name of a function in a deployment."""
    return f"{name}-{spec.name.replace('_', '-')}"


def of_queues(clients: Clients, name: str) -> Iterator[Sign]:
    """Yield a line for each queue: how much waits, and how much was given up."""
    for spec in FUNCTIONS:
        suffix = ".fifo" if spec.fifo else ""
        waiting = _length(clients, f"{name}-{spec.queue}{suffix}")
        dead = _length(clients, f"{name}-{spec.queue}-dead-letters{suffix}")
        if waiting is None or dead is None:
            yield Sign(
                Health.BAD, f"the queue of {spec.name} is not there", "is this the deployment's account, region and --name?"
            )
        elif dead:
            letters = f"{name}-{spec.queue}-dead-letters{suffix}"
            yield Sign(Health.BAD, f"{spec.name}: {dead} dead letters in {letters}, {waiting} waiting", _LETTERS)
        else:
            yield Sign(Health.GOOD, f"{spec.name}: no dead letters, {waiting} waiting")


def of_functions(clients: Clients, name: str) -> Iterator[Sign]:
    """Yield whether every function takes what its queue holds: a trigger that somebody turned off rings no alarm at first."""
    with in_core_words("ListEventSourceMappings"):
        pages = clients("lambda").get_paginator("list_event_source_mappings").paginate()
        mappings = {
            str(each["FunctionArn"]).split(":function:")[1]: each for page in pages for each in page["EventSourceMappings"]
        }
    taking = 0
    for spec in FUNCTIONS:
        mapping = mappings.get(_deployed(spec, name))
        if mapping is None:
            yield Sign(Health.BAD, f"{spec.name} takes nothing from its queue: it has no trigger", _DEPLOY)
        elif mapping["State"] in _OFF:
            cure = f"who turned it off, and why? aws lambda update-event-source-mapping --uuid {mapping['UUID']} --enabled"
            yield Sign(Health.BAD, f"{spec.name} takes nothing from its queue: its trigger is {mapping['State']}", cure)
        else:
            taking += 1
    yield Sign(Health.GOOD if taking else Health.UNKNOWN, f"{taking} of {len(FUNCTIONS)} functions take from their queues")


def of_policy(clients: Clients, name: str) -> Iterator[Sign]:
    """Yield whether the functions can work by the policy in force, how old it is, and what it may do."""
    parameter = f"/{name}/policy"
    try:
        with in_core_words(f"SSM parameter {parameter}"):
            found = clients("ssm").get_parameter(Name=parameter)["Parameter"]
    except CloudRefusal as refusal:
        if not refusal.is_missing:
            raise
        yield Sign(Health.BAD, f"there is no policy {parameter}: no verdict is decided", _DEPLOY)
        return
    since = moment(round(found["LastModifiedDate"].timestamp() * 1000))
    yield from signs_of(
        lambda warn: parse_policy(found["Value"], KNOWN, name=parameter, warn=warn), since, [*KNOWN], _MEND, lambda _: None
    )


def _length(clients: Clients, queue: str) -> int | None:
    """About how many messages can be taken from a queue, None where there is none of that name."""
    sqs = clients("sqs")
    with in_core_words(f"queue {queue}"):
        try:
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist:
            return None
        said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(said["Attributes"]["ApproximateNumberOfMessages"])
