"""Reading one image: every kind of file is either read rightly or refused with its reason."""

import shutil
import subprocess
import sys
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from core.data.dataset import Dataset, Sample
from core.data.loading import DecodedImages, fit_image, read_image, read_picture
from core.errors import ImageError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def flag() -> Image.Image:
    """40 x 20 pixels, black, with a red quarter at the top left and a blue one at the bottom right."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10, :20], pixels[10:, 20:] = RED, BLUE
    return Image.fromarray(pixels)


def far(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two images, in grey levels."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one, int) - np.asarray(other, int)).mean())


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def huge_png(side: int) -> bytes:
    """A real black-and-white PNG of side x side pixels; a few kilobytes."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + side // 8)) for _ in range(side)) + packer.flush()
    header = side.to_bytes(4, "big") * 2 + b"\x01\x00\x00\x00\x00"
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "JPEG2000"])
def test_a_picture_is_read_as_it_was_saved(kind, encode):
    picture = read_picture(encode(flag(), kind))
    assert (picture.width, picture.height, picture.format) == (40, 20, kind)
    assert picture.image.mode == "RGB"
    assert far(picture.image, flag()) == 0


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_a_lossy_picture_is_read_nearly_as_it_was_saved(kind, encode):
    assert far(read_image(encode(flag(), kind, quality=95)), flag()) < 5


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"])
def test_every_mode_becomes_the_same_colours(mode, encode):
    grey = mode in ("1", "L", "LA", "I", "F")
    saved = (flag().convert("P").convert(mode) if mode == "PA" else flag()).convert("L" if grey else "RGB")
    saved = saved.convert(mode, dither=Image.Dither.NONE)
    expected = saved.convert("L").convert("RGB") if grey else flag()
    assert far(read_image(encode(saved, "TIFF")), expected) < (5 if mode == "LAB" else 2)  # LAB has no such pure blue


def test_a_cmyk_jpeg_has_its_colours(encode):
    assert far(read_image(encode(flag().convert("CMYK"), "JPEG", quality=95)), flag()) < 5


def test_sixteen_bits_are_scaled_to_eight_by_their_full_range(encode):
    values = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    assert np.asarray(read_image(encode(Image.fromarray(values))))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_floating_point_grey_is_scaled_from_the_range_it_is_in(encode):
    for top in (1.0, 255.0, 65535.0):
        values = np.array([[0, 0.5, 1]], np.float32) * top
        grey = np.asarray(read_image(encode(Image.fromarray(values), "TIFF")))[0, :, 0]
        assert np.abs(grey.astype(int) - [0, 128, 255]).max() <= 1, top


def test_numbers_that_are_no_numbers_do_no_harm(encode):
    values = np.array([[np.nan, np.inf, -np.inf, 1]], np.float32)
    assert np.asarray(read_image(encode(Image.fromarray(values), "TIFF")))[0, :, 0].tolist() == [0, 0, 0, 255]


def test_transparency_is_laid_on_white(encode):
    layer = flag().convert("RGBA")
    layer.putalpha(Image.fromarray(np.repeat(np.uint8([[0], [255]]), 10, 0).repeat(40, 1)))
    read = read_image(encode(layer))
    assert read.getpixel((0, 0)) == WHITE
    assert read.getpixel((39, 19)) == BLUE


def test_a_palette_with_a_transparent_colour_is_laid_on_white(encode):
    image = flag().quantize(4)
    hole = image.getpixel((0, 0))
    read = read_image(encode(image, "GIF", transparency=hole))
    assert read.getpixel((0, 0)) == WHITE
    assert read.getpixel((39, 19))[2] > 250


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_exif_says_is_turned_is_turned_back(kind, orientation, encode):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # how the camera was held, so that 270 degrees put it right
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    held = flag().transpose(undo[orientation]) if orientation in undo else flag()
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(held, kind, exif=exif, **({} if kind in ("PNG", "TIFF") else {"quality": 95}))
    for enough in (0, 10):
        picture = read_picture(data, enough=enough)
        assert (picture.width, picture.height) == (40, 20)
        assert far(picture.image.resize((40, 20)), flag()) < 12


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow grumbles
def test_exif_data_that_is_rubbish_is_ignored(encode):
    data = encode(flag(), "JPEG", quality=95, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + bytes(range(64)))
    assert far(read_image(data), flag()) < 5


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(kind, encode):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE, WHITE)]
    read = read_image(encode(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert far(read, frames[0]) < 3


def test_one_pixel_is_a_picture(encode):
    assert read_image(encode(Image.new("RGB", (1, 1), RED))).getpixel((0, 0)) == RED


def test_a_large_jpeg_may_be_decoded_small_and_keeps_its_real_size(encode, paint):
    picture = read_picture(encode(paint(width=1001, height=400), "JPEG"), enough=200)
    assert (picture.width, picture.height) == (1001, 400)
    assert 200 <= max(picture.image.size) < 1001


def test_a_file_is_read_like_its_bytes(tmp_path, encode):
    (tmp_path / "a b 'c' 🙂.png").write_bytes(encode(flag()))
    assert far(read_image(tmp_path / "a b 'c' 🙂.png"), flag()) == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"Dear diary, this is no picture.\n" * 20, "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),  # nothing may start Ghostscript
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
        (b"\xff\xd8\xff\xe0 and then nothing", "a JPEG that is damaged or cut off"),
        (b"\x89PNG\r\n\x1a\n and then nothing", "a PNG that is damaged or cut off"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(content, reason, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=f"holiday.jpg cannot be read as a picture: found .*{reason}") as caught:
        read_image(tmp_path / "holiday.jpg")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("enough", [0, 64])
def test_a_picture_that_stops_in_the_middle_is_refused(kind, enough, encode, paint):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8))
    data = encode(noise, kind)
    with pytest.raises(ImageError, match="truncated|damaged"):
        read_picture(data[: len(data) * 6 // 10], enough=enough)


def test_a_progressive_jpeg_that_stops_in_the_middle_is_refused(encode, paint):
    data = encode(paint(width=400, height=300), "JPEG", progressive=True, quality=95)
    with pytest.raises(ImageError, match="truncated"):
        read_picture(data[: len(data) // 2], enough=50)


def test_a_picture_of_900_megapixels_is_refused_before_it_is_decoded():
    data = huge_png(30_000)
    assert len(data) < 2_000_000
    with pytest.raises(ImageError, match="900 megapixels, more than the 80 megapixels"):
        read_image(data)


def test_a_picture_just_over_the_limit_is_refused_with_its_size():
    with pytest.raises(ImageError, match="9,000 x 9,000 pixels, 81 megapixels"):
        read_image(huge_png(9_000))


def test_a_file_that_is_missing_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ImageError, match="gone.png cannot be read as a picture: found no such file"):
        read_image(tmp_path / "gone.png")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000"])
def test_damaged_bytes_give_a_picture_or_an_image_error_and_nothing_else(kind, encode, paint):
    data = encode(paint(width=40, height=30), kind)
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 4):
            damaged[place] = rng.integers(256)
        with suppress(ImageError):
            assert read_image(bytes(damaged)).mode == "RGB"


def test_crop_keeps_the_middle_of_the_long_side():
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, :10], pixels[:, 10:20], pixels[:, 20:] = RED, WHITE, BLUE
    square = fit_image(Image.fromarray(pixels), 10, "crop")
    assert square.dtype == np.uint8
    assert square.shape == (10, 10, 3)
    assert (square == 255).all()


def test_pad_keeps_everything_and_puts_grey_around():
    square = fit_image(Image.new("RGB", (40, 20), RED), 20, "pad")
    assert (square[:5] == 127).all()
    assert (square[15:] == 127).all()
    assert (square[5:15] == RED).all()


def test_squash_fills_the_square():
    assert (fit_image(Image.new("RGB", (40, 3), RED), 16, "squash") == RED).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (7, 16)])
def test_every_shape_becomes_a_square(fit, size):
    assert fit_image(Image.new("RGB", size, RED), 16, fit).shape == (16, 16, 3)


def test_an_unknown_fit_is_a_defect():
    with pytest.raises(ValueError, match="stretch"):
        fit_image(flag(), 16, "stretch")


@pytest.fixture
def dataset(tmp_path, paint, encode) -> Dataset:
    """Twelve pictures; the cache does not look at anything else."""
    folder = tmp_path / "set"
    folder.mkdir()
    samples = []
    for number in range(12):
        (folder / f"{number}.png").write_bytes(encode(paint(number)))
        samples.append(
            Sample(f"{number:06d}", f"{number}.png", f"n{number}.png", 0, "train", 16, 12, str(number), "PNG")
        )
    facts = {"id": "set", "name": "set", "task": "classification", "classes": ("a", "b"), "layout": "", "source": ""}
    return Dataset(
        folder, **facts, created=0.0, fingerprint="f", split_rule="", samples=tuple(samples), skipped=(), bytes=0
    )


def test_decoded_images_are_what_reading_and_fitting_gives(dataset, tmp_path):
    with DecodedImages(dataset, 16, "crop", tmp_path / "cache") as images:
        got = images.get([3, 0, 3])
    for image, number in zip(got, [3, 0, 3], strict=True):
        expected = fit_image(read_image(dataset.path(dataset.samples[number])), 16, "crop")
        assert (image == expected).all()


def test_decoded_images_survive_their_files(dataset, tmp_path):
    with DecodedImages(dataset, 16, "pad", tmp_path / "cache") as images:
        first = images.get(range(12))
    for sample in dataset.samples:
        dataset.path(sample).unlink()
    with DecodedImages(dataset, 16, "pad", tmp_path / "cache") as images:
        assert (images.get(range(12)) == first).all()


def test_another_size_or_fit_is_another_cache(dataset, tmp_path):
    for size, fit in ((16, "crop"), (16, "pad"), (24, "crop")):
        with DecodedImages(dataset, size, fit, tmp_path / "cache") as images:
            assert (images.get([0])[0] == fit_image(read_image(dataset.path(dataset.samples[0])), size, fit)).all()


def test_prefetched_images_are_there_when_they_are_asked_for(dataset, tmp_path):
    with DecodedImages(dataset, 16, "crop", tmp_path / "cache") as images:
        images.prefetch(range(12))
        images.prefetch(range(6))
        assert images.get(range(12)).shape == (12, 16, 16, 3)


def test_an_image_that_is_gone_is_named_by_where_it_came_from_and_can_come_back(dataset, tmp_path, paint, encode):
    file = dataset.path(dataset.samples[5])
    file.unlink()
    with DecodedImages(dataset, 16, "crop", tmp_path / "cache") as images:
        images.prefetch([5])
        with pytest.raises(ImageError, match="n5.png"):
            images.get([4, 5])
        file.write_bytes(encode(paint(5)))
        assert images.get([4, 5]).shape == (2, 16, 16, 3)


def test_the_cache_may_be_deleted_at_any_time(dataset, tmp_path):
    with DecodedImages(dataset, 16, "crop", tmp_path / "cache") as images:
        first = images.get(range(12))
        shutil.rmtree(tmp_path / "cache")
        assert (images.get(range(12)) == first).all()
    with DecodedImages(dataset, 16, "crop", tmp_path / "cache") as images:
        assert (images.get(range(12)) == first).all()


FILL = """
import sys
from pathlib import Path
from core.data.dataset import load_dataset
from core.data.loading import DecodedImages
dataset = load_dataset(Path(sys.argv[1]))
with DecodedImages(dataset, 48, "crop", Path(sys.argv[2])) as images:
    print(int(images.get(range(len(dataset.samples))).astype("int64").sum()))
"""


def test_two_processes_may_fill_the_same_cache_at_once(tiny_dataset, tmp_path):
    command = [sys.executable, "-c", FILL, str(tiny_dataset.folder), str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = [process.communicate(timeout=60)[0] for process in both]
    expected = sum(
        int(fit_image(read_image(tiny_dataset.path(sample)), 48, "crop").astype("int64").sum())
        for sample in tiny_dataset.samples
    )
    assert sums == [f"{expected}\n"] * 2
