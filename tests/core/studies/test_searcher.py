import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from core.data.dataset import Change
from core.data.revisions import revise
from core.errors import RunError
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.run import RunState
from core.runs.store import RunStore
from core.studies import search, searcher
from core.studies.search import SearchSpec, paths_of, read_asked, read_results, read_state, standing
from core.studies.searcher import Driver, mend
from core.studies.space import Options, Range
from core.studies.study import StudyStore
from core.workspace import read_json, write_json
from tests.running import SMALL, clear_away, until
from tests.searching import MadeUpExecutor

RATE = Range("phases.0.learning_rate", 1e-4, 1.0, log=True)
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    searcher.quiet()
    monkeypatch.setattr(searcher, "SECONDS_BETWEEN_LOOKS", 0.001)
    monkeypatch.setattr(searcher, "SECONDS_BETWEEN_ROUNDS", 0.01)


@pytest.fixture
def begin(workspace, tiny_dataset, monkeypatch):
    """Make a search whose driver nobody starts."""
    monkeypatch.setattr(search, "drive", lambda study: False)

    def make(**options):
        recipe = Recipe().set(SMALL | {"phases.0.epochs": 6})
        spec = SearchSpec(**{"space": (RATE,), "trials": 6, "pruner": "none"} | options)
        return search.begin(workspace, recipe, tiny_dataset, spec)

    return make


@pytest.fixture
def executor(workspace):
    made_up = MadeUpExecutor(workspace)
    yield made_up
    made_up.close()


def driven(study, executor):
    """Drive a search to its end and give its results."""
    ended = Driver(study, executor).run()
    return ended, read_results(study)


def values(results):
    return [trial["values"]["phases.0.learning_rate"] for trial in results["trials"]]


def test_every_trial_is_an_ordinary_run_and_the_best_one_is_found(begin, executor, workspace):
    study = begin(trials=14)
    ended, results = driven(study, executor)

    assert (ended.state, ended.trials) == ("finished", 14)
    assert standing(study).sentence == "All 14 trials are done."
    runs = [RunStore(workspace).get(trial["run"]) for trial in results["trials"]]
    assert len({run.id for run in runs}) == 14
    for run, trial in zip(runs, results["trials"], strict=True):
        assert run.status.state is RunState.FINISHED
        assert f"study:{study.id}" in run.facts.tags
        assert run.recipe.phases[0].learning_rate == trial["values"]["phases.0.learning_rate"]
        assert trial["epochs"] == trial["epoch"] == 6
    assert [member.run for member in StudyStore(workspace).get(study.id).members] == [run.id for run in runs]
    assert results["best"]["value"] == max(trial["value"] for trial in results["trials"])
    assert results["importances"]["shares"] == {"phases.0.learning_rate": 1.0}
    assert values(results)[0] == 3e-3, "the recipe as it stands is the first trial"
    assert results["trials"][0]["own"]
    assert [line["best"] for line in results["history"]] == sorted(line["best"] for line in results["history"])
    assert "trial 14: finished, accuracy" in paths_of(study).log.read_text()


def test_the_loss_can_be_what_is_searched_and_chooses_the_weights_too(begin, executor, workspace):
    _, results = driven(begin(metric="loss"), executor)

    assert results["best"]["value"] == min(trial["value"] for trial in results["trials"])
    assert RunStore(workspace).get(results["best"]["run"]).recipe.best_by == "loss"


def test_a_trial_that_does_worse_than_the_others_is_pruned_and_says_so(begin, executor, workspace):
    executor.seconds = 0.02
    _, results = driven(begin(trials=10, pruner="median", sampler="random"), executor)
    pruned = [trial for trial in results["trials"] if trial["state"] == "pruned"]

    assert pruned
    assert all(trial["number"] > 4 for trial in pruned), "the first four are what the others are compared with"
    status = RunStore(workspace).status(pruned[0]["run"])
    assert status.state is RunState.STOPPED
    assert status.sentence.startswith("Pruned by its search after epoch 1")
    assert pruned[0]["epochs"] == 1
    assert results["best"]["state"] == "finished"


def test_what_is_pruned_does_not_depend_on_how_fast_anybody_looks(begin, executor):
    fast = driven(begin(trials=10, pruner="median"), executor)[1]
    executor.seconds = 0.0
    slow = driven(begin(trials=10, pruner="median"), executor)[1]

    assert "pruned" in [trial["state"] for trial in fast["trials"]]
    for one, other in zip(fast["trials"], slow["trials"], strict=True):
        kept = ("number", "state", "value", "epochs", "values")
        assert {name: one[name] for name in kept} == {name: other[name] for name in kept}


def test_what_matters_is_seen_through_pruning(begin, executor):
    space = (RATE, Range("model.dropout", 0, 0.6), Options("optimizer.name", ("adamw", "sgd", "lion")))
    _, results = driven(begin(space=space, trials=20, pruner="median"), executor)
    importances = results["importances"]

    assert [trial["state"] for trial in results["trials"]].count("pruned") >= 5
    assert importances["shares"]["phases.0.learning_rate"] > 0.6, "nothing else matters to a made-up run"
    assert "between 20 trials" in importances["sentence"]
    assert "after the first epoch" in importances["sentence"]


def test_where_epochs_are_searched_only_whole_trials_are_compared(begin, executor):
    _, results = driven(begin(space=(Range("phases.0.epochs", 1, 5, whole=True),), trials=12), executor)

    assert results["importances"]["shares"] == {"phases.0.epochs": 1.0}
    assert "by their best figure" in results["importances"]["sentence"]


def test_halving_prunes_too(begin, executor):
    _, results = driven(begin(trials=9, pruner="halving"), executor)

    assert {"finished", "pruned"} == {trial["state"] for trial in results["trials"]}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(begin, executor, sampler):
    whole = driven(begin(trials=13, sampler=sampler), executor)[1]
    study = begin(trials=4, sampler=sampler)
    driven(study, executor)
    search.go_on(study, more=7)
    driven(study, executor)
    search.go_on(study, more=2)
    ended, results = driven(study, executor)

    assert ended.trials == 13
    assert values(results) == values(whole)
    assert len(set(values(results))) == 13, "no draw is repeated"


def test_a_grid_tries_every_combination_once_even_after_an_interruption(begin, executor):
    space = (Options("optimizer.name", ("adamw", "sgd")), Range("batch_size", 4, 6, whole=True))
    study = begin(space=space, sampler="grid", trials=4)
    driven(study, executor)
    search.go_on(study, more=100)
    ended, results = driven(study, executor)

    tried = {tuple(trial["values"].values()) for trial in results["trials"]}
    assert len(tried) == len(results["trials"]) == 6
    assert ended.state == "finished"
    with pytest.raises(RunError, match="has done all its 6 trials"):
        search.go_on(study, more=5)


class Killed(BaseException):
    """Stands for `kill -9`: nobody catches it, so nothing more is written."""


@pytest.fixture
def uninterrupted(begin, executor):
    """What a search of four trials draws that nobody interrupts."""
    if not DRAWN:
        DRAWN.extend(values(driven(begin(trials=4), executor)[1]))
        executor.taken.clear()
    return DRAWN


DRAWN: list[float] = []
MOMENTS = ("create", "add", "set_user_attr", "submit", "report", "tell", "write_results")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_driver_killed_at_any_moment_loses_no_trial_and_repeats_none(
    begin, executor, monkeypatch, uninterrupted, moment, after
):
    study, calls = begin(trials=4), []
    owners = {
        "create": (RunStore, "create"),
        "add": (StudyStore, "add"),
        "set_user_attr": (searcher.Trial, "set_user_attr"),
        "submit": (MadeUpExecutor, "submit"),
        "report": (searcher.Trial, "report"),
        "tell": (searcher.optuna.Study, "tell"),
        "write_results": (Driver, "_write_results"),
    }
    owner, name = owners[moment]
    usual = getattr(owner, name)

    def deadly(*arguments, **named):
        calls.append(moment)
        if len(calls) == 3 and not after:
            raise Killed
        answer = usual(*arguments, **named)
        if len(calls) == 3:
            raise Killed
        return answer

    with monkeypatch.context() as killing:
        killing.setattr(owner, name, deadly)
        with pytest.raises(Killed):
            Driver(study, executor).run()
    assert read_state(study).state == "running", "whoever looks sees that it should be driven"
    ended, results = driven(study, executor)

    assert (ended.state, ended.trials) == ("finished", 4)
    assert values(results) == uninterrupted
    runs = [line.id for line in executor.store.list() if f"study:{study.id}" in line.tags]
    assert sorted(runs) == sorted(trial["run"] for trial in results["trials"])
    assert len(executor.taken) == len(set(executor.taken)), "no run was started twice"


def test_half_a_line_at_the_end_of_the_journal_of_trials_costs_that_line_only(begin, executor):
    study = begin(trials=3)
    driven(study, executor)
    with open(paths_of(study).optuna, "ab") as file:
        file.write(b'{"op_code": 5, "worker')
    search.go_on(study, more=1)
    ended, results = driven(study, executor)

    assert ended.trials == len(results["trials"]) == 4


def test_a_journal_is_mended_only_where_it_is_broken(tmp_path):
    journal = tmp_path / "journal"
    journal.write_bytes(b'{"a": 1}\n{"b": 2}\n')
    mend(journal)
    assert journal.read_bytes() == b'{"a": 1}\n{"b": 2}\n'
    journal.write_bytes(b'{"a": 1}\n\0\0\0\n{"b": 2}\n')
    mend(journal)
    assert journal.read_bytes() == b'{"a": 1}\n'
    mend(tmp_path / "none")


def test_a_stopped_search_pauses_its_run_and_goes_on_with_it(begin, executor, monkeypatch):
    whole = driven(begin(trials=3), executor)[1]
    study, usual = begin(trials=3), searcher.Trial.report

    def asking(trial, value, step):
        usual(trial, value, step)
        if trial.number == 1 and step == 3:
            write_json(paths_of(study).asked, {"turn": 1, "trials": 3, "stop": True})

    executor.seconds = 0.05
    with monkeypatch.context() as once:
        once.setattr(searcher.Trial, "report", asking)
        ended, results = driven(study, executor)
    assert (ended.state, ended.trials) == ("stopped", 1)
    assert executor.store.status(executor.taken[-1]).state is RunState.PAUSED
    assert len(results["trials"]) == 1

    executor.seconds = 0.0
    search.go_on(study)
    ended, results = driven(study, executor)
    assert (ended.state, ended.trials) == ("finished", 3)
    assert [trial["value"] for trial in results["trials"]] == [trial["value"] for trial in whole["trials"]]


def test_a_run_stopped_by_hand_counts_as_stopped_and_the_search_goes_on(begin, executor, monkeypatch):
    study, usual = begin(trials=3), searcher.Trial.report

    def stopping(trial, value, step):
        usual(trial, value, step)
        if trial.number == 1 and step == 3:
            executor.stop(executor.taken[-1])

    executor.seconds = 0.02
    monkeypatch.setattr(searcher.Trial, "report", stopping)
    ended, results = driven(study, executor)

    assert ended.trials == 3
    assert [trial["state"] for trial in results["trials"]] == ["finished", "stopped", "finished"]


def test_a_run_that_left_the_queue_by_hand_counts_as_stopped_and_not_as_bad(begin, executor, monkeypatch):
    usual = MadeUpExecutor._take

    def waiting(self, run_id):
        if self.taken:
            return usual(self, run_id)
        self.taken.append(run_id)
        return self.stop(run_id)

    monkeypatch.setattr(MadeUpExecutor, "_take", waiting)
    study = begin(trials=2)
    _, results = driven(study, executor)

    assert [trial["state"] for trial in results["trials"]] == ["stopped", "finished"]
    assert results["trials"][0]["value"] is None
    assert '"state":3' in paths_of(study).optuna.read_text(), "Optuna is told that it failed, and leaves it out"


def test_a_pruned_run_that_the_end_of_the_search_paused_is_not_waited_for(begin, executor, monkeypatch):
    study, usual = begin(trials=6, pruner="median"), Driver._stop

    def pausing(driver, run_id):
        executor.pause(run_id)
        write_json(paths_of(study).asked, {"turn": 1, "trials": 6, "stop": True})

    executor.seconds = 0.03
    with monkeypatch.context() as once:
        once.setattr(Driver, "_stop", pausing)
        ended, _ = driven(study, executor)
    assert ended.state == "stopped"
    assert Driver._stop is usual
    search.go_on(study)
    ended, results = driven(study, executor)
    assert ended.state == "finished"
    assert "pruned" in [trial["state"] for trial in results["trials"]]


def test_a_deleted_run_is_a_failed_trial(begin, executor, monkeypatch):
    usual = MadeUpExecutor.submit

    def deleting(self, run_id):
        usual(self, run_id)
        if len(self.taken) == 2:
            self.close()
            self.store.delete(run_id)

    monkeypatch.setattr(MadeUpExecutor, "submit", deleting)
    _, results = driven(begin(trials=3), executor)

    assert results["trials"][1] | {"values": {}} == results["trials"][1] | {
        "state": "failed",
        "run": "",
        "value": None,
        "sentence": "Its run was deleted.",
        "values": {},
    }


def test_values_that_break_training_fail_and_the_search_goes_on(begin, executor):
    executor.breaks_above = 0.1
    _, results = driven(begin(trials=8, seed=1), executor)
    failed = [trial for trial in results["trials"] if trial["state"] == "failed"]

    assert failed
    assert all(trial["values"]["phases.0.learning_rate"] > 0.1 for trial in failed)
    assert failed[0]["sentence"] == "The loss was no number."
    assert results["best"] is not None


def test_three_failures_in_a_row_end_the_search_with_the_reason(begin, executor):
    executor.breaks_above = 0.0
    study = begin(trials=8)
    ended, results = driven(study, executor)

    assert (ended.state, ended.trials) == ("failed", 3)
    assert ended.sentence == "3 trials in a row failed; the last one: The loss was no number."
    assert results["best"] is None
    assert results["caution"] == ""
    executor.breaks_above = math.inf
    search.go_on(study)
    assert driven(study, executor)[0].trials == 8


def test_the_time_budget_ends_the_search_between_two_trials(begin, executor):
    ended, _ = driven(begin(trials=50, minutes=0.06), executor)  # each made-up run says that it took a second

    assert (ended.state, ended.trials) == ("finished", 4)
    assert ended.sentence.startswith("The time is used up")


def test_a_changed_dataset_ends_the_search_with_one_sentence(begin, executor, tiny_dataset):
    study = begin(trials=3)
    about = tiny_dataset.folder / "dataset.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"fingerprint": "another"}))
    ended, _ = driven(study, executor)

    assert ended.state == "failed"
    assert "is not the one this search began with" in ended.sentence


def test_a_search_goes_on_with_the_revision_that_it_began_with(begin, executor, tiny_dataset):
    study = begin(trials=2)
    revise(tiny_dataset, [Change("exclude", (tiny_dataset.samples[0].id,))])
    ended, _ = driven(study, executor)

    assert (ended.state, ended.trials) == ("finished", 2), ended.sentence


def test_masks_are_searched_by_their_dice(workspace, executor, monkeypatch):
    from core.recipe import SegmentationRecipe
    from tests.shapes import SMALL_MASKS, kept_shapes

    monkeypatch.setattr(search, "drive", lambda study: False)
    monkeypatch.setattr(searcher, "_figure", lambda entry, metric: entry["validation"]["accuracy"])
    dataset = kept_shapes(workspace)
    recipe = SegmentationRecipe().set(SMALL_MASKS)
    space = (Options("loss.name", ("dice", "focal")), RATE)
    study = search.begin(workspace, recipe, dataset, SearchSpec(space, trials=3))
    monkeypatch.setattr(searcher, "_figure", _made_up_figure)
    _, results = driven(study, executor)

    assert results["metric"] == "dice"
    assert {trial["values"]["loss.name"] for trial in results["trials"]} <= {"dice", "focal"}


def _made_up_figure(entry, metric):
    assert metric == "dice"
    return entry["validation"]["accuracy"] if entry["kind"] == "epoch" else None


# Real processes


def _real(workspace, dataset, **options):
    recipe = Recipe().set(SMALL | {"phases.0.epochs": 4, "augment.policy": "none"})
    spec = SearchSpec(**{"space": (RATE,), "trials": 3, "pruner": "none", "sampler": "random"} | options)
    return search.begin(workspace, recipe, dataset, spec)


@pytest.fixture
def clean(workspace, monkeypatch):
    """No process of a test outlives it."""
    monkeypatch.setattr(search, "SECONDS_TO_START", 0.0)
    yield
    for study in StudyStore(workspace).list():
        mark = read_json(paths_of(study).driver) or {}
        if mark.get("pid"):
            _kill(mark["pid"])
    clear_away(workspace)


def _kill(pid):
    try:
        psutil.Process(pid).kill()
        psutil.Process(pid).wait(10)
    except psutil.NoSuchProcess:
        pass


@pytest.mark.slow
def test_a_search_survives_kill_9_of_its_driver_and_of_a_worker(workspace, tiny_dataset, clean):
    study = _real(workspace, tiny_dataset, trials=2)
    paths, store = paths_of(study), RunStore(workspace)
    until(lambda: read_state(study).run and store.status(read_state(study).run).state is RunState.RUNNING)
    first = read_state(study).run
    assert not search.drive(study), "it has a driver"
    second = _another_driver(paths)
    assert second.returncode == 2
    assert "Another process drives the search" in second.stderr
    os.kill(read_json(paths.driver)["pid"], signal.SIGKILL)
    os.kill(read_json(store.paths(first).worker)["pid"], signal.SIGKILL)
    until(lambda: not psutil.pid_exists(read_json(paths.driver)["pid"]) or _zombie(read_json(paths.driver)["pid"]))
    assert standing(study).is_active

    search.ensure_driving(workspace)
    until(lambda: read_state(study).state != "running")
    assert read_state(study).state == "finished", paths.log.read_text()
    results = read_results(study)
    assert [trial["state"] for trial in results["trials"]] == ["finished"] * 2
    assert results["trials"][0]["run"] == first, "the run that the trial had was taken up"
    assert store.status(first).attempt == 2
    assert len([line for line in store.list() if f"study:{study.id}" in line.tags]) == 2
    assert not list(store.paths(first).folder.glob("*test*")), "nobody looked at the test split"


def _zombie(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _another_driver(paths):
    return subprocess.run(
        [sys.executable, "-m", "core.studies.searcher", str(paths.folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_search_can_be_stopped_before_its_driver_came(begin, executor):
    study = begin(trials=3)
    search.stop(study)
    assert read_asked(study).stop
    ended, results = driven(study, executor)
    assert (ended.state, ended.trials) == ("stopped", 0)
    assert results["trials"] == []
    with pytest.raises(RunError, match="is not at work"):
        search.stop(study)


def test_a_seed_of_its_own_draws_other_trials(begin, executor):
    one, other = (driven(begin(trials=3, seed=seed), executor)[1] for seed in (0, 1))
    assert values(one)[0] == values(other)[0]
    assert values(one)[1:] != values(other)[1:]


def test_the_worker_of_a_run_that_dies_again_and_again_fails_its_trial(begin, executor, monkeypatch):
    """A worker that vanishes leaves a failed run whose journal tells no end."""

    def vanish(self, run_id):
        self.taken.append(run_id)
        paths = self.store.paths(run_id)
        searcher.write_status(paths, replace(self.store.status(run_id), state=RunState.FAILED, sentence="gone"))

    monkeypatch.setattr(MadeUpExecutor, "_take", vanish)
    _, results = driven(begin(trials=1), executor)
    assert results["trials"][0]["state"] == "failed"
    assert len(executor.taken) == searcher.MOST_ATTEMPTS


def test_the_executor_of_the_driver_is_that_of_the_queue():
    assert searcher.LocalExecutor is LocalExecutor
