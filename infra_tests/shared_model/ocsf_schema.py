"""The published schema of OCSF 1.5.0, and what of a record does not fit in it.

The schema is what schema.ocsf.io exports, compiled, as the package ocsf-json-schema carries it: every attribute of a class or
object, with those of the profiles that the record names and no other, types, enumerations and constraints.

Not pydantic-ocsf: its 3.0.0 lets the enumeration that a class adds to an attribute of the dictionary stand in place of the
dictionary's, where OCSF joins the two (of Remediation Activity it takes no Success and no Failure); it takes attributes that no
class has, and knows no Base Event.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from shared_model.ocsf_parts import VERSION

_CLASSES = {
    0: "base_event",
    2004: "detection_finding",
    3002: "authentication",
    6003: "api_activity",
    7001: "remediation_activity",
}


def problems(record: Mapping[str, Any]) -> list[str]:
    """Return what does not fit, each with its place; empty where the record is one of its class."""
    validator = _validator(record["class_uid"], tuple(record["metadata"].get("profiles", ())))
    found = validator.iter_errors(record)
    return [f"{'.'.join(map(str, error.absolute_path)) or 'record'}: {error.message}" for error in found]


@cache
def _validator(class_uid: int, profiles: tuple[str, ...]) -> Draft202012Validator:
    return Draft202012Validator(_schema().get_class_schema(_CLASSES[class_uid], list(profiles)))


@cache
def _schema() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
