import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from core.errors import RunError
from core.evaluate.current import digest_of
from core.evaluate.depth import (
    METHODS,
    PixelDepth,
    current_depth,
    depth_of,
    depth_of_run,
    pixel_depth_of,
    read_depth,
    write_depth,
)
from core.evaluate.evaluation import evaluate_run
from core.evaluate.masks import Levels, MaskTable
from core.evaluate.predictions import PredictionTable
from core.runs.seal import openings


def made_up(n: int = 90, k: int = 3, checkpoint: str = "epoch 1, abc") -> PredictionTable:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, k, n)
    scores = np.exp(generator.normal(size=(n, k)) + 1.5 * np.eye(k)[truth])
    return PredictionTable(
        classes=tuple("abcdefgh"[:k]),
        ids=tuple(map(str, range(n))),
        files=tuple(map(str, range(n))),
        truth=truth,
        probabilities=(scores / scores.sum(axis=1, keepdims=True)).astype(np.float32),
        split="validation",
        checkpoint=checkpoint,
    )


def pixels(images: int = 12) -> tuple[MaskTable, Levels]:
    """Pixels of two classes whose probability is what it says, about a third of them foreground."""
    generator = np.random.default_rng(0)
    counts = np.zeros((images, 2, 100), np.int64)
    for image in counts:
        for _ in range(400):
            level = generator.integers(0, 100) if generator.random() < 0.5 else generator.integers(0, 30)
            image[int(generator.random() < (level + 0.5) / 100), level] += 1
    confusion = np.stack([counts[..., :50].sum(axis=-1), counts[..., 50:].sum(axis=-1)], axis=-1)
    table = MaskTable(
        classes=("background", "cell"),
        ids=tuple(map(str, range(images))),
        files=tuple(map(str, range(images))),
        sizes=np.full((images, 2), 20),
        confusion=confusion,
        outlines=np.full((images, 2, 2), np.nan),
        split="validation",
        checkpoint="epoch 1, abc",
    )
    return table, Levels(counts, "epoch 1, abc")


def test_it_comes_back_from_json_as_it_was():
    found = depth_of(made_up())
    assert type(found).from_json(json.loads(json.dumps(found.to_json()))) == found
    pixel = pixel_depth_of(*pixels())
    assert PixelDepth.from_json(json.loads(json.dumps(pixel.to_json()))) == pixel


def test_every_figure_has_an_interval_that_holds_it_and_a_word_on_its_method():
    found = depth_of(made_up())
    for name in ("auroc", "average_precision"):
        for one in (found, *found.per_class):
            low, high = getattr(one, f"{name}_interval")
            assert 0 <= low < getattr(one, name) < high <= 1
    for name in ("gap", "brier"):
        low, high = getattr(found.calibration, f"{name}_interval")
        assert low < getattr(found.calibration, name) < high
    assert {"auroc", "average_precision", "error", "gap", "brier", "pixels"} == set(METHODS)


def test_the_precision_of_pixels_is_that_of_scikit_learn_in_hundredths():
    table, levels = pixels()
    counts = levels.counts.sum(axis=0)
    truth, score = np.repeat([0, 1], 100), np.tile(np.arange(100), 2)
    theirs = average_precision_score(truth, score, sample_weight=counts.ravel())
    found = pixel_depth_of(table, levels)
    assert found.average_precision == pytest.approx(theirs, abs=1e-9)
    assert found.average_precision_interval.low < theirs < found.average_precision_interval.high
    assert found.share == pytest.approx(counts[1].sum() / counts.sum())


def test_pixels_that_are_foreground_as_often_as_they_say_are_not_accused():
    found = pixel_depth_of(*pixels())
    assert found.error < 0.05
    assert found.error_interval.low < 0.01
    assert all(one.interval.low <= one.confidence <= one.interval.high for one in found.bins if one.n > 100)
    assert sum(one.n for one in found.bins) == 12 * 400


def test_four_images_give_pixels_no_interval():
    found = pixel_depth_of(*pixels(4))
    assert found.average_precision_interval is found.error_interval is None


def test_it_lies_beside_the_report_and_is_computed_anew_only_where_it_is_gone(workspace, trained_run):
    paths = trained_run.paths
    found = current_depth(paths, "validation")
    assert found == depth_of(PredictionTable.read(paths.predictions("validation")))

    paths.depth("validation").unlink()
    assert depth_of_run(str(workspace.root), trained_run.id, "validation") == found
    assert current_depth(paths, "validation") == found


def test_that_of_other_weights_is_none(workspace, trained_run):
    paths = trained_run.paths
    table = made_up(checkpoint=f"epoch 1, {digest_of(paths.best)}")
    write_depth(paths.depth("validation"), depth_of(made_up()))
    assert read_depth(paths.depth("validation")) is not None
    assert current_depth(paths, "validation") is None
    write_depth(paths.depth("validation"), depth_of(table))
    assert current_depth(paths, "validation") is not None
    paths.depth("validation").write_text("{")
    assert current_depth(paths, "validation") is None


def test_it_opens_no_seal(workspace, trained_run):
    with pytest.raises(RunError, match="has not been evaluated"):
        depth_of_run(str(workspace.root), trained_run.id, "test")
    assert openings(trained_run.paths) == []


def test_a_network_of_three_classes_of_pixels_has_none(workspace, masked_run):
    evaluate_run(str(workspace.root), masked_run.id, "validation")
    assert not masked_run.paths.depth("validation").exists()
    with pytest.raises(RunError, match="two classes"):
        depth_of_run(str(workspace.root), masked_run.id, "validation")
