"""Functions of Fovea as the text of a file that does without Fovea: what they need comes along, and nothing else.

A script that is to come to the same numbers must compute in the same way. So what decides a number is not written a
second time for it: the very definitions are taken out of their modules, with all the definitions that they name.
"""

import ast
import builtins
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

OWN = "core"  # modules below it are Fovea's; from all others a script may import


@dataclass(frozen=True)
class Gathered:
    """Definitions in an order in which they can stand, and the import lines that they need."""

    imports: tuple[str, ...]
    parts: dict[str, str]  # by module, the lowest first: the text of its definitions

    @property
    def text(self) -> str:
        """All definitions, two empty lines apart."""
        return "\n\n\n".join(self.parts.values())


@dataclass(frozen=True)
class _Module:
    lines: tuple[str, ...]
    definitions: dict[str, ast.stmt]  # by the name that each binds
    imports: dict[str, tuple[str, str]]  # name in the module -> (module, name there; "" for the module itself)


def gather(wanted: Iterable[tuple[str, str]]) -> Gathered:
    """The definitions of (module, name), and of all that they name.

    Raises ValueError when two modules give one name to different things, or a module has no such name.
    """
    found: dict[tuple[str, str], None] = {}
    imports: dict[str, None] = {}
    for module, name in wanted:
        _follow(module, name, found, imports)
    owner: dict[str, str] = {}
    for module, name in found:
        if owner.setdefault(name, module) != module:
            raise ValueError(f"{name} is in {owner[name]} and in {module}")
    parts = {}
    for module in dict.fromkeys(module for module, _ in found):
        names = {name for one, name in found if one == module}
        parts[module] = _text(module, names)
    return Gathered(tuple(sorted(imports)), parts)


def names_in(node: ast.AST) -> set[str]:
    """The names that a definition reads, those it binds itself included."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def parsed(module: str) -> dict[str, ast.stmt]:
    """What a module defines at its top, by name."""
    return _module(module).definitions


def _follow(module: str, name: str, found: dict[tuple[str, str], None], imports: dict[str, None]) -> None:
    if (module, name) in found:
        return
    here = _module(module)
    if name not in here.definitions:
        raise ValueError(f"{module} defines no {name}")
    node = here.definitions[name]
    inner: list[tuple[str, str]] = []
    for used in sorted(names_in(node) - {name}):
        if used in here.definitions:
            inner.append((module, used))
        elif used in here.imports:
            origin, there = here.imports[used]
            if origin.split(".")[0] == OWN:
                inner.append((origin, there))
            else:
                imports[_import_line(used, origin, there)] = None
        elif not hasattr(builtins, used):
            continue  # a name of its own
    for origin, there in inner:  # first what it stands on
        if origin != module:
            _follow(origin, there, found, imports)
    found[module, name] = None
    for origin, there in inner:
        if origin == module:
            _follow(origin, there, found, imports)


def _text(module: str, names: set[str]) -> str:
    """The definitions of a module in their order there, constants before what uses them."""
    here = _module(module)
    nodes = sorted({id(here.definitions[name]): here.definitions[name] for name in names}.values(), key=_first)
    pieces, last = [], None
    for node in nodes:
        text = "\n".join(here.lines[_first(node) - 1 : node.end_lineno])
        plain = isinstance(node, ast.Assign | ast.AnnAssign)
        pieces.append(("" if last is None else "\n" if plain and last else "\n\n\n") + text)
        last = plain
    return "".join(pieces)


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _import_line(used: str, origin: str, there: str) -> str:
    if there:
        return f"from {origin} import {there}" + (f" as {used}" if used != there else "")
    return f"import {origin}" + (f" as {used}" if used != origin.split(".")[0] else "")


@cache
def _module(name: str) -> _Module:
    text = Path(importlib.import_module(name).__file__).read_text(encoding="utf-8")
    definitions: dict[str, ast.stmt] = {}
    imports: dict[str, tuple[str, str]] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                definitions |= {one.id: node for one in ast.walk(target) if isinstance(one, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            definitions[node.target.id] = node
        elif isinstance(node, ast.Import):
            imports |= {(one.asname or one.name.split(".")[0]): (one.name, "") for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports |= {(one.asname or one.name): (node.module, one.name) for one in node.names}
    return _Module(tuple(text.splitlines()), definitions, imports)
