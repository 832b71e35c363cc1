"""The map of a dataset, by its numbers."""

from dataclasses import replace

import numpy as np
import pytest

from core.figures.embedding import MOST_POINTS, picture_map
from core.integrity.embedding import Embedding

CLASSES = ("cat", "<b>dog</b>")


def embedding(count=8):
    rows = np.arange(count)
    predicted = np.where(rows < 2, 1 - rows % 2, rows % 2)  # the first two would be called something else
    return Embedding(
        ids=np.array([f"{row:06d}" for row in rows]),
        xy=np.stack([rows, -rows], 1).astype(np.float32),
        explained=np.array([0.25, 0.1], np.float32),
        cluster=(rows % 3).astype(np.int32),
        predicted=predicted.astype(np.int32),
        confidence=np.where(rows < 2, 0.01, 0.9).astype(np.float32),
        likely=np.full(count, 0.9, np.float32),
        wrong=np.where(rows == 0, 0.99, 0.0).astype(np.float32),
        noise=np.zeros(3, np.float32),
        outlier=np.where(rows == 3, 7, 0).astype(np.float32),
    )


def groups(figure):
    """{name of a group: ids of its points}."""
    return {trace.name: list(trace.customdata) for trace in figure.data}


def of(colour_by, count=8, **options):
    return picture_map(embedding(count), CLASSES, [row % 2 for row in range(count)], colour_by, **options)


def test_every_point_says_which_picture_it_is():
    figure = of("class")
    assert groups(figure) == {
        "cat (4)": ["000000", "000002", "000004", "000006"],
        "&lt;b&gt;dog&lt;/b&gt; (4)": ["000001", "000003", "000005", "000007"],
    }
    assert list(figure.data[0].x) == [0, 2, 4, 6]
    assert list(figure.data[0].y) == [0, -2, -4, -6]
    assert figure.data[0].text[0] == "cat<br>looks like &lt;b&gt;dog&lt;/b&gt; (90%)"
    assert figure.data[1].text[1] == "&lt;b&gt;dog&lt;/b&gt;<br>far from all others"
    assert figure.layout.xaxis.title.text == "first direction, 25% of all differences"


def test_groups_differ_in_colour_and_in_shape():
    marks = [(trace.marker.color, trace.marker.symbol) for trace in of("class").data]
    assert len({colour for colour, _ in marks}) == len({symbol for _, symbol in marks}) == 2


@pytest.mark.parametrize(
    ("colour_by", "names"),
    [
        ("cluster", ["group 1 (3)", "group 2 (3)", "group 3 (2)"]),
        ("split", ["train (6)", "test (2)"]),
        ("wrong", ["label fits (6)", "may be another class (1)", "surely looks like another (1)"]),
        ("outlier", ["like others (7)", "far from all others (1)"]),
    ],
)
def test_every_colouring_has_every_picture_once(colour_by, names):
    found = groups(of(colour_by, splits=["train"] * 6 + ["test"] * 2))
    assert list(found) == names
    assert sorted(id for ids in found.values() for id in ids) == embedding().ids.tolist()


def test_pictures_with_masks_have_a_map_too():
    unjudged = replace(embedding(), predicted=np.full(8, -1, np.int32))
    figure = picture_map(unjudged, (), [-1] * 8, "class")
    assert groups(figure) == {"no class (8)": embedding().ids.tolist()}


def test_of_very_many_pictures_those_that_stand_out_are_drawn():
    drawn = {id for ids in groups(of("class", 20_000)).values() for id in ids}
    assert len(drawn) == MOST_POINTS
    assert {"000000", "000001", "000003"} <= drawn


def test_an_unknown_colouring_is_refused():
    with pytest.raises(ValueError, match="colour_by"):
        of("taste")
