"""Arrays of pictures and labels: any keys, axes and types; nothing is unpickled, and a bad part costs only itself."""

import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data.readers import arrays
from core.data.readers.catalog import recognise
from core.data.readers.npz_arrays import NPZ_ARRAYS
from core.data.readers.reader import Found
from core.data.tree import Tree, walk
from core.errors import ArchiveError, DatasetError

PICTURES = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(12) % 3


@pytest.fixture
def npz(tmp_path) -> Callable[..., Tree]:
    """A folder with an .npz of these arrays, and room to unpack it."""

    def make(name: str = "cells.npz", **arrays: np.ndarray) -> Tree:
        folder = tmp_path / "set"
        folder.mkdir(exist_ok=True)
        np.savez_compressed(folder / name, **arrays)
        return seen(folder)

    def seen(folder: Path) -> Tree:
        return replace(walk(folder), room=tmp_path / "room")

    return make


def read(tree: Tree, **picks: str) -> Found:
    tree = replace(tree, room=tree.room / str(len(list(tree.room.glob("*")))))
    return NPZ_ARRAYS.read(tree, NPZ_ARRAYS.picks(tree, picks).settled(picks))


def pixels(found: Found) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(image.content()))) for image in found.images])


def labels(found: Found) -> list[str]:
    return [image.label for image in found.images]


def guesses(tree: Tree) -> dict[str, str]:
    return {pick.role: pick.guess for pick in NPZ_ARRAYS.picks(tree, {}).picks}


def test_arrays_are_recognised_with_the_reason_and_read(npz):
    row, why, found = recognise(npz(images=PICTURES, labels=LABELS))
    assert row is NPZ_ARRAYS
    assert why == "cells.npz holds pictures (array images, 12 x 6 x 5 x 3) and their classes (array labels)"
    assert labels(found) == ["0", "1", "2"] * 4
    assert found.images[3].file.name == "cells.npz/images[3]"
    assert (pixels(found) == PICTURES).all()
    assert (found.skipped, found.notes) == ((), ())


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        (PICTURES.transpose(0, 3, 1, 2), PICTURES),
        (np.asfortranarray(PICTURES), PICTURES),
        (PICTURES[..., 0], PICTURES[..., 0]),
        (PICTURES[..., :1], PICTURES[..., 0]),
        (PICTURES[:, None, ..., 0], PICTURES[..., 0]),
        ((PICTURES / 255).astype(np.float32), PICTURES),
        ((PICTURES / 255).astype(np.float16), PICTURES),
        ((PICTURES / 255).astype(">f8"), PICTURES),
        (PICTURES.astype(np.float32), PICTURES),
        (PICTURES.astype(np.int64), PICTURES),
        (PICTURES[..., 0] > 99, (PICTURES[..., 0] > 99) * np.uint8(255)),
    ],
    ids=["first", "fortran", "grey", "one last", "one first", "float", "half", "big", "float 255", "int", "bool"],
)
def test_any_axes_and_types_give_the_same_pixels(npz, stored, seen):
    assert (pixels(read(npz(images=stored, labels=LABELS))) == seen).all()


def test_an_alpha_channel_is_kept_for_whoever_decodes_the_picture(npz):
    alpha = np.concatenate([PICTURES, PICTURES[..., :1]], -1)
    assert (pixels(read(npz(images=alpha, labels=LABELS))) == alpha).all()


@pytest.mark.parametrize(
    ("stored", "classes"),
    [
        (LABELS[:, None], ("0", "1", "2")),
        (LABELS.astype(float), ("0", "1", "2")),
        (LABELS.astype(np.uint8), ("0", "1", "2")),
        (LABELS == 1, ("0", "1")),
        (LABELS * 4 + 2, ("2", "6", "10")),
        (np.eye(3)[LABELS], ("0", "1", "2")),
        (np.array(["süß", "10", "9"])[LABELS], ("9", "10", "süß")),
        (np.array(["süß", "10", "9"], ">U5")[LABELS], ("9", "10", "süß")),
        (np.array([b"b", b"a", b"c"])[LABELS], ("a", "b", "c")),
    ],
)
def test_any_labels_give_classes_in_natural_order(npz, stored, classes):
    assert read(npz(images=PICTURES, labels=stored)).classes == classes


def test_names_are_given_to_classes_and_the_classes_are_in_natural_order(npz):
    found = read(npz(x=PICTURES, y=LABELS, class_names=np.array(["zebra", "ant", "10"])))
    assert labels(found)[:3] == ["zebra", "ant", "10"]
    assert found.classes == ("10", "ant", "zebra")


def test_labels_that_begin_with_one_are_named_from_the_first_name_and_told(npz):
    found = read(npz(x=PICTURES, y=LABELS + 1, names=np.array(["a", "b", "c"])))
    assert labels(found)[:3] == ["a", "b", "c"]
    assert found.notes == ("The labels run from 1 to 3, so 1 is taken for the first of names.",)


def test_a_label_without_a_name_leaves_its_pictures_out(npz):
    found = read(npz(x=PICTURES, y=LABELS, names=np.array(["a", "b"])))
    assert labels(found) == ["a", "b"] * 4
    assert found.skipped[0].reason == "the label 2, for which names has no name (2 names)"
    assert found.notes[0].startswith("Left out: 4 pictures of cells.npz, the first cells.npz/x[2]")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (np.array(["a", "a", "b"]), "two of its names are alike"),
        (np.array(["a", "", "b"]), "a name is empty"),
        (np.array(["a", "b", "c" * 300]), "a name is too long"),
        (np.array(["a", "b", "c"], dtype=object), "it holds pickled Python objects"),
    ],
)
def test_names_that_cannot_be_used_cost_only_the_names(npz, names, reason):
    found = read(npz(images=PICTURES, labels=LABELS, names=names))
    assert found.classes == ("0", "1", "2")
    assert reason in found.notes[0]


def test_other_keys_are_picked_by_the_user_from_a_preview(npz):
    tree = npz(foo=PICTURES, bar=LABELS, noise=np.zeros((12, 40, 40)), scalar=np.float32(3))
    preview = NPZ_ARRAYS.picks(tree, {}).preview
    assert preview[:3] == (
        ("array", "shape and type", "first values"),
        ("foo", "12 x 6 x 5 x 3, uint8", ", ".join(map(str, PICTURES.ravel()[:8]))),
        ("bar", "12, int64", "0, 1, 2, 0, 1, 2, 0, 1"),
    )
    assert (pixels(read(tree, images="foo", labels="bar")) == PICTURES).all()


def test_arrays_named_by_their_splits_are_read_as_one(npz):
    parts = {"test": slice(0, 3), "train": slice(3, 9), "val": slice(9, 12)}
    arrays = {f"{split}_images": PICTURES[part] for split, part in parts.items()}
    tree = npz(**arrays, **{f"{split}_labels": LABELS[part, None] for split, part in parts.items()})
    assert guesses(tree)["labels"] == "train_labels + val_labels + test_labels"
    found = read(tree)
    assert [image.split for image in found.images] == ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    assert (pixels(found) == PICTURES[[*range(3, 12), *range(3)]]).all()
    assert {image.split for image in read(tree, images="val_images", labels="val_labels").images} == {""}


def test_files_named_by_their_splits_are_read_as_one(npz):
    npz("test.npz", x=PICTURES[:3], y=LABELS[:3])
    tree = npz("train.npz", x=PICTURES[3:], y=LABELS[3:])
    assert guesses(tree)["file"] == "train.npz + test.npz"
    assert [image.split for image in read(tree).images] == ["train"] * 9 + ["test"] * 3


def test_a_split_whose_lengths_differ_is_left_out_and_the_others_are_read(npz):
    tree = npz(train_x=PICTURES[:8], train_y=LABELS[:8], test_x=PICTURES[8:], test_y=LABELS[8:11])
    found = read(tree)
    assert [image.split for image in found.images] == ["train"] * 8
    assert found.notes[0].startswith(
        "Left out: all of test. The arrays test_x and test_y of cells.npz differ in length"
    )


def test_rows_outside_the_range_of_the_others_are_left_out(npz):
    floats = (PICTURES / 255).astype(np.float32)
    floats[2, 0, 0, 0], floats[5, 0, 0, 0] = np.nan, 7
    found = read(npz(images=floats, labels=LABELS))
    assert [entry.file for entry in found.skipped] == ["cells.npz/images[2]", "cells.npz/images[5]"]
    assert len(found.images) == 10


class Bomb:
    """Something that would be noticed if it were ever unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (
            {"images": PICTURES, "labels": LABELS[:9]},
            "arrays images and labels of cells.npz differ in length: found 12 pictures and 9 labels, expected",
        ),
        (
            {"images": PICTURES, "labels": np.array([Bomb()] * 12, dtype=object)},
            "array labels of cells.npz cannot be read: found pickled Python objects, .* expected numbers or text",
        ),
        (
            {"images": np.array([Bomb(), None], dtype=object), "labels": LABELS[:2]},
            "array images of cells.npz cannot be read: found pickled Python objects",
        ),
        (
            {"images": PICTURES.reshape(12, -1), "labels": LABELS},
            "array images of cells.npz holds no pictures: found 12 x 90, uint8, expected N x H x W x 3, N x 3 x H x W",
        ),
        ({"images": PICTURES[None], "labels": LABELS}, "holds no pictures: found 1 x 12 x 6 x 5 x 3"),
        ({"images": PICTURES[..., :2], "labels": LABELS}, "holds no pictures: found 12 x 6 x 5 x 2"),
        ({"images": PICTURES.astype("U3"), "labels": LABELS}, "holds no pictures: found 12 x 6 x 5 x 3, <U3"),
        ({"images": PICTURES * 1j, "labels": LABELS}, "cannot be read: found values of the type complex128"),
        ({"images": PICTURES[:0], "labels": LABELS[:0]}, "holds no pictures: found 0 x 6 x 5 x 3"),
        (
            {"images": PICTURES / 127.5 - 1, "labels": LABELS},
            "holds values that are no colours: found -1 to 1, expected uint8, or float from 0 to 1",
        ),
        ({"images": PICTURES.astype(np.uint16) * 257, "labels": LABELS}, "no colours: found 0 to 65535"),
        ({"images": np.zeros((200_001, 1, 1), np.uint8), "labels": np.zeros(200_001)}, "is too long: found 200,001"),
        ({"images": PICTURES, "labels": LABELS + 0.5}, "holds no labels: found numbers such as 0.5, expected whole"),
        ({"images": PICTURES, "labels": np.ones((12, 4))}, "gives no picture one class: found 4 numbers"),
        ({"images": PICTURES, "labels": np.full(12, np.nan)}, "No picture of cells.npz .* found .*: no label"),
        ({"a": np.float64(1)}, "Pictures: the array of the pictures, .* found nothing that looks like it"),
    ],
)
def test_what_is_no_dataset_is_refused_in_one_sentence(npz, arrays, sentence):
    tree = npz(**arrays)
    with pytest.raises(DatasetError, match=sentence) as caught:
        read(tree)
    assert "\n" not in str(caught.value)


def test_labels_that_differ_for_every_picture_are_no_classes(npz):
    pictures = np.zeros((30, 4, 4), np.uint8)
    with pytest.raises(DatasetError, match="30 different values for 30 pictures, such as '0'"):
        read(npz(images=pictures, labels=np.arange(30)))


def test_one_array_cannot_be_pictures_and_labels(npz):
    with pytest.raises(DatasetError, match="One array cannot be the pictures and their labels"):
        read(npz(images=PICTURES, labels=LABELS), labels="images")


@pytest.mark.parametrize("keep", [0, 10, 0.5, -30])
def test_a_file_that_is_cut_off_is_refused(npz, keep):
    tree = npz(images=PICTURES, labels=LABELS)
    path = tree.files[0].path
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep or 0])
    with pytest.raises(ArchiveError, match="cells.npz cannot be read: found a file that is cut off or no .npz"):
        recognise(tree)


def test_a_damaged_array_is_refused(npz, tmp_path):
    tree = npz(images=PICTURES, labels=LABELS)
    path = tree.files[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="array images of cells.npz cannot be read: found data that is damaged"):
        recognise(tree)
    large = np.random.default_rng(1).integers(0, 256, (40, 30, 30), dtype=np.uint8)
    tree = npz(images=large, labels=np.arange(40) % 2)  # its beginning is sound
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"cells.npz cannot be read: found .*'images.npy': damaged"):
        recognise(tree)


def _entry(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("columns_first", [False, True])
def test_of_an_array_that_ends_too_early_the_whole_rows_are_read(npz, columns_first):
    tree = npz(images=PICTURES, labels=LABELS)
    images = _entry(np.asfortranarray(PICTURES) if columns_first else PICTURES)
    with zipfile.ZipFile(tree.files[0].path, "w") as archive:
        archive.writestr("images.npy", images[: -PICTURES[0].nbytes * 3 // 2])
        archive.writestr("labels.npy", _entry(LABELS))
    if columns_first:  # whose rows are spread over all of it
        with pytest.raises(DatasetError, match="array images is cut off"):
            read(tree)
        return
    found = read(tree)
    assert (pixels(found) == PICTURES[:10]).all()
    assert found.notes == ("cells.npz is cut off: 10 of 12 pictures are read; save it again to have the others.",)


@pytest.mark.parametrize(
    "header",
    [
        b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
        b"\x93NUMPY\x01\x00\xff\xff" + b"[" * 65_535,
        b"\x93NUMPY\x09\x00",
        b"no array",
        b"",
        b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 4, 4), }".ljust(70),
        b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '<U0', 'fortran_order': False, 'shape': (3, 4, 4), }".ljust(70),
        b"\x93NUMPY\x01\x00\x56\x00"
        + b"{'descr': '|u1', 'fortran_order': False, 'shape': (10**9, 10**9, 3), }".ljust(86),
        b"\x93NUMPY\x01\x00\x56\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 4, 4), }".ljust(86),
    ],
)
def test_headers_that_lie_are_refused_without_harm(npz, header):
    tree = npz(images=PICTURES, labels=LABELS)
    with zipfile.ZipFile(tree.files[0].path, "w") as archive:
        archive.writestr("images.npy", header)
        archive.writestr("labels.npy", _entry(LABELS))
    with pytest.raises(DatasetError):
        read(tree)


def test_a_class_is_one_line_without_control_characters_and_not_endless(npz):
    found = read(npz(images=PICTURES, labels=np.array(["big\n cat", "d\x07og", "x" * 300])[LABELS]))
    assert found.classes == ("big cat", "dog")
    assert found.skipped[0].reason == "a text of 300 letters for a class"


def test_letters_that_are_none_do_no_harm(npz):
    tree = npz(images=PICTURES, labels=LABELS)
    text = _entry(np.array(["aa", "bb", "cc"])[LABELS])
    with zipfile.ZipFile(tree.files[0].path, "w") as archive:
        archive.writestr("images.npy", _entry(PICTURES))
        archive.writestr("labels.npy", text.replace("bb".encode("utf-32-le"), b"\xff" * 8))
    assert len(read(tree).images) == 12


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(npz, tmp_path):
    tree = npz(images=np.zeros((200, 512, 512), np.uint8), labels=np.arange(200) % 2)
    with pytest.raises(ArchiveError, match="zip bomb"):
        read(tree, images="images", labels="labels")
    assert not list((tmp_path / "room").rglob("*.npy"))


def test_arrays_of_something_else_beside_class_folders_leave_them_alone(npz, tmp_path):
    npz("features.npz", features=np.zeros((12, 40)))
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir()
        (tmp_path / "set" / name / "1.png").write_bytes(b"")
    assert recognise(replace(walk(tmp_path / "set"), room=tmp_path / "room"))[0].name == "image-folder"


def test_a_file_of_very_many_arrays_is_refused_and_does_not_fill_the_memory(npz):
    tree = npz(images=PICTURES, labels=LABELS)
    with zipfile.ZipFile(tree.files[0].path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6000):
            archive.writestr(f"{number}.npy", bytes(16_384))
    tracemalloc.start()
    with pytest.raises(DatasetError, match="6,000"):
        read(tree)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024**2


def test_a_value_of_a_gigabyte_is_not_read_to_be_shown(tmp_path):
    path = tmp_path / "labels.npy"
    header = b"{'descr': '|S1000000000', 'fortran_order': False, 'shape': (2,), }".ljust(118)
    path.write_bytes(b"\x93NUMPY\x01\x00\x76\x00" + header)
    os.truncate(path, 2_000_000_128)
    tracemalloc.start()
    rows = arrays._rows("labels", path)
    with pytest.raises(DatasetError, match="too large"):
        rows.whole()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 1024**2


def test_an_array_with_the_name_of_a_hidden_file_is_none(npz):
    assert "images" in guesses(npz(**{".images": PICTURES, "images": PICTURES, "labels": LABELS}))["images"]
    with pytest.raises(DatasetError, match="nothing that looks like it"):
        read(npz(**{".images": PICTURES, ".labels": LABELS}))


def test_of_two_arrays_of_one_name_the_first_is_looked_at_and_read(npz):
    tree = npz(images=PICTURES, labels=LABELS)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tree.files[0].path, "a") as archive:
        archive.writestr("images.npy", _entry(PICTURES[:, :, :, 0]))
    assert (pixels(read(tree)) == PICTURES).all()


def test_an_empty_array_of_names_costs_only_the_names(npz):
    found = read(npz(images=PICTURES, labels=LABELS, class_names=np.array([], "U5")), names="class_names")
    assert found.classes == ("0", "1", "2")
    assert "class_names is not used for the names of classes: it holds no values" in found.notes[0]
