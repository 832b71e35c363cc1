"""Imports: what was found, what was left out and why, and how it becomes a dataset."""

import os
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.data.dataset import load_dataset
from core.data.incoming import SplitRule, discard, inspect, keep, load_proposal, recover, sweep
from core.data.library import Library
from core.data.loading import read_image
from core.errors import ArchiveError, DatasetError, FoveaError


def snapshot(folder) -> dict[str, bytes]:
    """Every file under a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def zip_of(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, str(file.relative_to(folder)))
    return path


def test_a_folder_is_proposed_with_everything_a_person_wants_to_see(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 4, "dog": 3, "notes.txt": b"hello"}))
    assert proposal.name == "pets"
    assert proposal.layout == "image-folder"
    assert proposal.why == "2 folders with pictures, each taken as a class"
    assert proposal.classes == ("cat", "dog")
    assert proposal.counts() == {"": {"cat": 4, "dog": 3}}
    assert not proposal.has_splits
    assert [sample.id for sample in proposal.samples] == [f"{n:06d}" for n in range(7)]
    assert proposal.samples[0].name == "cat/0.png"
    assert (proposal.samples[0].width, proposal.samples[0].height) == (16, 12)
    assert [(entry.file, entry.reason) for entry in proposal.skipped] == [
        ("notes.txt", "a .txt file, which is no picture")
    ]
    with Image.open(proposal.thumbnail(proposal.samples[0])) as image:
        assert image.size == (16, 12)


def test_nothing_is_written_outside_the_workspace_and_the_source_stays_as_it_was(workspace, plant, tmp_path):
    source = plant("pets", {"cat": 2, "dog": 2})
    before = snapshot(source)
    keep(workspace, inspect(workspace, source).id)
    assert snapshot(source) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets", "workspace"]


def test_a_kept_dataset_holds_the_very_bytes_and_nothing_of_the_import_stays(workspace, plant):
    source = plant("pets", {"cat": 4, "dog": 4})
    dataset = keep(workspace, inspect(workspace, source).id, name="My pets", rule=SplitRule(seed=3))
    assert dataset.name == "My pets"
    assert dataset.split_rule == "70/15/15 stratified by seed 3"
    assert dataset.split_counts() == {"train": 4, "validation": 2, "test": 2}
    for sample in dataset.samples:
        assert dataset.path(sample).read_bytes() == (source / sample.name).read_bytes()
    assert Library(workspace).get(dataset.id) == load_dataset(dataset.folder) == dataset
    assert sorted(path.name for path in dataset.folder.iterdir()) == [
        "dataset.json",
        "files",
        "prints.npz",
        "samples.csv",
        "skipped.csv",
        "thumbs",
    ]
    assert list(workspace.incoming.iterdir()) == []


def test_the_same_images_give_the_same_dataset_whether_from_a_folder_or_a_zip(workspace, plant, tmp_path):
    source = plant("pets", {"cat": 5, "dog": 5})
    folder = keep(workspace, inspect(workspace, source).id)
    zipped = keep(workspace, inspect(workspace, zip_of(source, tmp_path / "pets.zip")).id)
    assert zipped.fingerprint == folder.fingerprint
    assert zipped.samples == folder.samples
    assert zipped.name == folder.name == "pets"
    assert zipped.id != folder.id
    assert snapshot(zipped.folder / "files") == snapshot(folder.folder / "files")


def test_split_folders_keep_their_splits_and_validation_is_carved_when_it_is_missing(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"train/cat": 8, "train/dog": 8, "test/cat": 2, "test/dog": 2}))
    assert proposal.has_splits
    assert proposal.counts() == {"train": {"cat": 8, "dog": 8}, "test": {"cat": 2, "dog": 2}}
    dataset = keep(workspace, proposal.id, rule=SplitRule(0.5, 0.25, 0.25))
    assert dataset.split_counts() == {"train": 10, "validation": 6, "test": 4}
    assert dataset.split_rule == "given by the folders; validation is 33% of train, stratified by seed 0"
    assert {sample.name for sample in dataset.of("test")} == {
        f"test/{label}/{n}.png" for label in ("cat", "dog") for n in range(2)
    }


def test_copies_of_a_picture_are_kept_once_and_stay_in_one_split(workspace, plant, paint, encode):
    same = encode(paint(99))
    content = {"cat": 12, "dog": 12} | {f"cat/copy{n}.png": same for n in range(6)}
    dataset = keep(workspace, inspect(workspace, plant("pets", content)).id)
    copies = [sample for sample in dataset.samples if "copy" in sample.name]
    assert len(copies) == 6
    assert len({sample.file for sample in copies}) == 1
    assert len({sample.split for sample in copies}) == 1
    assert dataset.bytes == sum(file.stat().st_size for file in dataset.folder.glob("files/*/*"))


def test_every_kind_of_bad_file_is_read_rightly_or_skipped_with_its_reason(workspace, plant, paint, encode):
    red = Image.new("RGB", (20, 10), (200, 30, 30))
    turned = Image.Exif()
    turned[0x0112] = 6
    frames = [red, Image.new("RGB", (20, 10), "blue")]
    good = {
        "good/cmyk.jpg": encode(red.convert("CMYK"), "JPEG", quality=95),
        "good/palette.png": encode(red.quantize(2)),
        "good/animated.gif": encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "good/turned.jpg": encode(red, "JPEG", quality=95, exif=turned),
        "good/one pixel.png": encode(Image.new("RGB", (1, 1), (200, 30, 30))),
        "good/really a png.jpg": encode(red),
        "good/no ending": encode(red.convert("RGBA")),
        "good/'quotes' \"too\".png": encode(paint(1)),
        "good/<script>alert(1)<script>.png": encode(paint(2)),
        "good/🙂 ünïcode.png": encode(paint(3)),
    }
    grey = Image.fromarray(np.array([[0, 65535]], np.uint16))
    good["good/sixteen bits.png"] = encode(grey)
    whole = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")
    bad = {
        "good/text.jpg": (b"just some text", "no picture"),
        "good/zero.jpg": (b"", "empty file"),
        "good/half.jpg": (whole[: len(whole) // 2], "truncated"),
        "good/notes.txt": (b"x", ".txt file"),
    }
    content = good | {name: data for name, (data, _) in bad.items()} | {"other": 3}
    proposal = inspect(workspace, plant("odd", content))
    assert {sample.name for sample in proposal.samples if sample.name.startswith("good/")} == set(good)
    reasons = {entry.file: entry.reason for entry in proposal.skipped}
    assert set(reasons) == set(bad)
    for name, (_, reason) in bad.items():
        assert reason in reasons[name]
    sizes = {sample.name: (sample.width, sample.height) for sample in proposal.samples}
    assert sizes["good/turned.jpg"] == (10, 20)
    assert sizes["good/one pixel.png"] == (1, 1)
    for sample in proposal.samples:
        if sample.name in ("good/cmyk.jpg", "good/palette.png", "good/animated.gif", "good/really a png.jpg"):
            for file in (proposal.folder / sample.file, proposal.thumbnail(sample)):
                assert np.abs(np.asarray(read_image(file), int).mean((0, 1)) - (200, 30, 30)).max() < 8


def test_names_and_classes_of_any_writing_go_through_unchanged(workspace, plant):
    labels = ["a b", "it's", "<i>x<i>", "🐈", "e\u0301te\u0301", "10", "9"]
    dataset = keep(workspace, inspect(workspace, plant("odd", dict.fromkeys(labels, 3)), name="<b>odd</b>").id)
    assert set(dataset.classes) == {"a b", "it's", "<i>x<i>", "🐈", "\u00e9t\u00e9", "10", "9"}
    assert dataset.classes.index("9") < dataset.classes.index("10")
    assert dataset.name == "<b>odd</b>"
    assert "<" not in dataset.id
    assert Library(workspace).get(dataset.id) == dataset


def test_a_class_without_a_readable_picture_is_no_class_and_is_said_so(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 3, "dog": 3, "emu/1.jpg": b""}))
    assert proposal.classes == ("cat", "dog")
    assert proposal.notes == ("The folder emu holds no readable picture, so it is no class.",)


def test_a_class_that_nothing_trains_is_said_so(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"train/cat": 3, "train/dog": 3, "test/emu": 1}))
    assert proposal.notes == ("The class emu has no training picture, so a model cannot learn it.",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "There are no pictures here: found no file"),
        ({"cat": 3}, "There is only one class here: found 3 pictures in the folder cat"),
        (
            {"cat": 3, "dog/1.jpg": b""},
            "only one class here: found 3 readable pictures, all of the class cat; 1 skipped",
        ),
        (
            {"cat/1.jpg": b"", "dog/1.jpg": b"text"},
            "No picture here can be read: found .*2 skipped, the first cat/1.jpg",
        ),
        ({"1.png": b"", "2.png": b""}, "cannot be seen: found 2 pictures in no folder"),
    ],
)
def test_what_makes_no_dataset_is_refused_with_what_was_found_and_leaves_nothing(workspace, plant, content, sentence):
    with pytest.raises(DatasetError, match=sentence) as caught:
        inspect(workspace, plant("pets", content))
    assert "\n" not in str(caught.value)
    assert list(workspace.incoming.iterdir()) == []


def test_a_zip_that_would_escape_is_refused_and_leaves_nothing(workspace, tmp_path, paint, encode):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("cat/1.png", encode(paint(1)))
        archive.writestr("../../../evil.png", encode(paint(2)))
    with pytest.raises(ArchiveError, match=r"entry '../../../evil.png'"):
        inspect(workspace, tmp_path / "evil.zip")
    assert list(workspace.incoming.iterdir()) == []
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("data.rar", b"Rar!\x1a\x07", "a .rar file, expected a folder, a zip"),
        ("data.zip", b"no zip at all", "something that is no zip"),
        ("data.zip", b"", "something that is no zip"),
        ("data.zip", b"PK\x03\x04 and then nothing", "no complete zip"),
    ],
)
def test_a_file_that_is_no_zip_is_refused(workspace, tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=reason):
        inspect(workspace, tmp_path / name)


@pytest.mark.parametrize("place", ["gone", "x" * 5000, "zero\0byte"])
def test_a_place_where_nothing_is_is_refused(workspace, tmp_path, place):
    with pytest.raises(DatasetError, match="cannot be opened"):
        inspect(workspace, tmp_path / place)
    assert not workspace.root.exists()


def test_an_unknown_layout_is_refused_before_anything_is_read(workspace, tmp_path):
    with pytest.raises(
        DatasetError, match="found 'tfrecord', expected one of mask-pairs, csv, npz, split-folders, image-folder, auto"
    ):
        inspect(workspace, tmp_path / "gone", layout="tfrecord")


def test_progress_is_told_from_this_thread_up_to_the_whole(workspace, plant):
    seen = []
    inspect(
        workspace,
        plant("pets", {"cat": 70, "dog": 30}),
        report=lambda *step: seen.append((*step, threading.get_ident())),
    )
    assert [step[0] for step in seen] == list(range(1, 101))
    assert {step[1:] for step in seen} == {(100, threading.get_ident())}


def test_an_import_that_is_interrupted_leaves_nothing(workspace, plant):
    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect(workspace, plant("pets", {"cat": 70, "dog": 70}), report=stop)
    assert list(workspace.incoming.iterdir()) == []


def test_a_proposal_can_be_loaded_again_as_it_was(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 3, "dog": 3, "emu/1.jpg": b""}))
    assert load_proposal(workspace, proposal.id) == proposal


def test_a_discarded_proposal_is_gone_and_may_be_discarded_again(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 2, "dog": 2}))
    discard(workspace, proposal.id)
    discard(workspace, proposal.id)
    assert list(workspace.incoming.iterdir()) == []
    with pytest.raises(DatasetError, match="no longer there"):
        load_proposal(workspace, proposal.id)
    with pytest.raises(DatasetError, match="no longer there"):
        keep(workspace, proposal.id)


@pytest.mark.parametrize("id", ["..", "../datasets", "", "/etc", "a/b"])
def test_an_id_that_leads_elsewhere_finds_nothing_and_harms_nothing(workspace, tiny_dataset, id):
    discard(workspace, id)
    assert Library(workspace).get(tiny_dataset.id) == tiny_dataset
    with pytest.raises(DatasetError, match="no longer there"):
        load_proposal(workspace, id)


def test_of_two_pages_that_keep_one_import_only_one_does(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 6, "dog": 6}))
    outcomes = []

    def try_to_keep():
        try:
            outcomes.append(keep(workspace, proposal.id))
        except DatasetError as error:
            outcomes.append(error)

    both = [threading.Thread(target=try_to_keep) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sum(isinstance(outcome, DatasetError) for outcome in outcomes) == 1
    (card,) = Library(workspace).cards()
    dataset = Library(workspace).get(card.id)
    assert all(dataset.path(sample).is_file() for sample in dataset.samples)


def test_imports_that_nobody_kept_are_swept_after_a_day_and_younger_ones_stay(workspace, plant):
    source = plant("pets", {"cat": 2, "dog": 2})
    old, young = inspect(workspace, source), inspect(workspace, source)
    yesterday = time.time() - 25 * 3600
    os.utime(old.folder, (yesterday, yesterday))
    sweep(workspace)
    assert [folder.name for folder in workspace.incoming.iterdir()] == [young.id]


def test_too_few_pictures_to_validate_are_refused_and_the_import_stays(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 1, "dog": 1}))
    with pytest.raises(DatasetError, match="leaves no picture for validation: found 2 pictures in 2 classes"):
        keep(workspace, proposal.id)
    assert load_proposal(workspace, proposal.id) == proposal


def test_a_folder_with_only_a_test_split_is_refused(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"test/cat": 2, "test/dog": 2}))
    with pytest.raises(DatasetError, match="no training split: found test"):
        keep(workspace, proposal.id)


# A limit on the size of a file makes writing fail as a full disk does, in a process of its own.
ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from core.data.incoming import inspect, keep
from core.errors import StorageError
from core.workspace import Workspace
workspace, what, source = Workspace(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
try:
    inspect(workspace, Path(source)) if what == "inspect" else keep(workspace, source)
except StorageError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_full_disk_during_an_import_is_one_sentence_and_leaves_earlier_datasets_whole(
    workspace, tiny_dataset, plant, tmp_path, kind
):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    noise.save(plant("pets", {"cat": 2, "dog": 2}) / "dog" / "big.bmp")
    source = tmp_path / "pets" if kind == "folder" else zip_of(tmp_path / "pets", tmp_path / "pets.zip")
    before = snapshot(workspace.root)
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(workspace.root), "inspect", str(source), "6000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "Nothing more can be written under" in done.stdout
    assert done.stdout.count("\n") == 1
    assert snapshot(workspace.root) == before
    assert Library(workspace).get(tiny_dataset.id) == tiny_dataset


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_while_keeping_leaves_the_import_to_be_kept_later(workspace, tiny_dataset, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 20, "dog": 20}))
    before = snapshot(workspace.root)
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(workspace.root), "keep", proposal.id, "1000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "Nothing more can be written under" in done.stdout
    assert snapshot(workspace.root) == before
    assert keep(workspace, proposal.id).split_counts() == {"train": 28, "validation": 6, "test": 6}


def test_a_class_too_small_for_every_split_is_said_before_it_is_kept(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 4, "dog": 3, "emu": 1}))
    assert proposal.notes == (
        "The class emu has only 1 picture, too few to be in every split: nothing can be said about it.",
    )


def test_a_zip_tells_also_how_far_it_is_unpacked(workspace, plant, tmp_path):
    told, source = [], zip_of(plant("pets", {"cat": 3, "dog": 3}), tmp_path / "pets.zip")

    inspect(workspace, source, report=lambda *step: told.append(step))

    assert told[:2] == [(0, 6, "unpacking"), (1, 6, "unpacking")]
    assert told[-1] == (6, 6)


def test_a_proposal_may_be_given_its_id(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 2, "dog": 2}), id="mine-1234")

    assert proposal.folder == workspace.incoming / "mine-1234"


def test_what_a_process_ended_in_the_middle_of_an_import_has_left_is_cleared(workspace):
    half = workspace.incoming / "half-1234"
    (half / "unpacked").mkdir(parents=True)

    recover(workspace, "half-1234")
    recover(workspace, "half-1234")

    assert not half.exists()


def test_a_proposal_whose_keeping_was_ended_in_the_middle_is_there_again(workspace, plant):
    proposal = inspect(workspace, plant("pets", {"cat": 2, "dog": 2}))
    claimed = proposal.folder.rename(proposal.folder.with_name(f"{proposal.id}-keeping"))
    (claimed / "masks").mkdir()

    recover(workspace, proposal.id)
    recover(workspace, proposal.id)

    assert load_proposal(workspace, proposal.id).samples == proposal.samples
    assert not (proposal.folder / "masks").exists()


def test_an_import_that_takes_the_id_of_another_one_leaves_that_alone(workspace, plant):
    source = plant("cells", {"cat/": 4, "dog/": 4})
    first = inspect(workspace, source, id="cells-1a2b3c")
    with pytest.raises((FoveaError, FileExistsError)):
        inspect(workspace, source, id="cells-1a2b3c")
    assert load_proposal(workspace, first.id).samples == first.samples
