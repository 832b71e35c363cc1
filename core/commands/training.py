"""Commands about runs: train, resume, continue, stop, pause, list."""

import argparse
import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from core.commands.shared import Command, add_detach, add_set, no_arguments, pairs, tell
from core.data.dataset import Dataset
from core.data.library import Library
from core.errors import FoveaError, RunError, TrainingError
from core.presets import DEFAULTS, PRESETS, preset
from core.recipe import Recipe
from core.runs.hypothesis import parse
from core.runs.listing import ORDERS, Listing, listed
from core.runs.run import RunPaths, RunState
from core.runs.store import Run, RunStore
from core.workspace import Workspace

STOP_PATIENCE = 60  # seconds that `stop` and `pause` wait for the worker to finish its step and keep its best weights


def _presets(arguments: argparse.Namespace, workspace: Workspace) -> list[dict]:
    told = ("name", "task", "model", "summary", "page", "differs")
    return [{key: getattr(row, key) for key in told} for row in PRESETS]


def _show_presets(answer: list[dict]) -> Iterator[str]:
    for row in answer:
        yield f"{row['name']:<36}{row['model']:<32}{row['summary']}"


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="id of a dataset in the workspace")
    recipe_arguments(parser)
    parser.add_argument("--name", help="what the run is called")
    expected = 'what you expect, scored after the run: "vertical flip lowers recall of CLASS by 2 against RUN"'
    parser.add_argument("--hypothesis", metavar="SENTENCE", help=expected)
    add_detach(parser)


def recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that make a recipe."""
    defaults = " or ".join(f"{name} for {task}" for task, name in DEFAULTS.items())
    parser.add_argument("--preset", help=f"{', '.join(row.name for row in PRESETS)}; default: {defaults}")
    add_set(parser, "FIELD.PATH=VALUE", "set a field of the recipe, as in phases.0.epochs=5; repeatable")
    parser.add_argument("--seed", type=int, help="the one seed of the run")
    start = "start from the best weights of another run, with its network; its head too where the classes are the same"
    parser.add_argument("--from", dest="start", metavar="RUN", help=start)


def _train(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    dataset = Library(workspace).get(arguments.dataset)
    expected = None
    if arguments.hypothesis is not None:
        expected = parse(arguments.hypothesis).checked(dataset.task, dataset.classes)
    recipe = recipe_from(arguments, workspace, dataset)
    if not arguments.detach:  # a detached run is to answer at once; what only torch can tell is found by its worker
        from core.train.rehearsal import rehearse

        rehearse(recipe)
    run_id = RunStore(workspace).create(recipe, dataset, hypothesis=expected)
    answer = _go(workspace, run_id, detach=arguments.detach, resume=False)
    return answer | (scored(workspace, run_id) if expected and not arguments.detach else {})


def scored(workspace: Workspace, run_id: str) -> dict:
    """The hypothesis of a run, and what became of it once the run has ended."""
    from core.compare.hypothesis import is_due, score_hypothesis

    run = RunStore(workspace).get(run_id)
    expected = run.facts.hypothesis
    if expected is None:
        raise RunError(f"The run {run_id} began without a hypothesis")
    score = score_hypothesis(str(workspace.root), run_id) if is_due(run) else None
    told = {"sentence": expected.sentence, **expected.to_json(), "written": run.facts.created}
    return {"hypothesis": told, "score": score and score.to_json()}


def show_scored(answer: dict) -> Iterator[str]:
    """A hypothesis and what became of it, as lines."""
    yield f"hypothesis: {answer['hypothesis']['sentence']}"
    if answer["hypothesis"]["text"]:
        yield f"  “{answer['hypothesis']['text']}”"
    score = answer["score"]
    yield f"  {score['sentence']}" if score else "  It is scored when the run has ended."
    if score and score["caution"]:
        yield f"  {score['caution']}"


def recipe_from(arguments: argparse.Namespace, workspace: Workspace, dataset: Dataset) -> Recipe:
    """What the arguments of a recipe say, checked, with its weights on this machine."""
    from core.models.saved import start_from
    from core.models.weights import anchored, locate
    from core.train.check import check

    given = {"seed": arguments.seed, "name": arguments.name}
    changes = pairs(arguments.set) | {path: value for path, value in given.items() if value is not None}
    if arguments.start is not None:
        changes = start_from(RunStore(workspace).paths(arguments.start).best, dataset.task) | changes
    recipe = preset(arguments.preset or DEFAULTS[dataset.task]).recipe().set({**changes, "dataset": dataset.id})
    check(recipe, dataset)
    locate(recipe.model)  # fetches weights that are not here; better to fail now than in a worker
    return recipe.model_copy(update={"model": anchored(recipe.model)})


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """The argument that names a run."""
    parser.add_argument("id", metavar="RUN", help="id of a run, as `runs` lists it")


def _resume_arguments(parser: argparse.ArgumentParser) -> None:
    run_arguments(parser)
    add_detach(parser)


def _resume(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    return _go(workspace, arguments.id, detach=arguments.detach, resume=True)


def _continue_arguments(parser: argparse.ArgumentParser) -> None:
    run_arguments(parser)
    parser.add_argument("--epochs", type=int, required=True, metavar="N", help="how many more")
    same = "peak learning rate; default: that of its last phase"
    parser.add_argument("--rate", type=float, metavar="RATE", help=same)
    add_detach(parser)


def _continue(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.runs.continued import continue_run

    run_id = continue_run(RunStore(workspace), arguments.id, arguments.epochs, arguments.rate)
    return _go(workspace, run_id, detach=arguments.detach, resume=False)


def _stop(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.executors.local import LocalExecutor

    LocalExecutor(workspace).stop(arguments.id)
    return _ended(arguments.id, workspace)


def _pause(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.executors.local import LocalExecutor

    LocalExecutor(workspace).pause(arguments.id)
    return _ended(arguments.id, workspace)


def _ended(run_id: str, workspace: Workspace) -> dict:
    """The run once its worker has done what it was asked for, or as it stands when that takes too long."""
    store = RunStore(workspace)
    patience = time.monotonic() + STOP_PATIENCE
    while not store.status(run_id).state.is_finished and time.monotonic() < patience:
        time.sleep(0.1)
    return _run_answer(store.get(run_id))


def _runs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--search", default="", metavar="WORDS", help="words in name, tags, note, data or network")
    parser.add_argument("--tag", action="append", default=[], help="only runs with this tag; repeatable")
    parser.add_argument("--data", action="append", default=[], metavar="DATASET", help="only runs of this dataset")
    states = [state.value for state in RunState]
    parser.add_argument("--state", action="append", default=[], choices=states, help="only runs in this state")
    parser.add_argument("--archived", action="store_true", help="those that were put away, too")
    parser.add_argument("--order", default=ORDERS[0].name, choices=[row.name for row in ORDERS])


def _runs(arguments: argparse.Namespace, workspace: Workspace) -> list[dict]:
    asked = Listing(
        words=arguments.search,
        states=tuple(map(RunState, arguments.state)),
        data=tuple(arguments.data),
        tags=tuple(arguments.tag),
        archived=arguments.archived,
        order=arguments.order,
    )
    return [
        {
            "run": row.id,
            "name": row.name,
            "state": row.state,
            "sentence": row.sentence,
            "dataset": row.dataset,
            "epochs": row.epochs_done,
            "best": row.best,
            "interval": row.interval,
            "seconds": row.seconds,
            "images_per_second": row.images_per_second,
            "tags": list(row.labels.tags),
            "note": row.labels.note,
            "archived": row.labels.archived,
            "hypothesis": row.hypothesis or None,
            "verdict": row.verdict or None,
        }
        for row in listed(RunStore(workspace).list(), asked)
    ]


def _go(workspace: Workspace, run_id: str, *, detach: bool, resume: bool) -> dict:
    """Start or resume a run, here or in a worker of its own, and give the run as it then stands."""
    from core.executors.inline import InlineExecutor
    from core.executors.local import LocalExecutor

    store = RunStore(workspace)
    paths = store.get(run_id).paths
    executor = LocalExecutor(workspace) if detach else InlineExecutor(workspace, told=tell_epoch)
    with contextlib.nullcontext() if detach else interrupt_stops(paths):
        executor.resume(run_id) if resume else executor.submit(run_id)
    return _run_answer(store.get(run_id))


def tell_epoch(entry: dict[str, Any]) -> None:
    """Tell of a journal entry if it is about the end of an epoch."""
    if entry["kind"] == "epoch":
        figures = ", ".join(f"{name} {value:.4f}" for name, value in entry["validation"].items())
        tell(f"epoch {entry['epoch']}: validation {figures}")


@contextlib.contextmanager
def interrupt_stops(paths: RunPaths) -> Iterator[None]:
    """Let the first Ctrl-C stop the run and keep its best weights; a second one interrupts as usual."""
    usual = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, usual)
        tell("Stopping after this step; the best weights are kept")
        paths.stop.touch()  # all that an executor does, without waiting for a lock inside a signal

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _run_answer(run: Run) -> dict:
    status = run.status
    return {
        "run": run.id,
        "state": status.state.value,
        "sentence": status.sentence or status.state.sentence,
        "dataset": run.recipe.dataset,
        "epochs": status.epochs_done,
        "epochs_planned": status.epochs,
        "origin": run.facts.origin and asdict(run.facts.origin),
        "cautions": list(run.facts.cautions),
        "best": status.best,
        "interval": status.interval,
        "seconds": status.seconds,
        "images_per_second": status.images_per_second,
    }


def _failed_run(answer: dict) -> FoveaError | None:
    failed = answer["state"] == "failed"
    return TrainingError(f"Run {answer['run']} failed", found=answer["sentence"]) if failed else None


def _show_run(answer: dict) -> Iterator[str]:
    best = ", ".join(f"{name} {value:.3f}" for name, value in answer["best"].items())
    yield f"{answer['run']}: {answer['state']}, {answer['epochs']} epochs" + (f", best {best}" if best else "")
    if isinstance(answer.get("hypothesis"), dict):
        yield from show_scored(answer)


def _show_runs(answer: list[dict]) -> Iterator[str]:
    if not answer:
        yield "No runs yet."
    for row in answer:
        yield from _show_run(row)
        told = [row["name"], *(f"#{tag}" for tag in row["tags"]), "(put away)" if row["archived"] else ""]
        yield "  " + " ".join(filter(None, told))


COMMANDS = (
    Command("presets", "list the starting points for a recipe", no_arguments, _presets, _show_presets),
    Command("train", "train on a dataset", _train_arguments, _train, _show_run, _failed_run),
    Command(
        "resume",
        "go on with a run that was paused, stopped or failed",
        _resume_arguments,
        _resume,
        _show_run,
        _failed_run,
    ),
    Command("continue", "train a finished run for more epochs", _continue_arguments, _continue, _show_run, _failed_run),
    Command("stop", "stop a run and keep its best weights", run_arguments, _stop, _show_run),
    Command("pause", "pause a run; resume goes on where it stopped", run_arguments, _pause, _show_run),
    Command("runs", "list the runs, newest first", _runs_arguments, _runs, _show_runs),
)
