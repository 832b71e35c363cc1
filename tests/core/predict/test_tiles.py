import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data.loading import fit_image
from core.errors import ImageError
from core.predict.tiles import MOST_AT_ONCE, Tiling, blended, insist_on_bounds, lay_out

SIDES = st.integers(1, 300)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def colours(images: torch.Tensor) -> torch.Tensor:
    """A network whose maps are the picture's own channels."""
    return images.float() / 255


@settings(deadline=None, max_examples=200)
@given(SIDES, SIDES, SIDES, SIDES, st.integers(16, 128), st.sampled_from(["squash", "pad"]))
def test_windows_cover_the_picture_overlap_by_half_and_stay_inside(width, height, wide, tall, size, fit):
    tiling = lay_out((width, height), (wide, tall), size, fit)
    for starts, window, length in (
        (tiling.lefts, tiling.wide, tiling.width),
        (tiling.tops, tiling.tall, tiling.height),
    ):
        assert starts[0] == 0
        assert starts[-1] + window == length
        steps = np.diff(starts)
        assert (steps >= 1).all()
        assert (steps <= max(1, window // 2) + 0.5).all()
    assert max(tiling.wide, tiling.tall) <= size


def test_a_picture_no_larger_than_the_window_is_one_tile():
    assert len(lay_out((90, 60), (96, 96), 64, "squash")) == 1
    assert len(lay_out((96, 96), (96, 96), 64, "pad")) == 1
    assert len(lay_out((97, 96), (96, 96), 64, "squash")) == 2


def test_a_picture_twice_as_wide_and_high_has_three_windows_each_way():
    tiling = lay_out((200, 200), (100, 100), 64, "squash")
    assert tiling == Tiling(128, 128, 64, 64, (0, 32, 64), (0, 32, 64))
    assert list(tiling)[:4] == [(0, 0), (32, 0), (64, 0), (0, 32)]


def test_windows_keep_the_proportions_that_training_pictures_had():
    squashed = lay_out((400, 200), (200, 100), 64, "squash")
    assert (squashed.width, squashed.height) == (128, 128), "2 x 2 windows, each squashed to the square"
    padded = lay_out((400, 200), (200, 100), 64, "pad")
    assert (padded.wide, padded.tall) == (64, 32)
    assert (padded.width, padded.height) == (128, 64)


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_one_tile_shows_the_network_what_an_evaluation_shows_it(fit):
    seen = []

    def look(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return colours(images)

    image = noise(50, 30)
    blended(look, image, lay_out(image.size, (50, 30), 32, fit), 32)
    assert np.array_equal(seen[0][0].permute(1, 2, 0).numpy(), fit_image(image, 32, fit))


@pytest.mark.parametrize("fit", ["squash", "pad"])
@pytest.mark.parametrize("size", [(150, 90), (64, 200), (33, 47)])
def test_blended_windows_show_no_seams(fit, size):
    """A network that gives the picture back gives it back through tiles as well, at the model's scale."""
    smooth = noise(8, 8).resize(size, Image.Resampling.BICUBIC)
    tiling = lay_out(size, (32, 32), 32, fit)
    assert len(tiling) > 1
    maps = blended(colours, smooth, tiling, 32)
    assert maps.shape == (3, tiling.height, tiling.width)
    whole = np.asarray(smooth.resize((tiling.width, tiling.height), Image.Resampling.BICUBIC)) / 255
    assert np.abs(maps.transpose(1, 2, 0) - whole).max() < 0.02


def test_weights_add_up_so_that_probabilities_still_sum_to_one():
    image = noise(100, 70)
    maps = blended(
        lambda images: torch.softmax(images.float() / 60, dim=1), image, lay_out(image.size, (32, 32), 32, "squash"), 32
    )
    assert np.allclose(maps.sum(axis=0), 1, atol=1e-5)


def test_the_middle_of_a_window_counts_more_than_its_edge():
    """Of two windows, each says its own number; in between the answer goes over smoothly from one to the other."""
    numbers = iter([0.0, 1.0])
    image = Image.new("RGB", (48, 32))
    tiling = lay_out(image.size, (32, 32), 32, "squash")
    assert tiling.lefts == (0, 16)
    (row,) = blended(
        lambda images: torch.stack([torch.full((1, 32, 32), next(numbers)) for _ in images]), image, tiling, 32
    )[:, 16]
    assert row[0] == 0
    assert row[-1] == 1
    assert (np.diff(row) >= -1e-6).all()
    assert row[23:25].mean() == pytest.approx(0.5, abs=0.01)


def test_passes_stay_small_however_many_windows_there_are():
    passes = []

    def look(images: torch.Tensor) -> torch.Tensor:
        passes.append(len(images))
        return colours(images)

    image = noise(160, 160)
    tiling = lay_out(image.size, (16, 16), 16, "squash")
    blended(look, image, tiling, 16)
    assert sum(passes) == len(tiling) == 19 * 19
    assert max(passes) == MOST_AT_ONCE


def test_too_many_tiles_are_refused_with_the_limit():
    tiling = lay_out((8900, 8900), (96, 96), 128, "squash")
    with pytest.raises(
        ImageError, match=r"huge\.png is too large for tiles: found 34,\d+ tiles.*expected at most 3,906"
    ):
        insist_on_bounds(tiling, 3, 128, 1, "huge.png")
    with pytest.raises(ImageError, match="8 views of each.*at most 488 tiles"):
        insist_on_bounds(lay_out((3000, 3000), (200, 200), 128, "squash"), 3, 128, 8, "huge.png")


def test_too_many_maps_are_refused_with_the_limit():
    tiling = lay_out((4000, 4000), (1000, 1000), 1000, "squash")
    with pytest.raises(ImageError, match="at most 3 megapixels for 20 maps"):
        insist_on_bounds(tiling, 20, 1000, 1, "huge.png")


def test_a_photo_of_a_telephone_is_within_bounds():
    insist_on_bounds(lay_out((4000, 3000), (1280, 995), 256, "squash"), 4, 256, 8, "photo.jpg")
