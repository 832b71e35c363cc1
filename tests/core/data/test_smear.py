"""The drawn cells: repeatable, varied, told apart by their features and not by their colour alone."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.data.smear import CELLS, cell_type, draw_cell, draw_masked_cell, redraw_outlines


def drawn(kind: str, count: int, difficulty: float = 0.0, size: int = 64) -> np.ndarray:
    """Some cells of a kind, (count, size, size, 3)."""
    return np.stack([np.asarray(draw_cell(cell_type(kind), size, difficulty, seed)) for seed in range(count)])


def purple(images: np.ndarray) -> np.ndarray:
    """The share of each image that is as dark and purple as a nucleus."""
    red, green, blue = np.moveaxis(images.astype(int), -1, 0)
    return ((red < 140) & (blue > green + 25)).mean((1, 2))


@pytest.mark.parametrize("kind", CELLS, ids=lambda kind: kind.name)
def test_a_cell_is_drawn_alike_from_the_same_seed_and_otherwise_from_another(kind):
    first = np.asarray(draw_cell(kind, 48, 0.3, 5))
    assert first.shape == (48, 48, 3)
    assert (first == np.asarray(draw_cell(kind, 48, 0.3, 5))).all()
    assert np.abs(first.astype(int) - np.asarray(draw_cell(kind, 48, 0.3, 6), int)).mean() > 5


@pytest.mark.parametrize("size", [24, 96, 256])
def test_more_pixels_show_the_same_field_sharper(size):
    for kind in CELLS:
        assert draw_cell(kind, size, 1.0, 0).size == (size, size)


def test_every_kind_is_mistaken_for_one_that_exists():
    names = [kind.name for kind in CELLS]
    assert len(set(names)) == len(names) == 8
    assert all(kind.alike in names for kind in CELLS)


def test_cells_have_the_sizes_that_a_student_is_taught():
    assert purple(drawn("platelet", 12)).mean() < purple(drawn("erythroblast", 12)).mean()
    assert purple(drawn("erythroblast", 12)).mean() < purple(drawn("monocyte", 12)).mean()


def test_only_eosinophils_are_full_of_orange():
    def orange(images):
        red, green, blue = np.moveaxis(images[:, 22:42, 22:42].astype(int), -1, 0)  # the cell, without red ones around
        return ((red > 190) & (green < 150) & (blue < 135)).mean()

    assert orange(drawn("eosinophil", 12)) > 4 * orange(drawn("neutrophil", 12))


def test_the_mean_colour_alone_does_not_tell_the_four_usual_kinds_apart_but_the_picture_does():
    kinds = [kind.name for kind in CELLS[:4]]
    images = np.concatenate([drawn(kind, 40, difficulty=0.3, size=48) for kind in kinds])
    labels = np.repeat(np.arange(4), 40)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    by_mean = cross_val_score(model, images.mean((1, 2)), labels, cv=4).mean()
    colours = [np.histogramdd(image.reshape(-1, 3), bins=5, range=[(0, 256)] * 3)[0].ravel() for image in images]
    by_picture = cross_val_score(model, np.stack(colours), labels, cv=4).mean()
    assert by_mean < 0.8
    assert by_picture > by_mean + 0.1


def test_a_difficult_set_is_harder():
    kinds = [kind.name for kind in CELLS[:4]]
    labels = np.repeat(np.arange(4), 40)
    model = make_pipeline(StandardScaler(), NearestCentroid())
    scores = []
    for difficulty in (0.0, 1.0):
        images = np.concatenate([drawn(kind, 40, difficulty, size=48) for kind in kinds])
        small = images.reshape(160, 8, 6, 8, 6, 3).mean((2, 4)).reshape(160, -1)
        scores.append(cross_val_score(model, small, labels, cv=4).mean())
    assert scores[0] > scores[1] + 0.05


@pytest.mark.parametrize("kind", CELLS[:5], ids=lambda kind: kind.name)
def test_the_mask_of_a_cell_is_where_it_was_drawn(kind):
    for seed in range(6):
        picture, mask = draw_masked_cell(kind, 64, 0.0, seed)
        assert (np.asarray(picture) == np.asarray(draw_cell(kind, 64, 0.0, seed))).all()
        assert set(np.unique(mask)) == {0, 1, 2}
        dark = np.asarray(picture.convert("L"), float)
        assert dark[mask == 2].mean() < dark[mask == 1].mean() - 20 < dark[mask == 0].mean()
        assert 0.05 < (mask > 0).mean() < 0.7


def test_red_cells_belong_to_the_background():
    picture, mask = draw_masked_cell(cell_type("lymphocyte"), 96, 0.0, 3)
    assert np.asarray(picture)[mask == 0].std() > 15  # there are some
    assert not mask[:4].any() or not mask[-4:].any()


def test_hasty_outlines_are_off_by_as_much_as_the_dial_says():
    _, mask = draw_masked_cell(cell_type("neutrophil"), 96, 0.0, 1)
    off = [(redraw_outlines(mask, amount, 7) != mask).mean() for amount in (0.0, 0.3, 1.0)]
    assert off[0] == 0
    assert 0.002 < off[1] < off[2] < 0.3
    assert set(np.unique(redraw_outlines(mask, 1.0, 7))) <= {0, 1, 2}
    assert (redraw_outlines(mask, 0.5, 7) == redraw_outlines(mask, 0.5, 7)).all()
