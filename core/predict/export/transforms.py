"""The rows of an augmentation policy as the Python that builds them, and what of Fovea's own they need.

What a row builds is said once, in `core.augment.catalog`. Here that very expression is taken, with the values of the
row's knobs in their places.
"""

import ast
import copy
import importlib
from collections.abc import Sequence
from types import FunctionType
from typing import Any

from core.augment.catalog import transform
from core.knobs import check_values
from core.predict.export.source import names_in, parsed
from core.recipe import TransformChoice

_CATALOG = "core.augment.catalog"
_HOMES = ("core.augment.warp", "core.augment.tone")  # of the transforms that torchvision lacks


def expression(row: TransformChoice) -> str:
    """What builds the transform of a row: "Zoom(0.9, 1.1)", "v2.ColorJitter(brightness=0.15)"."""
    found = transform(row.name)
    values = check_values(found.knobs, row.values, f"augment.rows.{row.name}")
    return ast.unparse(_Filled(found.build, values).visit(_returned(found.build)))


def needed(expressions: Sequence[str]) -> list[tuple[str, str]]:
    """The definitions of Fovea's that these expressions name, as (module, name)."""
    names = set().union(*(names_in(ast.parse(one)) for one in expressions)) if expressions else set()
    return [
        (module, name) for module in (*_HOMES, _CATALOG) for name in parsed(module) if name in names and name != "v2"
    ]


def _returned(build: FunctionType) -> ast.expr:
    """The expression that a builder of the catalog returns."""
    for node in ast.walk(ast.Module(list(parsed(_CATALOG).values()), [])):
        if isinstance(node, ast.FunctionDef) and node.name == build.__name__:
            inner = [one for one in node.body if isinstance(one, ast.Return)]
            if node.lineno == build.__code__.co_firstlineno and inner:
                return copy.deepcopy(inner[-1].value)
    raise ValueError(f"{build.__qualname__} of the catalog returns no expression")


class _Filled(ast.NodeTransformer):
    """Numbers in place of `values["..."]`, of constants of the catalog and of what a builder closes over."""

    def __init__(self, build: FunctionType, values: dict[str, Any]) -> None:
        self._values = values
        cells = build.__closure__ or ()
        closed = dict(zip(build.__code__.co_freevars, (cell.cell_contents for cell in cells), strict=True))
        catalog = vars(importlib.import_module(_CATALOG))
        plain = {name: value for name, value in catalog.items() if name.isupper() and isinstance(value, int | float)}
        self._known = plain | closed

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "values":
            return ast.Constant(self._values[ast.literal_eval(node.slice)])
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self._known[node.id]) if node.id in self._known else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        keywords = []
        for one in node.keywords:
            if one.arg is None and isinstance(one.value, ast.Dict):  # **{"brightness": 0.2} as brightness=0.2
                pairs = zip(one.value.keys, one.value.values, strict=True)
                keywords += [ast.keyword(ast.literal_eval(key), value) for key, value in pairs]
            else:
                keywords.append(one)
        node.keywords = keywords
        return node
