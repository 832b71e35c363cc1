"""Blank, dark, bright and blurred pictures are found where they are unlike the others, and nowhere else."""

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from core.data.revisions import revise
from core.data.smear import CELLS
from tests.planted import cell, cells, saved

PLANTED = f"train/{CELLS[0].name}/planted.jpg"


def _dimmed(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


FAULTS = {
    "blank": lambda image: Image.new("RGB", image.size, (200, 190, 210)),
    "dark": lambda image: _dimmed(image, 0.08),
    "bright": lambda image: image.point(lambda level: 225 + level // 9),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(0.04 * image.width)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_that_shows_too_little_is_found_and_left_out(kept, found, fault):
    dataset = kept(cells(size=96) | {PLANTED: saved(FAULTS[fault](cell(0, 999, 96)))})
    findings = found(dataset)
    assert {"blank", "dark", "bright", "blurred"} & set(findings) == {fault}
    (finding,) = findings[fault]
    assert finding.severity == "warning"
    assert finding.files == (PLANTED,)
    assert finding.message.startswith("1 picture is ")
    assert str(round(finding.figures["usual"])) in finding.message or fault == "blurred"
    assert len(revise(dataset, finding.repairs[0].changes).samples) == 40


@pytest.mark.parametrize("fault", ["dark", "blurred"])
def test_what_all_pictures_of_a_dataset_have_is_no_fault(kept, found, fault):
    files = {
        f"train/{CELLS[kind].name}/{number}.jpg": saved(FAULTS[fault](cell(kind, number, 64)))
        for kind in range(2)
        for number in range(10)
    }
    assert not {"blank", "dark", "bright", "blurred"} & set(found(kept(files)))


def test_the_worst_picture_comes_first(kept, found):
    planted = {
        f"train/{CELLS[0].name}/{name}.jpg": saved(_dimmed(cell(0, 999, 64), by))
        for name, by in (("dim", 0.12), ("darkest", 0.1))
    }
    (finding,) = found(kept(cells(size=64) | planted))["dark"]
    assert [name.rsplit("/")[-1] for name in finding.files] == ["darkest.jpg", "dim.jpg"]
