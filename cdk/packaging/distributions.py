"""Which distributions a function needs: the closure of its requirements, read from what is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cdk.packaging.targets import Target


class DistributionMissing(Exception):
    """A function needs a distribution that the lock does not name."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution in a folder.

    Attributes
    ----------
    name, version : str
    files : tuple of Path
        Relative to the folder.
    needs : tuple of str
        Names of the distributions it needs on that target, without extras.
    tags : tuple of str
        Wheel tags, such as ``cp312-cp312-manylinux_2_28_aarch64``.
    """

    name: str
    version: str
    files: tuple[Path, ...]
    needs: tuple[str, ...]
    tags: tuple[str, ...]


def read_installed(folder: Path, target: Target) -> dict[str, Installed]:
    """Read every distribution in a folder, by normalised name."""
    found = (_read(Distribution.at(path), target) for path in sorted(folder.glob("*.dist-info")))
    return {distribution.name: distribution for distribution in found}


def _read(distribution: Distribution, target: Target) -> Installed:
    environment = {**target.marker_environment, "extra": ""}
    requirements = [Requirement(line) for line in distribution.requires or ()]
    wheel = (distribution.read_text("WHEEL") or "").splitlines()
    return Installed(
        name=canonicalize_name(distribution.metadata["Name"]),
        version=distribution.version,
        files=tuple(sorted(Path(str(file)) for file in distribution.files or () if ".." not in Path(str(file)).parts)),
        needs=tuple(
            canonicalize_name(requirement.name)
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate(environment)
        ),
        tags=tuple(line.removeprefix("Tag: ") for line in wheel if line.startswith("Tag: ")),
    )


def closure(
    requirements: Iterable[str],
    installed: Mapping[str, Installed],
    *,
    registry: str = "lambdas/registry.py",
    declared_in: str = "requirements/functions.in",
) -> tuple[Installed, ...]:
    """Return the required distributions and all that they need, sorted by name.

    Parameters
    ----------
    requirements : iterable of str
    installed : mapping
    registry, declared_in : str
        Who asks for them, and where what the lock holds is declared: for the error.

    Raises
    ------
    DistributionMissing
        Names the distribution and what asked for it.
    """
    wanted: dict[str, str] = {canonicalize_name(name): registry for name in requirements}
    chosen: dict[str, Installed] = {}
    while wanted:
        name, asked_by = wanted.popitem()
        if name not in installed:
            raise DistributionMissing(f"{asked_by} needs {name}: add it to {declared_in} and run `make lock`")
        chosen[name] = installed[name]
        wanted |= {need: name for need in installed[name].needs if need not in chosen}
    return tuple(chosen[name] for name in sorted(chosen))
