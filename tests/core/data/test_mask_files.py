"""Masks as files and squares: no value is ever invented, and an answer comes back in the size of its picture."""

import numpy as np
import pytest
from PIL import Image

from core.data.demo import make_demo
from core.data.incoming import keep
from core.data.loading import fit_image
from core.data.mask_files import DecodedMasks, fit_mask, mask_png, read_mask, restored, restored_mask
from core.errors import DatasetError

IGNORE = 255


def spotted(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A mask of patches of 0, 1, 2, 7 and IGNORE."""
    coarse = np.random.default_rng(seed).choice(np.array([0, 1, 2, 7, IGNORE], np.uint8), (5, 6))
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST))


def test_a_mask_comes_back_from_its_file_as_it_was(tmp_path):
    mask = spotted(31, 17)
    (tmp_path / "a.png").write_bytes(mask_png(mask))
    assert (read_mask(tmp_path / "a.png") == mask).all()
    assert read_mask(tmp_path / "a.png").dtype == np.uint8


def test_a_mask_is_a_small_file(tmp_path):
    assert len(mask_png(spotted(640, 480))) < 640 * 480 / 50


@pytest.mark.parametrize("content", [None, b"", b"no picture", mask_png(spotted(40, 40))[:60]])
def test_a_mask_that_is_gone_or_damaged_is_one_sentence_with_its_name(tmp_path, content):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"The mask of images/1.jpg cannot be read: .*Import the dataset again"
    ) as caught:
        read_mask(tmp_path / "a.png", name="images/1.jpg")
    assert "\n" not in str(caught.value)


def test_a_coloured_picture_is_no_index_mask(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="a picture of mode RGB"):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize(("width", "height"), [(50, 20), (20, 50), (7, 90), (33, 33), (1, 1)])
@pytest.mark.parametrize("size", [16, 33, 64])
def test_making_a_mask_square_invents_no_value(fit, width, height, size):
    square = fit_mask(spotted(width, height), size, fit)
    assert square.shape == (size, size)
    assert set(np.unique(square)) <= {0, 1, 2, 7, IGNORE}


@pytest.mark.parametrize(("width", "height"), [(50, 20), (20, 50), (33, 33)])
def test_padding_lies_under_the_grey_of_the_picture_and_is_ignored(width, height):
    picture = fit_image(Image.new("RGB", (width, height), "white"), 32, "pad")
    square = fit_mask(np.zeros((height, width), np.uint8), 32, "pad")
    assert ((square == IGNORE) == (picture[..., 0] == 127)).all()
    assert ((square == 0) == (picture[..., 0] == 255)).all()


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize(("width", "height"), [(60, 24), (24, 60), (96, 96)])
def test_mask_and_picture_stay_on_top_of_each_other(fit, width, height):
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 1
    picture = Image.fromarray(mask * 255).convert("RGB")
    square, shown = fit_mask(mask, 48, fit), fit_image(picture, 48, fit)[..., 0]
    inside = square != IGNORE
    assert ((square == 1) == (shown > 127))[inside].mean() > 0.97


def test_a_crop_is_no_fit_for_masks():
    with pytest.raises(ValueError, match="not pad or squash"):
        fit_mask(spotted(8, 8), 8, "crop")


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize(("width", "height"), [(60, 24), (24, 60), (40, 40), (129, 301)])
def test_a_mask_survives_the_way_to_the_square_and_back(fit, width, height):
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 3 :] = 1
    mask[height // 2 :, width // 2 :] = 2
    square = fit_mask(mask, 64, fit)
    values = np.stack([square == index for index in range(3)]).astype(np.float32)
    back = restored_mask(values, width, height, fit)
    assert back.shape == (height, width)
    assert (back == mask).mean() > 0.96


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_strips_join_without_a_seam_and_cover_every_row_once(fit, monkeypatch):
    values = np.random.default_rng(0).random((3, 24, 24), np.float32)
    ((_, whole),) = restored(values, 70, 110, fit)
    monkeypatch.setattr("core.data.mask_files._VALUES_AT_ONCE", 3 * 70 * 13)
    strips = list(restored(values, 70, 110, fit))
    assert [top for top, _ in strips] == list(range(0, 110, 13))
    joined = np.concatenate([strip for _, strip in strips], axis=1)
    assert joined.shape == whole.shape == (3, 110, 70)
    assert np.abs(joined - whole).max() < 1e-4


def test_a_huge_picture_needs_little_memory_at_a_time():
    strips = restored(np.zeros((3, 32, 32), np.float32), 12_000, 12_000, "squash")
    _, strip = next(strips)
    assert strip.nbytes <= 64_000_000


def test_decoded_masks_lie_beside_the_decoded_images_of_a_dataset(workspace):
    dataset = keep(workspace, make_demo(workspace, "polyps", {"images": 24, "size": 32}).id)
    with DecodedMasks(dataset, 16, "squash", workspace.cache) as masks:
        rows = masks.get([3, 0, 3])
    assert rows.shape == (3, 16, 16)
    assert (rows[0] == rows[2]).all()
    for place, row in ((3, rows[0]), (0, rows[1])):
        assert (row == fit_mask(read_mask(dataset.mask(dataset.samples[place])), 16, "squash")).all()
