"""The mask of one picture. The network here is a real U-Net that has learned nothing; what is said of its answers must
hold for any network."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from core.data.loading import fit_image, read_image
from core.data.mask_files import restored_mask
from core.models.unets import build_segmenter
from core.predict.answer import SHOWN_SIDE
from core.predict.masks import LONGEST_SIDE, find_mask
from core.recipe import SegmentationRecipe
from core.train.checkpoint import Trained

CLASSES = ("background", "neoplastic", "non-neoplastic")


@pytest.fixture(scope="module")
def trained() -> Trained:
    """A U-Net of random weights for squares of 32 pixels, as if trained on pictures of 40 x 30."""
    recipe = SegmentationRecipe(image_size=32).set({"model.encoder": "resnet18", "model.weights": "random"})
    torch.manual_seed(1)
    model = build_segmenter(recipe.model, len(CLASSES), recipe.image_size)
    return Trained(model.eval(), CLASSES, recipe, {"picture": [40, 30]})


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG", **options) -> bytes:
    pixels = np.random.default_rng(7).integers(0, 256, (max(1, size[1] // 5), max(1, size[0] // 5), 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(file, kind, **options)
    return file.getvalue()


def pixels(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png)) as image:
        assert image.mode == "L"
        return np.asarray(image)


def look(trained: Trained, content: bytes, *, tiles: bool = False, views: bool = False):
    answer = find_mask(trained, "a.png", content, tiles=tiles, views=views)
    assert answer.error is None
    return answer


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_a_mask_is_the_one_an_evaluation_restores_pixel_for_pixel(trained, fit):
    trained = replace(trained, recipe=trained.recipe.set({"fit": fit}))
    content = picture((77, 31))
    square = torch.from_numpy(fit_image(read_image(content), 32, fit)).permute(2, 0, 1)[None]
    expected = restored_mask(trained.model.probabilities(square)[0].numpy(), 77, 31, fit)
    answer = look(trained, content)
    assert np.array_equal(pixels(answer.mask), expected)
    assert (answer.width, answer.height, answer.tiles, answer.views) == (77, 31, 1, 1)
    assert answer.uncertainty is None


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (41, 30), (133, 117)])
@pytest.mark.parametrize("tiles", [False, True])
def test_a_mask_has_the_size_of_its_picture_to_the_pixel(trained, size, tiles):
    answer = look(trained, picture(size), tiles=tiles)
    assert pixels(answer.mask).shape == size[::-1]
    assert set(np.unique(pixels(answer.mask))) <= {0, 1, 2}


def test_a_picture_that_lies_on_its_side_gets_the_mask_of_how_it_is_meant(trained):
    exif = Image.Exif()
    exif[0x0112] = 6
    answer = look(trained, picture((60, 20), "JPEG", exif=exif))
    assert (answer.width, answer.height) == (20, 60)
    assert pixels(answer.mask).shape == (60, 20)
    assert Image.open(BytesIO(answer.picture)).size == (20, 60)


def test_areas_are_the_shares_of_pixels_in_the_order_of_the_classes(trained):
    answer = look(trained, picture((50, 40)))
    assert tuple(answer.areas) == CLASSES
    assert list(answer.areas.values()) == [np.mean(pixels(answer.mask) == index) for index in range(3)]
    assert sum(answer.areas.values()) == pytest.approx(1)


def test_tiles_of_a_picture_as_large_as_those_of_training_change_nothing(trained):
    whole, tiled = look(trained, picture((40, 30))), look(trained, picture((40, 30)), tiles=True)
    assert tiled.tiles == 1
    assert tiled.mask == whole.mask


def test_a_picture_twice_as_large_is_seen_in_nine_tiles(trained):
    answer = look(trained, picture((80, 60)), tiles=True)
    assert answer.tiles == 9
    assert answer.learned == (40, 30)
    assert answer.mask != look(trained, picture((80, 60))).mask


def test_a_run_that_did_not_write_down_its_pictures_is_given_tiles_as_large_as_its_square(trained):
    assert look(replace(trained, facts={}), picture((64, 32)), tiles=True).tiles == 3


def test_views_say_how_far_the_answers_agree(trained):
    answer = look(trained, picture((80, 60)), views=True)
    assert answer.views == 8
    uncertainty = pixels(answer.uncertainty)
    assert uncertainty.shape == (60, 80)
    assert uncertainty.max() > 0, "a network without sense answers otherwise from another side"
    assert uncertainty.max() <= 223, "at most seven of the eight"


def test_views_and_tiles_go_together(trained):
    answer = look(trained, picture((80, 60)), tiles=True, views=True)
    assert (answer.tiles, answer.views) == (9, 8)
    assert pixels(answer.uncertainty).shape == (60, 80)
    assert pixels(answer.mask).shape == (60, 80)


def test_a_large_picture_is_shown_smaller_and_its_mask_is_not(trained):
    answer = look(trained, picture((3 * SHOWN_SIDE, 300)), views=True)
    assert Image.open(BytesIO(answer.picture)).size == (SHOWN_SIDE, 100)
    assert pixels(answer.uncertainty).shape == (100, SHOWN_SIDE)
    assert pixels(answer.mask).shape == (300, 3 * SHOWN_SIDE)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_of_144_megapixels_is_refused_with_the_limit_before_it_is_decoded(trained):
    file = BytesIO()
    Image.new("1", (12_000, 12_000)).save(file, "PNG")
    for tiles in (False, True):
        answer = find_mask(trained, "huge.png", file.getvalue(), tiles=tiles, views=tiles)
        assert answer.mask == b""
        assert "12,000 x 12,000 pixels, 144 megapixels, more than the 80 megapixels" in answer.error


def test_a_picture_of_more_tiles_than_can_be_looked_at_is_refused_with_the_limit(trained):
    file = BytesIO()
    Image.new("L", (9000, 8000)).save(file, "PNG")
    answer = find_mask(trained, "wide.png", file.getvalue(), tiles=True, views=True)
    assert answer.error.startswith("wide.png is too large for tiles: found ")
    assert "at most 7,812 tiles" in answer.error


def test_a_picture_that_is_a_long_line_is_refused(trained):
    file = BytesIO()
    Image.new("L", (LONGEST_SIDE + 1, 1)).save(file, "PNG")
    answer = find_mask(trained, "line.png", file.getvalue(), tiles=False, views=False)
    assert "line.png is too long" in answer.error
    assert "at most 65,535 pixels" in answer.error


@pytest.mark.parametrize("content", [b"", b"no picture", picture((300, 300), "JPEG")[:700]])
def test_what_is_no_picture_gets_a_sentence(trained, content):
    answer = find_mask(trained, "bad.jpg", content, tiles=True, views=True)
    assert answer.error.startswith("bad.jpg cannot be read as a picture")
    assert answer.mask == answer.picture == b""
    assert answer.areas == {}


@pytest.mark.slow
def test_a_picture_of_thirty_megapixels_needs_no_more_than_a_few_times_its_own_memory(trained):
    file = BytesIO()
    Image.new("RGB", (6000, 5000), "pink").save(file, "JPEG")
    with watched_memory() as most:
        answer = look(replace(trained, facts={"picture": [1280, 995]}), file.getvalue(), tiles=True)
    assert answer.tiles == 9 * 10
    assert pixels(answer.mask).shape == (5000, 6000)
    assert most() < 450e6, "the picture is 90 MB and its mask 30 MB; the probabilities in its size would be 360 MB"


@contextmanager
def watched_memory() -> Iterator[Callable[[], int]]:
    """How many bytes this process grew by at most inside the block."""
    process, over = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    seen = [0]

    def watch() -> None:
        while not over.wait(0.005):
            seen.append(process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: max(seen)
    finally:
        over.set()
        watcher.join()
