"""The method in words: written from the recipe, and from nothing else."""

import pytest

from core.presets import PRESETS
from core.report.evidence import RunEvidence
from core.report.method import paragraphs, sources
from core.runs.journal import RunWriter
from core.runs.store import RunStore
from core.workspace import write_json
from tests.made_runs import rows_dataset, write_epochs
from tests.shapes import kept_shapes


def told(workspace, dataset, recipe) -> str:
    """The method of a waiting run of this recipe."""
    store = RunStore(workspace)
    id = store.create(recipe.model_copy(update={"dataset": dataset.id}), dataset)
    return "\n".join(paragraphs(RunEvidence(id, store.paths(id))))


@pytest.fixture
def rows(workspace):
    return rows_dataset(workspace, {"train": [0, 1, 2] * 4, "validation": [0, 1, 2] * 4})


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_told_with_its_phases_rates_and_seed(workspace, rows, preset):
    recipe = preset.recipe()
    dataset = kept_shapes(workspace) if recipe.task == "segmentation" else rows
    method = told(workspace, dataset, recipe)

    assert f"{recipe.image_size} × {recipe.image_size} pixels" in method
    assert f"Training had {len(recipe.phases)} phase" in method
    assert f"the seed {recipe.seed}" in method
    for phase in recipe.phases:
        if phase.solver == "steps":
            assert f"{phase.learning_rate:g}" in method
            assert f"{phase.epochs} epoch" in method
    assert sources(RunEvidence("x", RunStore(workspace).paths(RunStore(workspace).list()[0].id)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"augment.policy": "none"}, "Training pictures were not varied."),
        ({"optimizer.name": "sgd", "optimizer.momentum": 0.8}, "momentum 0.8"),
        ({"optimizer.layer_decay": 0.75}, "each layer's rate 0.75 of that of the layer after it"),
        ({"loss.name": "focal", "loss.values": {"gamma": 3.0}}, "“Focal” (gamma 3)"),
        ({"loss.label_smoothing": 0.1}, "label smoothing 0.1"),
        ({"loss.class_weights": "balanced"}, "in proportion to N / N_j"),
        ({"loss.class_weights": [1, 2, 3]}, "cat 1, dog 2, owl 3"),
        ({"mix.mixup": 0.2, "mix.probability": 0.5}, "MixUp (alpha 0.2) in a share of 0.5"),
        ({"model.dropout": 0.4, "model.drop_path": 0.1}, "dropout 0.4 before the last layer; drop-path 0.1"),
        ({"early_stopping.patience": 5}, "early stopping after 5 epochs without a better validation loss"),
        ({"ema": 0.99}, "running mean of the weights (decay 0.99 a step)"),
        ({"clip": 1.5}, "gradients clipped to the norm 1.5"),
        ({"sampler": "balanced"}, "every class was drawn equally often"),
        ({"accumulate": 4}, "4 batches a step"),
        ({"best_by": "loss"}, "by the lowest validation loss"),
        ({"model.weights": "random"}, "the backbone began at random"),
        ({"phases.0.trainable": "last 40%"}, "the last 40% learned"),
        ({"fit": "pad"}, "its short side was padded"),
        ({"schedule.name": "constant", "schedule.warmup": 0.0}, "schedule “Constant”"),
        ({"augment.seed": 7}, "those of augmentation from the seed 7"),
    ],
)
def test_a_choice_is_told_in_words(workspace, rows, change, words):
    recipe = PRESETS[0].recipe().set(change)

    assert words in told(workspace, rows, recipe)


def test_what_the_journal_knows_goes_before_what_was_planned(workspace, rows):
    store = RunStore(workspace)
    run = store.get(store.create(PRESETS[0].recipe().set({"phases.0.epochs": 9}), rows))
    write_epochs(run, [{"loss": 1.0, "accuracy": 0.5}, {"loss": 0.9, "accuracy": 0.6}])
    write_json(run.paths.best_facts, {"epoch": 2})
    writer = RunWriter(run.paths.epochs, run.paths.clock)
    writer.append({"kind": "phase", "phase": 1, "epoch": 3, "name": "x", "device": "cuda", "precision": "bfloat16"})
    writer.close()
    method = "\n".join(paragraphs(RunEvidence(run.id, run.paths)))

    assert "9 epochs (planned; 2 were run)" in method
    assert "The weights of epoch 2 of 2 were kept" in method
    assert "on a GPU in bfloat16" in method
