"""Which cloud is meant. Only that cloud's modules and SDKs are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from console.deployment import Deployment, NotPossible

#: Names the cloud for good, so that nobody has to think of ``--cloud`` in the night.
VARIABLE = "BREAKWATER_CLOUD"
_AWS_VARIABLES = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_AZURE_VARIABLES = ("BREAKWATER_STATE_ACCOUNT_ID", "BREAKWATER_TABLE_ENDPOINT")


class Cloud(StrEnum):
    """Where Breakwater can be deployed."""

    AWS = "aws"
    AZURE = "azure"


def meant(option: str, environment: Mapping[str, str], home: Path) -> Cloud:
    """Return the cloud of the option, else of BREAKWATER_CLOUD, else the only one that is configured here.

    Where both are, or none, it asks: the wrong cloud answers "nothing is contained" as calmly as the right one.

    Raises
    ------
    NotPossible
    """
    if option:
        return Cloud(option)
    if named := environment.get(VARIABLE, "").strip().lower():
        if named not in [*Cloud]:
            raise NotPossible(f"{VARIABLE} is {named!r}: make it {' or '.join(Cloud)}")
        return Cloud(named)
    found = [*_configured(environment, home)]
    if len(found) == 1:
        return found[0]
    reason = "both clouds are configured here" if found else "no cloud is configured here"
    raise NotPossible(f"{reason}: say --cloud aws or --cloud azure (export {VARIABLE}=… says it for good)")


def open_deployment(cloud: Cloud, name: str, account: str) -> Deployment:
    """Return the deployment of a name prefix. No cloud is asked before one of its methods is called.

    Parameters
    ----------
    cloud : Cloud
    name : str
    account : str
        Azure's state account; ``""`` finds it by the name prefix.

    Raises
    ------
    NotPossible
        An account was given for AWS, where the credentials say which.
    """
    if cloud is Cloud.AZURE:
        from console.azure import stack as azure

        return azure.Deployment(name, account)
    if account:
        raise NotPossible("--account names Azure's storage account; on AWS the credentials say which account (AWS_PROFILE)")
    from console.aws import stack as aws

    return aws.Deployment(name)


def _configured(environment: Mapping[str, str], home: Path) -> list[Cloud]:
    azure_folder = Path(environment.get("AZURE_CONFIG_DIR") or home / ".azure")
    signs = {
        Cloud.AWS: any(environment.get(name) for name in _AWS_VARIABLES)
        or any((home / ".aws" / name).exists() for name in ("config", "credentials")),
        Cloud.AZURE: any(environment.get(name) for name in _AZURE_VARIABLES) or (azure_folder / "azureProfile.json").exists(),
    }
    return [cloud for cloud, is_configured in signs.items() if is_configured]
