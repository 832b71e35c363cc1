"""Which backbone: the catalog's rows first, and below them a search through all of timm's names."""

from typing import Any

import streamlit as st

from core.models.catalog import BACKBONES, find_row
from core.recipe import Recipe
from pages.shared import cache, fields, state
from pages.shared.words import plain

PATH = "model.backbone"
SIZES = {0: "any size", 5: "up to 5 M", 12: "up to 12 M", 30: "up to 30 M", 100: "up to 100 M"}
WEIGHTS = {"any": "all", "published": "published weights", "here": "weights here"}


def backbone_picker(base: Recipe) -> dict[str, Any]:
    """Draw the choice. A name from outside the catalog is one more option as long as it is chosen."""
    key = fields.start(base, PATH)
    names = [row.name for row in BACKBONES]
    held = str(st.session_state[key])
    st.selectbox(
        "Backbone",
        names if held in names else [*names, held],
        format_func=_line,
        key=key,
        help="The network that was trained on ImageNet before; the last layer is always new.",
        persist_state="session",
    )
    name = str(st.session_state[key])
    row = find_row(name)
    about = f"{plain(row.sentence)} Licence {plain(row.licence)}." if row else "A network of timm outside the catalog."
    published = fields.held(base, "model.weights") == "pretrained"
    st.caption(f"{about} {plain(cache.weights(name).sentence)}" if published else about)
    if published and not cache.weights(name).here:
        there = next((row.label for row in BACKBONES if cache.weights(row.name).here), "")
        other = f", or {plain(there)}, whose weights are here" if there else ""
        st.caption(f":material/wifi_off: No network? Choose random weights under *Weights at the start*{other}.")
    timm_search(PATH)
    return {PATH: name}


def timm_search(path: str, prefix: str = "") -> None:
    """A search through timm's names, folded away; what is taken goes into the field, behind the prefix."""
    with st.popover("Search all of timm", type="tertiary", icon=":material/search:", key="train_timm", width="content"):
        words = st.text_input(
            "Words of the name",
            key="train_timm_words",
            max_chars=80,
            placeholder="convnext tiny, dinov3, efficientnetv2 in21k",
            persist_state="session",
        )
        left, right = st.columns([2, 3])
        with left:
            largest = st.selectbox(
                "Parameters", list(SIZES), format_func=SIZES.get, key="train_timm_size", persist_state="session"
            )
        with right:
            weights = st.segmented_control(
                "Weights",
                list(WEIGHTS),
                format_func=WEIGHTS.get,
                default="any",
                required=True,
                key="train_timm_weights",
                persist_state="session",
            )
        largest, weights = fields.among(largest, SIZES, "Parameters"), fields.among(weights, WEIGHTS, "Weights")
        if not words.strip() and not largest and weights == "any":
            st.caption("More than a thousand networks: type a part of a name, or choose a size.")
            return
        _results(cache.timm_names(words, largest or None, weights), path, prefix)


def _results(found: list[dict[str, Any]], path: str, prefix: str) -> None:
    if not found:
        st.caption("No network of timm is like that.")
        return
    rows = {row["name"]: row for row in found}
    if st.session_state.get("train_timm_found") not in rows:
        st.session_state["train_timm_found"] = found[0]["name"]
    name = st.selectbox(
        f"Found {len(found)}" + (", the closest and smallest of more" if len(found) == cache.MOST_NAMES else ""),
        list(rows),
        format_func=lambda name: _result_line(rows[name]) if name in rows else str(name),
        key="train_timm_found",
    )
    row = rows[fields.among(name, rows, "Found")]
    licence = f" Licence {plain(row['licence'])}." if row["licence"] else ""
    st.caption(f"{plain(row['weights'])}{licence}")
    st.button("Take it", key="train_timm_take", type="primary", on_click=_take, args=(path, prefix, row))


def _take(path: str, prefix: str, row: dict[str, Any]) -> None:
    st.session_state[fields.key(path)] = prefix + row["name"]
    if not row["pretrained"] and not row["here"]:
        st.session_state[fields.key("model.weights")] = "random"
        state.tell(plain(f"timm publishes no weights for {row['name']}, so it starts at random."))


def _line(name: str) -> str:
    where = "here" if cache.weights(name).here else "to fetch"
    row = find_row(name)
    if row is None:
        return name
    return f"{row.label} · {row.parameters / 1e6:.1f} M parameters · {row.megabytes:,.0f} MB {where}"


def _result_line(row: dict[str, Any]) -> str:
    where = "here" if row["here"] else "to fetch" if row["pretrained"] else "no weights"
    return f"{row['name']} · {row['parameters'] / 1e6:.1f} M · {row['image_size']} px · {where}"
