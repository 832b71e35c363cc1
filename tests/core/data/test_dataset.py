"""A dataset on disk: what is saved is what is loaded, whatever the names are."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data.dataset import SPLITS, Dataset, Sample, Skipped, fingerprint_of, load_dataset, save_dataset
from core.errors import DatasetError


def dataset(folder: Path, names: list[str]) -> Dataset:
    samples = tuple(
        Sample(f"{n:06d}", f"files/{n}.png", name, n % 2, SPLITS[n % 3], 16 + n, 12, f"digest{n}", "PNG")
        for n, name in enumerate(names)
    )
    return Dataset(
        folder=folder,
        id="set-000000",
        name="A set",
        task="classification",
        classes=("cat", 'it\'s a "<b>dog</b>" 🐕'),
        layout="image-folder",
        source="somewhere",
        created=1234.5,
        fingerprint="0" * 16,
        split_rule="70/15/15 stratified by seed 0",
        samples=samples,
        skipped=(Skipped("a, b.txt", 'no "picture"'),),
        bytes=77,
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_what_is_saved_is_loaded_whatever_the_names_are(tmp_path, names):
    before = dataset(tmp_path, names)
    save_dataset(before)
    assert load_dataset(tmp_path) == before


def test_splits_and_counts_are_in_their_usual_order(tmp_path):
    some = dataset(tmp_path, list("abcde"))
    assert list(some.split_counts().items()) == [("train", 2), ("validation", 2), ("test", 1)]
    assert some.counts()["train"] == {some.classes[0]: 1, some.classes[1]: 1}
    assert some.counts()["test"] == {some.classes[0]: 1, some.classes[1]: 0}
    assert [sample.name for sample in some.of("validation")] == ["b", "e"]


def test_a_split_without_images_is_not_counted(tmp_path):
    assert dataset(tmp_path, ["a", "b"]).split_counts() == {"train": 1, "validation": 1}
    assert dataset(tmp_path, ["a", "b"]).of("test") == ()


def test_a_sample_is_found_by_its_id(tmp_path):
    some = dataset(tmp_path, ["a", "b"])
    assert some.sample("000001").name == "b"
    with pytest.raises(DatasetError, match="found '7', expected an id from 000000 to 000001"):
        some.sample("7")


def test_a_name_that_is_no_split_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="found 'val', expected one of train, validation, test"):
        dataset(tmp_path, []).of("val")


def test_the_fingerprint_changes_with_images_labels_classes_splits_and_order_and_not_with_names(tmp_path):
    samples = dataset(tmp_path, list("abc")).samples
    first = fingerprint_of(("x", "y"), samples)
    assert fingerprint_of(("x", "y"), [replace(s, name="other", file="other") for s in samples]) == first
    others = [
        fingerprint_of(("x", "z"), samples),
        fingerprint_of(("x", "y"), samples[::-1]),
        fingerprint_of(("x", "y"), [replace(samples[0], digest="other"), *samples[1:]]),
        fingerprint_of(("x", "y"), [replace(samples[0], label=1), *samples[1:]]),
        fingerprint_of(("x", "y"), [replace(samples[0], split="test"), *samples[1:]]),
        fingerprint_of(("x", "y"), samples[1:]),
    ]
    assert len({first, *others}) == 7


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="There is no dataset in"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("table", ["", "id,file\n1,2\n", None, "half a line"])
def test_a_damaged_table_is_refused_and_not_read_wrongly(tmp_path, table):
    save_dataset(dataset(tmp_path, ["a"]))
    if table is None:
        (tmp_path / "samples.csv").unlink()
    else:
        (tmp_path / "samples.csv").write_text(table)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_dataset(tmp_path)


def test_a_line_that_stops_in_the_middle_is_noticed(tmp_path):
    save_dataset(dataset(tmp_path, ["a", "b"]))
    text = (tmp_path / "samples.csv").read_text()
    (tmp_path / "samples.csv").write_text(text[:-30])
    with pytest.raises(DatasetError, match="cannot be read"):
        load_dataset(tmp_path)


def test_every_sample_of_a_kept_dataset_has_its_file_and_its_small_upright_thumbnail(tiny_dataset):
    for sample in tiny_dataset.samples:
        with Image.open(tiny_dataset.path(sample)) as image:
            assert image.size == (sample.width, sample.height)
        with Image.open(tiny_dataset.thumbnail(sample)) as image:
            assert image.format == "JPEG"
            assert max(image.size) <= 160
