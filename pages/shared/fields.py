"""Fields of a recipe as widgets. Each widget stands for one field, named by its path.

The values live in session state under "train_" and the path, so that they survive a visit to another page. What is
given back is {path: value}, as `Recipe.set` takes it. Bounds and options are those that the recipe itself declares.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any, Protocol, get_args

import streamlit as st
from pydantic import BaseModel

from core.errors import RecipeError
from core.knobs import Knob, find
from core.recipe import Recipe
from pages.shared.forms import knob_widget
from pages.shared.words import plain

PREFIX = "train_"
_BOUNDS = ("ge", "gt", "le", "lt")  # as pydantic names them
NEXT = 1e-6  # how far inside a bound that is not part of the range a number has to stay


class Row(Protocol):
    """A row of a registry, as a page shows it."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def sentence(self) -> str: ...


def key(path: str) -> str:
    """The session key of a field."""
    return PREFIX + path.replace(".", "_")


def at(recipe: Recipe, path: str) -> Any:
    """What a recipe has in a field, as plain data; None where it has no such field."""
    here: Any = recipe.model_dump(mode="json")
    for step in path.split("."):
        if isinstance(here, list):
            here = here[int(step)] if int(step) < len(here) else None
        else:
            here = here.get(step) if here else None
    return here


def begin_again(keep: Iterable[str]) -> None:
    """Every field starts from what its recipe says, whatever was chosen before, but for those under these keys."""
    for name in [name for name in st.session_state if str(name).startswith(PREFIX) and name not in keep]:
        del st.session_state[name]


def start(base: Recipe, path: str) -> str:
    """The session key of a field, which holds what the base says unless something was chosen."""
    if key(path) not in st.session_state:
        st.session_state[key(path)] = at(base, path)
    return key(path)


def held(base: Recipe, path: str) -> Any:
    """What was chosen in a field, or else what the base says."""
    return st.session_state[key(path)] if key(path) in st.session_state else at(base, path)


def bounds(part: type[BaseModel], field: str) -> tuple[float, float]:
    """The least and the largest number that a field takes, as the recipe declares them."""
    info = part.model_fields[field]
    inside = 1 if info.annotation is int else NEXT
    declared = {name: getattr(rule, name) for rule in info.metadata for name in _BOUNDS if hasattr(rule, name)}
    low = declared.get("ge", declared["gt"] + inside if "gt" in declared else -inf)
    high = declared.get("le", declared["lt"] - inside if "lt" in declared else inf)
    return low, high


def number(
    base: Recipe, path: str, label: str, help: str, *, step: float = 1, most: float = inf, least: float = -inf
) -> dict[str, Any]:
    """A number within what the recipe allows, and within `least` and `most`. A whole step makes it a whole number."""
    low, high = bounds(*_place(base, path))
    value(start(base, path), label, max(low, least), min(high, most), step, help)
    return {path: st.session_state[key(path)]}


def value(name: str, label: str, low: float, high: float, step: float, help: str | None = None) -> None:
    """A number field whose value is held under this session key."""
    kind = int if isinstance(step, int) else float
    st.session_state[name] = kind(min(max(st.session_state[name], low), high))
    format = "%d" if kind is int else "%.5g"
    st.number_input(
        label, kind(low), kind(high), step=step, format=format, key=name, help=help, persist_state="session"
    )


def toggle(base: Recipe, path: str, label: str, help: str) -> dict[str, Any]:
    """Yes or no."""
    name = start(base, path)
    st.toggle(label, key=name, help=help, persist_state="session")
    return {path: bool(st.session_state[name])}


def choice(base: Recipe, path: str, label: str, options: Mapping[Any, str], help: str | None = None) -> dict[str, Any]:
    """One of the options, given as {value: what is shown}. Raises RecipeError for any other value."""
    name, standard = start(base, path), at(base, path)
    if standard not in options:
        options = {standard: str(standard), **options}
    st.selectbox(label, list(options), format_func=options.get, key=name, help=help, persist_state="session")
    return {path: among(st.session_state[name], options, path)}


def words(base: Recipe, path: str, label: str, told: Mapping[str, str], help: str | None = None) -> dict[str, Any]:
    """One of the words that the recipe allows in a field, each shown as `told` has it or as it is."""
    part, field = _place(base, path)
    options = {word: told.get(word, word) for word in get_args(part.model_fields[field].annotation)}
    return choice(base, path, label, options, help)


def row(base: Recipe, path: str, label: str, rows: Sequence[Row], help: str | None = None) -> dict[str, Any]:
    """One row of a registry, and what it says of itself."""
    chosen = choice(base, path, label, {row.name: row.label for row in rows}, help)
    st.caption(plain(find(rows, chosen[path], path).sentence))
    return chosen


def knobs(base: Recipe, path: str, row: str, knobs: Sequence[Knob]) -> dict[str, Any]:
    """The knobs of a chosen row, whose values are held in the field `path` + ".values".

    A knob at its default is not written down, unless the base does.
    """
    same = at(base, f"{path}.name") == row
    said = at(base, f"{path}.values") if same else {}
    standard = {knob.name: said.get(knob.name, knob.default) for knob in knobs}
    values = {
        knob.name: knob_widget(knob, standard[knob.name], key(f"{path}.values.{row}.{knob.name}")) for knob in knobs
    }
    changed = {knob.name: values[knob.name] for knob in knobs if values[knob.name] != knob.default}
    return {f"{path}.values": said if values == standard else changed}


def among(value: Any, options: Iterable[Any], path: str) -> Any:
    """The value, which has to be one of the options: a browser can send anything. Raises RecipeError."""
    if value not in options:
        raise RecipeError(path, found=repr(value), expected="one of " + ", ".join(map(str, options)))
    return value


def _place(base: Recipe, path: str) -> tuple[type[BaseModel], str]:
    """The part of a recipe in which a field stands, and what it is called there."""
    here: Any = base
    *parents, field = path.split(".")
    for step in parents:
        here = here[int(step)] if isinstance(here, tuple) else getattr(here, step)
    return type(here), field
