"""The text of a policy, YAML or JSON: what it says, and in which line each part of it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import yaml

#: Keys, and positions in lists from 0, that lead to a part of a document.
Place: TypeAlias = Sequence[str | int]
_At: TypeAlias = tuple[str, ...]
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
# Far more than any policy has: names (&, *) can make a short text say more than fits into memory.
_MOST_PARTS = 100_000
_ENDLESS = "nested too deeply, or in itself"


class Unreadable(Exception):
    """The text is no YAML, or no JSON. Says in which line, from 1, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(slots=True)
class Text:
    """What a text says.

    Attributes
    ----------
    document : object
        As JSON values.
    lines : dict of place to int
        The line, from 1, of every key and of every element of a list.
    repeated : list of (place, int, int)
        Keys that stand again in one mapping, with the line and that of the first: of these only the last counts.
    """

    document: Any
    lines: dict[_At, int] = field(default_factory=dict)
    repeated: list[tuple[_At, int, int]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Return the line of the last part of a place that stands in the text."""
        at = tuple(map(str, place))
        return next((self.lines[at[:length]] for length in range(len(at), -1, -1) if at[:length] in self.lines), 1)

    def key(self, at: _At, line: int) -> None:
        """Note where a key stands."""
        if at in self.lines:
            self.repeated.append((at, line, self.lines[at]))
        self.lines[at] = line


def parse_yaml(text: str | bytes) -> Text:
    """Read YAML. Raises Unreadable."""
    import yaml  # here, because PyYAML is not in the functions on AWS

    said = Text(None)
    try:
        if (root := yaml.compose(text, Loader=yaml.SafeLoader)) is not None:
            _walk(root, (), said)
            said.document = yaml.load(text, Loader=_loader())  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise Unreadable(mark.line + 1 if mark else 1, f"not YAML: {reason}") from error
    except RecursionError as error:
        raise Unreadable(1, f"not a policy: {_ENDLESS}") from error
    return said


def parse_json(text: str | bytes) -> Text:
    """Read JSON. Raises Unreadable."""
    try:
        text = text if isinstance(text, str) else text.decode()
        said = Text(json.loads(text))
        _read(text, 0, (), said)
    except json.JSONDecodeError as error:
        raise Unreadable(error.lineno, f"not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(1, f"not JSON: {error}") from error
    except RecursionError as error:
        raise Unreadable(1, f"not a policy: {_ENDLESS}") from error
    return said


def as_json(said: Text) -> str:
    """Return it as JSON, short, and yet with every part in the line in which it stood: a mistake is named by the same line."""
    return "".join(_written(said.document, (), said.lines, [1]))


def _loader() -> type[yaml.SafeLoader]:
    """PyYAML's own, but for values that are none of what they look like (2026-99-99, !!int x), which it leaves to Python."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except (ValueError, LookupError, AttributeError, TypeError) as error:
                reason = f"{str(node.value)[:40]!r} is no {node.tag.rpartition(':')[2]}"
                raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark) from error

    return Loader


def _walk(node: yaml.Node, at: _At, said: Text) -> None:
    said.lines.setdefault(at, node.start_mark.line + 1)
    if len(said.lines) > _MOST_PARTS:
        raise Unreadable(
            node.start_mark.line + 1, f"not a policy: more than {_MOST_PARTS:,} parts, perhaps by what is named (&, *)"
        )
    if isinstance(node.value, str):
        return
    for number, child in enumerate(node.value):
        if isinstance(child, tuple):
            key, value = child
            here = (*at, str(key.value))
            said.key(here, key.start_mark.line + 1)
            _walk(value, here, said)
        else:
            _walk(child, (*at, str(number)), said)


def _read(text: str, start: int, at: _At, said: Text) -> int:
    """Note where the parts of a valid JSON value stand; return where it ends."""
    start = _behind_space(text, start)
    said.lines.setdefault(at, text.count("\n", 0, start) + 1)
    if text[start] not in "{[":
        return _DECODER.raw_decode(text, start)[1]
    number, end = 0, _behind_space(text, start + 1)
    while text[end] not in "}]":
        here = (*at, str(number))
        if text[start] == "{":
            key, behind = _DECODER.raw_decode(text, end)
            here = (*at, key)
            said.key(here, text.count("\n", 0, end) + 1)
            end = _behind_space(text, behind) + 1  # the colon
        end = _behind_space(text, _read(text, end, here, said))
        if text[end] == ",":
            end = _behind_space(text, end + 1)
        number += 1
    return end + 1


def _behind_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def _written(value: Any, at: _At, lines: Mapping[_At, int], line: list[int]) -> Iterator[str]:
    """Yield a value in pieces; ``line`` holds the one line in which the next piece stands."""
    if not isinstance(value, dict | list):
        yield json.dumps(value)
        return
    named = value.items() if isinstance(value, dict) else enumerate(value)
    yield "{" if isinstance(value, dict) else "["
    for number, (name, child) in enumerate(named):
        here = (*at, str(name))
        yield "," if number else ""
        down = max(0, lines.get(here, 0) - line[0])
        line[0] += down
        yield "\n" * down
        yield f"{json.dumps(str(name))}:" if isinstance(value, dict) else ""
        yield from _written(child, here, lines, line)
    yield "}" if isinstance(value, dict) else "]"
