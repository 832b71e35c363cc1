"""The evaluation of segmentation runs: from pictures of any size to the table, the masks and the report."""

import json
import tracemalloc
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.data.dataset import Dataset, save_dataset
from core.data.library import Library
from core.data.mask_files import mask_png, read_mask
from core.errors import DatasetError, RunError
from core.evaluate.evaluation import checkpoint_of, evaluate_run, level_map
from core.evaluate.mask_predictions import level_png, predict_masks
from core.evaluate.masks import Levels, MaskTable
from core.evaluate.results import read_result
from core.evaluate.segmentation import at_threshold, evaluate_masks
from core.executors.inline import InlineExecutor
from core.metrics.segmentation import mask_confusion
from core.recipe import SegmentationRecipe
from core.runs.run import RunState, write_status
from core.runs.seal import openings
from core.runs.store import Run, RunStore
from core.train.checkpoint import load_trained
from tests.shapes import SMALL_MASKS, kept_shapes, shapes_dataset


class ColourReader:
    """Answers by colour what is drawn in `tests.shapes`: discs are red and squares are green. A stand-in for a network
    whose answers are known."""

    training = False

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) float32 of images (N, 3, S, S) uint8; a little unsure everywhere."""
        red, green = images[:, 0].numpy() > 115, images[:, 1].numpy() > 115
        answer = np.stack([~(red | green), red & ~green, green], axis=1)
        return torch.from_numpy((0.9 * answer + 0.1 / 3).astype(np.float32))


@pytest.fixture
def evaluate(workspace, masked_run: Run):
    def call(split: str, **options: str):
        return evaluate_run(str(workspace.root), masked_run.id, split, **options)

    return call


def recipe(**changes) -> SegmentationRecipe:
    return SegmentationRecipe().set(SMALL_MASKS | changes)


def plain_shapes(folder: Path, wide: int) -> Dataset:
    """Shapes on pictures that are widened by black, in which nothing is drawn that the mask lacks."""
    dataset = shapes_dataset(folder, wide=wide)
    for sample in dataset.samples:
        pixels = np.array(Image.open(dataset.path(sample)))
        pixels[:, sample.width - wide :] = 0
        Image.fromarray(pixels).save(dataset.path(sample))
    return dataset


def predicted(dataset: Dataset, folder: Path, split: str = "validation", **changes) -> MaskTable:
    return predict_masks(ColourReader(), dataset, split, recipe(**changes), folder / "cache", folder / "masks")[0]


def test_the_report_a_run_leaves_is_that_of_its_table(evaluate, masked_run, workspace):
    table = MaskTable.read(masked_run.paths.predictions("validation"))
    dataset = Library(workspace).get(masked_run.recipe.dataset)
    samples = dataset.of("validation")
    assert table.ids == tuple(sample.id for sample in samples)
    assert table.files == tuple(sample.name for sample in samples)
    assert table.sizes.tolist() == [[56, 40]] * len(samples)
    assert table.checkpoint == checkpoint_of(masked_run.paths.best)
    result = evaluate("validation")
    assert result == evaluate_masks(table) == read_result(masked_run.paths.results("validation"))
    assert result.classes == dataset.classes
    assert openings(masked_run.paths) == []


def test_the_table_says_of_every_stored_mask_what_it_is_worth(masked_run, workspace):
    table = MaskTable.read(masked_run.paths.predictions("validation"))
    dataset = Library(workspace).get(masked_run.recipe.dataset)
    for row, id in enumerate(table.ids):
        answer = read_mask(masked_run.paths.mask("validation", id))
        truth = read_mask(dataset.mask(dataset.sample(id)))
        assert answer.shape == truth.shape == (40, 56), "at the size of the picture, not of the model"
        assert np.array_equal(table.confusion[row], mask_confusion(truth, answer, 3))
        assert table.confusion[row].sum() == (truth != 255).sum()


@pytest.mark.parametrize(("fit", "wide"), [("squash", 0), ("squash", 30), ("pad", 30)])
def test_answers_lie_where_the_things_are_whatever_the_shape_of_the_picture(fit, wide, tmp_path):
    dataset = plain_shapes(tmp_path, wide)
    for image_size, lowest in ((dataset.samples[0].width, 0.97), (32, 0.75)):
        table = predicted(dataset, tmp_path, image_size=image_size, fit=fit)
        result = evaluate_masks(table)
        assert min(score.dice for score in result.per_class) > lowest, image_size
        assert max(score.boundary for score in result.per_class) < 2


@pytest.mark.parametrize("harm", ["table lost", "table cut off", "of other weights", "mask lost"])
def test_when_it_is(harm, evaluate, masked_run):
    """... the table and the masks are made again, and come out the same."""
    path, masks = masked_run.paths.predictions("validation"), masked_run.paths.masks("validation")
    before, whole = evaluate("validation"), path.read_bytes()
    contents = {file.name: file.read_bytes() for file in masks.iterdir()}
    if harm == "table lost":
        path.unlink()
    elif harm == "table cut off":
        path.write_bytes(whole[: len(whole) // 2])
    elif harm == "of other weights":
        table = MaskTable.read(path)
        replace(table, checkpoint="epoch 99, another", confusion=table.confusion[::-1]).write(path)
    else:
        next(masks.iterdir()).unlink()
    assert evaluate("validation") == before
    assert path.read_bytes() == whole
    assert {file.name: file.read_bytes() for file in masks.iterdir()} == contents


def test_the_stored_table_is_read_even_when_the_data_is_gone(evaluate, masked_run, workspace):
    before = evaluate("validation")
    Library(workspace).delete(masked_run.recipe.dataset)
    assert evaluate("validation") == before
    masked_run.paths.predictions("validation").unlink()
    with pytest.raises(DatasetError, match="no such dataset"):
        evaluate("validation")


def test_a_classifiers_table_is_no_table_of_masks(evaluate, masked_run):
    path = masked_run.paths.predictions("validation")
    before, whole = evaluate("validation"), path.read_bytes()
    path.write_text("sample_id,file,split,checkpoint,truth,predicted,p:a\n0,a,validation,x,a,a,1\n", encoding="utf-8")
    assert evaluate("validation") == before
    assert path.read_bytes() == whole


def test_the_test_split_of_masks_is_sealed_as_any_other(evaluate, masked_run):
    write_status(masked_run.paths, replace(masked_run.status, state=RunState.RUNNING))
    with pytest.raises(RunError, match="stays closed while a run trains"):
        evaluate("test")
    assert not masked_run.paths.masks("test").exists()
    write_status(masked_run.paths, masked_run.status)
    result = evaluate("test", opened_by="somebody")
    assert (result.split, result.n) == ("test", 4)
    assert [opening["by"] for opening in openings(masked_run.paths)] == ["somebody"]
    assert len(list(masked_run.paths.masks("test").iterdir())) == 4


def test_the_same_weights_give_the_same_table_bit_for_bit_whatever_the_company(masked_run, workspace, tmp_path):
    trained = load_trained(masked_run.paths.best)
    dataset = Library(workspace).get(masked_run.recipe.dataset)
    stored = MaskTable.read(masked_run.paths.predictions("validation"))
    everything = replace(dataset, samples=tuple(replace(sample, split="test") for sample in dataset.samples))
    together, _ = predict_masks(trained.model, everything, "test", trained.recipe, tmp_path / "cache", tmp_path / "m")
    rows = [together.ids.index(id) for id in stored.ids]
    assert np.array_equal(together.confusion[rows], stored.confusion)
    assert np.array_equal(together.outlines[rows], stored.outlines, equal_nan=True)


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    """The probabilities of a picture are 110 KB here, its counts some hundred bytes."""
    peaks = []
    for number in (16, 96):
        folder = tmp_path / str(number)
        dataset = shapes_dataset(folder, side=96, splits=("validation",) * number)
        predicted(dataset, folder, image_size=96)  # first, so that decoding and imports are not measured
        tracemalloc.start()
        predicted(dataset, folder, image_size=96)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 80 * 10_000


def test_a_mask_of_another_size_than_its_image_is_told_by_its_name(tmp_path):
    dataset = shapes_dataset(tmp_path)
    sample = dataset.of("validation")[2]
    dataset.mask(sample).write_bytes(mask_png(np.zeros((10, 12), np.uint8)))
    with pytest.raises(DatasetError, match=f"mask of {sample.name} has another size.*found 12 x 10.*expected 40 x 40"):
        predicted(dataset, tmp_path)
    dataset.mask(sample).unlink()
    with pytest.raises(DatasetError, match=f"mask of {sample.name} cannot be read"):
        predicted(dataset, tmp_path)


def test_a_split_without_images_cannot_be_predicted(tmp_path):
    dataset = shapes_dataset(tmp_path)
    with pytest.raises(DatasetError, match="has no images"):
        predicted(replace(dataset, samples=dataset.of("train")), tmp_path)


def of_two_classes(dataset: Dataset) -> Dataset:
    """The shapes with discs and squares as one class."""
    for sample in dataset.samples:
        mask = read_mask(dataset.mask(sample))
        mask[mask == 2] = 1
        dataset.mask(sample).write_bytes(mask_png(mask))
    samples = tuple(replace(one, pixels=(one.pixels[0], sum(one.pixels[1:]))) for one in dataset.samples)
    return replace(dataset, classes=("background", "shape"), samples=samples, fingerprint="two")


@pytest.fixture
def run_of_two_classes(workspace) -> Run:
    dataset = of_two_classes(kept_shapes(workspace, wide=16))
    save_dataset(dataset)
    store = RunStore(workspace)
    run_id = store.create(recipe(**{"dataset": dataset.id, "phases.0.epochs": 2}), dataset)
    InlineExecutor(workspace).submit(run_id)
    assert store.status(run_id).state is RunState.FINISHED, store.status(run_id).sentence
    return store.get(run_id)


def test_two_classes_come_with_levels_from_which_every_threshold_follows(run_of_two_classes, workspace):
    run = run_of_two_classes
    table = MaskTable.read(run.paths.predictions("validation"))
    levels = Levels.read(run.paths.levels("validation"))
    assert np.array_equal(at_threshold(table, levels, 0.5).confusion, table.confusion)
    dataset = Library(workspace).get(run.recipe.dataset)
    for row, id in enumerate(table.ids[:2]):
        bins = np.array(Image.open(BytesIO(level_map(str(workspace.root), run.id, id))))
        truth = read_mask(dataset.mask(dataset.sample(id)))
        assert np.array_equal(bins >= 50, read_mask(run.paths.mask("validation", id)) == 1)
        for hundredths in (1, 37, 50, 93):
            expected = mask_confusion(truth, (bins >= hundredths).astype(np.uint8), 2)
            assert np.array_equal(at_threshold(table, levels, hundredths / 100).confusion[row], expected)

    before = run.paths.predictions("validation").read_bytes()
    run.paths.levels("validation").unlink()
    evaluate_run(str(workspace.root), run.id, "validation")
    assert np.array_equal(Levels.read(run.paths.levels("validation")).counts, levels.counts), "lost ones are made again"
    assert run.paths.predictions("validation").read_bytes() == before

    sealed = dataset.of("test")[0].id
    with pytest.raises(RunError, match="test split of this run is sealed"):
        level_map(str(workspace.root), run.id, sealed)
    evaluate_run(str(workspace.root), run.id, "test")
    assert level_map(str(workspace.root), run.id, sealed)


def test_a_threshold_needs_two_classes(masked_run, trained_run, workspace):
    assert not masked_run.paths.levels("validation").exists()
    for run in (masked_run, trained_run):
        with pytest.raises(RunError, match="divides pixels into two classes"):
            level_map(str(workspace.root), run.id, "000012")


def test_levels_are_those_of_the_model_at_the_size_of_the_picture(tmp_path):
    dataset = of_two_classes(plain_shapes(tmp_path, 24))

    class TwoClasses(ColourReader):
        def probabilities(self, images: torch.Tensor) -> torch.Tensor:
            maps = super().probabilities(images)
            return torch.stack([maps[:, 0], maps[:, 1:].sum(1)], dim=1)

    sample = dataset.of("validation")[0]
    png = level_png(TwoClasses(), dataset, sample, recipe(image_size=64), tmp_path / "cache")
    bins = np.array(Image.open(BytesIO(png)))
    truth = read_mask(dataset.mask(sample))
    assert bins.shape == (40, 64)
    assert (bins[truth == 1].mean(), bins[truth == 0].mean()) == pytest.approx((96, 3), abs=8)


def test_results_of_both_kinds_are_told_apart_and_broken_ones_are_none(masked_run, trained_run, tmp_path):
    masks, labels = (run.paths.results("validation") for run in (masked_run, trained_run))
    assert type(read_result(masks)).__name__ == "SegmentationResult"
    assert type(read_result(labels)).__name__ == "ClassificationResult"
    data = json.loads(masks.read_text(encoding="utf-8"))
    for broken in ({**data, "task": "detection"}, {**data, "per_class": 3}, {"task": "segmentation"}, [], 5, "x", None):
        (tmp_path / "broken.json").write_text(json.dumps(broken), encoding="utf-8")
        assert read_result(tmp_path / "broken.json") is None
