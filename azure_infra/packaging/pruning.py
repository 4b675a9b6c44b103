"""What of a distribution stays out of the deploy folder, besides what stays out of every folder."""

from __future__ import annotations

import re
from pathlib import PurePath

from cdk.packaging.pruning import keeper

#: Versions of the authorization interface, of eighteen, that its client takes unasked or whose models its ``models`` names.
_USED_VERSIONS = "2015_07_01|2019_08_01_preview|2020_10_01|2021_01_01_preview|2021_12_01_preview|2022_04_01"
_UNUSED_AUTHORIZATION = re.compile(rf"azure/mgmt/authorization/v(?!({_USED_VERSIONS})/)")
#: The management SDKs are 18 MB of generated source, and as much bytecode again. Where they can be compiled, they are carried as
#: bytecode only.
BYTECODE_ONLY = "azure/mgmt/"
#: Functions run in the host's threads, so none uses the SDKs' asynchronous halves; this one is imported by its other half.
_NEEDED_AIO = "azure/data/tables/_generated/aio/"
_keeps_anywhere = keeper(frozenset())


def keeps(file: PurePath) -> bool:
    """Whether a file, relative to the distributions' folder, goes into the deploy folder."""
    name = file.as_posix()
    if "aio" in file.parts[:-1] and not name.startswith(_NEEDED_AIO):
        return False
    return _UNUSED_AUTHORIZATION.match(name) is None and _keeps_anywhere(file)
