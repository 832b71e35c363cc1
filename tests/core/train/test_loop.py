import json
from dataclasses import replace

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from safetensors.torch import load_file

from core.errors import DatasetError, RecipeError, TrainingError
from core.train.checkpoint import load_trained
from core.train.events import EpochEnd, Outcome, Resumed, Said, Started, Step

EVERYTHING = {"phases.0.trainable": "everything", "model.dropout": 0.3, "phases.0.learning_rate": 0.001}


def figures(attempt):
    """What every epoch measured, without clocks."""
    return [(e.epoch, e.train, e.validation, e.best, e.learning_rate) for e in attempt.of(EpochEnd)]


@pytest.fixture(params=[{}, EVERYTHING], ids=["head", "everything"])
def recipe(request, small_recipe):
    return small_recipe.set(request.param)


def test_a_run_tells_its_start_its_first_step_every_epoch_and_its_outcome(attempt, recipe, coloured):
    run = attempt("a", recipe, coloured)
    kinds = [type(event) for event in run.events]
    assert kinds[0] is Started
    assert kinds[1] is Step
    assert kinds[-1] is Outcome
    assert [event.epoch for event in run.of(EpochEnd)] == [1, 2, 3]
    assert run.of(Step)[0].steps == 4  # 24 training images in batches of 6
    assert run.events[-1].state == "finished"
    assert run.events[-1].epochs_done == 3
    json.dumps([event.entry() for event in run.events])  # every event can be a journal line


def test_a_run_says_at_its_start_what_is_on_both_sides_of_the_split(attempt, small_recipe, coloured):
    coloured = replace(coloured, samples=tuple(replace(one, group=one.id[-1]) for one in coloured.samples))
    events = attempt("a", small_recipe.set({"phases.0.epochs": 1}), coloured).events
    assert isinstance(events[0], Said)
    assert events[0].sentence.startswith("10 groups are in more than one split, so a model is examined on pictures")
    assert sum(isinstance(event, Said) for event in events) == 1


def test_a_classifier_learns_three_colours(attempt, small_recipe, coloured):
    run = attempt("a", small_recipe.set(EVERYTHING | {"phases.0.epochs": 12, "phases.0.learning_rate": 0.01}), coloured)
    assert run.events[-1].best["accuracy"] >= 0.9
    assert run.of(EpochEnd)[-1].train["loss"] < run.of(EpochEnd)[0].train["loss"] / 2


def test_the_same_recipe_gives_the_same_weights_bit_for_bit(attempt, recipe, coloured):
    one, two = attempt("one", recipe, coloured), attempt("two", recipe, coloured)
    assert figures(one) == figures(two)
    assert one.best.read_bytes() == two.best.read_bytes()


def test_another_runs_cached_features_change_no_bit(attempt, small_recipe, coloured):
    alone = attempt("alone", small_recipe, coloured)
    before = attempt("before", small_recipe.set({"batch_size": 5, "phases.0.epochs": 1}), coloured)
    after = attempt("after", small_recipe, coloured, cache=before.cache)
    assert alone.best.read_bytes() == after.best.read_bytes()


def test_the_pace_of_a_run_is_that_of_the_epochs_that_looked_at_pictures(attempt, small_recipe, coloured):
    first = attempt("first", small_recipe, coloured)
    assert [event.stored for event in first.of(EpochEnd)] == [False, False, True]
    assert first.events[-1].images_per_second <= max(e.images_per_second for e in first.of(EpochEnd)[:2])
    second = attempt("second", small_recipe, coloured, cache=first.cache)
    assert [event.stored for event in second.of(EpochEnd)] == [True, True, True]
    assert second.events[-1].images_per_second > 0


def test_another_seed_gives_other_weights(attempt, recipe, coloured):
    one, two = attempt("one", recipe, coloured), attempt("two", recipe.set({"seed": 1}), coloured)
    assert one.best.read_bytes() != two.best.read_bytes()


def test_a_run_taken_up_again_ends_as_if_it_had_never_stopped(attempt, recipe, coloured, saving_always):
    whole = attempt("whole", recipe, coloured)
    asked = iter(range(1000))
    attempt("parts", recipe, coloured, should_stop=lambda: next(asked) >= 5)  # stops within the second epoch
    rest = attempt("parts", recipe, coloured, resume=True)
    assert rest.of(Resumed)[0].epoch == 1
    assert figures(rest) == figures(whole)[1:]
    assert whole.best.read_bytes() == rest.best.read_bytes()
    assert same_state(torch.load(whole.last), torch.load(rest.last))


def test_a_run_killed_before_its_first_save_starts_again_from_nothing(attempt, recipe, coloured):
    whole = attempt("whole", recipe, coloured)
    whole.last.unlink(missing_ok=True)
    again = attempt("whole", recipe, coloured, resume=True)
    assert again.of(Resumed)[0].epoch == 0
    assert figures(again) == figures(whole)


def test_the_best_epoch_is_kept_not_the_last(attempt, small_recipe, coloured):
    run = attempt("a", small_recipe.set(EVERYTHING | {"phases.0.epochs": 6}), coloured)
    ranked = [(event.validation["accuracy"], -event.validation["loss"]) for event in run.of(EpochEnd)]
    assert run.events[-1].best["epoch"] == 1 + ranked.index(max(ranked))
    assert json.loads(run.facts.read_text())["epoch"] == run.events[-1].best["epoch"]


def test_stopping_in_the_first_epoch_still_leaves_a_model(attempt, recipe, coloured):
    run = attempt("a", recipe, coloured, should_stop=lambda: True)
    assert run.events[-1].state == "stopped"
    assert run.events[-1].epochs_done == 0
    assert load_trained(run.best).classes == coloured.classes


def test_a_saved_model_carries_its_classes_recipe_and_data(attempt, small_recipe, coloured):
    trained = load_trained(attempt("a", small_recipe, coloured).best)
    assert trained.classes == ("red", "green", "blue")
    assert trained.recipe == small_recipe
    assert trained.facts["dataset_fingerprint"] == coloured.fingerprint
    assert not trained.model.training


def test_training_the_head_leaves_the_backbone_as_it_was(attempt, small_recipe, coloured):
    one = attempt("one", small_recipe.set({"phases.0.epochs": 1}), coloured)
    three = attempt("three", small_recipe, coloured)
    ours, theirs = load_file(one.best), load_file(three.best)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if name.startswith("backbone."))
    assert any(name.endswith("running_mean") for name in ours)


def test_phases_follow_each_other_and_a_kill_in_the_second_is_made_good(attempt, small_recipe, coloured, saving_always):
    second = {"name": "all", "trainable": "last 40%", "epochs": 2, "learning_rate": 0.001}
    recipe = small_recipe.set({"phases.1": second})
    whole = attempt("whole", recipe, coloured)
    assert [event.phase for event in whole.of(EpochEnd)] == [0, 0, 0, 1, 1]
    assert [event.cached_features for event in whole.of(Started)] == [True, False]
    asked = iter(range(1000))
    attempt("parts", recipe, coloured, should_stop=lambda: next(asked) >= 3 * 5 + 6)
    rest = attempt("parts", recipe, coloured, resume=True)
    assert rest.of(Resumed)[0].epoch == 4
    assert figures(rest) == figures(whole)[4:]
    assert whole.best.read_bytes() == rest.best.read_bytes()


def test_processes_that_prepare_images_change_no_bit(attempt, small_recipe, coloured, monkeypatch):
    recipe = small_recipe.set(EVERYTHING | {"phases.0.epochs": 2})
    alone = attempt("alone", recipe, coloured)
    monkeypatch.setattr("core.train.course.loader_processes", lambda device: 2)
    helped = attempt("helped", recipe, coloured)
    assert figures(helped) == figures(alone)
    assert helped.best.read_bytes() == alone.best.read_bytes()


def test_phases_leave_no_optimizer_behind(attempt, small_recipe, coloured):
    import gc

    phases = [{"name": "head", "trainable": trainable, "epochs": 1} for trainable in ("head", "everything") * 3]
    run = attempt("a", small_recipe.set({"phases": phases}), coloured)
    gc.collect()
    assert run.events[-1].epochs_done == 6
    assert not [one for one in gc.get_objects() if type(one) is AcceleratedOptimizer]


def test_the_best_epoch_is_kept_when_training_breaks_off(attempt, small_recipe, coloured, tmp_path):
    def break_off():
        raise TrainingError("Something gave way")

    asked = iter([*[False] * 12, True])  # two epochs of four steps, asked once more at the end of each
    with pytest.raises(TrainingError):
        attempt("a", small_recipe, coloured, should_stop=lambda: next(asked) and break_off())
    assert load_trained(tmp_path / "a" / "best.safetensors").facts["epoch"] in (1, 2)


def test_a_run_stopped_at_the_end_of_an_epoch_goes_on_after_it(attempt, small_recipe, coloured):
    asked = iter([False] * 4 + [True])
    attempt("a", small_recipe, coloured, should_stop=lambda: next(asked))
    assert attempt("a", small_recipe, coloured, resume=True).of(Resumed)[0].epoch == 1


def test_a_batch_of_one_is_refused_where_norms_would_have_to_learn_from_it(attempt, small_recipe, coloured):
    with pytest.raises(RecipeError, match="batch_size: found 1, expected at least 2"):
        attempt("a", small_recipe.set(EVERYTHING | {"batch_size": 1}), coloured)


def test_a_loss_that_is_no_number_stops_the_run_with_advice(attempt, small_recipe, coloured):
    with pytest.raises(TrainingError, match="not a number.*learning rate"):
        attempt(
            "a",
            small_recipe.set(
                {"optimizer.name": "sgd", "phases.0.learning_rate": 10, "phases.0.epochs": 400}
                | {"phases.0.trainable": "everything", "schedule.warmup": 0}
            ),
            coloured,
        )


def test_a_batch_larger_than_the_data_is_refused_before_the_start(attempt, small_recipe, coloured):
    with pytest.raises(RecipeError, match="batch_size: found 25, expected at most the 24 training images"):
        attempt("a", small_recipe.set({"batch_size": 25}), coloured)


def test_a_class_without_training_images_is_refused_before_the_start(attempt, small_recipe, coloured):
    samples = [s for s in coloured.samples if s.label != 1 or s.split != "train"]
    with pytest.raises(DatasetError, match="no training image: found 'green'"):
        attempt("a", small_recipe, replace(coloured, samples=tuple(samples)))


def test_an_unknown_optimizer_is_refused_with_the_names_there_are(attempt, small_recipe, coloured):
    with pytest.raises(RecipeError, match="found 'magic', expected one of adamw, adam, sgd"):
        attempt("a", small_recipe.set({"optimizer.name": "magic"}), coloured)


def test_half_precision_on_a_cpu_is_refused(attempt, small_recipe, coloured):
    with pytest.raises(RecipeError, match="'bfloat16' on a CPU, expected float32"):
        attempt("a", small_recipe.set({"precision": "bfloat16"}), coloured)


def same_state(one, two) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same_state(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same_state, one, two))
    return one == two
