"""Checks the deploy folder for the platform without running it."""

from __future__ import annotations

from azure_functions.registry import PACKAGES, ROOT_FILES
from azure_infra.packaging.folder import DeployFolder, one_path, our_modules
from azure_infra.packaging.targets import SYSTEM
from cdk.packaging.fitness import ABSENT_ANYWHERE, Absence, import_problems, native_problems, wheel_problems

#: What the deploy folder leaves out besides.
ABSENT: tuple[Absence, ...] = (
    *ABSENT_ANYWHERE,
    (r"azure\.mgmt\.authorization\.", r"azure\.mgmt\.authorization\.v20.*", "Versions of its interface that nobody asks for."),
    (r"azure\.core\.", r"(aiohttp|trio|opentelemetry)(\..*)?", "Other transports, and tracing, which is off."),
    (
        r"azure\.storage\.",
        r"(nanoarrow|azure\.storage\.extensions)(\..*)?",
        "Faster listings, checksums: off unless asked for.",
    ),
    (r"requests\.compat\.", r"simplejson", "Taken where it is there."),
    (r"msal_extensions\.cache_lock\.", r"portalocker", "A cache of tokens in files; managed identities use none."),
    (r"msal\.application\.", r"pymsalruntime", "Signing in at a desktop."),
    (r"werkzeug\._reloader\.", r"watchdog\..*", "A development server."),
)


def problems(folder: DeployFolder) -> list[str]:
    """Say what would fail on the platform; an empty list when nothing would."""
    absent = [name for name in ROOT_FILES if not (folder.path / name).is_file()]
    with one_path(folder.path) as view:
        ours = (*PACKAGES, *(name.removesuffix(".py") for name in ROOT_FILES))
        imports = list(import_problems(view, *our_modules(folder.path), target=folder.target, ours=ours, absent=ABSENT))
    return [
        *(f"{name} is not at the root of the folder: the host needs it there" for name in absent),
        *wheel_problems(folder.distributions, folder.target),
        *native_problems(folder.path, folder.target, SYSTEM),
        *imports,
    ]
