"""What can be computed again takes a bounded part of the disk, and never from under a run."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.cache import cache_folder, forget, trim
from core.data.library import Library
from core.data.loading import DecodedImages

OLD, MIDDLE, NEW = (cache_folder(Path(), id).name for id in ("old", "middle", "new"))
SIZE = 100_000  # bytes


@pytest.fixture
def cache(tmp_path):
    """Three folders of 100 kB, last used one hour after another, beside what is no cache of a dataset."""
    for hour, name in enumerate((OLD, MIDDLE, NEW)):
        file = tmp_path / name / "images" / "t.rows"
        file.parent.mkdir(parents=True)
        file.write_bytes(os.urandom(SIZE))
        os.utime(tmp_path / name, (3600 * hour, 3600 * hour))
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "a.zip").write_bytes(os.urandom(SIZE))
    (tmp_path / "runs.json").write_text("{}")
    return tmp_path


def nothing():
    return ()


def names(cache):
    return {path.name for path in cache.iterdir()} - {"uploads", "runs.json"}


def test_what_was_not_used_for_longest_goes_first(cache):
    assert trim(cache, nothing, limit=2.5 * SIZE) == [OLD]
    assert names(cache) == {MIDDLE, NEW}
    assert (cache / "uploads" / "a.zip").exists()
    assert (cache / "runs.json").exists()


def test_what_a_run_uses_stays_even_when_it_alone_is_too_much(cache):
    assert trim(cache, lambda: {"old"}, limit=0) == [MIDDLE, NEW]
    assert names(cache) == {OLD}


def test_nobody_is_asked_while_there_is_room(cache):
    def never():
        raise AssertionError("not to be called")

    assert trim(cache, never, limit=4 * SIZE) == []
    assert trim(cache, never) == []  # 20 GB, or a quarter of this disk
    assert trim(cache / "not there", never) == []
    assert names(cache) == {OLD, MIDDLE, NEW}


def test_empty_rows_are_not_counted(cache):
    with open(cache / OLD / "images" / "t.rows", "r+b") as file:
        file.truncate(1000 * SIZE)
    assert trim(cache, nothing, limit=4 * SIZE) == []


def test_opening_decoded_images_counts_as_use(workspace, tiny_dataset):
    with DecodedImages(tiny_dataset, 16, "crop", workspace.cache) as images:
        images.get([0])
    folder = cache_folder(workspace.cache, tiny_dataset.id)
    os.utime(folder, (0, 0))
    with DecodedImages(tiny_dataset, 16, "crop", workspace.cache):
        assert folder.stat().st_mtime > 0


def test_other_labels_and_splits_of_a_dataset_share_its_decoded_images(workspace, tiny_dataset):
    with DecodedImages(tiny_dataset, 16, "crop", workspace.cache) as images:
        first = images.get(range(len(tiny_dataset.samples)))
    for sample in tiny_dataset.samples:
        tiny_dataset.path(sample).unlink()
    samples = tuple(replace(sample, label=0, split="train") for sample in tiny_dataset.samples[::-1])
    with DecodedImages(replace(tiny_dataset, samples=samples, fingerprint="f"), 16, "crop", workspace.cache) as images:
        assert (images.get(range(len(samples))) == first[::-1]).all()


def test_the_cache_goes_with_its_dataset_and_leaves_that_of_others(workspace, tiny_dataset):
    twin = replace(tiny_dataset, id="twin-000000")
    for dataset in (tiny_dataset, twin):
        with DecodedImages(dataset, 16, "crop", workspace.cache) as images:
            images.get([0])
    Library(workspace).delete(tiny_dataset.id)
    assert not cache_folder(workspace.cache, tiny_dataset.id).exists()
    assert list(cache_folder(workspace.cache, twin.id).glob("images/*.rows"))


@pytest.mark.parametrize("name", ["", ".", "..", "../runs", "uploads", "/"])
def test_only_folders_of_datasets_are_ever_deleted(cache, name):
    forget(cache / "inside", name)
    forget(cache, name)
    assert (cache / "uploads" / "a.zip").exists()
    assert names(cache) == {OLD, MIDDLE, NEW}
