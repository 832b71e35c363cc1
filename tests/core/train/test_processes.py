"""Two processes that train one model come to what one process comes to."""

import pytest
import torch
from safetensors.torch import load_file

from core.train.events import EpochEnd
from tests.core.train.sharing import train_together

WHOLE = {
    "model.backbone": "test_vit",  # whose norms look at one image at a time, as batch norms do not
    "phases.0.trainable": "everything",
    "phases.0.learning_rate": 0.001,
    "ema": 0.5,
    "clip": 1.0,
    "accumulate": 2,
}

SOLVED = {"phases.0.solver": "convex", "phases.0.epochs": 1}


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, WHOLE, SOLVED], ids=["head", "everything", "solved"])
def test_two_processes_measure_what_one_measures(attempt, small_recipe, coloured, tmp_path, changes):
    recipe = small_recipe.set({"batch_size": 7, "phases.0.epochs": 2} | changes)  # 24 images, in unequal shares
    alone = attempt("alone", recipe, coloured)
    first, second = train_together(recipe.set({"processes": 2}), coloured, tmp_path / "together", 2)
    ends = [event for event in first if event["event"] == "EpochEnd"]
    assert len(ends) == recipe.epochs
    for ours, theirs in zip(ends, alone.of(EpochEnd), strict=True):
        for split, figures in (("train", theirs.train), ("validation", theirs.validation)):
            assert ours[split] == pytest.approx(figures, abs=1e-4)
        assert ours["learning_rate"] == pytest.approx(theirs.learning_rate)
    drop = ("images_per_second", "seconds")
    same = [
        [{k: v for k, v in e.items() if k not in drop} for e in told if e["event"] == "EpochEnd"]
        for told in (first, second)
    ]
    assert same[0] == same[1], "all processes come to the same figures"
    ours, theirs = load_file(tmp_path / "together" / "best.safetensors"), load_file(alone.best)
    for name in theirs:  # a solved head's weights go up to 50, so that what is equal is a share of them
        largest = max(1.0, theirs[name].float().abs().max().item())
        assert torch.allclose(ours[name].float(), theirs[name].float(), atol=1e-4 * largest), name
