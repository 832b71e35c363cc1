"""Fields of a recipe as widgets. Each widget stands for one field, named by its path.

The values live in session state under "train_" and the path, so that they survive a visit to another page. What is
given back is {path: value}, as `Recipe.set` takes it.
"""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from core.errors import RecipeError
from core.recipe import Recipe


def key(path: str) -> str:
    """The session key of a field."""
    return "train_" + path.replace(".", "_")


def at(recipe: Recipe, path: str) -> Any:
    """What a recipe has in a field, as plain data; None where it has no such field."""
    here: Any = recipe.model_dump(mode="json")
    for step in path.split("."):
        if isinstance(here, list):
            here = here[int(step)] if int(step) < len(here) else None
        else:
            here = here.get(step) if here else None
    return here


def begin_again(recipe: Recipe, paths: Iterable[str]) -> None:
    """Every one of these fields starts from what the recipe says, whatever was chosen before."""
    for path in paths:
        st.session_state.pop(key(path), None)
        value = at(recipe, path)
        if value is not None:
            st.session_state[key(path)] = value


def start(base: Recipe, path: str) -> str:
    """The session key of a field, which holds what the base says unless something was chosen."""
    st.session_state.setdefault(key(path), at(base, path))
    return key(path)


def number(base: Recipe, path: str, label: str, low: float, high: float, step: float, help: str) -> dict[str, Any]:
    """A number."""
    name = start(base, path)
    format = "%d" if isinstance(step, int) else "%.5g"
    st.number_input(label, low, high, step=step, format=format, key=name, help=help, persist_state="session")
    return {path: st.session_state[name]}


def choice(base: Recipe, path: str, label: str, options: dict[Any, str], help: str | None = None) -> dict[str, Any]:
    """One of the options, given as {value: what is shown}. Raises RecipeError for any other value."""
    name, standard = start(base, path), at(base, path)
    if standard not in options:
        options = {standard: str(standard), **options}
    st.selectbox(label, list(options), format_func=options.get, key=name, help=help, persist_state="session")
    return {path: among(st.session_state[name], options, path)}


def among(value: Any, options: Iterable[Any], path: str) -> Any:
    """The value, which has to be one of the options: a browser can send anything. Raises RecipeError."""
    if value not in options:
        raise RecipeError(path, found=repr(value), expected="one of " + ", ".join(map(str, options)))
    return value
