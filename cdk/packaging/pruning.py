"""What of a distribution stays out of a function folder: Lambda loads it on every cold start, and never uses it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path, PurePath

from cdk.packaging.imports import closure, parse

#: What stays of a ``*.dist-info`` folder: the licences must travel with the code.
_KEPT_METADATA = ("METADATA", "LICENSE", "LICENCE", "NOTICE", "AUTHORS", "COPYING", "licenses")
#: Folders with nothing that runs in a function: tests, C headers, NumPy's Fortran and build tools, command-line scripts.
_DROPPED_FOLDERS = frozenset({"__pycache__", "tests", "testing_data", "include", "bin", "f2py", "distutils"})
_DROPPED_SUFFIXES = (".pyc", ".pyi", ".a", ".h", ".pxd", ".pyx", ".c", ".f90")
#: Parts of single distributions that no function runs.
_DROPPED_PARTS = (
    # Converters and compilers for phones' accelerators.
    "ai_edge_litert/aot/",
    "ai_edge_litert/tools/",
    "ai_edge_litert/vendors/",
    # The 2.x line's other way to run a model, and what accelerates that: the interpreter needs neither.
    "ai_edge_litert/libLiteRt.so",
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
    "ai_edge_litert/schema_py_generated.py",
    "ai_edge_litert/pywrap_genai_ops.so",
    "ai_edge_litert/_pywrap_analyzer_wrapper.so",
    "ai_edge_litert/_pywrap_modify_model_interface.so",
    "ai_edge_litert/_pywrap_tensorflow_lite_calibration_wrapper.so",
    # Native code of NumPy's own tests, and the subpackages in UNUSED_NUMPY.
    "numpy/_core/_simd.",
    "numpy/_core/_multiarray_tests.",
    "numpy/_core/_operand_flag_tests.",
    "numpy/_core/_rational_tests.",
    "numpy/_core/_struct_ufunc_tests.",
    "numpy/_core/_umath_tests.",
    "numpy/fft/",
    "numpy/ma/",
    "numpy/polynomial/",
    "numpy/random/",
    "numpy/testing/",
    # Of the powertools, functions use the logger and the metrics.
    "aws_lambda_powertools/event_handler/",
    *(
        f"aws_lambda_powertools/utilities/{part}/"
        for part in (
            "auth_alpha",
            "batch",
            "circuit_breaker",
            "data_classes",
            "data_masking",
            "feature_flags",
            "idempotency",
            "kafka",
            "parameters",
            "parser",
            "streaming",
            "validation",
        )
    ),
    "boto3/examples/",
    # A second time-zone database; the clouds' times are UTC.
    "dateutil/zoneinfo/",
)
#: Loaded by NumPy only when an attribute of that name is asked for. The static check finds code of ours that asks.
UNUSED_NUMPY = ("fft", "ma", "polynomial", "random", "testing")
#: Data of botocore that belongs to no single service.
_SHARED_BOTOCORE_DATA = frozenset({"_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"})


def used_services(root: Path, module: str) -> frozenset[str]:
    """Names of the AWS services that a module, and all that it imports, makes clients of.

    Reads every call ``client("name")`` or ``clients("name")``, of whatever object, in their source, so that the service
    models in a function folder follow the code.
    """
    services = set()
    for path in closure(root, module).modules.values():
        if path.suffix != ".py":
            continue
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            service = node.args[0]
            if name.endswith(("client", "clients")) and isinstance(service, ast.Constant) and isinstance(service.value, str):
                services.add(service.value)
    return frozenset(services)


def keeper(services: frozenset[str]) -> Callable[[PurePath], bool]:
    """Return the rule that says whether a file, relative to the folder, goes into a function folder."""

    def keeps(file: PurePath) -> bool:
        top, *rest = file.parts
        if top.endswith(".dist-info"):
            return any(rest[0].startswith(name) for name in _KEPT_METADATA)
        if _DROPPED_FOLDERS.intersection(file.parts[:-1]) or file.suffix in _DROPPED_SUFFIXES:
            return False
        if top in ("botocore", "boto3") and rest[:1] == ["data"]:
            return rest[1] in services or (len(rest) == 2 and rest[1] in _SHARED_BOTOCORE_DATA)
        return not file.as_posix().startswith(_DROPPED_PARTS)

    return keeps
