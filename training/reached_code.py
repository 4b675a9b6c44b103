"""The code that a function can reach, by name: what a stored result depends on, without anyone having to list it.

From a function on, every name is followed through the project's modules to the definition that it means: functions, classes
(whole), constants, imports within functions. What is not named is not followed, so that a change elsewhere in a module that is
imported makes no result old. Files that code reads while it runs (scenarios, recordings, models) are no names and no part of it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
#: Top-level packages whose code decides a result; what others install is told by its version.
_ROOMS = ("training", "shared_model")
#: Keeps, counts and tells of results, and decides none.
BESIDE = frozenset({"training.trials.stage", "training.stages.stage", "training.benchmarks.ledger", "training.jobs.run_record"})


@dataclass(frozen=True, slots=True)
class _Module:
    """A module's statements by the names that they bind; ``effects`` run whenever it is imported."""

    bound: dict[str, list[ast.stmt]]
    effects: list[ast.stmt]


@dataclass(slots=True)
class _Walk:
    root: Path
    found: dict[tuple[str, str], None] = field(default_factory=dict)
    text: set[str] = field(default_factory=set)

    def follow(self, module: str, name: str) -> None:
        """Take the definition of a name of a module, and all that it names; the whole module where it has no such name."""
        if module in BESIDE or (module, name) in self.found:
            return
        self.found[module, name] = None
        there = _module(self.root, module)
        for statement in there.effects:
            self._take(module, statement)
        if name and name not in there.bound:
            return self.follow(module, "")
        for each in [name] if name else list(there.bound):
            for statement in there.bound[each]:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    imported = _imported(self.root, module, statement)
                    if each in imported:
                        self.follow(*imported[each])
                else:
                    self._take(module, statement)

    def _take(self, module: str, statement: ast.stmt) -> None:
        text = f"{module}: {ast.unparse(statement)}"
        if text in self.text:
            return
        self.text.add(text)
        there = _module(self.root, module)
        within = {
            alias: target
            for node in ast.walk(statement)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias, target in _imported(self.root, module, node).items()
        }
        for name, attributes in _named(statement):
            if name in within:
                self._follow_import(within[name], attributes)
            elif name in there.bound:
                imports = [one for one in there.bound[name] if isinstance(one, ast.Import | ast.ImportFrom)]
                targets = [_imported(self.root, module, one).get(name) for one in imports]
                for target in targets:
                    if target is not None:
                        self._follow_import(target, attributes)
                if not imports:
                    self.follow(module, name)

    def _follow_import(self, target: tuple[str, str], attributes: tuple[str, ...]) -> None:
        """A module that is named with an attribute means that attribute; named alone it means all of it."""
        module, name = target
        while not name and attributes:
            inner = f"{module}.{attributes[0]}"
            if attributes[0] in _module(self.root, module).bound or _path(self.root, inner) is None:
                name = attributes[0]
            else:
                module, attributes = inner, attributes[1:]
        self.follow(module, name)


@lru_cache(maxsize=256)
def reached(module: str, name: str, root: Path = _ROOT) -> tuple[str, ...]:
    """Definitions that a module's function reaches, each as ``module: code`` without comments and docstrings, in order.

    Parameters
    ----------
    module : str
        Dotted name of a module of this project.
    name : str
        A top-level definition in it.

    Raises
    ------
    KeyError
        There is no such module or definition.
    """
    if name not in _module(root, module).bound:
        raise KeyError(f"{module} defines no {name}")
    walk = _Walk(root)
    walk.follow(module, name)
    return tuple(sorted(walk.text))


@lru_cache(maxsize=1024)
def _module(root: Path, name: str) -> _Module:
    path = _path(root, name)
    if path is None:
        raise KeyError(f"{name} is no module of this project")
    bound: dict[str, list[ast.stmt]] = defaultdict(list)
    effects: list[ast.stmt] = []
    for statement in _statements(_without_docstrings(ast.parse(path.read_text(encoding="utf-8"))).body):
        names = list(_bound_by(statement))
        for each in names:
            bound[each].append(statement)
        if not names:
            effects.append(statement)
    return _Module(dict(bound), effects)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements; under a condition both ways count, except what is for type checkers or for a start as a program."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            typing_only = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)
            main = isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)
            if not main:
                yield from _statements([*([] if typing_only else statement.body), *statement.orelse])
        elif not isinstance(statement, ast.Pass):
            yield statement


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
                changed: ast.AST = node
                while isinstance(changed, ast.Attribute | ast.Subscript):
                    changed = changed.value
                if isinstance(changed, ast.Name):
                    yield changed.id


def _imported(root: Path, within: str, statement: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, str]]:
    """What names of an import statement mean: (module, name in it), the name being empty where it is a module of this project."""
    meant: dict[str, tuple[str, str]] = {}
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            target = (module, "")
        else:
            module = statement.module or ""
            inner = f"{module}.{alias.name}"
            target = (inner, "") if _path(root, inner) is not None else (module, alias.name)
        if target[0].partition(".")[0] in _ROOMS and _path(root, target[0]) is not None and target[0] != within:
            meant[alias.asname or alias.name.partition(".")[0]] = target
    return meant


def _named(statement: ast.stmt) -> list[tuple[str, tuple[str, ...]]]:
    """Names that a statement reads, each with the attributes that are taken of it."""
    named: list[tuple[str, tuple[str, ...]]] = []
    inner: set[int] = set()
    for node in ast.walk(statement):
        attributes: list[str] = []
        value: ast.AST = node
        while isinstance(value, ast.Attribute):
            attributes.append(value.attr)
            value = value.value
        if isinstance(value, ast.Name) and isinstance(value.ctx, ast.Load) and id(value) not in inner:
            inner.add(id(value))
            named.append((value.id, tuple(reversed(attributes))))
    return named


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """To word something better changes no result."""
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@lru_cache(maxsize=4096)
def _path(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
