"""The data of a run: its dataset, and of a run on one of several folds the images of its fold."""

import pytest

from core.data.dataset import load_dataset, save_dataset
from core.data.split import folded
from core.errors import DatasetError, RunError
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import read_result
from core.executors.inline import InlineExecutor
from core.runs.data import dataset_of
from core.runs.store import RunStore
from core.workspace import read_json
from tests.running import small

FOLD = {"folds": 4, "fold": 2, "seed": 5}


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


@pytest.fixture
def fold_run(store, tiny_dataset):
    return store.get(store.create(small(tiny_dataset).set(FOLD), tiny_dataset))


def ids(samples):
    return [sample.id for sample in samples]


def test_a_run_without_folds_has_the_splits_of_its_dataset(workspace, store, tiny_dataset):
    run = store.get(store.create(small(tiny_dataset), tiny_dataset))
    assert dataset_of(workspace, run) == tiny_dataset
    assert run.facts.split_rule == tiny_dataset.split_rule


def test_a_run_on_a_fold_says_so_and_has_its_images(workspace, fold_run, tiny_dataset):
    fold = folded(tiny_dataset, 4, 2, seed=5)
    assert dataset_of(workspace, fold_run) == fold
    assert fold_run.facts.split_rule == "fold 3 of 4, stratified by seed 5"
    assert fold_run.facts.samples == fold.split_counts() != tiny_dataset.split_counts()
    assert read_json(fold_run.paths.split)["validation"] == ids(fold.of("validation"))


def test_the_fold_is_what_was_written_down_however_it_would_be_dealt_today(workspace, fold_run, monkeypatch):
    before = dataset_of(workspace, fold_run)
    monkeypatch.setattr("core.data.split.derive", lambda *_: 1)
    assert dataset_of(workspace, fold_run) == before


def test_a_fold_that_cannot_be_is_refused_and_leaves_no_half_run(store, tiny_dataset, workspace):
    with pytest.raises(DatasetError, match="too few images for 40 folds"):
        store.create(small(tiny_dataset).set({"folds": 40}), tiny_dataset)
    assert store.list() == []


def test_a_dataset_that_changed_and_a_fold_that_is_lost_are_told(workspace, fold_run, tiny_dataset):
    fold_run.paths.split.write_text("{")
    with pytest.raises(RunError, match="fold of the run .* cannot be read"):
        dataset_of(workspace, fold_run)
    object.__setattr__(data := load_dataset(tiny_dataset.folder), "fingerprint", "0" * 16)
    save_dataset(data)
    with pytest.raises(DatasetError, match="is not the one this run was made for"):
        dataset_of(workspace, fold_run)


def test_training_and_report_are_about_the_fold(workspace, fold_run, tiny_dataset, store):
    fold = folded(tiny_dataset, 4, 2, seed=5)
    InlineExecutor(workspace).submit(fold_run.id)
    assert store.status(fold_run.id).state == "finished"
    report = read_result(fold_run.paths.results("validation"))
    assert report.n == len(fold.of("validation")) != len(tiny_dataset.of("validation"))
    assert list(PredictionTable.read(fold_run.paths.predictions("validation")).ids) == ids(fold.of("validation"))


def test_folds_find_the_stored_images_and_features_of_one_another(workspace, store, tiny_dataset):
    tables = []
    for fold in range(2):
        run = store.create(small(tiny_dataset).set({"folds": 2, "fold": fold, "augment.policy": "none"}), tiny_dataset)
        InlineExecutor(workspace).submit(run)
        assert store.status(run).state == "finished"
        tables.append({path.name for path in workspace.cache.rglob("*.rows")})
    assert tables[0] == tables[1] != set()
