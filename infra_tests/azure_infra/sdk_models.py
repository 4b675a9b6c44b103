"""Resource types of which Microsoft's Bicep types are not to be had: as the models of its SDKs have them, in the same form.

The models say nothing of scopes. Their enumerations stand in the annotations of what makes a model.
"""

from __future__ import annotations

import inspect
import re
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import Any

from infra_tests.azure_infra.bicep_types import ResourceType

_MONITOR = "azure.mgmt.monitor"
#: Of each type the version, where its models are, and the model.
MODELS = {
    "Microsoft.Authorization/locks": ("2020-05-01", "azure.mgmt.resource.locks.models", "ManagementLockObject"),
    "Microsoft.Insights/actionGroups": ("2023-01-01", f"{_MONITOR}.v2023_01_01.models", "ActionGroupResource"),
    "Microsoft.Insights/dataCollectionEndpoints": (
        "2022-06-01",
        f"{_MONITOR}.v2022_06_01.models",
        "DataCollectionEndpointResource",
    ),
    "Microsoft.Insights/dataCollectionRules": ("2022-06-01", f"{_MONITOR}.v2022_06_01.models", "DataCollectionRuleResource"),
    "Microsoft.Insights/diagnosticSettings": (
        "2021-05-01-preview",
        f"{_MONITOR}.v2021_05_01_preview.models",
        "DiagnosticSettingsResource",
    ),
    "Microsoft.Insights/metricAlerts": ("2018-03-01", f"{_MONITOR}.v2018_03_01.models", "MetricAlertResource"),
    "Microsoft.Insights/scheduledQueryRules": (
        "2022-08-01-preview",
        f"{_MONITOR}.v2022_08_01_preview.models",
        "ScheduledQueryRuleResource",
    ),
}
_WRITTEN = {"str": "string", "bool": "bool", "int": "int", "duration": "string", "iso-8601": "string"}
_LIMITS = {
    "min_length": "minLength",
    "max_length": "maxLength",
    "minimum": "minValue",
    "maximum": "maxValue",
    "pattern": "pattern",
}
_FLAGS = {"required": "Required", "readonly": "ReadOnly"}

Described = dict[str, Any]


def resource_type(kind: str) -> ResourceType:
    """One of the types above."""
    version, module, model = MODELS[kind]
    objects: dict[str, Described] = {}
    _describe(import_module(module), model, objects)
    body = objects[model]
    # For the SDK a name is part of the address.
    named = [{**one, "flags": "Required"} if one["name"] == "name" else one for one in body["properties"]]
    return ResourceType(kind, version, frozenset(), {**body, "properties": named}, objects)


def _describe(models: ModuleType, name: str, objects: dict[str, Described]) -> None:
    """Add the object of a model, and those that it is made of."""
    if name in objects:
        return
    model = getattr(models, name)
    made = objects[name] = _empty(name)
    for attribute, told in model._attribute_map.items():
        if not told["key"]:
            made["additionalPropertiesType"] = "any"
            continue
        rules = model._validation.get(attribute, {})
        flags = ", ".join(flag for rule, flag in _FLAGS.items() if rules.get(rule))
        limits = ", ".join(f"{written}: {rules[rule]}" for rule, written in _LIMITS.items() if rule in rules)
        written = _written(models, told["type"], objects)
        listed = _listed(models, model, attribute)
        if listed and written == "int":
            limits = f"minValue: {min(listed)}, maxValue: {max(listed)}"
        elif listed:
            written = written.replace("string", " | ".join(listed))
        *way, last = _steps(told["key"])
        holder = made
        for step in way:  # the SDK spreads what ``properties`` holds over the model
            holder = _part(holder, step, flags, objects)
        holder["properties"].append({"name": last, "type": written, "flags": flags, "modifiers": limits})
    for attribute, variants in getattr(model, "_subtype_map", {}).items():
        _divide(models, made, _steps(model._attribute_map[attribute]["key"])[0], variants, objects)


def _part(holder: Described, name: str, flags: str, objects: dict[str, Described]) -> Described:
    """The object that is a property of another one; it is needed where something in it is."""
    kind = f"{holder['name']}/{name}"
    if kind not in objects:
        objects[kind] = _empty(kind)
        holder["properties"].append({"name": name, "type": kind, "flags": ""})
    if flags == "Required":
        next(one for one in holder["properties"] if one["name"] == name)["flags"] = flags
    return objects[kind]


def _divide(models: ModuleType, base: Described, told_by: str, variants: dict[str, str], objects: dict[str, Described]) -> None:
    """Make of a model that others are derived from what it is: one of them, told by a property."""
    elements = []
    for told, name in variants.items():
        _describe(models, name, objects)
        others = [one for one in objects[name]["properties"] if one["name"] != told_by]
        elements.append({**_empty(name), "properties": [*others, {"name": told_by, "type": told}]})
    base |= {"$type": "DiscriminatedObject", "discriminator": told_by, "baseProperties": [], "elements": elements}


def _written(models: ModuleType, kind: str, objects: dict[str, Described]) -> str:
    if kind.startswith("["):
        return _written(models, kind[1:-1], objects) + "[]"
    if kind.startswith("{"):
        name = f"by name: {kind[1:-1]}"
        objects[name] = {**_empty(name), "additionalPropertiesType": _written(models, kind[1:-1], objects)}
        return name
    if kind[0].isupper() and hasattr(models, kind) and not issubclass(getattr(models, kind), Enum):
        _describe(models, kind, objects)
        return kind
    return _WRITTEN.get(kind, "any")


def _listed(models: ModuleType, model: type, attribute: str) -> list[Any]:
    """Values of the enumeration that a parameter of a model is annotated with."""
    parameter = inspect.signature(model).parameters.get(attribute)
    named = re.findall(r"_models\.(\w+)", str(parameter.annotation)) if parameter else []
    found = [getattr(models, one) for one in named]
    return [member.value for one in found if issubclass(one, Enum) for member in one]


def _steps(key: str) -> list[str]:
    """The way to a property, ``properties.level``; a dot that belongs to a name is marked: ``odata\\.type``."""
    return [step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", key)]


def _empty(name: str) -> Described:
    return {"$type": "Object", "name": name, "properties": []}
