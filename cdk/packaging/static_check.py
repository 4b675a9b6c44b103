"""Checks a function folder for Lambda without running it: this machine is another machine."""

from __future__ import annotations

from cdk.packaging.assembly import FunctionFolder
from cdk.packaging.fitness import ABSENT_ANYWHERE, Absence, System, import_problems, native_problems, wheel_problems
from cdk.packaging.imports import find
from cdk.packaging.targets import Target
from lambdas.registry import FunctionSpec

#: Amazon Linux 2023, which Lambda's python3.12 runs on: glibc 2.34, libstdc++ of GCC 11.
NEWEST_SYMBOLS = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13), "GCC": (11, 0), "LIBATOMIC": (1, 2)}
LAMBDA = System("Amazon Linux 2023", NEWEST_SYMBOLS)

#: What Lambda's folders leave out besides.
ABSENT: tuple[Absence, ...] = (
    *ABSENT_ANYWHERE,
    (r"botocore\.", r"awscrt.*", "A faster signer; botocore asks first whether it is there."),
    (r"dateutil\.|six\.|botocore\.vendored\.six\.", r"six\.moves.*|StringIO", "Made while six runs; names of Python 2."),
    (r"urllib3\.", r"cryptography.*|idna", "Another TLS."),
    (r"aws_lambda_powertools\.tracing\.", r"aws_xray_sdk.*", "Tracing, which is off."),
    (r"aws_lambda_powertools\.", r"aws_lambda_powertools\.event_handler.*", "Web APIs: no function of ours serves one."),
    (r"response\.policy_text\.", r"yaml", "Reads the operator's file, before it is deployed as JSON."),
)


def problems(folder: FunctionFolder, spec: FunctionSpec, target: Target) -> list[str]:
    """Say what would fail on the target; an empty list when nothing would."""
    module = spec.handler.rpartition(".")[0]
    handler = [] if find(folder.path, module) else [f"{module}, which Lambda calls, is not in the folder"]
    return [
        *wheel_problems(folder.distributions, target),
        *native_problems(folder.path, target, LAMBDA),
        *handler,
        *import_problems(folder.path, module, target=target, ours=spec.packages, absent=ABSENT),
    ]
