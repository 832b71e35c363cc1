"""The headless commands: the same core functions as the pages, for a terminal, a script, or a server without a screen.

    python -m core [--workspace DIR] COMMAND ... [--json]

Exit code 0: done. 2: what was given cannot be used. 1: anything else that stopped the command. In both of these cases
standard error ends with one line that says what was found and what to do. With --json standard output is exactly one
JSON value; progress goes to standard error.
"""

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from core.data.dataset import Dataset
from core.data.demo import DEMOS, make_demo
from core.data.incoming import Proposal, SplitRule, discard, inspect, keep, remap
from core.data.library import Library
from core.data.mask_values import IGNORED, MaskMap, map_of, value_text
from core.data.readers.catalog import READERS
from core.errors import DatasetError, FoveaError, ImageError, InputError, RecipeError, TrainingError, shown
from core.presets import DEFAULTS, PRESETS, preset
from core.recipe import Recipe, from_text
from core.runs.run import RunPaths, RunState
from core.runs.store import Run, RunStore
from core.studies.study import Study, StudyStore
from core.workspace import Workspace, insist_on_file, insist_on_folder

STOP_PATIENCE = 60  # seconds that `stop` and `pause` wait for the worker to finish its step and keep its best weights


@dataclass(frozen=True)
class Command:
    """One command: its arguments, what it does, and how its answer reads in a terminal."""

    name: str
    sentence: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Workspace], Any]  # gives plain data, which --json prints as it is
    show: Callable[[Any], Iterator[str]]
    fault: Callable[[Any], FoveaError | None] = lambda answer: None  # what to complain of although there is an answer


def main(argv: list[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        arguments = _parser().parse_args(argv)
        workspace = Workspace(Path(arguments.workspace).absolute()) if arguments.workspace else Workspace.default()
        insist_on_folder(workspace.root)
        with contextlib.redirect_stdout(sys.stderr):  # a library that greets on standard output must not spoil the JSON
            answer = arguments.command.run(arguments, workspace)
    except FoveaError as error:
        return _complain(error)
    except KeyboardInterrupt:
        _tell("Interrupted.")
        return 130
    lines = [json.dumps(answer, indent=2)] if arguments.json else arguments.command.show(answer)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    fault = arguments.command.fault(answer)
    return _complain(fault) if fault else 0


def _complain(error: FoveaError) -> int:
    _tell(str(error))
    return 2 if isinstance(error, InputError) else 1


# ---- data ----------------------------------------------------------------------------------------------------------


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder, or a zip")
    parser.add_argument("--name", default="", help="what the dataset is called; default: from the path")
    parser.add_argument("--layout", default="auto", choices=["auto", *(row.name for row in READERS)])
    parser.add_argument("--seed", type=int, default=0, help="seed of the split, where the folders give none")
    means = "what the values of masks mean: 0=background,128=cell,255=ignore or #000000=background,#ff0000=polyp"
    parser.add_argument("--map", default="", metavar="VALUE=CLASS,...", help=means)
    near = "how many levels a mask's pixel may be from a value of the map; default: by what the masks hold"
    parser.add_argument("--tolerance", type=int, metavar="N", help=near)


def _import(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    told = _Progress("images")
    texts = [part for part in arguments.map.split(",") if part.strip()]
    meant = _pairs(texts, "--map", "value=class,value=class")
    if len(meant) < len(texts):
        raise RecipeError("--map", found="a value twice", expected="each value once")
    proposal = inspect(workspace, arguments.path, layout=arguments.layout, name=arguments.name, report=told)
    with _discarded_on_failure(workspace, proposal):
        if meant or arguments.tolerance is not None:
            proposal = remap(workspace, proposal.id, _mask_map(proposal, meant, arguments.tolerance))
        return _kept(workspace, proposal, SplitRule(seed=arguments.seed))


def _mask_map(proposal: Proposal, meant: dict[str, str], tolerance: int | None) -> MaskMap:
    """The map of an import's masks with what was given on the command line in the place of what was proposed."""
    if proposal.masks is None or proposal.mask_map is None:
        raise DatasetError("--map and --tolerance are about masks", found=f"an import without any ({proposal.layout})")
    allowed = proposal.mask_map.tolerance if tolerance is None else tolerance
    return map_of(meant, proposal.masks.kind, allowed) if meant else replace(proposal.mask_map, tolerance=allowed)


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=" or ".join(row.name for row in DEMOS))
    _add_set(parser, "DIAL=VALUE", "turn a dial, as in images=200; repeatable")


def _demo(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    dials = {name: from_text(text) for name, text in _pairs(arguments.set).items()}
    proposal = make_demo(workspace, arguments.name, dials, report=_Progress("images"))
    with _discarded_on_failure(workspace, proposal):
        return _kept(workspace, proposal, SplitRule())


@contextlib.contextmanager
def _discarded_on_failure(workspace: Workspace, proposal: Proposal) -> Iterator[None]:
    try:
        yield
    except FoveaError:
        discard(workspace, proposal.id)
        raise


def _kept(workspace: Workspace, proposal: Proposal, rule: SplitRule) -> dict:
    told = _Progress("masks") if proposal.masks else None
    return _dataset_answer(keep(workspace, proposal.id, rule=rule, report=told), proposal)


def _dataset_answer(dataset: Dataset, proposal: Proposal) -> dict:
    labels = {value: label or IGNORED for value, label in dataset.mask_map}
    found = [(value_text(row.value), row.share) for row in proposal.masks.values] if proposal.masks else []
    return {
        "dataset": dataset.id,
        "name": dataset.name,
        "task": dataset.task,
        "classes": list(dataset.classes),
        "samples": len(dataset.samples),
        "splits": dataset.split_counts(),
        "skipped": [{"file": row.file, "reason": row.reason} for row in dataset.skipped],
        "layout": dataset.layout,
        "split_rule": dataset.split_rule,
        "mask_values": [{"value": value, "share": share, "label": labels.get(value)} for value, share in found],
        "findings": [*(proposal.masks.findings if proposal.masks else ()), *proposal.notes],
    }


def _show_dataset(answer: dict) -> Iterator[str]:
    splits = ", ".join(f"{name} {count}" for name, count in answer["splits"].items())
    yield f"{answer['dataset']}: {answer['samples']} images, {len(answer['classes'])} classes ({splits})"
    yield f"split: {answer['split_rule']}"
    for row in answer["mask_values"]:
        yield f"mask value {row['value']}, {row['share']:.1%} of the pixels: {row['label'] or 'in no class'}"
    yield from answer["findings"]
    for row in answer["skipped"]:
        yield f"skipped {row['file']}: {row['reason']}"


# ---- training ------------------------------------------------------------------------------------------------------


def _presets(arguments: argparse.Namespace, workspace: Workspace) -> list[dict]:
    told = ("name", "task", "model", "summary", "page", "differs")
    return [{key: getattr(row, key) for key in told} for row in PRESETS]


def _show_presets(answer: list[dict]) -> Iterator[str]:
    for row in answer:
        yield f"{row['name']:<36}{row['model']:<32}{row['summary']}"


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="id of a dataset in the workspace")
    _recipe_arguments(parser)
    parser.add_argument("--name", help="what the run is called")
    _add_detach(parser)


def _recipe_arguments(parser: argparse.ArgumentParser) -> None:
    defaults = " or ".join(f"{name} for {task}" for task, name in DEFAULTS.items())
    parser.add_argument("--preset", help=f"{', '.join(row.name for row in PRESETS)}; default: {defaults}")
    _add_set(parser, "FIELD.PATH=VALUE", "set a field of the recipe, as in phases.0.epochs=5; repeatable")
    parser.add_argument("--seed", type=int, help="the one seed of the run")
    start = "start from the best weights of another run, with its network; its head too where the classes are the same"
    parser.add_argument("--from", dest="start", metavar="RUN", help=start)


def _train(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    dataset = Library(workspace).get(arguments.dataset)
    recipe = _recipe(arguments, workspace, dataset)
    if not arguments.detach:  # a detached run is to answer at once; what only torch can tell is found by its worker
        from core.train.rehearsal import rehearse

        rehearse(recipe)
    run_id = RunStore(workspace).create(recipe, dataset)
    return _go(workspace, run_id, detach=arguments.detach, resume=False)


def _recipe(arguments: argparse.Namespace, workspace: Workspace, dataset: Dataset) -> Recipe:
    """What the arguments of a recipe say, checked, with its weights on this machine."""
    from core.models.saved import start_from
    from core.models.weights import anchored, locate
    from core.train.check import check

    given = {"seed": arguments.seed, "name": arguments.name}
    changes = _pairs(arguments.set) | {path: value for path, value in given.items() if value is not None}
    if arguments.start is not None:
        changes = start_from(RunStore(workspace).paths(arguments.start).best, dataset.task) | changes
    recipe = preset(arguments.preset or DEFAULTS[dataset.task]).recipe().set({**changes, "dataset": dataset.id})
    check(recipe, dataset)
    locate(recipe.model)  # fetches weights that are not here; better to fail now than in a worker
    return recipe.model_copy(update={"model": anchored(recipe.model)})


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="RUN", help="id of a run, as `runs` lists it")


def _resume_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    _add_detach(parser)


def _resume(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    return _go(workspace, arguments.id, detach=arguments.detach, resume=True)


def _continue_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument("--epochs", type=int, required=True, metavar="N", help="how many more")
    same = "peak learning rate; default: that of its last phase"
    parser.add_argument("--rate", type=float, metavar="RATE", help=same)
    _add_detach(parser)


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


def _runs(arguments: argparse.Namespace, workspace: Workspace) -> list[dict]:
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
        }
        for row in RunStore(workspace).list()
    ]


def _go(workspace: Workspace, run_id: str, *, detach: bool, resume: bool) -> dict:
    """Start or resume a run, here or in a worker of its own, and give the run as it then stands."""
    from core.executors.inline import InlineExecutor
    from core.executors.local import LocalExecutor

    store = RunStore(workspace)
    paths = store.get(run_id).paths
    executor = LocalExecutor(workspace) if detach else InlineExecutor(workspace, told=_tell_epoch)
    with contextlib.nullcontext() if detach else _interrupt_stops(paths):
        executor.resume(run_id) if resume else executor.submit(run_id)
    return _run_answer(store.get(run_id))


def _tell_epoch(entry: dict[str, Any]) -> None:
    if entry["kind"] == "epoch":
        figures = ", ".join(f"{name} {value:.4f}" for name, value in entry["validation"].items())
        _tell(f"epoch {entry['epoch']}: validation {figures}")


@contextlib.contextmanager
def _interrupt_stops(paths: RunPaths) -> Iterator[None]:
    """Let the first Ctrl-C stop the run and keep its best weights; a second one interrupts as usual."""
    usual = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, usual)
        _tell("Stopping after this step; the best weights are kept")
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


def _show_runs(answer: list[dict]) -> Iterator[str]:
    if not answer:
        yield "No runs yet."
    for row in answer:
        yield from _show_run(row)


# ---- search --------------------------------------------------------------------------------------------------------


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    from core.studies.search import PRUNERS, SAMPLERS, SearchSpec

    parser.add_argument("dataset", nargs="?", metavar="DATASET", help="id of a dataset in the workspace")
    space = "a field and what it may be: LOW..HIGH, LOW..HIGH:log, A,B,C, or nothing for the usual range; repeatable"
    parser.add_argument("--space", action="append", default=[], metavar="FIELD.PATH=LOW..HIGH[:log]", help=space)
    parser.add_argument("--trials", type=int, metavar="N", help=f"default: {SearchSpec.trials}; with --continue: more")
    parser.add_argument("--sampler", default=SearchSpec.sampler, help=", ".join(row.name for row in SAMPLERS))
    parser.add_argument("--pruner", default=SearchSpec.pruner, help=", ".join(row.name for row in PRUNERS))
    parser.add_argument("--metric", default="", help="score or loss, of the validation; default: as the recipe")
    parser.add_argument("--minutes", type=float, help="of training, after which no further trial begins")
    parser.add_argument("--continue", dest="study", metavar="STUDY", help="let a search that ended or stopped go on")
    parser.add_argument("--stop", metavar="STUDY", help="stop a search; --continue goes on with it")
    parser.add_argument("--name", help="what the search is called")
    _recipe_arguments(parser)
    _add_detach(parser)


def _search(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.studies import search
    from core.studies.study import StudyStore

    told = 0
    if sum(bool(given) for given in (arguments.dataset, arguments.study, arguments.stop)) != 1:
        raise InputError("A search is about one thing", expected="either DATASET, --continue STUDY or --stop STUDY")
    if arguments.stop:
        study = StudyStore(workspace).get(arguments.stop)
        search.stop(study)
    elif arguments.study:
        study = StudyStore(workspace).get(arguments.study)
        told = len(_trials(study))
        search.go_on(study, arguments.trials or 0)
    else:
        study = _begin_search(arguments, workspace)
        _tell(f"{study.id}: {study.name}")
    if not arguments.detach:
        _wait_for(study, told)
    return _search_answer(study)


def _begin_search(arguments: argparse.Namespace, workspace: Workspace) -> Study:
    from core.studies.search import SearchSpec, begin
    from core.studies.space import read_span

    dataset = Library(workspace).get(arguments.dataset)
    name, arguments.name = arguments.name or "", None
    recipe = _recipe(arguments, workspace, dataset)
    spec = SearchSpec(
        space=tuple(read_span(recipe, text) for text in arguments.space),
        trials=SearchSpec.trials if arguments.trials is None else arguments.trials,
        sampler=arguments.sampler,
        pruner=arguments.pruner,
        metric=arguments.metric or recipe.best_by,
        seed=recipe.seed,
        minutes=arguments.minutes,
    )
    return begin(workspace, recipe, dataset, spec, name)


def _wait_for(study: Study, told: int) -> None:
    """Tell each trial after the first `told` until the search ends. The first Ctrl-C stops it, a second one only the
    waiting."""
    from core.studies.search import drive, standing, stop

    stopping, now = False, standing(study)
    while True:
        for trial in _trials(study)[told:]:
            told += 1
            _tell(f"trial {trial['number']}: {trial['state']}, {_number(trial['value'])}")
        if not now.is_active:
            break
        try:
            time.sleep(0.3)
        except KeyboardInterrupt:
            if stopping:
                raise
            stopping = True
            _tell("Stopping the search; --continue goes on with it")
            stop(study)
        drive(study)  # if its driver was killed, another one takes up its work
        now = standing(study)
    _tell(now.sentence)


def _trials(study: Study) -> list[dict]:
    from core.studies.search import read_results

    return (read_results(study) or {"trials": []})["trials"]


def _search_answer(study: Study) -> dict:
    from core.studies.search import read_results, standing

    now, found = standing(study), read_results(study) or {}
    keys = ("metric", "best", "caution", "importances", "trials")
    return {
        "study": study.id,
        "state": now.state,
        "sentence": now.sentence,
        "trials_done": now.trials,
        **{key: found.get(key) for key in keys},
    }


def _show_search(answer: dict) -> Iterator[str]:
    yield f"{answer['study']}: {answer['state']}, {answer['trials_done']} trials. {answer['sentence']}"
    for trial in answer["trials"] or ():
        values = ", ".join(f"{path} {_short(value)}" for path, value in trial["values"].items())
        yield f"{trial['number']:>4}  {trial['state']:<9}{_number(trial['value']):>8}  {values}"
    if answer["best"]:
        best = answer["best"]
        yield f"best: trial {best['number']}, {answer['metric']} {_number(best['value'])}{_bounds(best['interval'])}"
        for row in best["changes"]:
            yield f"      {row['path']}: {_short(row['base'])} -> {_short(row['best'])}"
        yield answer["caution"]


def _failed_search(answer: dict) -> FoveaError | None:
    failed = answer["state"] == "failed"
    return TrainingError(f"The search {answer['study']} failed", found=answer["sentence"]) if failed else None


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# ---- repeats and the learning rate ---------------------------------------------------------------------------------


def _repeat_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="id of a dataset in the workspace")
    parser.add_argument("--seeds", default="", metavar="N,N,...", help="one run for each seed, as in 0,1,2")
    folds = "hold out each of K parts of the training and validation images in turn; with --seeds, for every seed"
    parser.add_argument("--folds", type=int, default=0, metavar="K", help=folds)
    parser.add_argument("--name", help="what the study is called")
    _recipe_arguments(parser)
    _add_detach(parser)


def _repeat(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.executors.inline import InlineExecutor
    from core.executors.local import LocalExecutor
    from core.studies import repeats

    seeds = [_whole(text, "--seeds", "whole numbers with commas between them") for text in _listed(arguments.seeds)]
    dataset = Library(workspace).get(arguments.dataset)
    name, arguments.name = arguments.name or "", None
    recipe = _recipe(arguments, workspace, dataset)
    id = repeats.make(str(workspace.root), recipe.to_json(), dataset.id, seeds, arguments.folds, name)
    study, store = StudyStore(workspace).get(id), RunStore(workspace)
    _tell(f"{study.id}: {study.name}")
    if arguments.detach:
        repeats.submit(LocalExecutor(workspace), study)
    executor = InlineExecutor(workspace, told=_tell_epoch)
    for place, member in enumerate(() if arguments.detach else study.members, start=1):
        _tell(f"run {place} of {len(study.members)}: {repeats.told(member.varies)}")
        with _interrupt_stops(store.paths(member.run)):
            executor.submit(member.run)
        if store.status(member.run).state is RunState.STOPPED:
            repeats.stop(executor, study)
            break
    return repeats.summarise(str(workspace.root), study.id)


def _failed_repeat(answer: dict) -> FoveaError | None:
    failed = [run for run in answer["runs"] if run["state"] == "failed"]
    told = f"{len(failed)} of {answer['planned']} runs failed"
    return TrainingError(told, found=failed[0]["sentence"]) if failed else None


def _show_repeat(answer: dict) -> Iterator[str]:
    yield f"{answer['study']}: {answer['name']}; {answer['counted']} of {answer['planned']} runs finished"
    yield f"{'':<24}{'mean':>10}{'std':>10}{'runs':>6}  95 % interval of the mean"
    for row in answer["figures"]:
        interval = "" if row["interval"] is None else _bounds(row["interval"])
        yield f"{row['label']:<24}{_number(row['mean']):>10}{_number(row['std']):>10}{row['n']:>6} {interval}"
    for row in answer["per_class"]:
        label = f"{row['name']} of {row['label']}"
        yield f"{label:<24}{_number(row['mean']):>10}{_number(row['std']):>10}{row['n']:>6}"
    yield answer["caution"]
    for run in answer["runs"]:
        if run["sentence"]:
            yield f"not counted, {run['label']}: {run['state']}. {run['sentence']}"


def _studies_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", metavar="STUDY", help="show this one; default: list all")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", action="store_true", help="stop its runs")
    what.add_argument("--delete", action="store_true", help="delete it; its runs stay")
    what.add_argument("--delete-runs", action="store_true", help="delete it and its runs")


def _studies(arguments: argparse.Namespace, workspace: Workspace) -> dict | list[dict]:
    from core.executors.local import LocalExecutor
    from core.studies import repeats, search
    from core.studies.removal import delete_study

    store = StudyStore(workspace)
    if arguments.study is None:
        if arguments.stop or arguments.delete or arguments.delete_runs:
            raise InputError("Which study is it about?", do="Give its id, as `studies` lists it")
        return [_study_answer(study, workspace) for study in store.list()]
    study = store.get(arguments.study)
    repeated = study.kind in repeats.KINDS
    if arguments.stop:
        repeats.stop(LocalExecutor(workspace), study) if repeated else search.stop(study)
    if arguments.delete or arguments.delete_runs:
        answer = _study_answer(study, workspace)
        delete_study(workspace, study.id, runs=arguments.delete_runs)
        return [answer]
    return repeats.summarise(str(workspace.root), study.id) if repeated else _search_answer(study)


def _study_answer(study: Study, workspace: Workspace) -> dict:
    from core.studies import repeats

    states = {run.id: run.state for run in RunStore(workspace).list()}
    there = [member.run for member in study.members if member.run in states]
    planned = repeats.planned_runs(study) if study.kind in repeats.KINDS else study.spec.get("trials")
    return {
        "study": study.id,
        "kind": study.kind,
        "name": study.name,
        "dataset": study.recipe.dataset,
        "created": study.created,
        "planned": planned,
        "runs": there,
        "finished": sum(states[run] is RunState.FINISHED for run in there),
        "at_work": sum(not states[run].is_finished for run in there),
    }


def _show_studies(answer: dict | list[dict]) -> Iterator[str]:
    if isinstance(answer, dict):
        yield from _show_repeat(answer) if "figures" in answer else _show_search(answer)
    elif not answer:
        yield "No studies yet."
    else:
        for row in answer:
            yield f"{row['study']}: {row['kind']}, {row['finished']} of {row['planned']} runs finished"


def _rate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="id of a dataset in the workspace")
    parser.add_argument("--phase", type=int, default=0, metavar="N", help="which phase of the recipe, from 0")
    steps = "so many steps from the lowest to the highest rate; default: as many as fit into some twelve seconds"
    parser.add_argument("--steps", type=int, metavar="N", help=steps)
    _recipe_arguments(parser)


def _find_rate(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.train.finder import find_rate

    dataset = Library(workspace).get(arguments.dataset)
    arguments.name = None
    recipe = _recipe(arguments, workspace, dataset)
    told = _Progress("steps")
    found = find_rate(recipe, dataset, arguments.phase, cache=workspace.cache, steps=arguments.steps, report=told)
    return found.to_json()


def _show_rate(answer: dict) -> Iterator[str]:
    points = list(zip(answer["rates"], answer["smoothed"], strict=True))
    for rate, loss in points[:: max(1, len(points) // 20)]:
        yield f"rate {rate:<10.2g} loss {loss:.3f}"
    yield answer["sentence"]


# ---- evaluation and prediction -------------------------------------------------------------------------------------


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument(
        "--split",
        default="validation",
        choices=["validation", "test"],
        help="test is sealed: opening it is written down in the run",
    )


def _evaluate(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.evaluate.evaluation import evaluate_run

    RunStore(workspace).get(arguments.id)
    return evaluate_run(str(workspace.root), arguments.id, arguments.split, opened_by="command line").to_json()


def _show_evaluation(answer: dict) -> Iterator[str]:
    if answer.get("task") == "segmentation":
        yield from _show_masks(answer)
        return
    low, high = answer["interval"]
    yield f"accuracy {answer['accuracy']:.3f} [{low:.3f}, {high:.3f}] on {answer['n']} {answer['split']} images"
    yield f"macro F1 {_number(answer['macro_f1'])}"
    yield f"{'class':<24}{'precision':>10}{'recall':>10}{'F1':>10}{'images':>10}"
    for row in answer["per_class"]:
        figures = "".join(f"{_number(row[name]):>10}" for name in ("precision", "recall", "f1"))
        yield f"{row['label']:<24}{figures}{row['support']:>10}"


def _show_masks(answer: dict) -> Iterator[str]:
    over = "classes without background" if answer["background"] is not None else "classes"
    yield f"{answer['n']} {answer['split']} images at their own size; means of the {over}"
    for name, means in (("pooled over pixels", answer), ("mean over images", answer["over_images"])):
        figures = (
            f"{label} {_number(means[key])}{_bounds(means[f'{key}_interval'])}"
            for label, key in (("Dice", "mean_dice"), ("IoU", "mean_iou"))
        )
        yield f"{name}: " + ", ".join(figures)
    yield f"{'class':<24}{'Dice':>10}{'IoU':>10}{'precision':>10}{'recall':>10}{'outline':>10}{'images':>10}"
    for row in answer["per_class"]:
        figures = "".join(f"{_number(row[name]):>10}" for name in ("dice", "iou", "precision", "recall"))
        outline = "–" if row["boundary"] is None else f"{row['boundary']:.1f} px"
        yield f"{row['label']:<24}{figures}{outline:>10}{row['images']:>10}"


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write the answers there: predictions.csv, masks")
    masks = parser.add_argument_group("for masks")
    masks.add_argument("--tiles", action="store_true", help="see a large picture in windows of the training size")
    masks.add_argument("--views", action="store_true", help="see every picture from all eight sides")
    masks.add_argument("--submission", type=Path, metavar="FILE", help="also write run lengths, as Kaggle takes them")


def _predict(arguments: argparse.Namespace, workspace: Workspace) -> list[dict]:
    from core.predict.files import write_table
    from core.predict.predictor import predict

    run = RunStore(workspace).get(arguments.id)
    if arguments.out:
        insist_on_folder(arguments.out)
    pictures = [(str(path), _bytes(path)) for path in arguments.images]
    if run.recipe.task == "segmentation":
        return _predict_masks(arguments, run, pictures)
    if arguments.tiles or arguments.views or arguments.submission:
        raise InputError("--tiles, --views and --submission are for masks", found="a run that names whole pictures")
    answers = [
        {"image": row.name, "label": row.label, "probabilities": row.probabilities, "error": row.error}
        for row in predict(str(run.paths.folder), pictures)
    ]
    if arguments.out:
        write_table(arguments.out, answers, shares="probabilities", prefix="p")
    return answers


def _predict_masks(arguments: argparse.Namespace, run: Run, pictures: list[tuple[str, bytes]]) -> list[dict]:
    from core.predict.files import mask_files, write_mask, write_submission, write_table
    from core.predict.predictor import predict
    from core.predict.submission import insist_on_names

    files = mask_files(arguments.out, arguments.images) if arguments.out else [None] * len(pictures)
    if arguments.submission:
        insist_on_names([name for name, _ in pictures])
        insist_on_file(arguments.submission)
    answers, masks, told = [], [], _Progress("pictures")
    for picture, file in zip(pictures, files, strict=True):
        (row,) = predict(str(run.paths.folder), [picture], tiles=arguments.tiles, views=arguments.views)
        written = write_mask(file, row) if file else {"mask": None, "uncertainty": None}
        seen = {"tiles": row.tiles, "views": row.views}
        answers.append({"image": row.name, **written, "areas": row.areas, **seen, "error": row.error})
        masks += [(row.name, row.mask)] if arguments.submission and row.mask else []
        told(len(answers), len(pictures))
    if arguments.out:
        write_table(arguments.out, answers, shares="areas", prefix="area")
    if arguments.submission:
        write_submission(arguments.submission, masks, run.facts.classes)
    return answers


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read", found=(error.strerror or "an error").lower()) from None


def _unreadable(answer: list[dict]) -> FoveaError | None:
    bad = [row for row in answer if row["error"]]
    others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return ImageError(bad[0]["error"].removesuffix(".") + others) if bad else None


def _show_predictions(answer: list[dict]) -> Iterator[str]:
    for row in answer:
        if row.get("label") is not None:
            yield f"{row['image']}: {row['label']} ({row['probabilities'][row['label']]:.1%})"
        if row.get("areas"):
            areas = ", ".join(f"{label} {share:.1%}" for label, share in row["areas"].items())
            yield f"{row['image']}: {areas}" + (f" -> {row['mask']}" if row["mask"] else "")


# ---- the table, and what the commands share ------------------------------------------------------------------------


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes none of its own."""


COMMANDS = (
    Command("import", "bring in a folder or a zip of images", _import_arguments, _import, _show_dataset),
    Command("demo", "draw a teaching dataset", _demo_arguments, _demo, _show_dataset),
    Command("presets", "list the starting points for a recipe", _no_arguments, _presets, _show_presets),
    Command("train", "train on a dataset", _train_arguments, _train, _show_run, _failed_run),
    Command(
        "resume",
        "go on with a run that was paused, stopped or failed",
        _resume_arguments,
        _resume,
        _show_run,
        _failed_run,
    ),
    Command("search", "search the best recipe", _search_arguments, _search, _show_search, _failed_search),
    Command(
        "repeat", "train again with other seeds or folds", _repeat_arguments, _repeat, _show_repeat, _failed_repeat
    ),
    Command("studies", "list searches and repeats, or show one", _studies_arguments, _studies, _show_studies),
    Command("find-rate", "find a learning rate for a recipe", _rate_arguments, _find_rate, _show_rate),
    Command("continue", "train a finished run for more epochs", _continue_arguments, _continue, _show_run, _failed_run),
    Command("stop", "stop a run and keep its best weights", _run_arguments, _stop, _show_run),
    Command("pause", "pause a run; resume goes on where it stopped", _run_arguments, _pause, _show_run),
    Command("runs", "list the runs", _no_arguments, _runs, _show_runs),
    Command("evaluate", "report on a split", _evaluate_arguments, _evaluate, _show_evaluation),
    Command(
        "predict", "name pictures, or find their masks", _predict_arguments, _predict, _show_predictions, _unreadable
    ),
)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, as every other bad input is answered."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, do=f"`{self.prog} --help` says what it takes")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m core", description="Fovea without its pages.")
    _add_common(parser, None, False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        inner = commands.add_parser(command.name, help=command.sentence, description=command.sentence)
        command.arguments(inner)
        _add_common(inner, argparse.SUPPRESS, argparse.SUPPRESS)  # given behind the command they count as well
        inner.set_defaults(command=command)
    return parser


def _add_common(parser: argparse.ArgumentParser, workspace: Any, as_json: Any) -> None:
    parser.add_argument("--workspace", default=workspace, metavar="DIR", help="default: FOVEA_WORKSPACE, or workspace")
    parser.add_argument("--json", action="store_true", default=as_json, help="answer with one JSON value")


def _add_set(parser: argparse.ArgumentParser, metavar: str, sentence: str) -> None:
    parser.add_argument("--set", action="append", default=[], metavar=metavar, help=sentence)


def _add_detach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="answer at once; a worker of its own does the rest")


def _pairs(texts: list[str], option: str = "--set", expected: str = "name=value") -> dict[str, str]:
    """{"a": "1"} from ["a=1"]. Raises RecipeError, about the option, for a text without its equals sign."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise RecipeError(option, found=repr(text), expected=expected)
        pairs[name.strip()] = value
    return pairs


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole(text: str, option: str, expected: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise RecipeError(option, found=shown(text), expected=expected)
    return int(text)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _bounds(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"


class _Progress:
    """Says on standard error how far a long job is, at most every two seconds."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._told = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._told >= 2:
            self._told = time.monotonic()
            _tell(f"{done} of {total} {self._unit}")


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # not every file name is text, nor every text in a code page
    sys.exit(main())
