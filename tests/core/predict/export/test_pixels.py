import numpy as np
import onnxruntime
import pytest
from PIL import Image

from core.data.loading import fit_image
from core.data.mask_files import restored
from core.predict.export.pixels import MAPS, PICTURES, SIZES, preparation, restoration

SIDE = 24
SIZES_TRIED = ((24, 24), (50, 30), (31, 77), (9, 13), (1, 5), (200, 301))


def smooth(height: int, width: int) -> np.ndarray:
    """A picture with slopes and an edge, as photographs have them."""
    y, x = np.mgrid[:height, :width]
    layers = [127 + 120 * np.sin(x / 7), 127 + 120 * np.cos(y / 5), np.where(x > width / 2, 220, 30)]
    return np.stack(layers, axis=2).astype(np.uint8)


@pytest.fixture(scope="module", params=["crop", "pad", "squash"])
def prepared(request):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return request.param, onnxruntime.InferenceSession(preparation(SIDE, request.param).SerializeToString(), options)


@pytest.mark.parametrize("size", SIZES_TRIED, ids=str)
def test_a_picture_becomes_the_square_that_fovea_makes_of_it(prepared, size):
    fit, session = prepared
    pictures = np.stack([smooth(*size), smooth(*size)[::-1]])
    squares, told = session.run(None, {PICTURES: pictures})
    wanted = np.stack([fit_image(Image.fromarray(one), SIDE, fit) for one in pictures]).transpose(0, 3, 1, 2)
    assert squares.dtype == np.float32
    assert np.abs(squares - wanted).max() <= 1  # where a value lies on the border between two levels
    assert np.abs(squares - wanted).mean() < 0.01
    assert tuple(told) == size


def test_a_square_of_the_right_size_is_left_as_it_is(prepared):
    _, session = prepared
    picture = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    assert (session.run(None, {PICTURES: picture})[0] == picture.transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_maps_get_the_size_of_their_picture_as_fovea_gives_it(fit):
    session = onnxruntime.InferenceSession(restoration(SIDE, fit, 3).SerializeToString())
    maps = np.random.default_rng(1).random((2, 3, SIDE, SIDE), dtype=np.float32)
    for height, width in SIZES_TRIED:
        found, mask = session.run(None, {MAPS: maps, SIZES: np.array([height, width], np.float64)})
        for number, one in enumerate(maps):
            wanted = np.concatenate([strip for _, strip in restored(one, width, height, fit)], axis=1)
            assert np.abs(found[number] - wanted).max() < 1e-5
            assert (mask[number] == found[number].argmax(0)).all()
        assert mask.dtype == np.uint8
