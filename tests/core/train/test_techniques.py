"""What the loop does beside plain steps: each technique by what it must change, and by what it must not."""

import math
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from core.errors import TrainingError
from core.models.classifiers import Classifier
from core.recipe import FIGURES
from core.train.course import Course
from core.train.events import EpochEnd, Outcome, Resumed, Said, Started, Step

PLAIN = {"augment.policy": "none", "optimizer.name": "sgd", "schedule.name": "constant", "schedule.warmup": 0}
EVERYTHING = {"phases.0.trainable": "everything", "phases.0.learning_rate": 0.001}
ALL_AT_ONCE = EVERYTHING | {
    "model.dropout": 0.3,
    "optimizer.name": "ranger",
    "schedule.name": "plateau",
    "mix.mixup": 0.4,
    "mix.cutmix": 1.0,
    "ema": 0.9,
    "clip": 0.5,
    "accumulate": 3,
    "sampler": "balanced",
    "loss.class_weights": "balanced",
    "early_stopping.patience": 2,
    "early_stopping.metric": "macro_f1",
    "phases.0.epochs": 2,
}


def figures(*attempts):
    """What every epoch measured, without clocks."""
    return [
        (e.epoch, e.train, e.validation, e.best, e.learning_rate) for attempt in attempts for e in attempt.of(EpochEnd)
    ]


def losses(attempt):
    return [event.train["loss"] for event in attempt.of(EpochEnd)]


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_pause_after_any_step_changes_no_bit(attempt, small_recipe, coloured, step):
    recipe = small_recipe.set(ALL_AT_ONCE)
    whole = attempt("whole", recipe, coloured)
    asked = iter(range(1, 1000))
    # Four steps an epoch; the fifth question comes after the first epoch.
    first = attempt("parts", recipe, coloured, should_pause=lambda: next(asked) == step + (step > 4))
    rest = attempt("parts", recipe, coloured, resume=True)
    assert first.events[-1].state == "paused"
    assert (rest.of(Resumed)[0].epoch, rest.of(Resumed)[0].step) == divmod(step, 4) or step % 4 == 0
    assert figures(first, rest) == figures(whole)
    assert whole.best.read_bytes() == rest.best.read_bytes()


def test_a_kill_after_any_save_changes_no_bit(attempt, small_recipe, coloured, saving_always):
    recipe = small_recipe.set(ALL_AT_ONCE | {"phases.1": {"trainable": "head", "epochs": 1, "learning_rate": 0.01}})
    whole = attempt("whole", recipe, coloured)

    def killed():
        raise KeyboardInterrupt

    for moment in range(2, 14, 3):
        asked = iter(range(1, 1000))
        with pytest.raises(KeyboardInterrupt):
            attempt(
                f"killed {moment}",
                recipe,
                coloured,
                should_stop=lambda asked=asked, m=moment: next(asked) == m and killed(),
            )
        rest = attempt(f"killed {moment}", recipe, coloured, resume=True)
        assert figures(rest) == figures(whole)[-len(figures(rest)) :]
        assert whole.best.read_bytes() == rest.best.read_bytes(), moment


def test_paused_before_the_first_epoch_is_over_it_has_no_best_yet(attempt, small_recipe, coloured):
    run = attempt("a", small_recipe, coloured, should_pause=lambda: True)
    assert run.events[-1].state == "paused"
    assert (run.events[-1].best, run.events[-1].interval, run.events[-1].epochs_done) == ({}, None, 0)
    assert not run.best.exists()


def test_two_batches_to_a_step_are_one_of_twice_the_size(attempt, small_recipe, coloured):
    recipe = small_recipe.set(PLAIN | {"phases.0.learning_rate": 0.1})
    halves = attempt("halves", recipe.set({"accumulate": 2}), coloured)  # 24 images: 6 + 6, 6 + 6
    wholes = attempt("wholes", recipe.set({"batch_size": 12}), coloured)
    assert losses(halves) == pytest.approx(losses(wholes), rel=1e-5)
    other = attempt("other", recipe, coloured)
    assert losses(halves) != pytest.approx(losses(other), rel=1e-3)


def test_the_last_batches_of_an_epoch_step_by_what_they_hold(attempt, small_recipe, coloured):
    """24 images in batches of 10 are 10 + 10 + 4; two to a step are 20 and 4."""
    recipe = small_recipe.set(PLAIN | {"phases.0.learning_rate": 0.1, "phases.0.epochs": 2})
    halves = attempt("halves", recipe.set({"batch_size": 10, "accumulate": 2}), coloured)
    wholes = attempt("wholes", recipe.set({"batch_size": 20}), coloured)
    assert losses(halves) == pytest.approx(losses(wholes), rel=1e-5)


@pytest.fixture
def small_memory(monkeypatch):
    """No more than two images fit into memory at once while learning."""
    way = Course._gradients

    def learn(course, inputs, targets, images, ends):
        size = -(-len(inputs) // course.pieces)
        if size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return way(course, inputs, targets, images, ends)

    monkeypatch.setattr(Course, "_gradients", learn)


def test_when_memory_runs_out_the_batch_is_halved_and_the_run_says_so(attempt, small_recipe, coloured, request):
    recipe = small_recipe.set(PLAIN | {"phases.0.learning_rate": 0.1, "batch_size": 8})
    roomy = attempt("roomy", recipe, coloured)
    request.getfixturevalue("small_memory")
    tight = attempt("tight", recipe, coloured)
    assert [said.sentence for said in tight.of(Said)] == [
        "The memory was not enough for 4 images at once: a batch is now 2, "
        "and 4 of them make one step of the optimizer."
    ]
    assert (tight.of(Said)[0].epoch, tight.of(Said)[0].step) == (1, 1)
    assert losses(tight) == pytest.approx(losses(roomy), rel=1e-5), "the same steps, in smaller pieces"


def test_what_memory_does_not_take_at_once_is_not_looked_at_at_once(
    attempt, small_recipe, coloured, small_memory, monkeypatch
):
    seen, normalise = [], Classifier.normalise

    def watched(model, images):
        if not torch.is_grad_enabled():
            seen.append(len(images))
        return normalise(model, images)

    monkeypatch.setattr(Classifier, "normalise", watched)
    attempt("a", small_recipe.set(EVERYTHING | {"batch_size": 8, "phases.0.epochs": 1}), coloured)
    assert seen == [3, 3, 3, 3], "12 validation images, in the four pieces that a batch is learned from in"


def test_a_smaller_batch_is_kept_when_the_run_goes_on(attempt, small_recipe, coloured, small_memory):
    recipe = small_recipe.set({"batch_size": 8})
    asked = iter(range(1000))
    attempt("a", recipe, coloured, should_pause=lambda: next(asked) == 1)
    assert not attempt("a", recipe, coloured, resume=True).of(Said), "it knows already"


def test_an_image_that_does_not_fit_ends_the_run(attempt, small_recipe, coloured, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Course, "_gradients", full)
    with pytest.raises(torch.OutOfMemoryError):
        attempt("a", small_recipe, coloured)


def test_processes_that_share_a_batch_do_not_wait_for_one_that_has_no_memory(
    attempt, small_recipe, coloured, monkeypatch
):
    def full(course, *_):
        course._accelerator = SimpleNamespace(num_processes=2, device=course._accelerator.device)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Course, "_gradients", full)
    with pytest.raises(TrainingError, match="several processes share: found 6 images in this process"):
        attempt("a", small_recipe, coloured)


def test_a_phase_without_progress_ends_early_and_the_next_begins(attempt, small_recipe, coloured):
    recipe = small_recipe.set(
        PLAIN
        | {
            "early_stopping": {"patience": 2, "metric": "loss", "least": 1.0},  # nothing gets better by so much
            "phases.0.epochs": 9,
            "phases.1": {"name": "all", "trainable": "everything", "epochs": 1, "learning_rate": 0.001},
        }
    )
    run = attempt("a", recipe, coloured)
    assert [(e.phase, e.epoch) for e in run.of(EpochEnd)] == [(0, 1), (0, 2), (0, 3), (1, 4)]
    assert [e.epoch for e in run.of(Started)] == [1, 4]
    assert [e.sentence for e in run.of(Said)] == [
        "Phase 'head' ended after 3 of 9 epochs: no better validation loss in 2 epochs."
    ]
    assert (run.events[-1].state, run.events[-1].epochs_done) == ("finished", 4)


@pytest.mark.parametrize("metric", FIGURES["classification"])
def test_any_figure_of_the_validation_can_stop_a_phase(attempt, small_recipe, coloured, metric):
    changes = {"early_stopping": {"patience": 1, "metric": metric, "least": 1.0}, "phases.0.epochs": 9}
    assert len(attempt("a", small_recipe.set(changes), coloured).of(EpochEnd)) == 2


def test_progress_is_measured_from_the_best_epoch_not_from_the_last(attempt, small_recipe, coloured):
    changes = EVERYTHING | {"early_stopping": {"patience": 3, "metric": "loss"}, "phases.0.epochs": 12}
    run = attempt("a", small_recipe.set(changes | {"phases.0.learning_rate": 0.02}), coloured)
    seen = [e.validation["loss"] for e in run.of(EpochEnd)]
    best = seen.index(min(seen))
    assert len(seen) == min(12, best + 4)


def test_the_next_phase_goes_on_from_the_best_weights_if_asked_to(attempt, small_recipe, coloured):
    spoiling = EVERYTHING | PLAIN | {"phases.0.learning_rate": 0.5, "phases.0.epochs": 4, "clip": 5.0}
    still = {"trainable": "head", "epochs": 1, "learning_rate": 1e-9}
    recipe = small_recipe.set(spoiling | {"phases.1": still, "best_by": "loss"})
    restored = attempt("restored", recipe.set({"restore_best": True}), coloured).of(EpochEnd)
    going_on = attempt("going on", recipe, coloured).of(EpochEnd)
    best = min(e.validation["loss"] for e in restored[:4])
    assert restored[4].validation["loss"] == pytest.approx(best, rel=1e-5)
    assert going_on[3].validation["loss"] > best * 1.01, "otherwise this shows nothing"
    assert going_on[4].validation["loss"] == pytest.approx(going_on[3].validation["loss"], rel=1e-5)


def test_the_running_mean_of_the_weights_is_judged_and_kept(attempt, small_recipe, coloured):
    plain = attempt("plain", small_recipe.set(EVERYTHING), coloured)
    mean = attempt("mean", small_recipe.set(EVERYTHING | {"ema": 0.99}), coloured)
    assert losses(mean) == losses(plain), "learning goes on as without it"
    assert [e.validation for e in mean.of(EpochEnd)] != [e.validation for e in plain.of(EpochEnd)]
    ours, theirs = load_file(mean.best), load_file(plain.best)
    assert ours.keys() == theirs.keys()
    assert not torch.equal(ours["head.1.weight"], theirs["head.1.weight"])


def test_a_mean_that_forgets_at_once_is_the_latest_weights(attempt, small_recipe, coloured):
    plain = attempt("plain", small_recipe, coloured)
    mean = attempt("mean", small_recipe.set({"ema": 1e-12}), coloured)
    ours, theirs = load_file(mean.best), load_file(plain.best)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in theirs)


def test_clipped_gradients_move_weights_no_farther_than_the_rate_allows(attempt, small_recipe, coloured):
    changes = PLAIN | {"optimizer.momentum": 0, "optimizer.weight_decay": 0, "phases.0.epochs": 1}
    recipe = small_recipe.set(changes | {"phases.0.learning_rate": 1.0, "clip": 1e-3, "best_by": "loss"})
    torch.manual_seed(0)
    start = attempt("start", recipe.set({"phases.0.learning_rate": 1e-9}), coloured)
    moved = attempt("moved", recipe, coloured)
    before, after = load_file(start.best), load_file(moved.best)
    distance = math.sqrt(sum(float((after[k] - before[k]).square().sum()) for k in before if k.startswith("head.")))
    assert 0 < distance <= 4 * 1e-3 * 1.001  # four steps


def test_mixed_images_are_looked_at_in_every_epoch(attempt, small_recipe, coloured):
    mixed = attempt("mixed", small_recipe.set({"mix.mixup": 0.4}), coloured)
    plain = attempt("plain", small_recipe, coloured)
    assert not mixed.of(Started)[0].cached_features
    assert plain.of(Started)[0].cached_features
    assert [e.stored for e in mixed.of(EpochEnd)] == [False] * 3
    assert losses(mixed) != losses(plain)


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["head", "everything"])
def test_a_loss_that_is_no_number_stops_the_run_at_that_step(attempt, small_recipe, coloured, monkeypatch, changes):
    way, count = Course._gradients, iter(range(1, 1000))

    def learn(course, *batch):
        found, outputs = way(course, *batch)
        return (found * math.nan if next(count) == 6 else found), outputs

    monkeypatch.setattr(Course, "_gradients", learn)
    with pytest.raises(TrainingError, match="Training stopped in epoch 2, step 2: found a loss that is not a number"):
        attempt("a", small_recipe.set(changes), coloured)
    assert next(count) == 7, "nothing is learned after it"


def test_where_steps_are_not_looked_at_one_by_one_the_first_bad_one_is_told(
    attempt, small_recipe, coloured, monkeypatch
):
    """As on a GPU, where looking means waiting."""
    way, count, begin = Course._gradients, iter(range(1, 1000)), Course.__init__

    def learn(course, *batch):
        found, outputs = way(course, *batch)
        return (found * math.nan if next(count) == 2 else found), outputs

    def on_device(course, *arguments, **options):
        begin(course, *arguments, **options)
        course._bad_step = torch.zeros(())

    monkeypatch.setattr(Course, "_gradients", learn)
    monkeypatch.setattr(Course, "__init__", on_device)
    monkeypatch.setattr("core.train.loop._looks_at_every_step", lambda device: False)
    with pytest.raises(TrainingError, match="epoch 1, step 2"):
        attempt("a", small_recipe, coloured)


def test_a_head_can_be_solved_for_in_one_epoch(attempt, small_recipe, coloured):
    solved = small_recipe.set({"phases.0.solver": "convex", "phases.0.epochs": 1, "augment.policy": "none"})
    run = attempt("a", solved, coloured)
    (epoch,) = run.of(EpochEnd)
    assert run.of(Started)[0].cached_features
    assert epoch.train["accuracy"] == 1.0
    assert epoch.validation["accuracy"] >= 0.9
    assert run.events[-1].state == "finished"


def test_a_head_is_solved_for_over_all_views(attempt, small_recipe, coloured):
    changes = {"phases.0.solver": "convex", "phases.0.epochs": 1, "augment.policy": "light", "augment.views": 3}
    run = attempt("a", small_recipe.set(changes), coloured)
    assert run.of(Step)[0].steps == 3 * 4


def test_a_solved_head_is_judged_and_kept_itself_and_not_a_mean_of_steps_that_were_not_taken(
    attempt, small_recipe, coloured
):
    solved = {"phases.0.solver": "convex", "phases.0.epochs": 1}
    plain, mean = (attempt(f"{ema}", small_recipe.set(solved | {"ema": ema}), coloured) for ema in (0.0, 0.99))
    assert mean.of(EpochEnd)[0].validation == plain.of(EpochEnd)[0].validation
    ours, theirs = load_file(mean.best), load_file(plain.best)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_solved_head_is_the_same_after_a_pause(attempt, small_recipe, coloured):
    recipe = small_recipe.set({"phases.0.solver": "convex", "phases.0.epochs": 1})
    whole = attempt("whole", recipe, coloured)
    asked = iter(range(1000))
    attempt("parts", recipe, coloured, should_pause=lambda: next(asked) == 2)
    rest = attempt("parts", recipe, coloured, resume=True)
    assert rest.best.read_bytes() == whole.best.read_bytes()
    assert isinstance(rest.events[-1], Outcome)


def test_stopped_before_every_class_was_seen_a_head_cannot_be_solved_for_and_the_run_goes_on_later(
    attempt, small_recipe, coloured
):
    recipe = small_recipe.set({"phases.0.solver": "convex", "phases.0.epochs": 1, "batch_size": 2})
    whole = attempt("whole", recipe, coloured)
    first = attempt("parts", recipe, coloured, should_stop=lambda: True)
    assert first.events[-1].state == "stopped"
    assert first.best.exists()
    rest = attempt("parts", recipe, coloured, resume=True)
    assert rest.best.read_bytes() == whole.best.read_bytes()


def test_a_balanced_epoch_shows_every_class_equally_often(coloured, small_recipe, attempt, monkeypatch):
    from dataclasses import replace

    kept = [s for number, s in enumerate(coloured.samples) if s.split != "train" or s.label != 0 or number % 4 == 0]
    rare = replace(coloured, samples=tuple(kept))
    seen, learn = [], Course.learn

    def watched(course, inputs, targets, epoch, step):
        seen.extend(targets.tolist())
        return learn(course, inputs, targets, epoch, step)

    monkeypatch.setattr(Course, "learn", watched)
    attempt("a", small_recipe.set({"sampler": "balanced", "phases.0.epochs": 1}), rare)
    assert [seen.count(label) for label in range(3)] == [6, 6, 6]


def test_a_phase_may_have_a_schedule_of_its_own(attempt, small_recipe, coloured):
    second = {"trainable": "head", "epochs": 2, "learning_rate": 0.01, "schedule": {"name": "constant", "warmup": 0}}
    run = attempt("a", small_recipe.set({"phases.1": second}), coloured)
    rates = [event.learning_rate for event in run.of(EpochEnd)]
    assert rates[0] > rates[1] > rates[2]
    assert rates[3:] == [0.01, 0.01]


@pytest.mark.parametrize("changes", [{}, {"ema": 0.5}, EVERYTHING, EVERYTHING | {"ema": 0.5}])
def test_the_best_is_a_copy_that_later_training_does_not_touch(attempt, small_recipe, coloured, monkeypatch, changes):
    recipe = small_recipe.set(changes | {"schedule.name": "constant", "schedule.warmup": 0})
    one = attempt("one", recipe.set({"phases.0.epochs": 1}), coloured)
    kept, keep = [], Course.kept
    monkeypatch.setattr(Course, "kept", lambda course: kept.append(keep(course)) or kept[-1])
    longer = attempt("longer", recipe, coloured)
    assert len(longer.of(EpochEnd)) == 3
    first = load_file(one.best)
    assert first.keys() == kept[0].keys()
    assert all(torch.equal(first[name], kept[0][name]) for name in first)
