"""Where a function folder will run."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

#: Lambda's runtime for every function. It decides the interpreter, the glibc and the libstdc++ that native code may need.
LAMBDA_PYTHON = (3, 12)


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of machine.

    Attributes
    ----------
    name : str
        Folder under ``build/``.
    python : tuple of int
        Version of the interpreter there.
    platform : str
        The installer's name of the platform, ``""`` for the one that runs it.
    machine : str
        As ``uname -m`` says it there.
    """

    name: str
    python: tuple[int, int]
    platform: str
    machine: str

    @property
    def version(self) -> str:
        """``3.12``."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def size_limit_bytes(self) -> int:
        """Unpacked size that a function folder must not pass there.

        Lambda's own limit is 250 MB; a small folder starts sooner. From Python 3.13 on there is only the engine's 2.x line,
        which is twice as large: such a folder is run by the embedded AWS, never deployed.
        """
        return 60_000_000 if self.python < (3, 13) else 100_000_000

    @property
    def marker_environment(self) -> dict[str, str]:
        """Values of the dependency markers (PEP 508) there."""
        return {
            "python_version": self.version,
            "python_full_version": f"{self.version}.0",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "implementation_version": f"{self.version}.0",
            "os_name": "posix",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": self.machine,
        }


#: Lambda on Graviton. Its python3.12 runs on Amazon Linux 2023: glibc 2.34.
CLOUD = Target("cloud", LAMBDA_PYTHON, "aarch64-manylinux_2_34", "aarch64")
#: This machine and this interpreter: executed by the embedded AWS.
LOCAL = Target("local", sys.version_info[:2], "", platform.machine())

TARGETS = {target.name: target for target in (LOCAL, CLOUD)}
