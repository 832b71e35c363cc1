"""How images are dealt to the splits: shares, a seed, and what stays together on one side."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from core.data.dataset import SPLITS, Sample
from core.data.groups import GROUP, grouped
from core.data.split import SplitRule, deal, straddling
from core.errors import FoveaError
from pages.shared.words import count, plain, sentence, splits

MOST_DEALT = 20_000  # images of which a split is shown before it is kept
MOST_SHOWN = 6  # groups in a preview


def split_widgets(samples: Sequence[Sample], key: str = "split") -> SplitRule | None:
    """How to split these samples: shares, seed, groups, near duplicates; and what comes of it.

    None where the pattern for groups cannot be used; the reason is then on the page. Raises DatasetError for shares
    that cannot be.
    """
    first, second, third = st.columns(3)
    train = first.slider("train", 0.3, 0.9, 0.7, 0.05, "percent", key=f"{key}_train", help="What a model learns from.")
    most = round(0.95 - train, 2)
    test = second.slider(
        "test", 0.0, most, min(0.15, most), 0.05, "percent", key=f"{key}_test", help="Sealed until the very end."
    )
    seed = third.number_input("seed", 0, 2**31 - 1, 0, key=f"{key}_seed", help="Another seed deals another split.")
    validation = round(1 - train - test, 2)
    st.caption(f"{validation:.0%} are for validation. Every class is dealt in these shares (stratified).")
    together = together_widgets(samples, key)
    if together is None:
        return None
    template, apart = together
    rule = SplitRule(train, validation, test, int(seed), groups=template, apart=apart)
    if len(samples) <= MOST_DEALT:
        _outcome(samples, rule)
    return rule


def together_widgets(samples: Sequence[Sample], key: str) -> tuple[str, bool] | None:
    """A pattern for groups and whether near duplicates stay together; None for a pattern that cannot be used."""
    known = len({sample.group for sample in samples if sample.group})
    twins = Counter(sample.twins for sample in samples if sample.twins)
    left, right = st.columns(2, vertical_alignment="bottom")
    told = (
        "Images of one patient, video or slide must not be on both sides of a split. Write what their file names have "
        f"in common: {GROUP} stands for the name of the group, * for anything; {GROUP}/* takes the folder."
    )
    template = left.text_input(
        "Groups in file names",
        key=f"{key}_groups",
        placeholder=f"as in {GROUP}_*",
        max_chars=200,
        help=plain(told),
    ).strip()
    apart = right.checkbox(
        f"Keep near duplicates together ({count(len(twins), 'set') if twins else 'none'} found)",
        True,
        key=f"{key}_apart",
        help="Pictures that are almost the same: turned, mirrored, resized or saved again. On both sides of a split "
        "they would be questions whose answers were learned by heart.",
    )
    try:
        found = grouped(samples, template)
    except FoveaError as error:
        st.error(sentence(error))
        return None
    if template:
        _groups(found)
    elif known:
        st.caption(f"{count(known, 'group')} came with the images; each stays on one side.")
    if not apart and twins:
        st.warning("Near duplicates will be on both sides, and whoever reads the scores will be told so.")
    return template, apart


def _groups(samples: Sequence[Sample]) -> None:
    """The largest groups that a pattern finds, and what it does not fit."""
    groups: dict[str, list[str]] = {}
    for sample in samples:
        if sample.group:
            groups.setdefault(sample.group, []).append(sample.name)
    left_out = sum(not sample.group for sample in samples)
    alone = f"; {count(left_out, 'image')} fit no group and stand alone" if left_out else ""
    st.caption(f"{count(len(groups), 'group')}, the largest first{alone}.")
    largest = sorted(groups.items(), key=lambda item: -len(item[1]))[:MOST_SHOWN]
    rows = [{"group": name, "images": len(names), "as in": ", ".join(names[:2])} for name, names in largest]
    st.dataframe(rows, hide_index=True)


def _outcome(samples: Sequence[Sample], rule: SplitRule) -> None:
    """How many images each split gets, and what is on both sides of it."""
    dealt, _ = deal(samples, rule)
    counts = Counter(sample.split for sample in dealt)
    st.caption(f"This gives {plain(splits({split: counts[split] for split in SPLITS if counts[split]}))}.")
    torn = straddling(dealt)
    if torn and rule.apart:
        st.warning(plain(torn.sentence))
