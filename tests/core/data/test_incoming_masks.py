"""Imports with masks: audited, mapped, and kept as class indices, or refused by file."""

import os
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.data import intake, mask_import
from core.data.dataset import load_dataset
from core.data.incoming import SplitRule, discard, inspect, keep, load_proposal, mask_preview, remap
from core.data.library import Library
from core.data.mask_files import read_mask
from core.data.mask_values import MaskEntry, MaskMap, map_of
from core.data.raw_masks import read_raw
from core.errors import DatasetError


def grey(number: int, *, width: int = 20, height: int = 16, levels=(0, 128, 255)) -> np.ndarray:
    """A mask of three levels, another for another number."""
    mask = np.full((height, width), levels[0], np.uint8)
    mask[3:12, 2 + number % 5 : 12] = levels[1]
    mask[6:10, 6 + number % 3 : 11] = levels[2]
    return mask


@pytest.fixture
def cells(plant, paint, encode):
    """Make a folder of pairs with grey masks; `change` replaces or removes (None) files."""

    def make(count: int = 12, change: dict[str, bytes | None] | None = None, name: str = "cells"):
        content = {}
        for number in range(count):
            content[f"images/{number:02d}.png"] = encode(paint(number, 20, 16))
            content[f"masks/{number:02d}.png"] = encode(Image.fromarray(grey(number)))
        content |= change or {}
        return plant(name, {file: data for file, data in content.items() if data is not None})

    return make


def snapshot(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_pairs_are_proposed_with_what_their_masks_hold(workspace, cells):
    proposal = inspect(workspace, cells())
    assert proposal.task == "segmentation"
    assert proposal.layout == "mask-pairs"
    assert proposal.why == "12 images beside their masks"
    assert proposal.classes == ("background", "grey 128", "grey 255")
    assert proposal.counts() == {"": {"background": 12, "grey 128": 12, "grey 255": 12}}
    assert [(row.value, row.files) for row in proposal.masks.values] == [((0,), 12), ((128,), 12), ((255,), 12)]
    assert proposal.mask_map.pairs == (("0", "background"), ("128", "grey 128"), ("255", "grey 255"))
    assert all(sample.label == -1 for sample in proposal.samples)
    assert proposal.samples[3].pixels == tuple((grey(3) == level).sum() for level in (0, 128, 255))
    assert load_proposal(workspace, proposal.id) == proposal


def test_a_kept_dataset_holds_index_masks_and_nothing_of_the_import_stays(workspace, cells):
    source = cells()
    before = snapshot(source)
    seen = []
    dataset = keep(workspace, inspect(workspace, source).id, name="Cells", report=lambda *step: seen.append(step))
    assert dataset.task == "segmentation"
    assert dataset.mask_map == (("0", "background"), ("128", "grey 128"), ("255", "grey 255"))
    assert seen == [(done, 12) for done in range(1, 13)]
    for sample in dataset.samples:
        number = int(sample.name.removeprefix("images/").removesuffix(".png"))
        mask = read_mask(dataset.mask(sample))
        assert (mask == np.searchsorted([0, 128, 255], grey(number))).all()
        assert sample.pixels == tuple(np.bincount(mask.ravel(), minlength=3))
        assert dataset.path(sample).read_bytes() == (source / sample.name).read_bytes()
    assert Library(workspace).get(dataset.id) == load_dataset(dataset.folder) == dataset
    assert sorted(path.name for path in dataset.folder.iterdir()) == [
        "dataset.json",
        "files",
        "masks",
        "prints.npz",
        "samples.csv",
        "skipped.csv",
        "thumbs",
    ]
    assert list(workspace.incoming.iterdir()) == []
    assert snapshot(source) == before


def test_a_zip_gives_the_same_dataset_as_its_folder(workspace, cells, tmp_path):
    source = cells()
    with zipfile.ZipFile(tmp_path / "cells.zip", "w") as archive:
        for file in sorted(source.rglob("*.png")):
            archive.write(file, str(file.relative_to(source.parent)))
    folder = keep(workspace, inspect(workspace, source).id)
    zipped = keep(workspace, inspect(workspace, tmp_path / "cells.zip").id)
    assert zipped.fingerprint == folder.fingerprint


def test_every_bad_pair_is_skipped_by_the_name_of_its_file_with_the_reason(workspace, cells, encode, paint):
    strange = grey(9)
    strange[0, :7] = 77
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    colours = len(np.unique(photo.reshape(-1, 3), axis=0))
    change = {
        "masks/00.png": None,
        "images/01.png": None,
        "masks/02.png": encode(Image.fromarray(grey(2, width=16, height=20))),
        "masks/03.png": b"no picture",
        "masks/04.png": encode(Image.fromarray(grey(4)))[:70],
        "images/05.png": b"",
        "masks/09.png": encode(Image.fromarray(strange)),
        "images/10.png": encode(paint(10, 300, 300)),
        "masks/10.png": encode(Image.fromarray(photo)),
        "masks/notes.txt": b"hello",
    }
    proposal = inspect(workspace, cells(20, change))
    reasons = {entry.file: entry.reason for entry in proposal.skipped}
    assert reasons == {
        "masks/notes.txt": "a .txt file, which is no picture",
        "images/00.png": "has no mask: no mask here is called 00",
        "masks/01.png": "a mask without its image: no image here is called 01",
        "masks/02.png": "a mask of 16 x 20 pixels, while its image images/02.png has 20 x 16 pixels, "
        "as if one of them were turned",
        "masks/03.png": reasons["masks/03.png"],
        "masks/04.png": reasons["masks/04.png"],
        "images/05.png": "an empty file (zero bytes)",
        "masks/09.png": "7 pixels of the value 77, which is not in the map of the masks",
        "masks/10.png": f"{colours:,} different values, as a photograph has and not a mask",
    }
    assert "no picture" in reasons["masks/03.png"]
    assert "truncated" in reasons["masks/04.png"] or "damaged" in reasons["masks/04.png"]
    assert len(proposal.samples) == 12
    assert keep(workspace, proposal.id).skipped == proposal.skipped


def test_renaming_merging_and_ignoring_judge_the_masks_anew(workspace, cells):
    proposal = inspect(workspace, cells())
    renamed = remap(workspace, proposal.id, map_of({"0": "background", "128": "rim", "255": "core"}, "grey", 8))
    assert renamed.classes == ("background", "rim", "core")
    assert [sample.pixels for sample in renamed.samples] == [sample.pixels for sample in proposal.samples]
    assert load_proposal(workspace, proposal.id) == renamed
    merged = remap(workspace, proposal.id, map_of({"0": "background", "128": "cell", "255": "cell"}, "grey", 8))
    assert merged.samples[0].pixels == (renamed.samples[0].pixels[0], sum(renamed.samples[0].pixels[1:]))
    ignoring = remap(workspace, proposal.id, map_of({"0": "background", "128": "ignore", "255": "core"}, "grey", 8))
    assert ignoring.samples[0].pixels == (renamed.samples[0].pixels[0], renamed.samples[0].pixels[2])
    dataset = keep(workspace, proposal.id)
    assert dataset.classes == ("background", "core")
    assert dataset.mask_map == (("0", "background"), ("128", ""), ("255", "core"))
    masks = np.stack([read_mask(dataset.mask(sample)) for sample in dataset.samples])
    assert set(np.unique(masks)) == {0, 1, 255}


def test_a_file_that_was_refused_comes_back_once_its_value_is_in_the_map(workspace, cells, encode):
    strange = grey(9)
    strange[0, :7] = 77
    proposal = inspect(workspace, cells(12, {"masks/09.png": encode(Image.fromarray(strange))}))
    assert len(proposal.samples) == 11
    entries = map_of({"0": "background", "77": "debris", "128": "cell", "255": "nucleus"}, "grey", 8)
    back = remap(workspace, proposal.id, entries)
    assert len(back.samples) == 12
    assert back.skipped == ()
    assert back.samples[9].pixels[1] == 7
    assert back.masks.stray == ()


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({0: "a", 128: "b"}, "No mask fits the map: found in masks/00.png .* pixels of the value 255"),
        ({0: "a", 128: "a", 255: None}, "needs at least two classes: found a"),
    ],
)
def test_a_map_that_fits_nothing_is_refused_and_the_proposal_stays(workspace, cells, labels, sentence):
    proposal = inspect(workspace, cells())
    mask_map = MaskMap(tuple(MaskEntry((level,), label) for level, label in labels.items()), 8)
    with pytest.raises(DatasetError, match=sentence):
        remap(workspace, proposal.id, mask_map)
    assert load_proposal(workspace, proposal.id) == proposal


def test_a_map_for_an_import_that_is_gone_is_refused(workspace, cells):
    proposal = inspect(workspace, cells())
    mask_map = proposal.mask_map
    (proposal.folder / "raw" / "histograms.npz").unlink()
    with pytest.raises(DatasetError, match="no longer there"):
        remap(workspace, proposal.id, mask_map)
    discard(workspace, proposal.id)
    with pytest.raises(DatasetError, match="no longer there"):
        remap(workspace, proposal.id, mask_map)


def test_an_import_without_masks_has_no_map(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 3, "dog": 3}))
    with pytest.raises(DatasetError, match="no masks"):
        remap(workspace, proposal.id, map_of({"0": "a", "1": "b"}, "grey", 0))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda number: np.zeros((16, 20), np.uint8), "hold only one value: found 0 in 12 of 12 masks"),
        (
            lambda number: np.full((16, 20), number + 1, np.uint8),
            "12 masks, in which no value fills a surface in more than one",
        ),
        (lambda number: np.zeros((3, 3), np.uint8), "No picture here can be read: .*a mask of 3 x 3 pixels"),
    ],
)
def test_masks_that_make_no_dataset_are_refused_and_leave_nothing(workspace, cells, encode, change, sentence):
    files = {f"masks/{number:02d}.png": encode(Image.fromarray(change(number))) for number in range(12)}
    with pytest.raises(DatasetError, match=sentence) as caught:
        inspect(workspace, cells(12, files))
    assert "\n" not in str(caught.value)
    assert list(workspace.incoming.iterdir()) == []


def test_a_preview_shows_the_mask_of_a_picture_at_the_size_of_its_thumbnail(workspace, plant, paint, encode):
    content = {}
    for number in range(4):
        content[f"images/{number}.png"] = encode(paint(number, 400, 200))
        content[f"masks/{number}.png"] = encode(Image.fromarray(grey(number, width=400, height=200)))
    proposal = inspect(workspace, plant("wide", content))
    preview = mask_preview(proposal, proposal.samples[0])
    with Image.open(proposal.thumbnail(proposal.samples[0])) as thumbnail:
        assert preview.shape == (thumbnail.height, thumbnail.width) == (80, 160)
    assert set(np.unique(preview)) <= {0, 1, 2}
    other = map_of({"0": "background", "128": "ignore", "255": "core"}, "grey", 8)
    assert set(np.unique(mask_preview(proposal, proposal.samples[0], other))) <= {0, 1, 255}


def test_a_class_that_few_images_hold_is_in_every_split(workspace, plant, paint, encode):
    content = {}
    for number in range(60):
        mask = grey(number, levels=(0, 128, 255) if number % 10 == 0 else (0, 128, 128))
        content[f"images/{number:02d}.png"] = encode(paint(number, 20, 16))
        content[f"masks/{number:02d}.png"] = encode(Image.fromarray(mask))
    dataset = keep(workspace, inspect(workspace, plant("rare", content)).id, rule=SplitRule(0.6, 0.2, 0.2))
    assert {split: counts["grey 255"] for split, counts in dataset.counts().items()} == {
        "train": 4,
        "validation": 1,
        "test": 1,
    }
    assert dataset.split_rule == "60/20/20 stratified by the rarest class of each mask, by seed 0"


def test_copies_of_a_picture_stay_in_one_split_even_with_different_masks(workspace, cells, encode, paint):
    same = encode(paint(99, 20, 16))
    change = {}
    for number in range(6):
        levels = (0, 128, 255) if number % 2 else (0, 128, 128)
        change[f"images/copy{number}.png"] = same
        change[f"masks/copy{number}.png"] = encode(Image.fromarray(grey(number, levels=levels)))
    dataset = keep(workspace, inspect(workspace, cells(20, change)).id)
    copies = [sample for sample in dataset.samples if "copy" in sample.name]
    assert len({sample.split for sample in copies}) == 1
    assert len({sample.mask for sample in copies}) > 1


def test_copies_of_a_picture_with_different_masks_are_said_and_those_with_equal_ones_are_not(
    workspace, cells, encode, paint
):
    same = {"images/11.png": encode(paint(3, 20, 16)), "masks/11.png": encode(Image.fromarray(grey(3)))}
    assert inspect(workspace, cells(change=same, name="same")).notes == ()
    other = same | {"masks/11.png": encode(Image.fromarray(grey(4)))}
    (note,) = inspect(workspace, cells(change=other, name="other")).notes
    assert note == (
        "1 picture has different masks under different names, and one of them must be wrong: "
        "images/03.png and images/11.png are the same."
    )


def test_a_class_in_the_map_that_no_mask_holds_is_said_once(workspace, cells):
    named = {"0": "background", "77": "ghost", "128": "cell", "255": "nucleus"}
    proposal = remap(workspace, inspect(workspace, cells()).id, map_of(named, "grey", 0))
    assert [line for line in (*proposal.masks.findings, *proposal.notes) if "ghost" in line] == [
        "No mask has a pixel of the class ghost."
    ]


def test_images_that_exif_turns_are_named_since_their_size_may_not_tell(workspace, cells, encode, paint):
    """Upside down: a mask of the stored pixels has the right size, and lies over the wrong ones."""
    exif = Image.Exif()
    exif[0x0112] = 3
    change = {"images/04.png": None, "images/04.jpg": encode(paint(4, 20, 16), "JPEG", exif=exif.tobytes())}
    proposal = inspect(workspace, cells(change=change))
    assert proposal.masks.findings == (
        "1 image is turned by EXIF data, and masks are not; look whether they fit: images/04.jpg.",
    )
    assert remap(workspace, proposal.id, proposal.mask_map) == load_proposal(workspace, proposal.id) == proposal


def test_large_masks_are_read_one_at_a_time(workspace, cells, monkeypatch):
    at_work, most = [], []

    def read(source, *, name=""):
        at_work.append(name)
        most.append(len(at_work))
        time.sleep(0.005)
        at_work.remove(name)
        return read_raw(source, name=name)

    monkeypatch.setattr(intake, "LARGE_PIXELS", 100)
    monkeypatch.setattr(intake, "cores", lambda: 4)
    for module in (intake, mask_import):
        monkeypatch.setattr(module, "read_raw", read)
    keep(workspace, inspect(workspace, cells()).id)
    assert len(most) == 24
    assert set(most) == {1}


def test_splits_that_the_folders_give_are_kept(workspace, plant, paint, encode):
    content = {}
    for split, numbers in (("train", range(8)), ("val", range(8, 11)), ("test", range(11, 14))):
        for number in numbers:
            content[f"{split}/images/{number}.png"] = encode(paint(number, 20, 16))
            content[f"{split}/masks/{number}.png"] = encode(Image.fromarray(grey(number)))
    dataset = keep(workspace, inspect(workspace, plant("given", content)).id)
    assert dataset.split_counts() == {"train": 8, "validation": 3, "test": 3}
    assert dataset.split_rule == "given by the folders"


def test_a_class_in_no_training_mask_is_said(workspace, plant, paint, encode):
    content = {}
    for split, numbers in (("train", range(8)), ("val", range(8, 11))):
        for number in numbers:
            levels = (0, 128, 128) if split == "train" else (0, 128, 255)
            content[f"{split}/images/{number}.png"] = encode(paint(number, 20, 16))
            content[f"{split}/masks/{number}.png"] = encode(Image.fromarray(grey(number, levels=levels)))
    proposal = inspect(workspace, plant("given", content))
    assert proposal.notes == ("The class grey 255 has no training picture, so a model cannot learn it.",)


def test_empty_masks_are_kept_and_listed(workspace, cells, encode):
    empty = encode(Image.new("L", (20, 16)))
    proposal = inspect(workspace, cells(12, {"masks/07.png": empty}))
    assert len(proposal.samples) == 12
    assert proposal.masks.findings == ("1 mask holds nothing but background: masks/07.png.",)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_while_masks_are_written_leaves_the_import_to_be_kept_later(workspace, plant, paint, encode):
    noisy = np.random.default_rng(0).choice(np.array([0, 128, 255], np.uint8), (12, 100, 100))
    content = {}
    for number in range(12):
        content[f"images/{number:02d}.png"] = encode(Image.new("RGB", (100, 100), (number, 0, 0)))
        content[f"masks/{number:02d}.png"] = encode(Image.fromarray(noisy[number]))
    proposal = inspect(workspace, plant("noisy", content))
    before = snapshot(workspace.root)
    code = """
import resource, sys
from pathlib import Path
from core.data.incoming import keep
from core.errors import StorageError
from core.workspace import Workspace
resource.setrlimit(resource.RLIMIT_FSIZE, (1500,) * 2)
try:
    keep(Workspace(Path(sys.argv[1])), sys.argv[2])
except StorageError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(workspace.root), proposal.id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "Nothing more can be written under" in done.stdout
    assert snapshot(workspace.root) == before
    assert len(keep(workspace, proposal.id).samples) == 12
