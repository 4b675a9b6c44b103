"""Every environment name in one place, read once into a typed object when a function starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

#: Prefix of every environment variable: field ``table_endpoint`` is ``BREAKWATER_TABLE_ENDPOINT``.
PREFIX = "BREAKWATER_"


class SettingMissing(Exception):
    """The function app was deployed without a setting that a function needs. Names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the infrastructure tells the functions. None is a secret; an empty value means: the app was not given it.

    Attributes
    ----------
    table_endpoint, queue_endpoint, blob_endpoint : str
        Of the state account: its tables, queues, lake and policy have the fixed names of ``registry.py``.
    flow_log_endpoint : str
        Blob endpoint of the account that Network Watcher writes flow logs to.
    arm_endpoint, graph_endpoint : str
        Resource Manager and Microsoft Graph; others than the defaults in sovereign clouds.
    logs_endpoint, logs_rule_id : str
        Data collection endpoint, and immutable id of the rule whose stream fills ``Breakwater_CL``.
    subscription_id, tenant_id : str
        Where the app itself lives.
    workspace_id : str
        ARM id of the Sentinel workspace whose incidents are commented.
    playbook_principal_id : str
        Object id of the identity that may call ``triage_findings``. Without it nobody may.
    vault_endpoint, slack_webhook_secret, teams_webhook_secret : str
        Key Vault, and the names of the secrets in it that hold the addresses of webhooks; empty where there is none.
    link_key : str
        Name of the key in that vault which signs links to proposals, ``""`` where notices carry none.
    page_url : str
        Where the page behind those links is served, ``""`` where it is not.
    page_operator_ids : str
        Comma-separated object ids of the users or groups that may answer there.
    attested_undo : str
        ``yes`` where who asks for an undo must have signed in to that page; ``""`` where there is none, and the name in the
        request is what its sender says; and where somebody took it away since no link came (docs/response.md).
    own_principal_ids, own_resource_ids : str
        Comma-separated object ids and ARM ids of Breakwater itself, which no action may touch.
    memory_days : str
        How long an entity that is not seen again is remembered.
    detect_client_id, respond_client_id, network_client_id, identity_client_id, data_client_id, undo_client_id : str
    page_client_id : str
        Client id of the user-assigned identity of each group.
    """

    table_endpoint: str = ""
    queue_endpoint: str = ""
    blob_endpoint: str = ""
    flow_log_endpoint: str = ""
    arm_endpoint: str = "https://management.azure.com"
    graph_endpoint: str = "https://graph.microsoft.com"
    logs_endpoint: str = ""
    logs_rule_id: str = ""
    subscription_id: str = ""
    tenant_id: str = ""
    workspace_id: str = ""
    playbook_principal_id: str = ""
    vault_endpoint: str = ""
    slack_webhook_secret: str = ""
    teams_webhook_secret: str = ""
    link_key: str = ""
    page_url: str = ""
    page_operator_ids: str = ""
    attested_undo: str = ""
    own_principal_ids: str = ""
    own_resource_ids: str = ""
    memory_days: str = "14"
    detect_client_id: str = ""
    respond_client_id: str = ""
    network_client_id: str = ""
    identity_client_id: str = ""
    data_client_id: str = ""
    undo_client_id: str = ""
    page_client_id: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, *, needs: tuple[str, ...] = ()) -> Settings:
        """Read the settings; raise SettingMissing for a needed one that is absent."""
        environment = os.environ if environment is None else environment
        given = {
            field.name: environment[PREFIX + field.name.upper()]
            for field in fields(cls)
            if environment.get(PREFIX + field.name.upper())
        }
        settings = cls(**given)
        if missing := settings.missing(needs):
            raise SettingMissing(f"environment variable {missing[0]} is not set")
        return settings

    def missing(self, needs: tuple[str, ...]) -> tuple[str, ...]:
        """Return the environment variables, of those needed, that are not set."""
        return tuple(variable(name) for name in needs if not getattr(self, name))


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + field.upper()
