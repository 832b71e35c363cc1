import gc
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.data.dataset import IGNORE
from core.errors import StorageError, TrainingError
from core.metrics.segmentation import mean_interval
from core.recipe import SegmentationRecipe
from core.train.best import is_better
from core.train.checkpoint import load_trained
from core.train.events import EpochEnd, Look, Looks, Outcome, Resumed, Started, Step
from core.train.segmentation import MaskTally, images_to_show, pixel_counts
from tests.shapes import CLASSES, SMALL_MASKS, shapes_dataset

CPU = torch.device("cpu")
DECODER = {"phases.0.trainable": "head"}


def figures(attempt):
    """What every epoch measured, without clocks."""
    return [
        (e.epoch, e.train, e.validation, e.per_class, e.interval, e.best, e.learning_rate) for e in attempt.of(EpochEnd)
    ]


@pytest.fixture
def shapes(tmp_path):
    return shapes_dataset(tmp_path / "shapes")


@pytest.fixture
def small():
    return SegmentationRecipe().set(SMALL_MASKS)


@pytest.fixture(params=[{}, DECODER], ids=["everything", "decoder"])
def recipe(request, small):
    return small.set(request.param)


def logits_of(masks: torch.Tensor, classes: int = 3) -> torch.Tensor:
    """Logits (n, K, S, S) of a model that answers these masks."""
    return torch.nn.functional.one_hot(masks.long(), classes).permute(0, 3, 1, 2).float()


def test_a_run_on_masks_tells_its_pictures_its_epochs_and_what_it_made_of_the_pictures(attempt, recipe, shapes):
    run = attempt("a", recipe, shapes)
    kinds = [type(event) for event in run.events if not isinstance(event, Step)]
    assert kinds == [Looks, Started, *[EpochEnd, Look] * 3, Outcome]
    assert run.of(Step)[0].steps == 3  # 12 training images in batches of 4
    assert [event.epoch for event in run.of(Look)] == [1, 2, 3]
    (looks,) = run.of(Looks)
    assert (looks.images.shape, looks.truth.shape) == ((4, 32, 32, 3), (4, 32, 32))
    assert {event.masks.shape for event in run.of(Look)} == {(4, 32, 32)}
    assert set(looks.truth.ravel()) == {0, 1, 2, IGNORE}
    last = run.of(EpochEnd)[-1]
    assert set(last.validation) == set(last.train) == {"loss", "dice", "iou"}
    assert len(last.per_class) == 3
    assert not any(event.stored for event in run.of(EpochEnd)), "every epoch looks at pictures"
    assert not run.of(Started)[0].cached_features
    json.dumps([event.entry() for event in run.events])  # every event can be a journal line


def test_a_network_learns_discs_and_squares(attempt, small, shapes):
    recipe = small.set({"phases.0.epochs": 14, "phases.0.learning_rate": 5e-3, "augment.policy": "none"})
    run = attempt("a", recipe, shapes)
    assert run.events[-1].best["dice"] >= 0.8
    best = run.of(EpochEnd)[run.events[-1].best["epoch"] - 1]
    assert min(best.per_class) >= 0.7
    assert best.validation["dice"] == pytest.approx(sum(best.per_class[1:]) / 2), "the background does not count"
    assert best.validation["iou"] < best.validation["dice"]


def test_the_pictures_shown_are_what_the_kept_weights_answer(attempt, small, shapes):
    run = attempt("a", small, shapes)
    (looks,) = run.of(Looks)
    look = next(event for event in run.of(Look) if event.epoch == run.events[-1].best["epoch"])
    probabilities = load_trained(run.best).model.probabilities(torch.from_numpy(looks.images).permute(0, 3, 1, 2))
    assert (probabilities.argmax(1).numpy() == look.masks).mean() > 0.999
    rows = [int(name) for name in looks.ids]
    assert all(shapes.samples[row].split == "validation" for row in rows)


def test_the_same_recipe_gives_the_same_weights_bit_for_bit(attempt, recipe, shapes):
    one, two = attempt("one", recipe, shapes), attempt("two", recipe, shapes)
    assert figures(one) == figures(two)
    assert one.best.read_bytes() == two.best.read_bytes()
    other = attempt("three", recipe.set({"seed": 1}), shapes)
    assert other.best.read_bytes() != one.best.read_bytes()


def test_a_run_taken_up_again_ends_as_if_it_had_never_stopped(attempt, recipe, shapes, saving_always):
    whole = attempt("whole", recipe, shapes)
    asked = iter(range(1000))
    attempt("parts", recipe, shapes, should_stop=lambda: next(asked) >= 5)  # stops within the second epoch
    rest = attempt("parts", recipe, shapes, resume=True)
    assert [type(event) for event in rest.events[:2]] == [Resumed, Looks], "the pictures are told of again"
    assert rest.of(Resumed)[0].epoch == 1
    assert figures(rest) == figures(whole)[1:]
    assert whole.best.read_bytes() == rest.best.read_bytes()
    for one, two in zip(rest.of(Look), whole.of(Look)[1:], strict=True):
        assert np.array_equal(one.masks, two.masks)


def test_phases_follow_each_other_and_a_kill_in_the_second_is_made_good(attempt, small, shapes, saving_always):
    second = {"name": "all", "trainable": "last 40%", "epochs": 1, "learning_rate": 0.001}
    recipe = small.set(DECODER | {"phases.0.epochs": 1, "phases.1": second})
    whole = attempt("whole", recipe, shapes)
    assert [event.phase for event in whole.of(EpochEnd)] == [0, 1]
    first, then = whole.of(Started)
    assert then.trainable > first.trainable
    assert then.trainable + then.frozen == first.trainable + first.frozen
    asked = iter(range(1000))
    attempt("parts", recipe, shapes, should_stop=lambda: next(asked) >= 3 + 1 + 1)
    rest = attempt("parts", recipe, shapes, resume=True)
    assert rest.of(Resumed)[0].epoch == 1
    assert figures(rest) == figures(whole)[1:]
    assert whole.best.read_bytes() == rest.best.read_bytes()


def test_a_decoder_learns_while_its_frozen_encoder_keeps_weights_and_statistics(attempt, small, shapes):
    one = attempt("one", small.set(DECODER | {"phases.0.epochs": 1}), shapes)
    two = attempt("two", small.set(DECODER | {"phases.0.epochs": 2}), shapes)
    ours, theirs = load_file(one.best), load_file(two.best)
    encoder = [name for name in ours if name.startswith("network.encoder.")]
    assert any(name.endswith("running_mean") for name in encoder)
    assert all(torch.equal(ours[name], theirs[name]) for name in encoder)
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours if name.startswith("network.decoder."))


def test_stopping_in_the_first_epoch_still_leaves_a_model(attempt, small, shapes):
    run = attempt("a", small, shapes, should_stop=lambda: True)
    assert run.events[-1].state == "stopped"
    assert load_trained(run.best).classes == CLASSES


def test_a_saved_network_carries_its_classes_recipe_data_and_picture_size(attempt, small, tmp_path):
    shapes = shapes_dataset(tmp_path / "wide", side=40, wide=13)
    trained = load_trained(attempt("a", small.set({"phases.0.epochs": 1}), shapes).best)
    assert (trained.classes, trained.recipe.task) == (CLASSES, "segmentation")
    assert trained.facts["task"] == "segmentation"
    assert trained.facts["picture"] == [53, 40]
    assert trained.facts["dataset_fingerprint"] == shapes.fingerprint
    assert not trained.model.training
    assert trained.model.probabilities(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 3, 32, 32)


def test_a_loss_that_is_no_number_stops_the_run_with_advice(attempt, small, shapes):
    wild = {"optimizer.name": "sgd", "phases.0.learning_rate": 10, "phases.0.epochs": 200, "schedule.warmup": 0}
    with pytest.raises(TrainingError, match=r"not a number.*learning rate"):
        attempt("a", small.set(wild | {"loss.name": "cross-entropy"}), shapes)


def test_a_disk_that_is_full_is_told_of_in_a_sentence(attempt, small, shapes, monkeypatch):
    def full(self, row, value):
        raise StorageError("Nothing more can be written under here")

    monkeypatch.setattr("core.data.rows.RowFile.write", full)
    with pytest.raises(StorageError, match="Nothing more can be written"):
        attempt("a", small, shapes)


@pytest.mark.slow
def test_processes_that_prepare_pictures_change_no_bit(attempt, small, shapes, monkeypatch):
    recipe = small.set({"phases.0.epochs": 2})
    alone = attempt("alone", recipe, shapes)
    monkeypatch.setattr("core.train.course.loader_processes", lambda device: 2)
    helped = attempt("helped", recipe, shapes)
    assert figures(helped) == figures(alone)
    assert helped.best.read_bytes() == alone.best.read_bytes()


def test_the_border_around_padded_pictures_counts_for_nothing(attempt, small, tmp_path):
    shapes = shapes_dataset(tmp_path / "wide", side=32, wide=32)
    run = attempt("a", small.set({"fit": "pad", "phases.0.epochs": 1}), shapes)
    (looks,) = run.of(Looks)
    assert (looks.truth[:, :8] == IGNORE).all(), "above and below the picture, which is twice as wide as tall"
    assert np.isfinite(run.events[-1].best["loss"])


@pytest.mark.parametrize(("best_by", "better"), [("score", "dice"), ("loss", "loss")])
def test_the_recipe_chooses_what_the_best_epoch_is_judged_by(attempt, small, shapes, best_by, better):
    run = attempt("a", small.set({"best_by": best_by, "phases.0.epochs": 4, "phases.0.learning_rate": 0.01}), shapes)
    ends = run.of(EpochEnd)
    values = [event.validation[better] for event in ends]
    assert run.events[-1].best[better] == (max(values) if better == "dice" else min(values))


def test_higher_dice_and_lower_loss_are_better_in_the_order_that_the_recipe_says(small):
    sharp, sure = {"dice": 0.9, "loss": 0.5}, {"dice": 0.8, "loss": 0.4}
    by_loss = small.set({"best_by": "loss"})
    assert is_better(small, sharp, sure)
    assert not is_better(small, sure, sharp)
    assert is_better(by_loss, sure, sharp)
    assert is_better(small, sure | {"dice": 0.9}, sharp), "at equal Dice the lower loss"
    assert is_better(small, sure, None)
    assert not is_better(small, sure, sure)


def test_pixels_are_counted_as_one_would_by_hand():
    truth = torch.tensor([[[0, 0, 1], [1, 1, 2], [IGNORE, IGNORE, 0]]], dtype=torch.uint8)
    answer = torch.tensor([[[0, 1, 1], [1, 0, 2], [2, 1, 2]]])
    assert pixel_counts(logits_of(answer), truth).tolist() == [[[1, 2, 3], [2, 3, 3], [1, 2, 1]]]
    tally = MaskTally(CLASSES, CPU)
    tally.add(torch.tensor([0.25]), logits_of(answer), truth)
    assert tally.per_class() == pytest.approx((2 / 5, 4 / 6, 2 / 3))
    expected = {"loss": 0.25, "dice": (4 / 6 + 2 / 3) / 2, "iou": (2 / 4 + 1 / 2) / 2}
    assert tally.metrics() == pytest.approx(expected)
    assert tally.interval() is None, "one image says nothing about how images vary"


def test_many_classes_are_counted_like_few():
    truth = torch.randint(0, 21, (3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    answer = truth.roll(1, 2)
    counts = pixel_counts(logits_of(answer, 21), truth)
    assert counts.shape == (3, 21, 3)
    for index in (0, 7, 8, 20):
        assert counts[1, index].tolist() == [
            int(((truth[1] == index) & (answer[1] == index)).sum()),
            int((answer[1] == index).sum()),
            int((truth[1] == index).sum()),
        ]


def test_scores_are_pooled_over_the_pixels_of_all_batches():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (12, 16, 16), dtype=torch.uint8, generator=generator)
    answer = torch.where(torch.rand(12, 16, 16, generator=generator) < 0.7, truth, 0)
    together, apart = MaskTally(CLASSES, CPU), MaskTally(CLASSES, CPU)
    together.add(torch.arange(12.0), logits_of(answer), truth)
    for start in (0, 5, 10):
        part = slice(start, min(12, start + 5))
        apart.add(torch.arange(12.0)[part], logits_of(answer[part]), truth[part])
    assert apart.metrics() == pytest.approx(together.metrics())
    assert apart.images == together.images == 12
    assert apart.interval() == tuple(mean_interval(together.counts, 0))


def test_nothing_to_find_and_nothing_found_is_no_success():
    empty = torch.zeros(6, 8, 8, dtype=torch.uint8)
    tally = MaskTally(CLASSES, CPU)
    tally.add(torch.zeros(6), logits_of(empty), empty)
    assert tally.metrics() == {"loss": 0.0, "dice": 0.0, "iou": 0.0}
    assert tally.per_class() == (1.0, None, None)
    assert tally.interval() is None


def test_without_a_background_every_class_counts():
    masks = torch.tensor([[[0, 1], [1, 1]]], dtype=torch.uint8)
    tally = MaskTally(("sky", "ground"), CPU)
    tally.add(torch.zeros(1), logits_of(torch.tensor([[[0, 0], [1, 1]]]), 2), masks)
    assert tally.metrics()["dice"] == pytest.approx((2 / 3 + 4 / 5) / 2)


@pytest.mark.parametrize("size", [16, 64])
def test_memory_of_a_pass_is_twelve_bytes_for_each_image_and_class_whatever_its_size(size):
    def bytes_alive():
        gc.collect()
        storages = [one.untyped_storage() for one in gc.get_objects() if type(one) is torch.Tensor]
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    tally, before = MaskTally(CLASSES, CPU), bytes_alive()
    for _ in range(20):
        masks = torch.randint(0, 3, (10, size, size), dtype=torch.uint8)
        tally.add(torch.zeros(10), logits_of(masks), masks)
    del masks
    assert bytes_alive() - before <= 200 * 3 * 12 + 64


def test_the_pictures_shown_hold_as_many_classes_as_they_can(tmp_path):
    splits = ("train",) * 3 + ("validation",) * 9
    shapes = shapes_dataset(tmp_path / "shapes", splits=splits)
    holds = {row: set(sample.holds) for row, sample in enumerate(shapes.samples)}
    assert images_to_show(shapes, most=1) == [3], "the first that holds both shapes"
    chosen = images_to_show(shapes)
    assert chosen == images_to_show(shapes) == sorted(chosen)
    assert len(chosen) == 4
    assert set().union(*(holds[row] for row in chosen)) == {0, 1, 2}
    assert images_to_show(shapes_dataset(tmp_path / "few", splits=("train", "validation"))) == [1]
