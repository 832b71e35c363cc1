"""The driver of a search: a process that makes one trial after the other, follows its run, and ends.

    python -m core.studies.searcher STUDY_FOLDER

Each trial is an ordinary run in the queue. What Optuna knows is in a journal file of its own, so that a driver that was
killed is replaced by another one: it takes up the run that the latest trial already has, resumes it if it died, and
repeats none that ended.

What holds about chance: every trial has a sampler of its own, seeded from the search's seed and the trial's number,
and trials come one at a time. So a search that was interrupted goes on exactly as it would have, since Optuna's own
generator, which would start again from its seed, is never continued. What a trial is told, and whether it is pruned,
depends on its epochs only and not on how fast anybody looks. The exception: a driver killed in the milliseconds
between two draws of one trial draws the rest of that trial anew.
"""

import argparse
import faulthandler
import json
import math
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from core.data.dataset import Dataset
from core.data.library import Library
from core.errors import DatasetError, FoveaError, RunError, StorageError, storage_errors
from core.executors.base import Executor
from core.executors.chronicle import Heartbeat
from core.executors.launch import step_back
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.index import touch
from core.runs.journal import RunReader
from core.runs.liveness import ProcessMark
from core.runs.run import RunState, write_status
from core.runs.store import Run
from core.seeding import derive
from core.studies.findings import FEWEST_TRIALS, Importances, results_of
from core.studies.search import (
    SearchPaths,
    SearchSpec,
    SearchState,
    paths_of,
    read_asked,
    spec_of,
    tag,
    trial_recipe,
    trial_tag,
    write_state,
)
from core.studies.space import Options, Span, combinations, value_at
from core.studies.study import Study, StudyStore
from core.workspace import Workspace, read_json, write_json

SECONDS_BETWEEN_LOOKS = 0.1  # at the journal of the run at work; an epoch on stored features takes milliseconds
SECONDS_BETWEEN_ROUNDS = 1.0  # in which the queue is moved on and the state written down
MOST_ATTEMPTS = 3  # at a run whose worker was killed, before its trial counts as failed
MOST_FAILURES = 3  # trials in a row; then something is wrong that the next trial will not better
_LOCK_SECONDS = 2.0  # a driver that was just killed may hold its lock a moment longer
_REDUCTION = 3  # of trials from one rung of successive halving to the next
_STUDY = "search"  # the one study in an Optuna journal
_HOW = {
    RunState.QUEUED: "waiting for its turn in the queue",
    RunState.PAUSED: "paused; let its run go on, or stop the search",
}


class _Ended(Exception):
    """The search ends here, in this state and with this sentence."""

    def __init__(self, state: str, sentence: str) -> None:
        super().__init__(sentence)
        self.state, self.sentence = state, sentence


class Driver:
    """Drives one search. `executor` takes its runs; `asked_to_end` leaves the run at work to whoever comes next."""

    def __init__(self, study: Study, executor: Executor, asked_to_end: Callable[[], bool] = lambda: False) -> None:
        self.study, self.executor, self.store = study, executor, executor.store
        self.spec: SearchSpec = spec_of(study)
        self.paths: SearchPaths = paths_of(study)
        self.higher = self.spec.metric == "score"
        self.metric = study.recipe.score if self.higher else "loss"
        self._asked_to_end = asked_to_end
        self._turn = read_asked(study).turn
        self._state = SearchState("running", "Choosing the next trial.", time.time(), self._turn)
        self._round = -math.inf
        self._forgiven = 0  # trials that had ended before this driver, whatever became of them
        self._distributions = {span.path: distribution(span) for span in self.spec.space}
        mend(self.paths.optuna)
        self._storage = JournalStorage(JournalFileBackend(str(self.paths.optuna), lock_obj=_AlreadyLocked()))
        self._optuna = self._open()

    def run(self) -> SearchState:
        """Make trials until the search ends; how it ended. Raises StorageError when the disk is full."""
        try:
            self._forgiven = len(self._done())
            self._tell()
            while True:
                trial = self._next()
                self._finish(trial, self._ended_before(trial) or self._follow(trial, self._run_of(trial)))
        except _Ended as end:
            self._write_results()
            self._state = replace(self._state, state=end.state, sentence=end.sentence, since=time.time(), run="")
        except FoveaError as error:
            with suppress(FoveaError):
                self._write_results()
            self._state = replace(self._state, state="failed", sentence=str(error), since=time.time(), run="")
        self._state = replace(self._state, trials=len(self._done()))
        write_state(self.paths, self._state)
        log(self.paths, f"{self._state.state}: {self._state.sentence}")
        return self._state

    # Trials

    def _next(self) -> Trial:
        """The trial that somebody left unfinished, or a new one with all its values drawn."""
        self._obey(None)
        open_trials = self._trials(TrialState.RUNNING)
        if not open_trials:
            self._insist_on_more()
        number = open_trials[0].number if open_trials else len(self._trials())
        self._optuna.sampler = sampler(self.spec, number)
        if open_trials:
            trial = Trial(self._optuna, open_trials[0]._trial_id)
            for path, span in self._distributions.items():  # those it has stay as they are
                _suggest(trial, path, span)
            return trial
        return self._optuna.ask(self._distributions)

    def _insist_on_more(self) -> None:
        done, asked = self._done(), read_asked(self.study)
        points = combinations(self.spec.space) if self.spec.sampler == "grid" else None
        if len(done) >= asked.trials:
            raise _Ended("finished", f"All {len(done)} trials are done.")
        if points is not None and len(done) >= points:
            raise _Ended("finished", f"All {points} combinations are done.")
        spent = sum(_end(trial).get("seconds") or 0.0 for trial in done)
        if self.spec.minutes is not None and spent >= 60 * self.spec.minutes:
            raise _Ended("finished", f"The time is used up: {spent / 60:.1f} minutes of training, {len(done)} trials.")
        last = [_end(trial) for trial in done[self._forgiven :][-MOST_FAILURES:]]
        if len(last) == MOST_FAILURES and all(end["state"] == "failed" for end in last):
            raise _Ended("failed", f"{MOST_FAILURES} trials in a row failed; the last one: {last[-1]['sentence']}")

    def _run_of(self, trial: Trial) -> str:
        """The run of a trial, made now or found where an earlier driver left it, and on its way."""
        number, varies = trial.number, dict(trial.params)
        found = self._found_run(number)
        if found is None:
            recipe = trial_recipe(self.study.recipe, self.spec, varies)
            named = recipe.set({"name": f"{self.study.name[:60]} · {number + 1}"})
            dataset = self._dataset(recipe.dataset)
            found = self.store.create(named, dataset, tags=(tag(self.study.id), trial_tag(number)))
        studies = StudyStore(self.store.workspace)
        if found not in [member.run for member in studies.get(self.study.id).members]:
            studies.add(self.study.id, found, varies)
        if trial.user_attrs.get("run") != found:
            trial.set_user_attr("run", found)
        self._state = replace(self._state, run=found)
        self._is_at_work(trial, "at work")
        self._tell()
        while self.store.status(found).state.has_worker and self._is_leaving(found):
            self._obey(found)  # an earlier driver asked it to end, when the search was stopped
            time.sleep(SECONDS_BETWEEN_LOOKS)
        state = self.store.status(found).state
        if state is RunState.QUEUED:
            self.executor.submit(found)
        elif state.can_resume and "pruned" not in trial.user_attrs:
            self.executor.resume(found)
        return found

    def _dataset(self, dataset_id: str) -> Dataset:
        at = f"@{self.spec.revision}" if self.spec.revision else ""
        dataset = Library(self.store.workspace).get(dataset_id + at)
        if dataset.fingerprint != self.spec.fingerprint:
            raise DatasetError(
                f"The dataset {dataset.name!r} is not the one this search began with",
                found=f"fingerprint {dataset.fingerprint}",
                expected=self.spec.fingerprint,
                do="Start a new search, since its trials could not be compared with the earlier ones",
            )
        return dataset

    def _is_leaving(self, run_id: str) -> bool:
        paths = self.store.paths(run_id)
        return paths.stop.exists() or paths.pause.exists()

    def _found_run(self, number: int) -> str | None:
        wanted = {tag(self.study.id), trial_tag(number)}
        return next((line.id for line in self.store.list() if wanted <= set(line.tags)), None)

    def _follow(self, trial: Trial, run_id: str) -> dict[str, Any]:
        """Tell Optuna each epoch of a run until the run has ended, or ask it to stop; how the trial ended."""
        attempts = 1
        while True:
            try:
                run = self._until_ended(trial, run_id)
            except RunError:
                if (self.store.workspace.runs / run_id).is_dir():
                    raise
                return {"state": "failed", "run": "", "sentence": "Its run was deleted.", "told": "failed"}
            pruned = trial.user_attrs.get("pruned")
            lost = run.status.state is RunState.FAILED and not _said_its_end(run)
            if not lost or pruned is not None or attempts == MOST_ATTEMPTS:
                return self._end_of(trial, run, pruned, lost)
            attempts += 1
            log(self.paths, f"trial {trial.number + 1}: its worker is gone; {run_id} is resumed")
            self.executor.resume(run_id)

    def _until_ended(self, trial: Trial, run_id: str) -> Run:
        paths = self.store.paths(run_id)
        reader = RunReader(paths.epochs, paths.clock)
        told = set(self._storage.get_trial(trial._trial_id).intermediate_values)
        if "pruned" in trial.user_attrs:  # a driver that was killed may not have come to say so
            self._stop(run_id)
        while True:
            run = self.store.get(run_id)  # before the journal, which is whole once the run has ended
            for entry in reader.read():
                figure = _figure(entry, self.metric)
                if figure is None or entry["epoch"] in told or "pruned" in trial.user_attrs:
                    continue
                told.add(entry["epoch"])
                trial.report(figure, entry["epoch"])
                if trial.should_prune():
                    trial.set_user_attr("pruned", entry["epoch"])
                    self._stop(run_id)
            state = run.status.state
            paused = state is RunState.PAUSED and "pruned" not in trial.user_attrs  # by hand: somebody lets it go on
            if state.is_finished and not paused:
                return run
            self._is_at_work(trial, _HOW.get(state, "at work"))
            self._obey(run_id)
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _stop(self, run_id: str) -> None:
        with suppress(RunError):  # it has ended in this very moment
            self.executor.stop(run_id)

    def _is_at_work(self, trial: Trial, how: str) -> None:
        self._state = replace(self._state, sentence=f"Trial {trial.number + 1} is {how}.")

    def _end_of(self, trial: Trial, run: Run, pruned: int | None, lost: bool) -> dict[str, Any]:
        """How a trial ended, as it stands in the results, and what Optuna is told of it."""
        status, entries = run.status, run.journal.read()
        epochs = {entry["epoch"]: entry for entry in entries if _figure(entry, self.metric) is not None}
        if pruned is not None:  # whatever came after it was asked to stop depends on how fast it heard
            epochs = {epoch: entry for epoch, entry in epochs.items() if epoch <= pruned}
        best = min(epochs.values(), key=lambda entry: self._worse(_figure(entry, self.metric)), default=None)
        end = {
            "run": run.id,
            "value": best and _figure(best, self.metric),
            "epoch": best and best["epoch"],
            "interval": best and best.get("interval"),
            "epochs": len(epochs),
            "seconds": status.seconds,
        }
        if pruned is not None:
            sentence = f"Pruned by its search after epoch {pruned}: it did worse than earlier trials."
            self._say(run, sentence)
            return end | {"state": "pruned", "told": "pruned", "sentence": sentence}
        if status.state is RunState.FINISHED and best is not None:
            return end | {"state": "finished", "told": "complete", "sentence": ""}
        if status.state is RunState.STOPPED:  # by hand
            told = "pruned" if best is not None else "failed"
            return end | {"state": "stopped", "told": told, "sentence": status.sentence}
        # One that failed by itself, say because its loss was no number, did so for its values: the sampler is to keep
        # away from them, and of all that Optuna can be told it learns so from a pruned trial only.
        return end | {"state": "failed", "told": "failed" if lost else "pruned", "sentence": status.sentence}

    def _ended_before(self, trial: Trial) -> dict[str, Any] | None:
        return trial.user_attrs.get("end")

    def _finish(self, trial: Trial, end: dict[str, Any]) -> None:
        trial.set_user_attr("end", end)  # first, so that a driver killed in between finds what is to be told
        with suppress(RuntimeError) if self.spec.sampler == "grid" else nullcontext():
            # A grid that is done wants to stop a loop of Optuna's own, which there is not; the trial is told by then.
            if end["told"] == "complete":
                self._optuna.tell(trial, end["value"])
            else:
                self._optuna.tell(trial, state=TrialState.PRUNED if end["told"] == "pruned" else TrialState.FAIL)
        value = "no figure" if end.get("value") is None else f"{self.metric} {end['value']:.4f}"
        values = ", ".join(f"{path} {_short(value)}" for path, value in trial.params.items())
        log(self.paths, f"trial {trial.number + 1}: {end['state']}, {value} with {values} {end['sentence']}".rstrip())
        self._state = replace(self._state, run="")
        self._write_results()

    def _say(self, run: Run, sentence: str) -> None:
        """Let a pruned run say so itself."""
        with self.store.lock(), suppress(RunError):
            status = self.store.status(run.id)
            if status.state is RunState.STOPPED:
                write_status(run.paths, replace(status, sentence=sentence))
                touch(run.paths)

    def _worse(self, figure: float) -> float:
        return -figure if self.higher else figure

    # What a person wants, and what is told

    def _obey(self, run_id: str | None) -> None:
        """Once a second: hear what a person wants, move the queue on, say where the search stands."""
        if self._asked_to_end():
            sys.exit(0)  # the run at work goes on; the next driver takes it up
        if time.monotonic() - self._round < SECONDS_BETWEEN_ROUNDS:
            return
        self._round = time.monotonic()
        if not self.paths.facts.exists():
            sys.exit(0)  # the search was deleted
        asked = read_asked(self.study)
        self._turn = asked.turn
        if asked.stop:
            if run_id is not None:
                self._pause(run_id)
            raise _Ended("stopped", "Stopped on request; the trials that ended are kept.")
        self.executor.advance()
        self._tell()

    def _pause(self, run_id: str) -> None:
        """Have a run at work wait where it is, for the day on which the search goes on."""
        with suppress(RunError):
            self.executor.pause(run_id)
            while self.store.status(run_id).state.has_worker:
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _tell(self) -> None:
        self._state = replace(self._state, turn=self._turn, trials=len(self._done()))
        write_state(self.paths, self._state)

    def _write_results(self) -> None:
        done = self._done()
        write_json(
            self.paths.results, results_of(self.study, [self._row(trial) for trial in done], self._importances())
        )

    def _row(self, trial: FrozenTrial) -> dict[str, Any]:
        blank = {"run": "", "value": None, "epoch": None, "interval": None, "epochs": 0, "seconds": None}
        end = {name: value for name, value in _end(trial).items() if name != "told"}
        own = all(value_at(self.study.recipe, path) == value for path, value in trial.params.items())
        return {"number": trial.number + 1, **blank, **end, "own": own, "values": dict(trial.params)}

    def _importances(self) -> Importances:
        """How much of the variance between trials each field explains.

        Pruned trials have to count, or what made them bad would not be seen to matter. So trials are compared by the
        epochs that all of them had; only where the number of epochs is itself searched, by all epochs of those that
        finished.
        """
        epochs = None
        trials = self._trials(TrialState.COMPLETE)
        if not any(path.endswith(".epochs") for path in self._distributions):
            trials += [trial for trial in self._trials(TrialState.PRUNED) if _end(trial)["state"] == "pruned"]
            epochs = min((trial.last_step for trial in trials), default=None)
        seen = optuna.create_study(direction=self._optuna.direction)
        for trial in trials:
            told = [figure for epoch, figure in trial.intermediate_values.items() if epochs is None or epoch <= epochs]
            best = min(told, key=self._worse)
            seen.add_trial(create_trial(params=trial.params, distributions=trial.distributions, value=best))
        if len(trials) < FEWEST_TRIALS or len({trial.value for trial in seen.get_trials(deepcopy=False)}) < 2:
            return Importances({}, len(trials))
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=derive(self.spec.seed, "importance") % 2**32)
        shares = optuna.importance.get_param_importances(seen, evaluator=evaluator)
        whole = all(trial.state is TrialState.COMPLETE for trial in trials)
        return Importances(
            {path: float(share) for path, share in shares.items()}, len(trials), None if whole else epochs
        )

    # Optuna

    def _open(self) -> optuna.Study:
        study = optuna.create_study(
            study_name=_STUDY,
            storage=self._storage,
            sampler=sampler(self.spec, 0),
            pruner=pruner(self.spec, self.study.recipe),
            direction="maximize" if self.higher else "minimize",
            load_if_exists=True,
        )
        own = {span.path: value_at(self.study.recipe, span.path) for span in self.spec.space}
        inside = self.spec.sampler != "grid" and all(span.holds(own[span.path]) for span in self.spec.space)
        if inside and not study.get_trials(deepcopy=False):
            study.enqueue_trial(own)  # the recipe as it stands: something for the others to be better than
        return study

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        all_states = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        return self._optuna.get_trials(deepcopy=False, states=states or all_states)

    def _done(self) -> list[FrozenTrial]:
        return self._trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class _AlreadyLocked:
    """The driver holds the lock of the whole search, which the system releases when it dies."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return


def sampler(spec: SearchSpec, number: int) -> optuna.samplers.BaseSampler:
    """What draws the values of the trial with this number, from 0."""
    seed = derive(spec.seed, "trial", number) % 2**32
    if spec.sampler == "grid":  # its seed is the order of the whole grid
        values = {span.path: list(span.values or ()) for span in spec.space}
        return optuna.samplers.GridSampler(values, seed=derive(spec.seed, "grid") % 2**32)
    if spec.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def pruner(spec: SearchSpec, recipe: Recipe) -> optuna.pruners.BasePruner:
    """What gives a trial up. Steps are epochs from 1."""
    if spec.pruner == "median":  # four trials to compare with, and a fifth of the epochs for a fair look
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, recipe.epochs // 5))
    if spec.pruner == "halving":
        least = max(1, recipe.epochs // _REDUCTION**2)
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=least, reduction_factor=_REDUCTION)
    return optuna.pruners.NopPruner()


def distribution(span: Span) -> BaseDistribution:
    """A span in Optuna's words."""
    if isinstance(span, Options):
        return CategoricalDistribution(span.options)
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)


def mend(journal: Path) -> None:
    """Cut off what a killed driver left half written at the end of an Optuna journal: every line has to be whole."""
    if not journal.exists():
        return
    whole = 0
    with storage_errors(journal), open(journal, "rb+") as file:
        for line in file:
            if not line.endswith(b"\n") or not _is_json(line):
                break
            whole += len(line)
        file.truncate(whole)


@contextmanager
def taken(paths: SearchPaths) -> Iterator[None]:
    """Hold a search for as long as this is entered, so that nobody else drives it. Raises RunError."""
    lock = FileLock(paths.lock, timeout=_LOCK_SECONDS)
    try:
        with storage_errors(paths.folder):
            lock.acquire()
    except Timeout:
        raise RunError(f"Another process drives the search {paths.folder.name}", do="Leave it to that one") from None
    try:
        write_json(paths.driver, ProcessMark.here().to_json())
        yield
        if (read_json(paths.driver) or {}).get("pid") == os.getpid():
            paths.driver.unlink(missing_ok=True)  # so that nobody waits for it to begin
    finally:
        lock.release()


def log(paths: SearchPaths, text: str) -> None:
    """Add a line to the log of a search. A log that cannot be written stops nothing."""
    with suppress(StorageError), storage_errors(paths.log), open(paths.log, "a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%H:%M:%S} {' '.join(text.split())}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Drive one search to its end. 0: it was driven; 2: it was not to be had; 1: a defect."""
    parser = argparse.ArgumentParser(prog="python -m core.studies.searcher", description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, metavar="STUDY_FOLDER", help="the search to drive")
    folder = parser.parse_args(arguments).study.absolute()
    faulthandler.enable()
    step_back()
    quiet()
    ending = Flag()
    signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    workspace = Workspace(folder.parent.parent)
    try:
        study = StudyStore(workspace).get(folder.name)
        paths = paths_of(study)
        with taken(paths), Heartbeat(paths.heartbeat):
            executor = LocalExecutor(workspace)
            try:
                Driver(study, executor, ending.is_set).run()
            except Exception as error:
                log(paths, f"a defect: {error!r}")
                sys.stderr.write(traceback.format_exc())
                told = f"A defect ended the search: {type(error).__name__}: {error}. Its log says where."
                write_state(paths, SearchState("failed", told[:400], time.time(), read_asked(study).turn))
                return 1
    except FoveaError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def quiet() -> None:
    """Let Optuna keep to itself what the log of a search says in other words."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")


def _figure(entry: dict[str, Any], metric: str) -> float | None:
    """The validation figure of an epoch; None of anything else, and of what is no number."""
    if entry.get("kind") != "epoch":
        return None
    value = (entry.get("validation") or {}).get(metric)
    return float(value) if value is not None and math.isfinite(value) else None


def _said_its_end(run: Run) -> bool:
    """Whether the last worker of a run told its end itself, rather than vanish."""
    last = None
    for entry in run.journal.read():
        if entry.get("kind") in ("start", "end"):
            last = entry["kind"]
    return last == "end"


def _end(trial: FrozenTrial) -> dict[str, Any]:
    return trial.user_attrs.get("end") or {"state": "failed", "sentence": ""}


def _suggest(trial: Trial, path: str, span: BaseDistribution) -> None:
    if isinstance(span, CategoricalDistribution):
        trial.suggest_categorical(path, span.choices)
    elif isinstance(span, IntDistribution):
        trial.suggest_int(path, span.low, span.high, log=span.log)
    else:
        trial.suggest_float(path, span.low, span.high, log=span.log)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
