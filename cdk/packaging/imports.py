"""What a module imports, directly or not, read from the source: nothing is executed."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdk.packaging.targets import LAMBDA_PYTHON

#: Modules that versions of Python took out of the standard library (PEP 594 and 632), and that an older one here still has.
_REMOVED = {
    (3, 12): {"asynchat", "asyncore", "distutils", "imp", "smtpd"},
    (3, 13): {
        *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib"),
        *("ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
    },
}
_BRACKETS = r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]"
_TYPE_ALIAS = re.compile(rf"(?m)^(\s*)type (\w+)(?:{_BRACKETS})? =")
_TYPE_PARAMETERS = re.compile(rf"(?m)^(\s*(?:async def|def|class) \w+){_BRACKETS}")
_GUARDS = frozenset({"ImportError", "ModuleNotFoundError", "Exception"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's module.

    Attributes
    ----------
    module : str
        Absolute dotted name.
    line : int
    lazy : bool
        Stands in a function: imported when that runs.
    optional : bool
        The code says itself what to do where the module is missing (``try … except ImportError``).
    """

    module: str
    line: int
    lazy: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An import that finds nothing in the folder, nor in the standard library."""

    importer: str
    wanted: Import


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything that a module reaches.

    Attributes
    ----------
    modules : mapping of str to Path
        File of each module that was reached.
    unresolved : tuple of Unresolved
    """

    modules: dict[str, Path]
    unresolved: tuple[Unresolved, ...]


def standard_library(python: tuple[int, int]) -> frozenset[str]:
    """Names of the standard library's modules in a version of Python, as far as this one knows them."""
    gone = (names for version, names in _REMOVED.items() if version <= python)
    return frozenset(sys.stdlib_module_names).difference(*gone)


def closure(
    folder: Path,
    *modules: str,
    library: frozenset[str] | None = None,
    follows: Callable[[str, Import], bool] = lambda importer, wanted: True,
) -> Closure:
    """Follow every import from some modules on, those inside functions too, but those of the standard library.

    ``follows(importer, wanted)`` may leave imports out.
    """
    library = standard_library(LAMBDA_PYTHON) if library is None else library
    reached: dict[str, Path] = {}
    missing: list[Unresolved] = []
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        if name in reached or (file := find(folder, name)) is None:
            continue
        reached[name] = file
        waiting.extend(parents(name))
        if file.suffix != ".py":
            continue
        for wanted in imports(file, name):
            if not follows(name, wanted):
                continue
            if wanted.module.partition(".")[0] in library:
                continue
            if find(folder, wanted.module) is None:
                missing.append(Unresolved(name, wanted))
            else:
                waiting.append(wanted.module)
    return Closure(reached, tuple(missing))


def find(folder: Path, module: str) -> Path | None:
    """File of a module in a folder: a package, a source file, bytecode or native code; None where there is none."""
    path = folder.joinpath(*module.split("."))
    for suffix in (".py", ".pyc"):
        for candidate in (path / f"__init__{suffix}", path.with_name(f"{path.name}{suffix}")):
            if candidate.is_file():
                return candidate
    native = sorted(path.parent.glob(f"{path.name}.*so")) if path.parent.is_dir() else []
    if native:
        return native[0]
    return path if path.is_dir() else None


def imports(file: Path, module: str) -> list[Import]:
    """Import statements of a file, but those for type checkers only."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    body = parse(file).body
    return list(_walk(body, package, lazy=False, optional=False, root=_root(file, module)))


def parse(file: Path) -> ast.Module:
    """Parse a file written for Lambda's Python, in whatever Python this is.

    Python 3.11 cannot read the type parameters of 3.12 (PEP 695); they import nothing, so they are taken out.
    """
    source = file.read_text(encoding="utf-8-sig")
    try:
        return ast.parse(source, str(file))
    except SyntaxError:
        return ast.parse(_TYPE_PARAMETERS.sub(r"\1", _TYPE_ALIAS.sub(r"\1\2 =", source)), str(file))


def _root(file: Path, module: str) -> Path:
    return file.parents[len(module.split(".")) - (0 if file.name == "__init__.py" else 1)]


def _walk(nodes: list[ast.stmt], package: str, *, lazy: bool, optional: bool, root: Path) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import():
                yield from (Import(alias.name, node.lineno, lazy, optional) for alias in node.names)
            case ast.ImportFrom():
                yield from _from(node, package, lazy=lazy, optional=optional, root=root)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _walk(node.body, package, lazy=True, optional=optional, root=root)
            case ast.Try():
                guarded = optional or any(_guards(handler) for handler in node.handlers)
                yield from _walk(node.body, package, lazy=lazy, optional=guarded, root=root)
                for block in ([s for h in node.handlers for s in h.body], node.orelse, node.finalbody):
                    yield from _walk(block, package, lazy=lazy, optional=optional or guarded, root=root)
            case ast.If() if "TYPE_CHECKING" in ast.unparse(node.test):
                yield from _walk(node.orelse, package, lazy=lazy, optional=optional, root=root)
            case ast.If():  # which branch runs depends on the machine or version: none of them is sure
                for block in (node.body, node.orelse):
                    yield from _walk(block, package, lazy=lazy, optional=optional, root=root)
            case ast.ClassDef() | ast.With() | ast.For() | ast.While():
                yield from _walk(node.body, package, lazy=lazy, optional=optional, root=root)
            case _:
                pass


def _from(node: ast.ImportFrom, package: str, *, lazy: bool, optional: bool, root: Path) -> Iterator[Import]:
    base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
    module = ".".join(part for part in (base, node.module) if part)
    yield Import(module, node.lineno, lazy, optional)
    for alias in node.names:  # a name may be a module of its own
        if find(root, f"{module}.{alias.name}") is not None:
            yield Import(f"{module}.{alias.name}", node.lineno, lazy, optional)


def _guards(handler: ast.ExceptHandler) -> bool:
    named = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {"Exception"}
    return bool(named & _GUARDS)


def parents(module: str) -> list[str]:
    """Names of the packages that a module stands in, outermost first."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
