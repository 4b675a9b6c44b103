"""Where the Function app runs."""

from __future__ import annotations

from cdk.packaging.fitness import System
from cdk.packaging.targets import LOCAL, Target

#: Flex Consumption: Python 3.13 on x86-64. Wheels for glibc 2.28 and older fit, with room to spare.
CLOUD = Target("cloud", (3, 13), "x86_64-manylinux_2_28", "x86_64")
TARGETS = {target.name: target for target in (LOCAL, CLOUD)}
#: What the platform's image of Python 3.12 and later is made from: glibc 2.36, and GCC 12 for libgcc and libstdc++.
SYSTEM = System(
    "Debian 12", {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (12, 0, 0), "LIBATOMIC": (1, 2)}
)
#: Unpacked size that a deploy folder must not pass: every new instance of the app loads it before it does anything.
SIZE_LIMIT_BYTES = 120_000_000
#: Where the platform unpacks the folder.
SITE_ROOT = "/home/site/wwwroot"
#: Where in the folder the platform looks for distributions.
SITE_PACKAGES = ".python_packages/lib/site-packages"

__all__ = ["CLOUD", "LOCAL", "SITE_PACKAGES", "SITE_ROOT", "SIZE_LIMIT_BYTES", "SYSTEM", "TARGETS"]
