"""Images find their masks by folders, by words in their names, or by both; the rest says what it looked for."""

from pathlib import Path

import pytest

from core.data.readers.catalog import recognise
from core.data.readers.mask_pairs import MASK_PAIRS
from core.data.tree import Tree, TreeFile
from core.errors import DatasetError


def tree(*names: str) -> Tree:
    return Tree.of(TreeFile(tuple(name.split("/")), Path(name)) for name in names)


def pairs(*names: str) -> dict[str, str]:
    """image: mask, of a tree that is recognised as pairs."""
    row, _, found = recognise(tree(*names))
    assert row is MASK_PAIRS
    assert found.classes == ()
    return {image.file.name: image.mask.name for image in found.images}


def skipped(*names: str) -> dict[str, str]:
    row, _, found = recognise(tree(*names))
    assert row is MASK_PAIRS
    return {entry.file: entry.reason for entry in found.skipped}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("Images", "Masks"),
        ("img", "label"),
        ("imgs", "labels"),
        ("image", "mask"),
        ("inputs", "targets"),
        ("photos", "annotations"),
        ("JPEGImages", "SegmentationClass"),
        ("Original", "Ground Truth"),
        ("x", "ground-truth"),
        ("train", "train_gt"),
        ("train", "train_masks"),
        ("train_images", "train_labels"),
        ("cells", "cells_mask"),
        ("images/deep/er", "masks/deep/er"),
        ("data/a/images", "data/a/masks"),
        ("masks/images", "masks/masks"),
        ("train/train", "train_gt/train_gt"),
        ("train", "trainannot"),
        ("Task1-2_Training_Input", "Task1_Training_GroundTruth"),
        ("images", "annotations/trimaps"),
    ],
)
def test_two_folders_are_paired_by_the_names_in_them(images, masks):
    images = "" if images == "x" else f"{images}/"
    names = [f"{images}{stem}.jpg" for stem in ("1", "2", "A b")] + [
        f"{masks}/{stem}.png" for stem in ("1", "2", "a B")
    ]
    assert pairs(*names) == {
        f"{images}1.jpg": f"{masks}/1.png",
        f"{images}2.jpg": f"{masks}/2.png",
        f"{images}A b.jpg": f"{masks}/a B.png",
    }


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("7_image", "7_mask"),
        ("7_img", "7_annotation"),
        ("7", "7_mask"),
        ("7", "7-mask"),
        ("7", "7 label"),
        ("7", "7_segmentation"),
        ("7", "7_Seg"),
        ("7", "7_GT"),
        ("image_7", "mask_7"),
        ("img7", "mask7"),
        ("IMG_7", "IMG_7_mask"),
        ("a_7_x", "a_7_x_labels"),
    ],
)
def test_a_word_in_the_name_tells_image_and_mask_apart(image, mask):
    assert pairs(f"{image}.png", f"{mask}.png") == {f"{image}.png": f"{mask}.png"}
    assert pairs(f"images/{image}.png", f"masks/{mask}.png") == {f"images/{image}.png": f"masks/{mask}.png"}


def test_a_whole_name_wins_over_one_without_its_last_word():
    assert pairs("images/a.jpg", "images/a_label.jpg", "masks/a.png", "masks/a_label.png") == {
        "images/a.jpg": "masks/a.png",
        "images/a_label.jpg": "masks/a_label.png",
    }


def test_masks_may_lie_beside_their_images_in_the_image_folder():
    assert pairs("images/a.jpg", "images/a_mask.png", "images/b.jpg", "images/b_mask.png") == {
        "images/a.jpg": "images/a_mask.png",
        "images/b.jpg": "images/b_mask.png",
    }


def test_where_nothing_says_what_is_what_the_png_beside_a_jpeg_of_the_same_name_is_the_mask():
    assert pairs("1.jpg", "1.png", "b/2.jpeg", "b/2.png") == {"1.jpg": "1.png", "b/2.jpeg": "b/2.png"}


def test_splits_are_given_by_folders_above_or_below_the_roles():
    for pattern in ("{split}/{role}/{stem}", "{role}/{split}/{stem}"):
        names = [
            pattern.format(split=split, role=role, stem=f"{stem}.png")
            for split in ("test", "train", "val")
            for role in ("images", "masks")
            for stem in (1, 2)
        ]
        found = recognise(tree(*names))[2]
        assert [image.split for image in found.images] == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
        assert all(image.file.name.replace("images", "masks") == image.mask.name for image in found.images)


def test_train_beside_train_gt_with_a_test_folder_without_masks_gives_no_split():
    names = ["train/1.jpeg", "train/2.jpeg", "train_gt/1.jpeg", "train_gt/2.jpeg", "test/9.jpeg"]
    found = recognise(tree(*names))[2]
    assert [(image.file.name, image.mask.name, image.split) for image in found.images] == [
        ("train/1.jpeg", "train_gt/1.jpeg", ""),
        ("train/2.jpeg", "train_gt/2.jpeg", ""),
    ]
    assert {entry.file: entry.reason for entry in found.skipped} == {
        "test/9.jpeg": "has no mask: no mask here is called test/9"
    }


def test_what_has_no_partner_is_skipped_and_the_partner_named():
    names = ["images/1.jpg", "images/2.jpg", "images/3.jpg", "masks/1.png", "masks/2.png", "masks/4.png", "labels.csv"]
    assert skipped(*names) == {
        "labels.csv": "a .csv file, which is no picture",
        "images/3.jpg": "has no mask: no mask here is called 3",
        "masks/4.png": "a mask without its image: no image here is called 4",
    }


def test_two_masks_for_one_image_are_ambiguous_and_none_is_taken():
    names = ["images/1.jpg", "images/2.jpg", "masks/1.png", "masks/1.bmp", "masks/2.png"]
    reason = "several masks for one image: masks/1.bmp, masks/1.png"
    assert skipped(*names) == dict.fromkeys(["images/1.jpg", "masks/1.png", "masks/1.bmp"], reason)
    assert pairs(*names) == {"images/2.jpg": "masks/2.png"}


def test_two_images_for_one_mask_are_ambiguous_and_none_is_taken():
    names = ["images/1.jpg", "images/1.png", "images/2.jpg", "masks/1.png", "masks/2.png"]
    reason = "several images for one mask: images/1.jpg, images/1.png"
    assert skipped(*names) == dict.fromkeys(["images/1.jpg", "images/1.png", "masks/1.png"], reason)


def test_a_second_numbered_mask_makes_its_image_ambiguous():
    names = ["tumour (1).png", "tumour (1)_mask.png", "tumour (1)_mask_1.png", "tumour (2).png", "tumour (2)_mask.png"]
    assert pairs(*names) == {"tumour (2).png": "tumour (2)_mask.png"}
    reason = "several masks for one image: tumour (1)_mask.png, tumour (1)_mask_1.png"
    assert skipped(*names) == dict.fromkeys(names[:3], reason)


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["mask/1.jpg", "no_mask/1.jpg"], "image-folder"),
        (["with_mask/1.jpg", "without_mask/1.jpg"], "image-folder"),
        (["mask/1.jpg", "face/2.jpg"], "image-folder"),
        (["label/1.jpg", "ring/1.jpg", "ring/2.jpg"], "image-folder"),
        (["label/img_1.jpg", "ring/img_1.jpg", "ring/img_2.jpg"], "image-folder"),
        (["cat/img_1.jpg", "dog/img_1.jpg", "dog/img_2.jpg"], "image-folder"),
        (["cat/1.jpg", "cat/1_mask.jpg", "cat/a_mask.jpg", "cat/b_mask.jpg", "dog/2.jpg"], "image-folder"),
        (["train/mask/1.jpg", "train/none/1.jpg", "test/mask/1.jpg", "test/none/1.jpg"], "split-folders"),
        (["cat/1.jpg", "cat/1.png", "dog/2.jpg"], "image-folder"),
    ],
)
def test_class_folders_that_only_sound_like_masks_stay_class_folders(names, layout):
    assert recognise(tree(*names))[0].name == layout


@pytest.mark.parametrize(
    "names",
    [
        ["images/1.jpg", "images/2.jpg", "masks/1.png", "masks/2.png"],
        ["train/images/1.jpg", "train/masks/1.png", "val/images/1.jpg", "val/masks/1.png"],
        ["train/1.jpg", "train_gt/1.png", "val/1.jpg", "val_gt/1.png"],
    ],
)
def test_pairs_are_not_taken_for_classes(names):
    assert recognise(tree(*names))[0] is MASK_PAIRS


def test_folders_may_differ_only_where_nothing_else_meets():
    names = ["a/images/1.jpg", "a/masks/1.png", "b/images/2.jpg", "c/masks/2.png"]
    assert pairs(*names) == {"a/images/1.jpg": "a/masks/1.png"}
    assert skipped(*names) == {
        "b/images/2.jpg": "has no mask: no mask here is called b/2",
        "c/masks/2.png": "a mask without its image: no image here is called c/2",
    }


def test_names_that_never_meet_are_no_pairs():
    with pytest.raises(DatasetError, match="1 picture in the folder images, 1 picture in the folder masks"):
        recognise(tree("images/a.jpg", "masks/b.png"))


def test_a_set_of_which_only_some_images_have_a_mask_yet_is_recognised():
    names = [f"images/{number}.jpg" for number in range(10)] + ["masks/3.png"]
    assert pairs(*names) == {"images/3.jpg": "masks/3.png"}
    assert len(skipped(*names)) == 9
