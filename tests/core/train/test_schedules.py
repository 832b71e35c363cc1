"""How the learning rate moves within a phase, and that it goes on from any step as if nothing had happened."""

import io
import math

import pytest
import torch
from torch import nn

from core.errors import RecipeError
from core.recipe import ScheduleChoice
from core.train.schedules import SCHEDULES, Schedule, build_schedule, schedule_row, schedule_values

LOSSES = [1.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.4, 0.5, 0.6, 0.7]  # of the validations, one an epoch
ROWS = pytest.mark.parametrize("row", SCHEDULES, ids=lambda row: row.name)


def two_groups() -> torch.optim.Optimizer:
    """An optimizer whose second group learns at half the rate of the first."""
    layers = nn.Linear(2, 1), nn.Linear(1, 1)
    groups = [{"params": layer.parameters(), "lr": rate} for layer, rate in zip(layers, (1.0, 0.5), strict=True)]
    return torch.optim.AdamW(groups, lr=1.0)


def schedule_of(optimizer, name, warmup=0.0, *, steps_per_epoch=4, epochs=5, **values) -> Schedule:
    choice = ScheduleChoice(name=name, warmup=warmup, values=values)
    return build_schedule(optimizer, choice, steps_per_epoch=steps_per_epoch, epochs=epochs)


def follow(optimizer, schedule, first=1, last=20, steps_per_epoch=4) -> list[tuple]:
    """What the optimizer's groups hold at each step, a validation standing after every epoch."""
    seen = []
    for number in range(first, last + 1):
        seen.append(tuple((group["lr"], *group["betas"]) for group in optimizer.param_groups))
        assert schedule.rate == max(group["lr"] for group in optimizer.param_groups)
        optimizer.step()
        schedule.step()
        if number % steps_per_epoch == 0:
            schedule.end_epoch(LOSSES[number // steps_per_epoch - 1])
    return seen


def rates(name, warmup=0.0, **options) -> list[float]:
    optimizer = two_groups()
    schedule = schedule_of(optimizer, name, warmup, **options)
    return [groups[0][0] for groups in follow(optimizer, schedule)]


@pytest.mark.parametrize("row", [row for row in SCHEDULES if row.warms_up], ids=lambda row: row.name)
def test_a_warm_up_rises_from_a_tenth_to_the_peak(row):
    seen = rates(row.name, warmup=0.25)
    assert seen[0] == pytest.approx(0.1)
    assert seen[:6] == sorted(seen[:6])
    assert max(seen) == pytest.approx(1.0)
    assert seen[5] == pytest.approx(1.0)


def test_constant_stays():
    assert rates("constant") == [1.0] * 20


def test_cosine_falls_to_nothing_with_half_the_rate_half_way():
    seen = rates("cosine")
    assert seen[10] == pytest.approx(0.5)
    assert seen[-1] == pytest.approx((1 + math.cos(math.pi * 19 / 20)) / 2)


def test_one_cycle_rises_from_a_25th_to_its_peak_after_a_quarter_and_falls_to_almost_nothing():
    optimizer = two_groups()
    schedule = schedule_of(optimizer, "one-cycle", warmup=0.5)  # which it has no use for
    seen = follow(optimizer, schedule)
    first = [groups[0][0] for groups in seen]
    assert first[0] == pytest.approx(1 / 25)
    assert max(first) == pytest.approx(1, abs=0.01)
    assert first.index(max(first)) in (4, 5)
    assert schedule.rate == pytest.approx(1 / 25 / 1e4)
    momentums = [groups[0][1] for groups in seen]
    assert momentums[0] == pytest.approx(0.95)
    assert min(momentums) == pytest.approx(0.85, abs=0.01)


def test_one_cycle_leaves_momentum_alone_when_told():
    optimizer = two_groups()
    schedule = schedule_of(optimizer, "one-cycle", momentum=False)
    assert {groups[0][1:] for groups in follow(optimizer, schedule)} == {(0.9, 0.999)}


@pytest.mark.parametrize("steps", range(1, 12))
@pytest.mark.parametrize("rise", [0.05, 0.25, 0.5, 0.9])
def test_one_cycle_fits_into_any_number_of_steps(steps, rise):
    optimizer = two_groups()
    schedule = schedule_of(optimizer, "one-cycle", steps_per_epoch=1, epochs=steps, rise=rise)
    for groups in follow(optimizer, schedule, last=steps, steps_per_epoch=100):
        assert 0 < groups[0][0] <= 1


def test_steps_fall_at_the_end_of_epochs_with_a_warm_up_and_without():
    falls = [1.0] * 8 + [0.1] * 8 + [0.01] * 4
    assert rates("step", every=2, factor=0.1) == pytest.approx(falls)
    assert rates("step", every=2, factor=0.1, warmup=0.25)[5:] == pytest.approx(falls[5:])
    assert rates("step", every=5, factor=0.1) == [1.0] * 20


def test_exponential_falls_by_its_factor_in_every_epoch():
    seen = rates("exponential", factor=0.5)
    assert seen[::4] == pytest.approx([1, 0.5, 0.25, 0.125, 0.0625])
    assert seen[2] == pytest.approx(0.5**0.5)


def test_plateau_falls_after_more_epochs_without_a_better_loss_than_its_patience():
    # The second epoch was the best so far; the third and fourth are borne, the fifth is not.
    optimizer = two_groups()
    schedule = schedule_of(optimizer, "plateau", epochs=10, factor=0.5, patience=2)
    by_epoch = [groups[0][0] for groups in follow(optimizer, schedule, last=40)][::4]
    assert by_epoch == [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert schedule.rate == 0.25  # after the tenth, which is the third without a better loss than the seventh


def test_plateau_never_falls_below_its_lowest_rate_of_each_group():
    optimizer = two_groups()
    schedule = schedule_of(optimizer, "plateau", epochs=10, factor=0.1, patience=0, lowest=0.05)
    for _ in range(5):
        schedule.end_epoch(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.025])


def test_plateau_that_falls_during_the_warm_up_stays_lower():
    optimizer = two_groups()
    schedule = schedule_of(optimizer, "plateau", warmup=0.5, factor=0.5, patience=0)
    schedule.end_epoch(1.0)
    schedule.end_epoch(2.0)
    follow(optimizer, schedule, last=11, steps_per_epoch=100)
    assert schedule.rate == pytest.approx(0.5)


@ROWS
def test_layers_with_rates_of_their_own_keep_their_share(row):
    optimizer = two_groups()
    for first, second in follow(optimizer, schedule_of(optimizer, row.name, warmup=0.2)):
        assert second[0] == pytest.approx(first[0] / 2)


@ROWS
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_a_schedule_goes_on_from_any_step_to_the_last_bit(row, warmup):
    whole = two_groups()
    expected = follow(whole, schedule_of(whole, row.name, warmup))
    for taken in range(20):
        before = two_groups()
        schedule = schedule_of(before, row.name, warmup)
        follow(before, schedule, last=taken)
        file = io.BytesIO()
        torch.save(schedule.state_dict(), file)
        file.seek(0)
        state = torch.load(file, weights_only=True)  # nothing in a saved state is executed
        follow(before, schedule, first=taken + 1)  # what goes on here must not reach into what was saved

        after = two_groups()
        resumed = schedule_of(after, row.name, warmup)
        resumed.load_state_dict(state)
        assert follow(after, resumed, first=taken + 1) == expected[taken:]


@ROWS
def test_a_step_more_than_the_phase_has_changes_nothing(row):
    optimizer = two_groups()
    schedule = schedule_of(optimizer, row.name)
    follow(optimizer, schedule)
    last = schedule.rate
    optimizer.step()
    schedule.step()
    assert schedule.rate == last


@ROWS
def test_the_defaults_of_a_row_are_within_its_bounds(row):
    assert schedule_values(ScheduleChoice(name=row.name)) == {knob.name: knob.default for knob in row.knobs}


def test_an_unknown_name_or_knob_is_refused_by_its_place():
    with pytest.raises(RecipeError, match=r"phases\.1\.schedule\.name: found 'zigzag', expected one of cosine, "):
        schedule_row("zigzag", "phases.1.schedule")
    with pytest.raises(RecipeError, match=r"schedule\.values\.factor: found 2, expected a number from 0\.01 to 0\.9"):
        schedule_of(two_groups(), "plateau", factor=2)
    with pytest.raises(
        RecipeError, match=r"schedule\.values\.facter: found a name nobody knows, expected one of every, factor"
    ):
        schedule_of(two_groups(), "step", facter=2)
