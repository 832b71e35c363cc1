"""The commands `import` and `demo` for images with masks, as somebody would use them."""

import numpy as np
import pytest
from PIL import Image

from core.data.library import Library
from core.data.mask_files import read_mask
from core.workspace import Workspace


@pytest.fixture
def cells(tmp_path):
    """Twelve pictures of 20 x 16 px with grey masks of 0, 128 and 255; the ninth mask has 7 pixels of 77."""
    folder = tmp_path / "cells"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for number in range(12):
        mask = np.zeros((16, 20), np.uint8)
        mask[3:12, 3:12] = 128
        mask[6:9, 6 : 9 + number % 3] = 255
        if number == 9:
            mask[0, :7] = 77
        colours = np.random.default_rng(number).integers(0, 256, (16, 20, 3), dtype=np.uint8)
        Image.fromarray(colours).save(folder / "images" / f"{number:02d}.jpg")
        Image.fromarray(mask).save(folder / "masks" / f"{number:02d}.png")
    return folder


def refused(outcome: tuple[int, str, str], *words: str) -> None:
    code, out, err = outcome
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip() and not line.startswith("images ")]
    assert "Traceback" not in err
    for word in words:
        assert word in lines[-1]


def test_import_of_pairs_answers_with_what_the_masks_hold_and_what_was_refused(answer, cells):
    imported = answer("import", str(cells), "--layout", "mask-pairs")
    assert imported["task"] == "segmentation"
    assert imported["layout"] == "mask-pairs"
    assert imported["classes"] == ["background", "grey 128", "grey 255"]
    assert imported["samples"] == 11
    assert imported["skipped"] == [
        {"file": "masks/09.png", "reason": "7 pixels of the value 77, which is not in the map of the masks"}
    ]
    values = {row["value"]: row for row in imported["mask_values"]}
    assert {value: row["label"] for value, row in values.items()} == {
        "0": "background",
        "77": None,
        "128": "grey 128",
        "255": "grey 255",
    }
    assert values["77"]["share"] == pytest.approx(7 / (12 * 16 * 20))
    assert sum(row["share"] for row in imported["mask_values"]) == pytest.approx(1)
    assert imported["findings"] == [
        "1 mask is refused for a value that is not in the map: masks/09.png has 7 pixels of 77."
    ]


def test_a_map_names_merges_and_ignores(answer, cells, workspace):
    imported = answer("import", str(cells), "--map", "0=background, 128=cell,255=cell,77=ignore")
    assert imported["classes"] == ["background", "cell"]
    assert imported["samples"] == 12
    assert imported["skipped"] == []
    assert {row["value"]: row["label"] for row in imported["mask_values"]} == {
        "0": "background",
        "77": "ignore",
        "128": "cell",
        "255": "cell",
    }
    dataset = Library(workspace).get(imported["dataset"])
    assert dataset.mask_map == (("0", "background"), ("77", ""), ("128", "cell"), ("255", "cell"))
    assert {value for sample in dataset.samples for value in np.unique(read_mask(dataset.mask(sample)))} == {0, 1, 255}


def test_a_tolerance_snaps_what_is_near(answer, cells):
    assert answer("import", str(cells), "--tolerance", "60")["skipped"] == []
    assert answer("import", str(cells), "--map", "0=a,128=b,255=c", "--tolerance", "50")["samples"] == 11


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--map", "0=a,128=b"], ["masks/00.png", "255", "not in the map"]),
        (["--map", "0=a,128=a,255=ignore"], ["two classes", "found a"]),
        (["--map", "#ff0000=a,0=b"], ["'#ff0000'", "a whole number"]),
        (["--map", "0=a,red=b"], ["'red'", "a whole number"]),
        (["--map", "0=a,128"], ["--map", "'128'", "value=class"]),
        (["--map", "0=a,0=b,128=c,255=d"], ["--map", "a value twice"]),
        (["--map", "0=a,128= ,255=c"], ["A class needs a name"]),
        (["--tolerance", "300"], ["tolerance", "300", "0 to 127"]),
        (["--tolerance", "-1"], ["tolerance", "-1", "0 to 127"]),
        (["--tolerance", "many"], ["--tolerance", "many"]),
        (["--layout", "split-folders"], ["images", "masks"]),
    ],
)
def test_a_map_or_tolerance_that_cannot_be_is_one_sentence_and_leaves_nothing(
    command, cells, workspace, options, words
):
    refused(command("import", str(cells), *options), *words)
    assert not workspace.incoming.exists() or list(workspace.incoming.iterdir()) == []
    assert Library(workspace).cards() == []


def test_a_map_for_pictures_without_masks_is_refused(command, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(4):
            shade = (number * 20, len(label), ord(label[0]))
            Image.new("RGB", (8, 8), shade).save(tmp_path / "pets" / label / f"{number}.png")
    refused(command("import", str(tmp_path / "pets"), "--map", "0=a,1=b"), "--map", "image-folder")


@pytest.mark.parametrize("name", ["blood-smear-masks", "polyps"])
def test_a_demo_with_masks_answers_like_import_and_reads_well(command, answer, name, workspace):
    drawn = answer("demo", name, "--set", "images=24", "--set", "size=32")
    assert drawn["task"] == "segmentation"
    assert drawn["classes"][0] == "background"
    assert [row["label"] for row in drawn["mask_values"]] == drawn["classes"]
    code, out, _ = command("demo", name, "--set", "images=24", "--set", "size=32")
    assert code == 0
    assert "24 images, 3 classes" in out
    assert "of the pixels: background" in out
    assert len(Library(Workspace(workspace.root)).cards()) == 2
