"""Back to any epoch: the answers are those of the network as it was then."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from core.data.library import Library
from core.data.loading import fit_image, read_image
from core.errors import InputError, RunError
from core.executors.inline import InlineExecutor
from core.models.snapshot_files import START, epochs_kept, snapshot_of
from core.predict.predictor import explain, predict
from core.predict.travel import travel
from core.runs.store import RunStore
from core.train.checkpoint import load_trained
from core.train.snapshots import Past
from tests.running import small

BOTH = {
    "phases": [
        {"name": "head", "trainable": "head", "epochs": 2},
        {"name": "all", "trainable": "everything", "epochs": 2, "learning_rate": 0.003},
    ]
}


@pytest.fixture
def asked(trained_run, tiny_dataset) -> tuple[str, str, bytes]:
    sample = tiny_dataset.of("validation")[0]
    return str(trained_run.paths.folder), sample.name, tiny_dataset.path(sample).read_bytes()


def test_a_run_of_a_head_can_be_gone_back_through_in_every_epoch(asked, trained_run):
    found = travel(*asked)
    assert found.error is None
    assert found.epochs == (START, 1, 2, 3)
    assert found.best == trained_run.status.best["epoch"]
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for row in found.shares)
    assert len(set(found.shares)) == 4, "it learned something in every epoch"
    assert len(found.maps) == 4
    side = trained_run.recipe.image_size
    assert all(Image.open(BytesIO(one)).size == (side, side) for one in (*found.maps, found.picture))


def test_the_best_epoch_says_what_the_page_says(asked):
    found, (answer,) = travel(*asked), predict(asked[0], [asked[1:]])
    place = found.epochs.index(found.best)
    assert found.shares[place] == pytest.approx(list(answer.probabilities.values()), abs=1e-5)
    assert found.label == answer.label
    assert found.maps[place] == explain(*asked).heat


def test_the_heat_is_that_of_the_class_that_is_asked_for(asked, tiny_dataset):
    maps = {label: travel(*asked, label).maps for label in tiny_dataset.classes}
    assert len(set(maps.values())) > 1
    with pytest.raises(InputError, match="found 'martian'"):
        travel(*asked, "martian")


def test_where_the_backbone_learned_too_every_epoch_is_the_network_as_it_was(workspace, tiny_dataset, monkeypatch):
    monkeypatch.setattr("core.train.snapshots.FREE_SECONDS", float("inf"))
    executor = InlineExecutor(workspace)
    run_id = executor.store.create(small(tiny_dataset).set(BOTH), tiny_dataset)
    executor.submit(run_id)
    run = RunStore(workspace).get(run_id)
    sample = tiny_dataset.of("validation")[0]
    content = tiny_dataset.path(sample).read_bytes()
    found = travel(str(run.paths.folder), sample.name, content)
    assert found.epochs == (START, 1, 2, 3, 4)

    trained = load_trained(run.paths.best)
    past = Past.of(run.paths.best, trained.facts["epoch"], run.paths.snapshots)
    square = fit_image(read_image(content), run.recipe.image_size, run.recipe.fit)
    square = torch.from_numpy(square).permute(2, 0, 1)[None]
    for place, epoch in enumerate(found.epochs):
        trained.model.load_state_dict(past.weights(epoch))
        assert found.shares[place] == pytest.approx(trained.model.probabilities(square)[0].tolist(), abs=1e-4)


def test_an_epoch_that_a_run_at_work_gave_up_a_moment_ago_is_left_out(asked, trained_run, monkeypatch):
    kept = epochs_kept(trained_run.paths.snapshots)
    snapshot_of(trained_run.paths.snapshots, kept[0]).write_bytes(b"half")
    assert travel(*asked).epochs == (START, *kept[1:])


def test_a_run_without_snapshots_says_so(asked, trained_run):
    for file in trained_run.paths.snapshots.iterdir():
        file.unlink()
    with pytest.raises(RunError, match="No epoch of this run can be gone back to"):
        travel(*asked)


def test_what_is_no_picture_gets_a_sentence(asked):
    assert travel(asked[0], "a.txt", b"text").error.startswith("a.txt cannot be read as a picture")


def test_a_place_is_found_for_every_epoch(asked):
    found = travel(*asked)
    assert [found.at(epoch) for epoch in (0, 1, 2, 3, 99)] == [0, 1, 2, 3, 3]


@pytest.mark.slow
def test_masks_change_over_the_epochs(masked_run, workspace):
    dataset = Library(workspace).get(masked_run.recipe.dataset)
    sample = dataset.of("validation")[0]
    found = travel(str(masked_run.paths.folder), sample.name, dataset.path(sample).read_bytes())
    assert found.label == ""
    assert found.epochs[0] == START
    assert len(found.epochs) >= 3
    assert len(set(found.maps)) > 1
    for shares, drawn in zip(found.shares, found.maps, strict=True):
        mask = np.asarray(Image.open(BytesIO(drawn)))
        assert mask.shape == (masked_run.recipe.image_size,) * 2
        counted = np.bincount(mask.ravel(), minlength=len(found.classes)) / mask.size
        assert shares == pytest.approx(counted.tolist())
