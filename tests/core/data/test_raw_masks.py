"""Masks of every usual kind are read as what they are, and counted."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from core.data.raw_masks import histogram, load_histograms, read_raw, save_histograms, tally, translate
from core.errors import ImageError


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


LEVELS = np.array([[0, 128, 255], [0, 0, 128]], np.uint8)
COLOURS = np.array([[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [10, 20, 30]]], np.uint8)


def with_palette(indices: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(colours)
    return image


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_grey_levels_are_read_from_every_lossless_format(kind):
    raw = read_raw(encode(Image.fromarray(LEVELS), kind))
    assert raw.of_kind("grey").tolist() == LEVELS.tolist()
    assert not raw.lossy


def test_the_transparency_of_a_mask_says_nothing():
    layers = Image.merge("LA", [Image.fromarray(LEVELS), Image.new("L", (3, 2), 40)])
    assert read_raw(encode(layers)).values.tolist() == LEVELS.tolist()
    four = np.dstack([COLOURS, np.full((2, 2), 9, np.uint8)])
    assert read_raw(encode(Image.fromarray(four))).values.tolist() == [[0, 0xFF0000], [0x00FF00, 0x0A141E]]


def test_two_levels_mean_the_same_in_one_bit_as_in_eight():
    levels = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8))
    assert read_raw(encode(levels.convert("1"))).values.tolist() == read_raw(encode(levels)).values.tolist()


def test_sixteen_bits_are_numbers_and_not_scaled():
    raw = read_raw(encode(Image.fromarray(np.array([[0, 1, 3000, 65535]], np.uint16))))
    assert raw.mode == "grey"
    assert raw.values.tolist() == [[0, 1, 3000, 65535]]


@pytest.mark.parametrize("numbers", [[[0.5]], [[-1.0]], [[float("nan")]], [[1e9]]])
def test_numbers_that_can_be_no_class_are_refused(numbers):
    data = encode(Image.fromarray(np.array(numbers, np.float32)), "TIFF")
    with pytest.raises(ImageError, match="whole ones from 0 to 65535"):
        read_raw(data, name="a.tif")


def test_a_palette_gives_indices_with_their_colours():
    raw = read_raw(encode(with_palette(np.array([[0, 2], [1, 0]]), [0, 0, 0, 255, 0, 0, 0, 255, 0])))
    assert raw.mode == "palette"
    assert raw.of_kind("index").tolist() == [[0, 2], [1, 0]]
    assert raw.of_kind("colour").tolist() == [[0, 0x00FF00], [0xFF0000, 0]]
    counted = histogram(raw, mask="m", image="i")
    assert dict(zip(counted.values.tolist(), counted.colours.tolist(), strict=True)) == {0: 0, 1: 0xFF0000, 2: 0x00FF00}


def test_a_camera_turn_is_not_applied_to_a_mask():
    turned = Image.Exif()
    turned[0x0112] = 6
    raw = read_raw(encode(Image.fromarray(COLOURS).resize((9, 4)), "JPEG", exif=turned))
    assert raw.values.shape == (4, 9)
    assert raw.lossy


@pytest.mark.parametrize("data", [b"", b"text", encode(Image.fromarray(LEVELS))[:50]])
def test_a_mask_that_cannot_be_read_says_why(data):
    with pytest.raises(ImageError, match=r"masks/1.png cannot be read as a picture: found \w+"):
        read_raw(data, name="masks/1.png")


def test_values_are_counted_and_found_again():
    rng = np.random.default_rng(0)
    values = rng.choice(np.array([0, 7, 0xFF0000], np.uint32), (20, 30))
    found, counts = tally(values)
    assert found.tolist() == [0, 7, 0xFF0000]
    assert counts.tolist() == [(values == value).sum() for value in found]
    codes = np.array([2, 0, 1], np.uint8)
    assert (translate(values, found, codes) == np.select([values == 0, values == 7], [2, 0], 1)).all()


def test_flat_pixels_are_those_whose_neighbours_are_alike():
    square = np.zeros((9, 9), np.uint8)
    square[2:7, 2:7] = 200  # 5 x 5, of which 3 x 3 have no other neighbour
    square[0, 0] = 77
    counted = histogram(read_raw(encode(Image.fromarray(square))), mask="m", image="i")
    assert counted.values.tolist() == [0, 77, 200]
    assert counted.counts.tolist() == [81 - 25 - 1, 1, 25]
    assert counted.flat.tolist() == [0, 0, 9]


def test_a_surface_in_a_lossy_file_is_flat_although_it_is_unsteady():
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[16:48, 16:48] = (255, 0, 0)
    counted = histogram(read_raw(encode(Image.fromarray(colour), "JPEG", quality=80)), mask="m", image="i")
    red = np.abs((counted.values >> 16).astype(int) - 254) < 10
    assert counted.flat[red].sum() > 400
    assert counted.flat.sum() > 0.6 * 62 * 62


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (9, 2), (3, 3)])
def test_the_smallest_masks_are_counted_too(shape):
    for kind in ("PNG", "JPEG"):
        counted = histogram(read_raw(encode(Image.new("RGB", shape, "red"), kind)), mask="m", image="i")
        assert counted.counts.sum() == shape[0] * shape[1]


def test_histograms_come_back_from_their_file_as_they_were(tmp_path):
    counted = [
        histogram(read_raw(encode(Image.fromarray(LEVELS))), mask="é.png", image="é.jpg"),
        histogram(read_raw(encode(Image.fromarray(COLOURS), "JPEG")), mask="2.jpg", image="2.png"),
        histogram(read_raw(encode(with_palette(LEVELS % 3, [0, 0, 0, 9, 9, 9, 8, 8, 8]))), mask="3", image="3"),
    ]
    save_histograms(tmp_path / "h.npz", counted)
    for one, again in zip(counted, load_histograms(tmp_path / "h.npz"), strict=True):
        assert (one.mask, one.image, one.mode, one.lossy) == (again.mask, again.image, again.mode, again.lossy)
        for name in ("values", "colours", "counts", "flat", "palette"):
            assert getattr(one, name).tolist() == getattr(again, name).tolist()


def test_a_mask_larger_than_the_limit_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("core.data.loading.MAX_PIXELS", 99)
    with pytest.raises(ImageError, match="10 x 10 pixels, .* more than the"):
        read_raw(encode(Image.new("L", (10, 10))))
