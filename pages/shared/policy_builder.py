"""A policy and its rows: taken from a list, put in another order, turned by switches and knobs, saved under a name."""

from collections.abc import Iterable, Mapping

import streamlit as st

from core.augment.catalog import FAMILIES, POLICIES, TRANSFORMS, Policy, TransformRow, resolve, transform
from core.augment.policies import LONGEST_NAME
from core.recipe import AugmentChoice, TransformChoice
from pages.shared import cache, forms, recipe_form, state
from pages.shared.pickers import or_stop
from pages.shared.words import count, plain

UP, DOWN, AGAIN, OUT = "up", "down", "again", "out"
MENU = {UP: "Move up", DOWN: "Move down", AGAIN: "Once more", OUT: "Take out"}
Items = list[tuple[int, str]]  # rows in their order: a number that the row keeps, and the name of its transform


def policies() -> dict[str, Policy]:
    """Every policy there is by its name, one's own after the ready-made ones."""
    with or_stop():
        return {row.name: row for row in (*POLICIES, *cache.policies().list())}


def choice_of(row: Policy) -> AugmentChoice:
    """What a recipe says of a policy: a ready-made one by its name, one's own by its rows too."""
    ready = any(row.name == one.name for one in POLICIES)
    return AugmentChoice(policy=row.name) if ready else AugmentChoice(policy=row.name, rows=row.rows)


def same(left: AugmentChoice, right: AugmentChoice) -> bool:
    """Whether two choices do the same to a picture."""
    return resolve(left) == resolve(right)


def policy_builder(task: str, there: Mapping[str, Policy]) -> tuple[str, AugmentChoice]:
    """Draw the choice of a policy, at first that of the task's own runs, and its rows; give what it is called, and it.

    Changed rows make one's own.
    """
    usual, key = recipe_form.usual_policy(task), f"augment_policy_{task}"
    st.session_state[key] = st.session_state.pop(f"{key}_next", None) or st.session_state.get(key)
    if st.session_state[key] not in there:
        st.session_state[key] = usual
    st.segmented_control(
        "Policy",
        list(there),
        format_func=lambda name: plain(there[name].label, 30),
        required=True,
        key=key,
        persist_state="session",
        wrap=True,
    )
    chosen = there.get(st.session_state[key], there[usual])
    st.caption(plain(chosen.sentence))
    items = _items(chosen)
    with or_stop():
        kept = _rows(chosen, items)
        choice = AugmentChoice(policy=f"{chosen.name}, changed", rows=kept)
        asked = choice_of(chosen)
        changed = not same(choice, asked)
    with st.container(horizontal=True, vertical_alignment="center", key="policy_bar"):
        _add(chosen, task)
        _save(chosen, kept, key)
        if changed or len(items) != len(chosen.rows):
            st.button(
                "As it was",
                key="policy_reset",
                icon=":material/undo:",
                help="Every row and knob as the policy has it.",
                on_click=_reset,
                args=(chosen.name,),
            )
    _cautions(kept)
    return (f"{chosen.label}, changed", choice) if changed else (chosen.label, asked)


# Rows


def _order(name: str) -> str:
    return f"augment_order_{name}"


def _items(chosen: Policy) -> Items:
    """The rows of a policy as they were last put in order, at first as it has them."""
    return st.session_state.setdefault(_order(chosen.name), [(n, row.name) for n, row in enumerate(chosen.rows)])


def _rows(chosen: Policy, items: Items) -> tuple[TransformChoice, ...]:
    """Draw the rows, and give those that are switched on."""
    kept = []
    for place, (number, name) in enumerate(items):
        known = number < len(chosen.rows) and chosen.rows[number].name == name
        row = chosen.rows[number] if known else TransformChoice(name=name)

        def menu(key: str, about: TransformRow, place: int = place) -> None:
            options = [act for act in MENU if (act, place) not in ((UP, 0), (DOWN, len(items) - 1))]
            st.menu_button(
                f":small[:gray[{place + 1} of {len(items)}]]",
                options,
                key=key,
                format_func=MENU.get,
                type="tertiary",
                help=f"Order of {plain(about.label)}, or take it out",
                on_click=_act,
                args=(key, chosen.name, place),
            )

        made = forms.transform_row(row, f"augment_{chosen.name}_{number}_{name}", menu)
        if made:
            kept.append(made)
    return tuple(kept)


def _act(key: str, policy: str, place: int) -> None:
    """What was chosen in the menu of the row at this place."""
    items: Items = list(st.session_state[_order(policy)])
    act = st.session_state.get(key)
    if not 0 <= place < len(items):
        return
    other = place + {UP: -1, DOWN: 1}.get(act, 0)
    if act in (UP, DOWN) and 0 <= other < len(items):
        items[place], items[other] = items[other], items[place]
    elif act == AGAIN:
        items.insert(place + 1, (_number(policy), items[place][1]))
    elif act == OUT:
        del items[place]
    st.session_state[_order(policy)] = items


def _number(policy: str) -> int:
    """A number that no row of this policy has had: a row that was taken out leaves its knobs behind."""
    rows = next((len(row.rows) for name, row in policies().items() if name == policy), 0)
    number = max(rows, st.session_state.get(f"augment_numbers_{policy}", 0))
    st.session_state[f"augment_numbers_{policy}"] = number + 1
    return number


def _add(chosen: Policy, task: str) -> None:
    found = [row for row in TRANSFORMS if task != "segmentation" or row.mask_safe]
    names = [row.name for row in sorted(found, key=lambda row: FAMILIES.index(row.family))]
    st.selectbox(
        "Add a transform",
        names,
        None,
        lambda name: f"{transform(name).family}: {transform(name).label}",
        key="augment_add",
        placeholder="Add a transform",
        label_visibility="collapsed",
        on_change=_add_row,
        args=(chosen.name, names),
        width=220,
    )


def _add_row(policy: str, names: list[str]) -> None:
    """Put the transform that was picked at the end of the policy's rows."""
    items: Items = st.session_state[_order(policy)]
    name = st.session_state["augment_add"]
    if name in names:
        st.session_state[_order(policy)] = [*items, (_number(policy), name)]
    st.session_state["augment_add"] = None


def _reset(policy: str) -> None:
    for name in [name for name in st.session_state if str(name).startswith(f"augment_{policy}_")]:
        del st.session_state[name]
    st.session_state.pop(_order(policy), None)


def _cautions(rows: Iterable[TransformChoice]) -> None:
    """Which of the rows can change what a picture is."""
    risky = {row.name: row for row in (transform(one.name) for one in rows) if not row.label_safe}
    if risky:
        told = f"{count(len(risky), 'transform')} here can change what a picture is"
        with st.expander(told, icon=":material/warning:", key="policy_cautions"):
            st.markdown("\n".join(f"- **{plain(row.label)}**: {plain(row.caution)}" for row in risky.values()))


# Saving


def _save(chosen: Policy, rows: tuple[TransformChoice, ...], key: str) -> None:
    own = all(chosen.name != row.name for row in POLICIES)
    with st.popover("Save", icon=":material/bookmark:", key="policy_save"):
        name = st.text_input(
            "Name of the policy", chosen.name if own else "", max_chars=LONGEST_NAME, key=f"policy_name_{chosen.name}"
        ).strip()
        st.caption("It keeps the rows that are switched on, in this order, and stands among the policies from then on.")
        label = "Save again" if own and name == chosen.name else "Save"
        if st.button(label, type="primary", key="policy_save_go", disabled=not name):
            with or_stop():
                saved = cache.policies().save(name, rows, replace=own and name == chosen.name)
            _reset(saved.name)
            st.session_state[f"{key}_next"] = saved.name
            state.tell(f"Saved the policy {plain(saved.name)}.")
            st.rerun()
        if own and st.button(f"Delete {plain(chosen.label, 30)}", key="policy_delete", icon=":material/delete:"):
            with or_stop():
                cache.policies().delete(chosen.name)
            _reset(chosen.name)
            st.rerun()
