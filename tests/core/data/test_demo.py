"""The demo sets: every dial does what it says, and the same dials give the same images."""

import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data.demo import DEMOS, demo, make_demo, plan_polyps, plan_smear
from core.data.incoming import keep
from core.data.mask_files import read_mask
from core.data.smear import CELLS
from core.errors import DatasetError, RecipeError
from core.knobs import check_values

SMALL = {"images": 48, "size": 24}


def plan(**values):
    return plan_smear(check_values(demo("blood-smear").knobs, values, "demo"))


@pytest.mark.parametrize("row", DEMOS, ids=lambda row: row.name)
def test_every_row_can_be_shown(row):
    assert demo(row.name) is row
    assert row.label
    assert row.sentence
    assert check_values(row.knobs, {}, row.name)


def test_an_unknown_demo_is_refused_with_the_known_ones(workspace):
    with pytest.raises(
        DatasetError, match="found 'mnist', expected one of blood-smear, blood-smear-masks, polyps, digits"
    ):
        make_demo(workspace, "mnist")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"classes": 9}, "blood-smear.classes: found 9, expected a whole number from 2 to 8"),
        ({"colour": 1}, "blood-smear.colour: found a name nobody knows"),
        ({"label_noise": 0.9}, "a number from 0 to 0.5"),
    ],
)
def test_a_dial_out_of_range_is_refused_and_leaves_nothing(workspace, values, sentence):
    with pytest.raises(RecipeError, match=sentence):
        make_demo(workspace, "blood-smear", values)
    assert not workspace.root.exists()


def test_a_demo_is_proposed_like_any_import_and_kept_like_any_import(workspace):
    steps = []
    proposal = make_demo(workspace, "blood-smear", SMALL, lambda *step: steps.append(step))
    assert proposal.layout == "image-folder"
    assert proposal.source.startswith("demo blood-smear: classes 4, images 48, size 24")
    assert proposal.counts() == {"": dict.fromkeys(sorted(kind.name for kind in CELLS[:4]), 12)}
    assert steps == [(done, 96) for done in range(1, 97)]
    dataset = keep(workspace, proposal.id)
    assert dataset.name == "Blood smear"
    assert dataset.split_counts() == {"train": 32, "validation": 8, "test": 8}
    assert {(sample.width, sample.height, sample.format) for sample in dataset.samples} == {(24, 24, "JPEG")}
    assert not (dataset.folder / "unpacked").exists()


def test_the_same_dials_draw_the_same_images_and_another_seed_draws_others(workspace):
    def fingerprint(**values):
        return keep(workspace, make_demo(workspace, "blood-smear", SMALL | values).id).fingerprint

    assert fingerprint() == fingerprint()
    assert fingerprint(seed=1) != fingerprint()


@pytest.mark.parametrize("classes", [2, 5, 8])
def test_the_class_dial_sets_the_classes(classes):
    assert Counter(row.label for row in plan(classes=classes, images=80)) == Counter(
        {kind.name: 80 // classes for kind in CELLS[:classes]}
    )


def test_the_imbalance_dial_is_the_ratio_of_the_commonest_to_the_rarest_class():
    counted = Counter(row.label for row in plan(images=1000, imbalance=10))
    ordered = [counted[kind.name] for kind in CELLS[:4]]
    assert ordered == sorted(ordered, reverse=True)
    assert ordered[0] / ordered[-1] == pytest.approx(10, rel=0.1)
    assert sum(ordered) == 1000


@pytest.mark.parametrize("images", [24, 100, 400])
def test_no_class_has_fewer_than_three_images(images):
    counted = Counter(row.label for row in plan(images=images, classes=8, imbalance=50))
    assert sum(counted.values()) == images
    assert min(counted.values()) >= 3
    assert len(counted) == 8


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_label_noise_dial_is_the_share_of_wrong_labels(share):
    rows = plan(images=200, label_noise=share)
    assert sum(row.kind.name != row.label for row in rows) == round(200 * share)


def test_without_the_duplicates_dial_nothing_is_copied_and_no_split_is_given():
    assert all(row.copy_of is None and row.split == "" for row in plan())


def test_the_duplicates_dial_is_the_share_of_examined_images_that_were_trained_on(workspace):
    rows = plan(images=400, duplicates=0.25)
    examined = [row for row in rows if row.split != "train"]
    copies = [row for row in examined if row.copy_of is not None]
    assert len(copies) == round(0.25 * len(examined))
    assert all(row.copy_of is None for row in rows if row.split == "train")
    assert all(rows[row.copy_of].split == "train" and rows[row.copy_of].label == row.label for row in copies)

    dataset = keep(workspace, make_demo(workspace, "blood-smear", {"images": 80, "size": 24, "duplicates": 0.25}).id)
    trained = {sample.digest for sample in dataset.of("train")}
    leaked = [sample for split in ("validation", "test") for sample in dataset.of(split) if sample.digest in trained]
    assert dataset.split_rule == "given by the folders"
    assert len(leaked) == round(0.25 * 24)


def test_the_number_of_a_cell_says_nothing_about_its_kind():
    kinds = [row.kind.name for row in plan(images=400)]
    assert len(set(kinds[:20])) == 4
    assert sum(one == other for one, other in pairwise(kinds)) < 140


def test_digits_are_the_real_ones(workspace):
    from sklearn.datasets import load_digits

    proposal = make_demo(workspace, "digits", {"images": 50})
    assert proposal.classes == tuple("0123456789")
    real = load_digits()
    for sample in proposal.samples:
        place = int(Path(sample.name).stem.removeprefix("digit-"))
        assert proposal.classes[sample.label] == str(real.target[place])
        with Image.open(proposal.folder / sample.file) as image:
            small = np.asarray(image.resize((8, 8), Image.Resampling.BOX), float)
        assert np.corrcoef(small.ravel(), real.images[place].ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("name", "classes", "values"),
    [
        ("blood-smear-masks", ("background", "cytoplasm", "nucleus"), ("0", "128", "255")),
        ("polyps", ("background", "neoplastic", "non-neoplastic"), ("#000000", "#ff0000", "#00ff00")),
    ],
)
def test_the_demos_with_masks_are_imported_like_any_pairs_and_know_their_classes(workspace, name, classes, values):
    steps = []
    proposal = make_demo(workspace, name, {"images": 30, "size": 32}, lambda *step: steps.append(step))
    assert proposal.layout == "mask-pairs"
    assert proposal.classes == classes
    assert proposal.mask_map.pairs == tuple(zip(values, classes, strict=True))
    assert proposal.skipped == ()
    assert proposal.masks.noise_pixels == 0
    assert steps == [(done, 60) for done in range(1, 61)]
    dataset = keep(workspace, proposal.id)
    assert dataset.task == "segmentation"
    assert dataset.classes == classes
    assert all(min(counts.values()) > 0 for counts in dataset.counts().values())
    again = keep(workspace, make_demo(workspace, name, {"images": 30, "size": 32}).id)
    other = keep(workspace, make_demo(workspace, name, {"images": 30, "size": 32, "seed": 1}).id)
    assert again.fingerprint == dataset.fingerprint != other.fingerprint


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_the_empty_dial_is_the_share_of_pictures_without_a_polyp(workspace, share):
    row = demo("polyps")
    planned = plan_polyps(check_values(row.knobs, {"images": 80, "empty": share}, row.name))
    assert sum(not kinds for kinds in planned) == round(80 * share)
    proposal = make_demo(workspace, "polyps", {"images": 24, "size": 32, "empty": share})
    assert sum(sample.holds == (0,) for sample in proposal.samples) == round(24 * share)


def test_jpeg_masks_of_the_polyps_are_snapped_back_to_their_classes(workspace):
    values = {"images": 24, "size": 64}
    clean = make_demo(workspace, "polyps", values)
    noisy = make_demo(workspace, "polyps", values | {"jpeg_masks": True})
    assert noisy.masks.lossy
    assert noisy.masks.noise_share > 0.01
    assert noisy.mask_map.pairs == clean.mask_map.pairs
    assert noisy.skipped == ()
    for one, other in zip(clean.samples, noisy.samples, strict=True):
        assert np.abs(np.subtract(one.pixels, other.pixels)).sum() < 0.02 * 64 * 64


def test_the_mask_noise_dial_moves_outlines(workspace):
    def masks(noise):
        values = {"images": 24, "size": 48, "mask_noise": noise}
        dataset = keep(workspace, make_demo(workspace, "blood-smear-masks", values).id)
        return np.stack([read_mask(dataset.mask(sample)) for sample in dataset.samples])

    clean, noisy = masks(0.0), masks(0.8)
    assert 0.01 < (clean != noisy).mean() < 0.2


def test_core_data_loads_nothing_heavy():
    """The web process imports all of it, and stays light."""
    modules = sorted(path.stem for path in (Path(__file__).parents[3] / "core" / "data").glob("*.py"))
    code = f"import importlib, sys\nfor name in {modules}: importlib.import_module('core.data.' + name)\n"
    code += "print(sorted({'torch', 'torchvision', 'timm', 'sklearn', 'scipy', 'streamlit'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
