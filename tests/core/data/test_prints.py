"""Near duplicates: found whichever way up they are and however they were saved again, and nothing else found."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from core.data.dataset import Change, load_dataset, save_dataset
from core.data.incoming import SplitRule, inspect, keep
from core.data.prints import (
    ALIKE,
    LENGTH,
    PARTNERS,
    PRINTS,
    SIDE,
    TINT_SIDE,
    Pair,
    load_prints,
    near_duplicates,
    pairs_of,
    print_of,
    save_prints,
    twins_of,
)
from core.data.revisions import revise
from core.data.smear import CELLS, draw_cell
from core.data.split import dataset_caution, straddling
from core.errors import DatasetError

CELL = draw_cell(CELLS[0], 96, 0.3, seed=5)


def saved(image: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def smaller(image: Image.Image, share: float) -> Image.Image:
    return image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.BICUBIC)


def stacked(*images: Image.Image) -> np.ndarray:
    return np.stack([print_of(image) for image in images])


FAULTS = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned by 90 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned by 180 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "turned by 270 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "mirrored and turned by 90 degrees": lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    "mirrored and turned by 270 degrees": lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    "nearly the same picture": lambda image: saved(image, 60),
    "resized": lambda image: smaller(image, 0.5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_copy_is_found_with_what_was_done_to_it(workspace, plant, encode, fault):
    content = {
        "a/cell.png": encode(CELL),
        "a/copy.png": encode(FAULTS[fault](CELL)),
        "a/other.png": encode(draw_cell(CELLS[0], 96, 0.3, seed=6)),
        "b/another.png": encode(draw_cell(CELLS[1], 96, 0.3, seed=7)),
    }
    proposal = inspect(workspace, plant("cells", content))
    assert [sample.twins for sample in proposal.samples] == ["000000", "000000", "", ""]
    dataset = keep(workspace, proposal.id, rule=SplitRule(0.5, 0.5, 0))
    (pair,) = pairs_of(dataset)
    assert (pair.first_id, pair.second_id, pair.how) == ("000000", "000001", fault)
    assert 0.5 < pair.likeness <= 1


def test_a_copy_may_have_suffered_several_things_at_once():
    copy = saved(smaller(CELL.transpose(Image.Transpose.ROTATE_90), 0.5), 60)
    ((first, second, difference, _),) = near_duplicates(stacked(CELL, copy))
    assert (first, second) == (0, 1)
    assert 0 < difference < ALIKE


def test_different_cells_of_one_kind_on_one_ground_are_no_twins():
    cells = [draw_cell(kind, 48, 0.3, seed) for kind in CELLS[:4] for seed in range(40)]
    assert near_duplicates(stacked(*cells)) == []


def test_pictures_that_differ_in_nothing_but_colour_are_no_twins():
    bars = np.zeros((40, 40, 3), np.uint8)
    bars[10:30, 5:35] = (200, 40, 40)
    assert near_duplicates(stacked(Image.fromarray(bars), Image.fromarray(bars[..., [1, 2, 0]]))) == []


def test_nearly_blank_pictures_are_no_twins_but_a_faint_one_has_its_copy():
    generator = np.random.default_rng(0)
    blank = [Image.fromarray(np.full((40, 40, 3), 250 - shade, np.uint8)) for shade in range(4)]
    faint = [
        Image.fromarray(120 + generator.integers(0, 12, (4, 4, 3), dtype=np.uint8)).resize((40, 40)) for _ in range(4)
    ]
    found = near_duplicates(stacked(*blank, *faint, ImageOps.flip(faint[2])))
    assert [pair[:2] for pair in found] == [(6, 8)]


def test_a_picture_that_is_its_own_mirror_image_is_not_called_mirrored():
    half = np.asarray(CELL)[:, :48]
    symmetric = Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1))
    ((_, _, _, way),) = near_duplicates(stacked(symmetric, saved(symmetric, 60)))
    assert way == (False, False, False)


def test_the_first_stage_loses_no_pair_that_a_look_at_all_pairs_in_all_ways_finds():
    generator = np.random.default_rng(1)
    ways = [(turns, mirrored) for turns in range(4) for mirrored in (False, True)]
    prints = np.clip(generator.normal(128, 50, (40, LENGTH)), 0, 255).round()

    def laid(one: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
        parts = one[: SIDE**2].reshape(1, SIDE, SIDE), one[SIDE**2 :].reshape(2, TINT_SIDE, TINT_SIDE)
        turned = (np.rot90(part[..., ::-1] if mirrored else part, turns, axes=(1, 2)) for part in parts)
        return np.concatenate([part.ravel() for part in turned])

    def difference(one: np.ndarray, other: np.ndarray) -> float:
        squares = (one - other) ** 2
        return float(np.sqrt(squares[: SIDE**2].mean() + 2 * squares[SIDE**2 :].mean()))

    noise = np.linspace(0.5, 6, 40)[:, None]  # of each copy: from hardly any to more than twins may differ by
    copies = np.stack([laid(one, *ways[place % 8]) for place, one in enumerate(prints)])
    both = np.clip(np.concatenate([prints, copies + noise * generator.normal(size=copies.shape)]), 0, 255).round()
    expected = {
        (one, 40 + other)
        for one in range(40)
        for other in range(40)
        if min(difference(both[40 + other], laid(both[one], *way)) for way in ways) <= ALIKE
    }
    assert 15 < len(expected) < 35
    assert {pair[:2] for pair in near_duplicates(both.astype(np.uint8))} == expected


def test_many_copies_of_one_picture_are_one_cluster_and_not_all_pairs():
    generator = np.random.default_rng(2)
    one = print_of(CELL).astype(float)
    many = np.clip(one + generator.normal(0, 0.6, (700, LENGTH)), 0, 255).round().astype(np.uint8)
    pairs = near_duplicates(many)
    assert len(pairs) <= PARTNERS * 700
    assert {other for _, other, _, _ in pairs} == set(range(1, 700))


def test_clusters_are_named_by_their_first_picture_in_the_order_of_the_samples(tiny_dataset):
    samples = tiny_dataset.samples[:6]
    ids = [sample.id for sample in samples]
    pairs = [Pair(ids[4], ids[1], 1.0, ""), Pair(ids[4], ids[5], 1.0, ""), Pair(ids[2], ids[3], 1.0, "")]
    expected = {ids[1]: ids[1], ids[4]: ids[1], ids[5]: ids[1], ids[2]: ids[2], ids[3]: ids[2]}
    assert twins_of(samples, pairs) == expected


def test_copies_of_a_file_are_twins_too(workspace, plant, encode, paint):
    content = {f"a/{number}.png": encode(paint(1)) for number in range(3)} | {"b/": 4}
    dataset = keep(workspace, inspect(workspace, plant("copies", content)).id)
    assert [(pair.second_id, pair.how, pair.likeness) for pair in pairs_of(dataset)] == [
        ("000001", "the same file", 1.0),
        ("000002", "the same file", 1.0),
    ]
    assert twins_of(dataset.samples, pairs_of(dataset)) == dict.fromkeys(["000000", "000001", "000002"], "000000")
    assert len({sample.split for sample in dataset.samples[:3]}) == 1


def test_drawn_data_has_no_twins(tiny_dataset):
    assert pairs_of(tiny_dataset) == ()
    assert not any(sample.twins for sample in tiny_dataset.samples)


@pytest.mark.parametrize("content", [None, b"", b"no prints", "other"])
def test_a_dataset_without_usable_prints_has_them_made_of_its_thumbnails(workspace, plant, encode, content):
    pictures = {"a/1.png": encode(CELL), "a/2.png": encode(ImageOps.flip(CELL)), "b/": 3}
    dataset = keep(workspace, inspect(workspace, plant("older", pictures)).id)
    file = dataset.folder / PRINTS
    file.unlink()
    if content == "other":
        np.savez(dataset.folder / "prints", digests=np.array([b"a"]), prints=np.zeros((1, 5)))
    elif content is not None:
        file.write_bytes(content)
    (pair,) = pairs_of(dataset)
    assert pair.how == "upside down"
    assert twins_of(dataset.samples, pairs_of(dataset)) == {"000000": "000000", "000001": "000000"}


def test_prints_are_kept_once_for_each_picture_and_read_back(tmp_path, tiny_dataset):
    prints = {sample.digest: print_of(Image.open(tiny_dataset.thumbnail(sample))) for sample in tiny_dataset.samples}
    save_prints(tmp_path, prints)
    back = load_prints(tmp_path, tiny_dataset.samples)
    assert list(back) == list(prints)
    assert all((back[digest] == prints[digest]).all() for digest in prints)


def test_a_picture_whose_thumbnail_is_gone_is_left_out(tmp_path, tiny_dataset):
    lost = replace(tiny_dataset.samples[0], digest="0" * 64)
    assert list(load_prints(tmp_path, [lost])) == []


def test_a_kept_dataset_remembers_its_twins(workspace, plant, encode):
    pictures = {"a/cell.png": encode(CELL), "b/cell.png": encode(ImageOps.mirror(CELL)), "b/": 5, "a/": 5}
    dataset = keep(workspace, inspect(workspace, plant("cells", pictures)).id)
    twins = [sample for sample in load_dataset(dataset.folder).samples if sample.twins]
    assert len(twins) == 2
    assert len({sample.split for sample in twins}) == 1  # though they are of two classes
    assert dataset.split_rule == "70/15/15 stratified by seed 0, near duplicates kept together"


def test_data_imported_before_twins_were_looked_for_are_dealt_anew_with_them(workspace, plant, encode):
    pictures = {"a/cell.png": encode(CELL), "b/cell.png": encode(ImageOps.mirror(CELL)), "b/": 5, "a/": 5}
    dataset = keep(workspace, inspect(workspace, plant("cells", pictures)).id)
    twins = twins_of(dataset.samples, pairs_of(dataset))
    older = replace(dataset, samples=tuple(replace(sample, twins="") for sample in dataset.samples))
    (dataset.folder / PRINTS).unlink()
    save_dataset(older)
    every = tuple(sample.id for sample in older.samples)
    revised = revise(older, [Change("deal", every, SplitRule(0.5, 0.5, 0, seed=3).to_json())])
    assert {sample.id: sample.twins for sample in revised.samples if sample.twins} == twins
    assert not straddling(revised.samples)


def test_where_nothing_but_near_duplicates_is_there_it_is_said_what_would_go(workspace, plant, encode):
    kinds = {"a": CELL, "b": draw_cell(CELLS[1], 96, 0.3, seed=7)}
    pictures = {
        f"{name}/{quality}.jpg": encode(cell, "JPEG", quality=quality)
        for name, cell in kinds.items()
        for quality in (95, 90, 85, 80, 75, 70)
    }
    proposal = inspect(workspace, plant("bursts", pictures))
    with pytest.raises(DatasetError, match=r"no picture for validation.*Let near duplicates be on both sides"):
        keep(workspace, proposal.id)
    dataset = keep(workspace, proposal.id, rule=SplitRule(apart=False))
    assert dataset.split_counts() == {"train": 8, "validation": 2, "test": 2}
    assert dataset.split_rule.endswith("near duplicates scattered on request")
    assert dataset_caution(dataset).startswith("2 sets of near duplicates are in more than one split")
