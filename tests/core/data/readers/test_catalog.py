"""Layouts: recognised by their folders alone, or refused with what was found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.readers.catalog import READERS, fitting, reader, recognise, torn
from core.data.tree import Tree, TreeFile, walk
from core.errors import DatasetError


def tree(*names: str) -> Tree:
    return Tree.of(TreeFile(tuple(name.split("/")), Path(name)) for name in names)


def rows(*names: str, layout: str = "auto") -> list[tuple[str, str, str]]:
    """(file, class, split) of everything that is read."""
    return [(image.file.name, image.label, image.split) for image in recognise(tree(*names), layout)[2].images]


def test_class_folders_are_recognised_and_deeper_files_belong_to_their_class():
    row, why, found = recognise(tree("dog/2.jpg", "cat/1.jpg", "cat/more/3.jpg"))
    assert row.name == "image-folder"
    assert why == "2 folders with pictures, each taken as a class"
    assert found.classes == ("cat", "dog")
    assert [(i.file.name, i.label, i.split) for i in found.images] == [
        ("cat/1.jpg", "cat", ""),
        ("cat/more/3.jpg", "cat", ""),
        ("dog/2.jpg", "dog", ""),
    ]


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Validation", "VAL"])
@pytest.mark.parametrize("train", ["train", "Train", "training"])
def test_split_folders_are_recognised_by_any_of_their_names(train, validation):
    names = [f"{split}/{label}/1.jpg" for split in ("test", train, validation) for label in ("cat", "dog")]
    row, why, found = recognise(tree(*names))
    assert row.name == "split-folders"
    assert why == f"folders named {train}, {validation}, test, with 2 class folders inside"
    assert [image.split for image in found.images] == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2


def test_classes_are_in_natural_order():
    assert recognise(tree("10/a.jpg", "9/a.jpg", "1/a.jpg"))[2].classes == ("1", "9", "10")


def test_classes_of_all_splits_are_gathered():
    found = recognise(tree("train/cat/1.jpg", "train/dog/1.jpg", "test/emu/1.jpg"))[2]
    assert found.classes == ("cat", "dog", "emu")


@pytest.mark.parametrize("around", ["my data", "a/b/c", "cat", "images"])
def test_folders_that_only_wrap_the_dataset_are_stepped_through(around):
    assert rows(f"{around}/cat/1.jpg", f"{around}/dog/2.jpg", f"{around}/notes/x.txt") == [
        ("cat/1.jpg", "cat", ""),
        ("dog/2.jpg", "dog", ""),
    ]
    assert f"inside {around.split('/')[0]}" in recognise(tree(f"{around}/cat/1.jpg", f"{around}/dog/2.jpg"))[1]


def test_a_wrapped_split_folder_is_recognised():
    assert [split for _, _, split in rows("d/train/a/1.jpg", "d/train/b/1.jpg", "d/val/a/1.jpg")] == [
        "train",
        "train",
        "validation",
    ]


def test_a_training_folder_alone_is_a_split():
    assert {split for _, _, split in rows("train/a/1.jpg", "train/b/1.jpg")} == {"train"}


def test_a_train_beside_other_vehicles_is_a_class():
    names = ["train/steam/1.jpg", "train/2.jpg", "car/1.jpg", "bus/1.jpg"]
    assert {(label, split) for _, label, split in rows(*names)} == {("train", ""), ("car", ""), ("bus", "")}


def test_everything_that_is_left_out_has_its_reason():
    found = recognise(tree("cat/1.jpg", "dog/1", "cat/notes.txt", "loose.jpg", "readme.md"))[2]
    assert {entry.file: entry.reason for entry in found.skipped} == {
        "cat/notes.txt": "a .txt file, which is no picture",
        "loose.jpg": "lies in no class folder",
        "readme.md": "a .md file, which is no picture",
    }
    assert len(found.images) == 2  # a file without an ending may be a picture


def test_files_at_the_wrong_place_of_a_split_have_their_reason():
    names = ["train/cat/1.jpg", "train/dog/1.jpg", "test/7.jpg", "extra/cat/1.jpg", "8.jpg"]
    found = recognise(tree(*names))[2]
    assert {entry.file: entry.reason for entry in found.skipped} == {
        "test/7.jpg": "lies directly in test, in no class folder",
        "extra/cat/1.jpg": "lies in no train, validation or test folder",
        "8.jpg": "lies in no train, validation or test folder",
    }


def test_files_beside_the_wrapping_folder_have_their_reason():
    found = recognise(tree("readme.txt", "data/cat/1.jpg", "data/dog/1.jpg"))[2]
    assert [(entry.file, entry.reason) for entry in found.skipped] == [
        ("readme.txt", "lies outside the folder data, which holds the images")
    ]


CSV = b"file,label\n1.png,cat\n2.png,dog\n3.png,cat\n4.png,dog\n"


@pytest.fixture
def planted(tmp_path):
    """A folder of empty pictures, and files with bytes."""

    def make(*names: str, **files: bytes) -> Tree:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(files.get(name, b""))
        if files:
            (tmp_path / "labels.csv").write_bytes(files["table"])
        return replace(walk(tmp_path), room=tmp_path / "room")

    return make


NAMED = [f"all/{n}.png" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("names", "table", "one", "two"),
    [
        ([*NAMED, "cat/7.png", "dog/8.png"], CSV, "csv", "image-folder"),
        ([*NAMED, "train/cat/7.png", "test/dog/8.png"], CSV, "csv", "split-folders"),
        (["train/cat/1.png", "train/dog/2.png", "cat/3.png", "dog/4.png"], b"", "split-folders", "image-folder"),
        (["images/1.png", "masks/1.png", "cat/3.png", "dog/4.png"], b"", "mask-pairs", "image-folder"),
        ([*NAMED, "images/7.png", "masks/7.png", "images/8.png", "masks/8.png"], CSV, "mask-pairs", "csv"),
    ],
)
def test_half_one_layout_and_half_another_is_refused_until_one_is_chosen_and_its_half_is_read(
    planted, names, table, one, two
):
    tree = planted(*names, **({"table": table} if table else {}))
    told = f"This is laid out in two ways: .* Choose .* \\({one}\\) or .* \\({two}\\),"
    with pytest.raises(DatasetError, match=told) as caught:
        recognise(tree)
    assert "\n" not in str(caught.value)
    assert torn(fitting(tree)[0], {}) == str(caught.value)
    read = {layout: recognise(tree, layout)[2] for layout in (one, two)}
    files = {layout: {image.file.name for image in found.images} for layout, found in read.items()}
    assert all(files.values())
    assert not files[one] & files[two]
    for layout, other in ((one, two), (two, one)):
        assert files[other] <= {entry.file for entry in read[layout].skipped}
        assert read[layout].notes[0].startswith("Left out:")
        assert "laid out in another way" in read[layout].notes[0]


def test_a_small_part_in_another_layout_is_left_out_and_told(planted):
    rest = [f"cat/{n}.png" for n in range(2)] + ["dog/1.png"]
    table = b"file,label\n" + b"".join(b"x%d.png,%s\n" % (n, b"ab"[n % 2 : n % 2 + 1]) for n in range(20))
    tree = planted(*(f"all/x{n}.png" for n in range(20)), *rest, table=table)
    row, _, found = recognise(tree)
    assert (row.name, len(found.images)) == ("csv", 20)
    assert found.notes[0] == (
        "Left out: 3 pictures laid out in another way (class folders: 2 folders with pictures, each taken as a class); "
        "import that part on its own."
    )
    assert {"cat/0.png", "cat/1.png", "dog/1.png"} <= {entry.file for entry in found.skipped}
    assert torn(fitting(tree)[0], {}) == ""


@pytest.mark.parametrize(
    "names",
    [
        ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png"],
        ["train/images/1.png", "train/masks/1.png", "val/images/3.png", "val/masks/3.png"],
        ["train/1.png", "train_gt/1.png", "val/3.png", "val_gt/3.png"],
        ["p1/images/1.png", "p1/masks/1.png", "p2/images/3.png", "p2/masks/3.png"],
        ["cat/1.png", "dog/1.png"],
    ],
)
def test_plain_folders_fit_one_layout_only(names):
    assert len(fitting(tree(*names))) == 1


@pytest.mark.parametrize(
    ("column", "layouts"), [("label", ["csv", "image-folder"]), ("taken by", ["image-folder", "csv"])]
)
def test_a_table_that_names_no_classes_as_such_comes_after_class_folders_and_is_told(planted, column, layouts):
    names = [f"{folder}/{n}.png" for folder in ("cat", "dog") for n in range(4)]
    rows = "".join(f"{name},{'ab'[place % 2]}\n" for place, name in enumerate(names))
    found = planted(*names, table=f"file,{column}\n{rows}".encode())
    assert [fit.reader.name for fit in fitting(found)] == layouts
    row, _, read = recognise(found)
    assert row.name == layouts[0]
    assert read.notes[0].startswith(f"It could be read otherwise, as {layouts[1]}: ")
    assert not [note for note in recognise(found, layouts[0])[2].notes if "otherwise" in note]


def test_arrays_beside_class_folders_are_two_layouts(planted, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((6, 4, 4), np.uint8), labels=np.arange(6) % 2)
    with pytest.raises(DatasetError, match="6 pictures as arrays .* and 4 pictures as class folders"):
        recognise(planted("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"))


@pytest.mark.parametrize(
    "names",
    [
        ["train/images/1.png", "train/masks/1.png", "test/images/2.png", "val/images/3.png"],
        ["images/1.png", "masks/1.png", "images/2.png", "extra/images/3.png"],
        ["train/cat/1.png", "train/dog/1.png", "extra/1.png", "2.png"],
        ["cat/1.png", "dog/1.png", "2.png"],
    ],
)
def test_what_a_layout_leaves_is_no_other_layout_where_nothing_says_so(planted, names):
    tree = planted(*names)
    assert not any("another way" in note for note in recognise(tree)[2].notes)


def test_what_a_layout_does_not_ask_cannot_be_picked():
    with pytest.raises(DatasetError, match="Nothing can be picked in this layout .class folders.: found labels"):
        recognise(tree("cat/1.jpg", "dog/1.jpg"), "image-folder", {"labels": "x"})


def test_a_table_whose_classes_nobody_can_guess_is_recognised_and_asks(planted):
    found = planted(*NAMED, table=b"file,width\n1.png,3\n2.png,3\n3.png,4\n4.png,4\n")
    (fit,) = fitting(found)
    assert (fit.reader.name, fit.why) == ("csv", "what it holds has to be told")
    with pytest.raises(DatasetError, match="Class: the column that .* found nothing that looks like it"):
        recognise(found)
    row, why, read = recognise(found, picks={"labels": "width"})
    assert (row.name, read.classes) == ("csv", ("3", "4"))
    assert why == "what it holds has to be told; picked: class width"


def test_a_layout_that_is_asked_for_is_used():
    names = ["train/cat/1.jpg", "train/dog/1.jpg", "test/cat/1.jpg"]
    assert {label for _, label, _ in rows(*names, layout="image-folder")} == {"train", "test"}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "There are no pictures here: found no file"),
        (["a.txt", "b/c.csv"], "found 2 files, none of which is named like a picture"),
        (["cat/1.jpg", "cat/2.jpg"], "There is only one class here: found 2 pictures in the folder cat"),
        (["1.jpg", "2.jpg"], "cannot be seen: found 2 pictures in no folder"),
        (["images/1.jpg", "masks/2.png"], "1 picture in the folder images, 1 picture in the folder masks"),
        (["1.jpg", "cat/2.jpg"], "1 picture in no folder, 1 picture in the folder cat"),
    ],
)
def test_what_is_no_known_layout_is_refused_with_what_was_found(names, sentence):
    with pytest.raises(DatasetError, match=sentence) as caught:
        recognise(tree(*names))
    assert "\n" not in str(caught.value)


def test_an_unknown_layout_is_refused_with_the_known_ones():
    with pytest.raises(
        DatasetError, match="found 'tfrecord', expected one of mask-pairs, csv, npz, split-folders, image-folder, auto"
    ):
        reader("tfrecord")


@pytest.mark.parametrize("row", READERS, ids=lambda row: row.name)
def test_every_row_can_be_shown_and_found(row):
    assert reader(row.name) is row
    assert row.label
    assert row.sentence
    assert row.recognise(tree()) is None
