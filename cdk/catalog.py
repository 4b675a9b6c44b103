"""Glue tables over the lake: raw telemetry and what Breakwater made of it, ready for Athena or Spark.

Partitions are projected: the query engine computes them from their names, so that no crawler runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import aws_glue as glue
from constructs import Construct

from cdk.delivery import FLOW_LOG_FIELDS
from cdk.names import Names

_NUMBERS = frozenset(
    {"version", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp-flags", "traffic-path"}
)
_JSON_LINES = "org.openx.data.jsonserde.JsonSerDe"
_CLOUDTRAIL_FILES = "org.apache.hive.hcatalog.data.JsonSerDe"
_SPACED = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_TEXT_IN = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_DATES = {"type": "date", "format": "yyyy-MM-dd", "range": "2024-01-01,NOW"}
_DAY = {"type": "integer", "digits": "2"}
_ANY = {"type": "injected"}  # a query names it
#: OCSF classes that the lake holds: account and API activity, detection findings, remediations.
OCSF_CLASSES = ("2004", "3002", "6003", "7001")

_FLOWS = {name.replace("-", "_"): "bigint" if name in _NUMBERS else "string" for name in FLOW_LOG_FIELDS}
#: Columns of each kind of OCSF line that queries start from; the rest of a line is in the objects.
_OCSF = {
    "time": "bigint",
    "class_uid": "int",
    "activity_id": "int",
    "type_uid": "bigint",
    "severity_id": "int",
    "status": "string",
    "message": "string",
    "actor": "string",
    "api": "string",
    "src_endpoint": "string",
    "cloud": "string",
    "finding_info": "string",
    "resources": "string",
    "evidences": "string",
    "metadata": "string",
    "unmapped": "string",
}
#: What CloudTrail's input format leaves an object is a struct: its reader takes no object for a text. Parameters and answers,
#: of which each call has others, it hands over as JSON texts [Athena user guide, *Query AWS CloudTrail logs*].
_WHO = (
    "struct<type:string,principalid:string,arn:string,accountid:string,invokedby:string,accesskeyid:string,username:string,"
    "sessioncontext:struct<attributes:struct<mfaauthenticated:string,creationdate:string>,"
    "sessionissuer:struct<type:string,principalid:string,arn:string,accountid:string,username:string>>>"
)
_CLOUDTRAIL = {
    "eventversion": "string",
    "useridentity": _WHO,
    "eventtime": "string",
    "eventsource": "string",
    "eventname": "string",
    "awsregion": "string",
    "sourceipaddress": "string",
    "useragent": "string",
    "errorcode": "string",
    "errormessage": "string",
    "requestparameters": "string",
    "responseelements": "string",
    "requestid": "string",
    "eventid": "string",
    "readonly": "string",
    "recipientaccountid": "string",
}
_REJECTED = {"source": "string", "record": "bigint", "field": "string", "reason": "string", "raw": "string"}


@dataclass(frozen=True, slots=True)
class LakeTable:
    """One table.

    Attributes
    ----------
    name : str
    columns : mapping of str to str
        Hive type by column.
    path : str
        Below the bucket, with ``${partition}`` for each partition.
    partitions : mapping of str to mapping
        Projection of each partition (Athena, *Partition projection*).
    serde : str
        Class that reads a line.
    serde_parameters, parameters : mapping of str to str
    input_format : str
    """

    name: str
    columns: Mapping[str, str]
    path: str
    partitions: Mapping[str, Mapping[str, str]]
    serde: str = _JSON_LINES
    serde_parameters: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    input_format: str = _TEXT_IN


#: Below the trail's ``AWSLogs/``, which may be an existing one's.
_TRAIL = "${account}/CloudTrail/${region}/${dt}/"
TRAIL_TABLE = "cloudtrail"

TABLES = (
    LakeTable(
        "flow_logs",
        _FLOWS,
        "flow-logs/AWSLogs/aws-account-id=${account}/aws-service=vpcflowlogs/aws-region=${aws_region}"
        "/year=${year}/month=${month}/day=${day}/",
        {
            "account": _ANY,
            "aws_region": _ANY,
            "year": {"type": "integer", "range": "2024,2100"},
            "month": {**_DAY, "range": "1,12"},
            "day": {**_DAY, "range": "1,31"},
        },
        serde=_SPACED,
        serde_parameters={"field.delim": " "},
        parameters={"skip.header.line.count": "1"},
    ),
    LakeTable(
        TRAIL_TABLE,
        _CLOUDTRAIL,
        _TRAIL,
        {"account": _ANY, "region": _ANY, "dt": {"type": "date", "format": "yyyy/MM/dd", "range": "2024/01/01,NOW"}},
        serde=_CLOUDTRAIL_FILES,
        input_format="com.amazon.emr.cloudtrail.CloudTrailInputFormat",
    ),
    LakeTable(
        "ocsf",
        _OCSF,
        "ocsf/class=${class}/account=${account}/region=${region}/dt=${dt}/",
        {"class": {"type": "enum", "values": ",".join(OCSF_CLASSES)}, "account": _ANY, "region": _ANY, "dt": _DATES},
    ),
    LakeTable("rejected", _REJECTED, "rejected/source=${origin}/dt=${dt}/", {"origin": _ANY, "dt": _DATES}),
)


def catalog(scope: Construct, names: Names, bucket: str, *, trail: str) -> None:
    """Make the database and its tables.

    Parameters
    ----------
    scope : Construct
    names : Names
    bucket : str
        Of the lake.
    trail : str
        Where the trail writes a folder for each account (``bucket/prefix/AWSLogs/``), which may be an existing trail's; ``""``:
        there is none, and no table over its files.
    """
    name = names.prefix.replace("-", "_")
    database = glue.CfnDatabase(
        scope,
        "Catalog",
        catalog_id=names.account,
        database_input=glue.CfnDatabase.DatabaseInputProperty(name=name, description="Breakwater's data lake."),
    )
    for table in TABLES:
        if table.name == TRAIL_TABLE and not trail:
            continue
        made = glue.CfnTable(
            scope,
            "".join(part.capitalize() for part in table.name.split("_")) + "Table",
            catalog_id=names.account,
            database_name=name,
            table_input=_input(table, f"s3://{trail}" if table.name == TRAIL_TABLE else f"s3://{bucket}/"),
        )
        made.node.add_dependency(database)


def _input(table: LakeTable, lake: str) -> glue.CfnTable.TableInputProperty:
    parameters = {"EXTERNAL": "TRUE", "projection.enabled": "true", "storage.location.template": lake + table.path}
    for partition, projection in table.partitions.items():
        parameters |= {f"projection.{partition}.{key}": value for key, value in projection.items()}
    make = glue.CfnTable
    return make.TableInputProperty(
        name=table.name,
        table_type="EXTERNAL_TABLE",
        parameters=parameters | dict(table.parameters),
        partition_keys=_columns(dict.fromkeys(table.partitions, "string")),
        storage_descriptor=make.StorageDescriptorProperty(
            columns=_columns(table.columns),
            location=lake + table.path.split("$", 1)[0],
            input_format=table.input_format,
            output_format=_TEXT_OUT,
            serde_info=make.SerdeInfoProperty(serialization_library=table.serde, parameters=dict(table.serde_parameters) or None),
        ),
    )


def _columns(columns: Mapping[str, str]) -> list[glue.CfnTable.ColumnProperty]:
    return [glue.CfnTable.ColumnProperty(name=name, type=kind) for name, kind in columns.items()]
