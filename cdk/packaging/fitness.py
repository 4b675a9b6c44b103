"""Whether a folder would work on another machine, found out without running it there.

Nothing here knows a cloud: :mod:`cdk.packaging.static_check` says what Lambda has, :mod:`azure_infra.packaging.check` what
the Function app's machine has.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdk.packaging.distributions import Installed
from cdk.packaging.elf import is_elf, read_shared_object
from cdk.packaging.imports import Unresolved, closure, parse, standard_library
from cdk.packaging.pruning import UNUSED_NUMPY
from cdk.packaging.targets import Target

#: Libraries that are there beside the function.
_SYSTEM_LIBRARIES = re.compile(r"(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libatomic|ld-linux-[a-z0-9-]+)\.so\.\d+")
_TAG = re.compile(r"(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>.+)")


@dataclass(frozen=True, slots=True)
class System:
    """What a machine brings.

    Attributes
    ----------
    name : str
    newest_symbols : mapping of str to tuple of int
        Newest symbol version of each system library, such as ``{"GLIBC": (2, 34)}``.
    """

    name: str
    newest_symbols: Mapping[str, tuple[int, ...]]


#: An import of what is not in the folder, in code that is reached but never run: who imports, what (patterns), and why.
Absence = tuple[str, str, str]
#: What every folder leaves out.
ABSENT_ANYWHERE: tuple[Absence, ...] = (
    (
        r"numpy\.",
        r"numpy\.(f2py|fft|ma|polynomial|random|testing|tests|conftest|distutils).*",
        "Left out: nothing of ours asks for it.",
    ),
    (
        r"numpy\.",
        r"pytest|hypothesis|yaml|charset_normalizer|threadpoolctl|win32pdh",
        "NumPy's own tests and reports.",
    ),
    (r"ai_edge_litert\.", r"tensorflow.*|tflite.*", "The same modules by their names inside TensorFlow."),
    (r"urllib3\.", r"js|pyodide.*|h2\..*|OpenSSL.*", "Other transports: browsers, HTTP/2, another TLS."),
    (r"typing_extensions\.|pydantic\.", r"annotationlib", "Of Python 3.14."),
    (r"pydantic\.", r"rich.*", "Pydantic's way to show itself while it is debugged."),
    (
        r"jsonpickle\.|drain3\.",
        r"__builtin__|numpy.*|pandas.*|sklearn.*|redis.*|kafka.*|yajl.*",
        "Names of Python 2; other stores and handlers.",
    ),
)


def wheel_problems(distributions: Iterable[Installed], target: Target) -> Iterator[str]:
    """Distributions whose wheels are for another Python or another machine."""
    for distribution in distributions:
        if not any(_fits(tag, target) for tag in distribution.tags):
            yield f"{distribution.name} {distribution.version}: {', '.join(distribution.tags)} does not fit {target.name}"


def native_problems(folder: Path, target: Target, system: System) -> Iterator[str]:
    """Native code that the target's loader would refuse."""
    native = [path for path in sorted(folder.rglob("*")) if path.is_file() and is_elf(path)]
    carried = {path.name for path in native}
    for path in native:
        name, read = path.relative_to(folder), read_shared_object(path)
        if read.machine != target.machine:
            yield f"{name} is for {read.machine}, not for {target.machine}"
        for library in read.needed:
            if library not in carried and not _SYSTEM_LIBRARIES.fullmatch(library):
                yield f"{name} needs {library}, which is neither in the folder nor on the system"
        for version in sorted(read.versions):
            if not _is_there(version, system):
                yield f"{name} needs {version}, newer than {system.name} has"


def import_problems(
    folder: Path, *modules: str, target: Target, ours: Collection[str], absent: Iterable[Absence]
) -> Iterator[str]:
    """Imports of some modules, and of all that they reach, that find nothing.

    Parameters
    ----------
    folder : Path
    *modules : str
        Where the start begins.
    target : Target
    ours : collection of str
        Our own packages and modules: they may not use what is left out of NumPy.
    absent : iterable of Absence
        What is missing with a reason.
    """
    reached = closure(folder, *modules, library=standard_library(target.python))
    explained = tuple(absent)
    for missing in reached.unresolved:
        if not missing.wanted.optional and not _is_explained(missing, explained):
            when = "when a function runs" if missing.wanted.lazy else "at once"
            where = f"{missing.importer}, line {missing.wanted.line}"
            yield f"{where}, imports {missing.wanted.module} {when}: it is not in the folder"
    for name, path in sorted(reached.modules.items()):
        if name.partition(".")[0] in ours and path.suffix == ".py":
            yield from (f"{name} uses numpy.{part}, which is left out (cdk/packaging/pruning.py)" for part in _unused_numpy(path))


def _fits(tag: str, target: Target) -> bool:
    match = _TAG.fullmatch(tag)
    if match is None:
        return False
    major, minor = target.python
    python = match["python"]
    right_python = python in ("py3", f"py{major}{minor}", f"cp{major}{minor}")
    stable = match["abi"] == "abi3" and (older := re.fullmatch(r"cp3(\d+)", python)) is not None and int(older[1]) <= minor
    right_platform = match["platform"] == "any" or re.fullmatch(rf"manylinux.*_{target.machine}", match["platform"]) is not None
    return (right_python or stable) and right_platform


def _is_there(version: str, system: System) -> bool:
    library, _, number = version.rpartition("_")
    if not re.fullmatch(r"\d+(\.\d+)*", number) or library not in system.newest_symbols:
        return True  # a version of a library in the folder, such as the BLAS
    return tuple(int(part) for part in number.split(".")) <= system.newest_symbols[library]


def _is_explained(missing: Unresolved, absent: tuple[Absence, ...]) -> bool:
    importer, wanted = f"{missing.importer}.", missing.wanted.module
    return any(re.match(who, importer) and re.fullmatch(what, wanted) for who, what, _ in absent)


def _unused_numpy(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        match node:
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=part) if part in UNUSED_NUMPY:
                yield part
