"""A class that files or borders give away is found with the figures that say so; chance is not."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from core.data.dataset import Dataset
from core.data.smear import CELLS
from tests.planted import cell, cells, saved

GIVEN_AWAY = CELLS[1].name
EACH = 20


def _framed(image: Image.Image) -> Image.Image:
    return ImageOps.expand(image.resize((32, 32)), 4, fill="black")


SHORTCUTS = {
    "format": lambda image, number: saved(image, "PNG"),
    "size": lambda image, number: saved(image.resize((50, 40))),
    "quality": lambda image, number: saved(image, quality=60),
    "mode": lambda image, number: saved(image.convert("L")),
    "notes": lambda image, number: saved(image, exif=_notes()),
    "border": lambda image, number: saved(_framed(image)),
}


def _notes() -> Image.Exif:
    notes = Image.Exif()
    notes[0x0110] = "A camera"
    return notes


def _planted(kind: str, classes: int = 2, share: float = 1.0):
    """Drawn cells; of the second class a share is saved in another way than all others."""
    files = cells(classes, each=EACH, size=40)
    for number in range(int(EACH * share)):
        name = next(name for name in files if name.endswith(f"{GIVEN_AWAY}/{number:03d}.jpg"))
        files[name] = SHORTCUTS[kind](cell(1, number, 40), number)
    return files


@pytest.mark.parametrize("kind", SHORTCUTS)
def test_a_class_that_was_saved_in_another_way_is_found(kept, found, kind):
    (finding, *more) = found(kept(_planted(kind)))["shortcut"]
    assert finding.severity == "warning"
    assert finding.figures["telling"] in ((kind, "mode") if kind == "notes" else (kind,))
    assert f"Best told is the class {GIVEN_AWAY}: 100%" in finding.message
    assert "where guessing is right in 50%" in finding.message
    low, high = finding.figures["interval"]
    assert 1 / 2 < low < finding.figures["accuracy"] <= high <= 1
    assert all(other.severity == "note" for other in more)
    assert {name.split("/")[1] for name in finding.files} == {GIVEN_AWAY}


def test_evidence_shows_the_class_beside_others(kept, found):
    dataset: Dataset = kept(_planted("format"))
    finding = found(dataset)["shortcut"][0]
    label = dataset.classes.index(GIVEN_AWAY)
    for one, other in finding.evidence:
        assert dataset.sample(one).label == label != dataset.sample(other).label


def test_a_format_of_four_in_five_is_still_a_shortcut(kept, found):
    finding = found(kept(_planted("format", share=0.8)))["shortcut"][0]
    assert finding.severity == "warning"
    assert "PNG: 80% of it, 0% of all others" in finding.message


def test_ways_of_saving_that_have_nothing_to_do_with_the_class_are_no_shortcut(kept, found):
    generator = np.random.default_rng(0)
    files = {}
    for name in cells(2, each=EACH, size=40):
        kind, number = next(k for k, row in enumerate(CELLS) if row.name in name), int(name[-7:-4])
        files[name] = SHORTCUTS[generator.choice(["format", "size", "quality"])](cell(kind, number, 40), number)
    assert "shortcut" not in found(kept(files))


def test_copies_are_not_recognised_by_their_number_of_bytes(kept, found):
    """Each file is there five times in its class: a classifier that had seen one would know the others."""
    files = {}
    for kind in range(2):
        for number in range(8):
            for copy in range(5):
                files[f"{CELLS[kind].name}/{number}-{copy}.jpg"] = saved(cell(kind, number))
    assert "shortcut" not in found(kept(files))


def test_with_few_pictures_nothing_is_claimed(kept, found):
    files = cells(2, each=8)
    files |= {name: SHORTCUTS["format"](cell(1, 0), 0) for name in files if GIVEN_AWAY in name}
    assert "shortcut" not in found(kept(files))
