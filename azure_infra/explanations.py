"""Why a rule of checkov does not hold: every exception, once, with its reason. One that is not needed fails the tests."""

from __future__ import annotations

from collections.abc import Mapping

_SITE, _CONFIG = "Microsoft.Web/sites", "Microsoft.Web/sites/config"
_NOT_WEB = "The rule means the app's general configuration; this is its authentication, which has no such property."
#: Check → type of the resource → reason.
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "CKV_AZURE_12": {
        "Microsoft.Network/networkWatchers/flowLogs": "The parameter rawDays, 90 by default: the rule cannot read an expression."
    },
    "CKV_AZURE_13": {_CONFIG: "It is on, in the present form of these settings (V2), which the rule does not know."},
    "CKV_AZURE_17": {_SITE: "Callers bring no client certificate; Entra tokens of named identities are asked for instead."},
    "CKV_AZURE_63": {_CONFIG: _NOT_WEB},
    "CKV_AZURE_65": {_CONFIG: _NOT_WEB},
    "CKV_AZURE_66": {_CONFIG: _NOT_WEB},
    "CKV_AZURE_78": {_SITE: "Flex Consumption has no FTP, and refuses the property that would turn it off (error 51021)."},
    "CKV_AZURE_80": {_CONFIG: _NOT_WEB},
    "CKV_AZURE_88": {_CONFIG: _NOT_WEB},
    "CKV_AZURE_212": {_SITE: "Flex Consumption scales from zero: between events nothing runs and nothing is paid."},
    "CKV_AZURE_213": {
        _SITE: "Flex Consumption has no health check of the platform; alerts say when a function is silent or fails."
    },
    "CKV_AZURE_222": {
        _SITE: "The playbook and Event Grid call from Azure's own addresses: these alone are let in.",
        _CONFIG: _NOT_WEB,
    },
    "CKV_AZURE_225": {
        "Microsoft.Web/serverfarms": "Not every region has zones for Flex Consumption; they cost instances that are always on."
    },
}
