import pytest

from core.models.catalog import PASSES_PER_STEP
from core.recipe import Recipe, SegmentationRecipe
from core.runs.pace import DECODER_EPOCH, STORED_EPOCH, epoch_kinds, pace

WHOLE = Recipe().set({"batch_size": 10, "phases.0": {"trainable": "everything", "epochs": 4, "learning_rate": 1e-4}})
HEAD = Recipe().set({"augment.policy": "light", "augment.views": 2, "phases.0.epochs": 5, "batch_size": 10})
BOTH = HEAD.set({"phases.1": {"trainable": "everything", "epochs": 5, "learning_rate": 1e-4}})


def epoch(number: int, seconds: float = 10.0, stored: bool = False) -> dict:
    rate = 20_000.0 if stored else 20.0
    return {"kind": "epoch", "epoch": number, "seconds": seconds, "images_per_second": rate, "stored": stored}


def step(epoch_number: int, number: int, steps: int = 20, rate: float = 20.0) -> dict:
    return {"kind": "step", "epoch": epoch_number, "step": number, "steps": steps, "images_per_second": rate}


def costs(recipe: Recipe, stored: dict[int, bool] | None = None) -> list[float]:
    return [kind.cost for kind in epoch_kinds(recipe, stored)]


def test_before_the_first_step_nothing_is_known():
    now = pace(WHOLE, [])

    assert (now.epoch, now.epochs, now.fraction, now.seconds_left, now.images_per_second) == (0, 4, 0.0, None, None)


def test_a_quarter_done_in_ten_seconds_leaves_thirty():
    now = pace(WHOLE, [epoch(1)])

    assert now.fraction == pytest.approx(0.25)
    assert now.seconds_left == pytest.approx(30)


def test_the_epoch_at_work_counts_with_its_steps():
    now = pace(WHOLE, [epoch(1), step(2, 10)])

    assert now.epoch == 2
    assert now.fraction == pytest.approx(1.5 / 4)
    assert now.seconds_left == pytest.approx(25)


def test_the_first_epoch_is_measured_by_its_own_steps():
    now = pace(WHOLE, [step(1, 5)])  # twenty steps of ten images at 20 images/s: 10 s

    assert now.seconds_left == pytest.approx(7.5 + 30)


def test_a_finished_run_has_no_time_left():
    now = pace(WHOLE, [epoch(number) for number in range(1, 5)])

    assert (now.epoch, now.fraction, now.seconds_left) == (4, 1.0, 0.0)


def test_a_frozen_backbone_looks_at_images_once_for_each_view():
    assert costs(HEAD) == [1.0, 1.0, STORED_EPOCH, STORED_EPOCH, STORED_EPOCH]

    without = HEAD.set({"augment.policy": "none"})
    assert costs(without) == [1.0] + [STORED_EPOCH] * 4
    assert pace(without, [step(1, 3)]).passing
    assert not pace(without, [epoch(1)]).passing
    assert not pace(without, [epoch(1), step(2, 3)]).passing


def test_a_head_whose_first_view_was_in_the_cache_is_expected_to_find_the_others_there():
    assert costs(HEAD, {1: True}) == [STORED_EPOCH] * 5
    assert costs(HEAD, {1: True, 2: False}) == [STORED_EPOCH, 1.0, *[STORED_EPOCH] * 3]
    now = pace(HEAD, [epoch(1, 0.5, stored=True), step(2, 1, rate=20_000.0)])

    assert not now.passing, "nothing is looked at"
    assert now.seconds_left == pytest.approx(4 * 0.5 - 0.5 / 20)


def test_epochs_of_one_kind_say_nothing_about_another_kind():
    """A head on cached features, then five epochs of a minute each: not six seconds, but not known until one began."""
    head = [epoch(number, 0.1, stored=True) for number in range(1, 6)]
    assert pace(BOTH, head).seconds_left is None
    assert pace(BOTH, [*head, step(6, 10, rate=20 * 10 / 60)]).seconds_left == pytest.approx(4.5 * 60)
    assert pace(BOTH, [*head, epoch(6, 60.0)]).seconds_left == pytest.approx(4 * 60)


def test_until_a_stored_epoch_was_seen_it_counts_as_the_small_part_of_one_that_looks():
    assert pace(HEAD, [epoch(1)]).seconds_left == pytest.approx(10 + 3 * 10 * STORED_EPOCH)
    assert pace(HEAD, [epoch(1), epoch(2), epoch(3, 0.1, stored=True)]).seconds_left == pytest.approx(0.2)


def test_the_images_per_second_are_those_of_epochs_that_looked_at_pictures():
    looked = [epoch(1), epoch(2)]
    assert pace(HEAD, [*looked, epoch(3, stored=True), step(4, 3, rate=20_000.0)]).images_per_second == 20
    assert pace(HEAD, [epoch(1, stored=True)]).images_per_second == 20_000, "there were no others"


def test_every_epoch_of_the_whole_network_costs_the_same():
    assert costs(WHOLE) == [PASSES_PER_STEP] * 4


def test_a_journal_that_does_not_say_what_was_stored_can_still_be_read():
    older = [{key: value for key, value in epoch(number).items() if key != "stored"} for number in (1, 2)]
    assert pace(WHOLE, older).seconds_left == pytest.approx(20.0)


DECODER = SegmentationRecipe().set(
    {"batch_size": 10, "phases.0": {"trainable": "head", "epochs": 2}, "phases.1": {"trainable": "everything"}}
)


def test_a_network_for_masks_looks_at_pictures_at_every_epoch():
    assert costs(DECODER.set({"phases.1.epochs": 3})) == [DECODER_EPOCH] * 2 + [PASSES_PER_STEP] * 3
    now = pace(DECODER, [epoch(1), step(2, 10)])
    assert not now.passing
    assert now.images_per_second == 20


def test_epochs_of_a_decoder_say_nothing_about_epochs_of_the_whole_network():
    assert pace(DECODER, [epoch(1), epoch(2)]).seconds_left is None
    assert pace(DECODER.set({"phases.1.epochs": 3}), [epoch(1), epoch(2), epoch(3, 30.0)]).seconds_left == 60


def test_what_is_shown_after_an_epoch_does_not_disturb_its_pace():
    assert pace(DECODER, [{"kind": "looks"}, epoch(1), {"kind": "look", "epoch": 1}]).epoch == 1


def test_a_phase_that_ended_early_leaves_only_what_is_still_to_come():
    early = [epoch(number) | {"phase": 0} for number in (1, 2)] + [epoch(3, stored=False) | {"phase": 1}]

    now = pace(BOTH, early)

    assert (now.epoch, now.epochs) == (3, 7), "two of five, then one of five"
    assert now.seconds_left == pytest.approx(4 * 10)


def test_a_run_whose_last_phase_ended_early_is_over():
    entries = [epoch(number) | {"phase": 0} for number in (1, 2)] + [{"kind": "end", "state": "finished"}]

    now = pace(WHOLE, entries)

    assert (now.epoch, now.epochs, now.fraction, now.seconds_left) == (2, 2, 1.0, 0.0)


def test_mixed_pictures_are_looked_at_in_every_epoch():
    mixed = HEAD.set({"mix.mixup": 0.2})

    assert costs(mixed) == [1.0] * 5
    assert not pace(mixed, [step(1, 5)]).passing
