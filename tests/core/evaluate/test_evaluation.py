import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.data.library import Library
from core.errors import DatasetError, RunError
from core.evaluate import evaluation
from core.evaluate.classification import evaluate_table
from core.evaluate.evaluation import checkpoint_of, evaluate_run, predict_split
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import read_result
from core.runs.run import RunState, write_status
from core.runs.seal import openings
from core.runs.store import Run
from core.train.checkpoint import load_trained, read_facts


@pytest.fixture
def evaluate(workspace, trained_run: Run):
    def call(split: str, **options: str):
        return evaluate_run(str(workspace.root), trained_run.id, split, **options)

    return call


def test_the_validation_report_is_that_of_the_table_the_run_left(evaluate, trained_run, tiny_dataset):
    table = PredictionTable.read(trained_run.paths.predictions("validation"))
    samples = tiny_dataset.of("validation")
    assert table.ids == tuple(sample.id for sample in samples)
    assert table.files == tuple(sample.name for sample in samples)
    assert table.truth.tolist() == [sample.label for sample in samples]
    assert table.classes == tiny_dataset.classes
    result = evaluate("validation")
    assert result == evaluate_table(table) == read_result(trained_run.paths.results("validation"))
    assert result.accuracy == pytest.approx(trained_run.status.best["accuracy"]), "as measured while training"
    assert openings(trained_run.paths) == []


def test_the_stored_table_is_read_even_when_the_data_is_gone(evaluate, trained_run, workspace, tiny_dataset):
    before = evaluate("validation")
    Library(workspace).delete(tiny_dataset.id)
    assert evaluate("validation") == before
    trained_run.paths.predictions("validation").unlink()
    with pytest.raises(DatasetError, match="no such dataset"):
        evaluate("validation")


@pytest.mark.parametrize("harm", ["lost", "cut off", "of other weights"])
def test_a_table_that_is(harm, evaluate, trained_run):
    """... is made again, and comes out the same."""
    path = trained_run.paths.predictions("validation")
    before, whole = evaluate("validation"), path.read_bytes()
    if harm == "lost":
        path.unlink()
    elif harm == "cut off":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        table = PredictionTable.read(path)
        replace(table, checkpoint="sha256 of another", probabilities=table.probabilities[::-1]).write(path)
    assert evaluate("validation") == before
    assert path.read_bytes() == whole


def test_a_report_that_does_not_belong_to_its_table_is_made_again(evaluate, trained_run):
    path = trained_run.paths.results("validation")
    before = path.read_text(encoding="utf-8")
    path.write_text(json.dumps(json.loads(before) | {"accuracy": 1.5}), encoding="utf-8")
    evaluate("validation")
    assert path.read_text(encoding="utf-8") == before


def test_weights_that_are_replaced_while_they_are_loaded_are_never_called_by_another_name(
    evaluate, trained_run, tmp_path, monkeypatch
):
    best = trained_run.paths.best
    other = tmp_path / "other.safetensors"
    weights = {name: 2 * tensor for name, tensor in load_file(best).items()}
    save_file(weights, other, metadata={"facts": json.dumps(read_facts(best) | {"epoch": 99})})
    replaced_at = iter([True])

    def load_while_the_run_goes_on(path, device="cpu"):
        if next(replaced_at, False):
            shutil.copy(other, tmp_path / "next")
            os.replace(tmp_path / "next", path)
        return load_trained(path, device=device)

    monkeypatch.setattr(evaluation, "load_trained", load_while_the_run_goes_on)
    trained_run.paths.predictions("validation").unlink()
    result = evaluate("validation")
    assert result.checkpoint == checkpoint_of(best)
    assert result.checkpoint.startswith("epoch 99, ")
    assert PredictionTable.read(trained_run.paths.predictions("validation")).checkpoint == result.checkpoint


def test_opening_the_test_split_is_written_down_each_time_with_who_did_it(evaluate, trained_run, tiny_dataset):
    result = evaluate("test", opened_by="somebody")
    assert result.n == len(tiny_dataset.of("test"))
    assert PredictionTable.read(trained_run.paths.predictions("test")).split == "test"
    assert read_result(trained_run.paths.results("test")) == result
    assert evaluate("test") == result
    assert [opening["by"] for opening in openings(trained_run.paths)] == ["somebody", "page"]


def test_an_opening_is_written_down_before_anything_can_go_wrong(evaluate, trained_run, workspace, tiny_dataset):
    Library(workspace).delete(tiny_dataset.id)
    with pytest.raises(DatasetError):
        evaluate("test")
    assert len(openings(trained_run.paths)) == 1


def test_the_test_split_stays_closed_while_the_run_waits_or_trains(evaluate, trained_run):
    write_status(trained_run.paths, replace(trained_run.status, state=RunState.QUEUED))
    with pytest.raises(RunError, match="stays closed while a run trains: found a run that is queued"):
        evaluate("test")
    assert openings(trained_run.paths) == []
    assert not trained_run.paths.predictions("test").exists()


def test_a_split_without_images_is_refused_and_not_opened(evaluate, trained_run):
    facts = json.loads(trained_run.paths.facts.read_text(encoding="utf-8"))
    facts["samples"].pop("test")
    trained_run.paths.facts.write_text(json.dumps(facts), encoding="utf-8")
    for split in ("test", "Validation"):
        with pytest.raises(DatasetError, match=rf"no images to evaluate in '{split}'.*train \(\d+ images\)"):
            evaluate(split)
    assert openings(trained_run.paths) == []


def test_a_run_without_weights_has_nothing_to_evaluate(evaluate, trained_run):
    trained_run.paths.best.unlink()
    with pytest.raises(RunError, match="no saved model"):
        evaluate("validation")


def test_data_that_changed_since_the_training_is_refused(evaluate, trained_run, tiny_dataset):
    trained_run.paths.predictions("validation").unlink()
    about = tiny_dataset.folder / "dataset.json"
    data = json.loads(about.read_text(encoding="utf-8"))
    about.write_text(json.dumps(data | {"fingerprint": "f" * 16}), encoding="utf-8")
    with pytest.raises(DatasetError, match="is not the one this run was made for"):
        evaluate("validation")


def test_the_same_weights_give_the_same_table_bit_for_bit(trained_run, tiny_dataset, workspace, tmp_path):
    trained = load_trained(trained_run.paths.best)
    stored = PredictionTable.read(trained_run.paths.predictions("validation"))
    for cache in (workspace.cache, tmp_path / "another cache"):
        table = predict_split(trained.model, tiny_dataset, "validation", trained.recipe, cache)
        assert np.array_equal(table.probabilities, stored.probabilities)


def test_a_sample_gets_the_same_bits_in_whatever_split_it_stands(trained_run, tiny_dataset, workspace):
    """Thirty-six images in one split or five of them alone: passes have one size."""
    trained = load_trained(trained_run.paths.best)
    everything = replace(tiny_dataset, samples=tuple(replace(sample, split="test") for sample in tiny_dataset.samples))
    together = predict_split(trained.model, everything, "test", trained.recipe, workspace.cache)
    assert len(together) == len(tiny_dataset.samples) > 32
    rows = {id: row for row, id in enumerate(together.ids)}
    alone = predict_split(trained.model, tiny_dataset, "validation", trained.recipe, workspace.cache)
    for row, id in enumerate(alone.ids):
        assert np.array_equal(alone.probabilities[row], together.probabilities[rows[id]])


def test_predicting_leaves_torchs_generator_and_the_model_as_they_were(trained_run, tiny_dataset, workspace):
    trained = load_trained(trained_run.paths.best)
    weights = {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}
    state = torch.get_rng_state()
    predict_split(trained.model, tiny_dataset, "validation", trained.recipe, workspace.cache)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in trained.model.state_dict().items())


def test_a_split_without_images_cannot_be_predicted(trained_run, tiny_dataset, workspace):
    trained = load_trained(trained_run.paths.best)
    no_test = replace(tiny_dataset, samples=tiny_dataset.of("train"))
    with pytest.raises(DatasetError, match="has no images"):
        predict_split(trained.model, no_test, "test", trained.recipe, workspace.cache)


def test_a_checkpoint_is_named_by_its_epoch_and_content(trained_run, tmp_path):
    copy = tmp_path / "copy.safetensors"
    shutil.copy(trained_run.paths.best, copy)
    name = checkpoint_of(trained_run.paths.best)
    assert name.startswith(f"epoch {trained_run.status.best['epoch']}, ")
    assert checkpoint_of(copy) == name
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1  # one bit of one weight
    copy.write_bytes(content)
    assert checkpoint_of(copy) != name
