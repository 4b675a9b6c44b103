"""Checks a function folder for Lambda without running it: this machine is another machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cdk.packaging.assembly import FunctionFolder
from cdk.packaging.elf import is_elf, read_shared_object
from cdk.packaging.imports import Unresolved, closure, find, parse
from cdk.packaging.pruning import UNUSED_NUMPY
from cdk.packaging.targets import Target
from lambdas.registry import FunctionSpec

#: Newest symbol versions on Amazon Linux 2023, which Lambda's python3.12 runs on (glibc 2.34, libstdc++ of GCC 11).
NEWEST_SYMBOLS = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13), "GCC": (11, 0), "LIBATOMIC": (1, 2)}
#: Libraries that are there beside the function.
_SYSTEM_LIBRARIES = re.compile(r"(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libatomic|ld-linux-[a-z0-9-]+)\.so\.\d+")
_TAG = re.compile(r"(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>.+)")

#: Imports of what is not in the folder, in code that our handlers reach but never run so: who imports, what, and why.
ABSENT: tuple[tuple[str, str, str], ...] = (
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
    (r"botocore\.", r"awscrt.*", "A faster signer; botocore asks first whether it is there."),
    (r"dateutil\.|six\.|botocore\.vendored\.six\.", r"six\.moves.*|StringIO", "Made while six runs; names of Python 2."),
    (r"urllib3\.", r"js|pyodide.*|h2\..*|OpenSSL.*|cryptography.*|idna", "Other transports: browsers, HTTP/2, another TLS."),
    (r"aws_lambda_powertools\.tracing\.", r"aws_xray_sdk.*", "Tracing, which is off."),
    (r"aws_lambda_powertools\.", r"aws_lambda_powertools\.event_handler.*", "Web APIs: no function of ours serves one."),
    (r"typing_extensions\.|pydantic\.", r"annotationlib", "Of Python 3.14."),
    (r"pydantic\.", r"rich.*", "Pydantic's way to show itself while it is debugged."),
    (
        r"jsonpickle\.|drain3\.",
        r"__builtin__|numpy.*|pandas.*|sklearn.*|redis.*|kafka.*|yajl.*",
        "Names of Python 2; other stores and handlers.",
    ),
    (r"response\.policy_schema\.", r"yaml", "Reads the operator's file, before it is deployed as JSON."),
)


def problems(folder: FunctionFolder, spec: FunctionSpec, target: Target) -> list[str]:
    """Say what would fail on the target; an empty list when nothing would."""
    return [*_wheel_problems(folder, target), *_native_problems(folder.path, target), *_import_problems(folder.path, spec)]


def _wheel_problems(folder: FunctionFolder, target: Target) -> Iterator[str]:
    for distribution in folder.distributions:
        if not any(_fits(tag, target) for tag in distribution.tags):
            yield f"{distribution.name} {distribution.version}: {', '.join(distribution.tags)} does not fit {target.name}"


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


def _native_problems(folder: Path, target: Target) -> Iterator[str]:
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
            if not _is_there(version):
                yield f"{name} needs {version}, newer than Amazon Linux 2023 has"


def _is_there(version: str) -> bool:
    library, _, number = version.rpartition("_")
    if not re.fullmatch(r"\d+(\.\d+)*", number) or library not in NEWEST_SYMBOLS:
        return True  # a version of a library in the folder, such as the BLAS
    return tuple(int(part) for part in number.split(".")) <= NEWEST_SYMBOLS[library]


def _import_problems(folder: Path, spec: FunctionSpec) -> Iterator[str]:
    module = spec.handler.rpartition(".")[0]
    if find(folder, module) is None:
        yield f"{module}, which Lambda calls, is not in the folder"
    reached = closure(folder, module)
    for missing in reached.unresolved:
        if not missing.wanted.optional and not _is_explained(missing):
            when = "when a function runs" if missing.wanted.lazy else "at once"
            where = f"{missing.importer}, line {missing.wanted.line}"
            yield f"{where}, imports {missing.wanted.module} {when}: it is not in the folder"
    for name, path in sorted(reached.modules.items()):
        if name.partition(".")[0] in spec.packages and path.suffix == ".py":
            yield from (f"{name} uses numpy.{part}, which is left out (cdk/packaging/pruning.py)" for part in _unused_numpy(path))


def _is_explained(missing: Unresolved) -> bool:
    importer, wanted = f"{missing.importer}.", missing.wanted.module
    return any(re.match(who, importer) and re.fullmatch(what, wanted) for who, what, _ in ABSENT)


def _unused_numpy(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        match node:
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=part) if part in UNUSED_NUMPY:
                yield part
