"""Commands that repeat a recipe, tell studies, and look for a learning rate."""

import argparse
from collections.abc import Iterator

from core.commands.duel import show_duel
from core.commands.integrity import show_price
from core.commands.running import failed_runs, not_counted, work_on
from core.commands.search import search_answer, show_search
from core.commands.shared import Command, Progress, add_detach, bounds, listed, number, whole
from core.commands.training import recipe_arguments, recipe_from
from core.data.library import Library
from core.errors import InputError
from core.runs.run import RunState
from core.runs.store import RunStore
from core.studies.study import Study, StudyStore
from core.workspace import Workspace


def _repeat_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="id of a dataset in the workspace")
    parser.add_argument("--seeds", default="", metavar="N,N,...", help="one run for each seed, as in 0,1,2")
    folds = "hold out each of K parts of the training and validation images in turn; with --seeds, for every seed"
    parser.add_argument("--folds", type=int, default=0, metavar="K", help=folds)
    parser.add_argument("--name", help="what the study is called")
    recipe_arguments(parser)
    add_detach(parser)


def _repeat(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.studies import repeats

    seeds = [whole(text, "--seeds", "whole numbers with commas between them") for text in listed(arguments.seeds)]
    dataset = Library(workspace).get(arguments.dataset)
    name, arguments.name = arguments.name or "", None
    recipe = recipe_from(arguments, workspace, dataset)
    id = repeats.make(str(workspace.root), recipe.to_json(), dataset.reference, seeds, arguments.folds, name)
    work_on(StudyStore(workspace).get(id), workspace, repeats.told, detach=arguments.detach)
    return repeats.summarise(str(workspace.root), id)


def _show_repeat(answer: dict) -> Iterator[str]:
    yield f"{answer['study']}: {answer['name']}; {answer['counted']} of {answer['planned']} runs finished"
    yield f"{'':<24}{'mean':>10}{'std':>10}{'runs':>6}  95 % interval of the mean"
    for row in answer["figures"]:
        interval = "" if row["interval"] is None else bounds(row["interval"])
        yield f"{row['label']:<24}{number(row['mean']):>10}{number(row['std']):>10}{row['n']:>6} {interval}"
    for row in answer["per_class"]:
        label = f"{row['name']} of {row['label']}"
        yield f"{label:<24}{number(row['mean']):>10}{number(row['std']):>10}{row['n']:>6}"
    yield answer["caution"]
    yield from not_counted(answer)


def _studies_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", metavar="STUDY", help="show this one; default: list all")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", action="store_true", help="stop its runs")
    what.add_argument("--delete", action="store_true", help="delete it; its runs stay")
    what.add_argument("--delete-runs", action="store_true", help="delete it and its runs")


def _studies(arguments: argparse.Namespace, workspace: Workspace) -> dict | list[dict]:
    from core.executors.local import LocalExecutor
    from core.studies import duel, leakage, repeats, search
    from core.studies.removal import delete_study

    store = StudyStore(workspace)
    if arguments.study is None:
        if arguments.stop or arguments.delete or arguments.delete_runs:
            raise InputError("Which study is it about?", do="Give its id, as `studies` lists it")
        return [_study_answer(study, workspace) for study in store.list()]
    study = store.get(arguments.study)
    searched = study.kind == "search"
    if arguments.stop:
        search.stop(study) if searched else repeats.stop(LocalExecutor(workspace), study)
    if arguments.delete or arguments.delete_runs:
        answer = _study_answer(study, workspace)
        delete_study(workspace, study.id, runs=arguments.delete_runs)
        return [answer]
    if searched:
        return search_answer(study)
    module = {duel.KIND: duel, leakage.KIND: leakage}.get(study.kind, repeats)
    return module.summarise(str(workspace.root), study.id)


def _study_answer(study: Study, workspace: Workspace) -> dict:
    from core.studies import repeats

    states = {run.id: run.state for run in RunStore(workspace).list()}
    there = [member.run for member in study.members if member.run in states]
    planned = study.spec.get("trials") if study.kind == "search" else repeats.planned_runs(study)
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
        shows = {"figures": _show_repeat, "policies": show_duel, "duel": show_price}
        yield from next((show for key, show in shows.items() if key in answer), show_search)(answer)
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
    recipe_arguments(parser)


def _find_rate(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.train.finder import find_rate

    dataset = Library(workspace).get(arguments.dataset)
    arguments.name = None
    recipe = recipe_from(arguments, workspace, dataset)
    told = Progress("steps")
    found = find_rate(recipe, dataset, arguments.phase, cache=workspace.cache, steps=arguments.steps, report=told)
    return found.to_json()


def _show_rate(answer: dict) -> Iterator[str]:
    points = list(zip(answer["rates"], answer["smoothed"], strict=True))
    for rate, loss in points[:: max(1, len(points) // 20)]:
        yield f"rate {rate:<10.2g} loss {loss:.3f}"
    yield answer["sentence"]


COMMANDS = (
    Command("repeat", "train again with other seeds or folds", _repeat_arguments, _repeat, _show_repeat, failed_runs),
    Command("studies", "list searches and repeats, or show one", _studies_arguments, _studies, _show_studies),
    Command("find-rate", "find a learning rate for a recipe", _rate_arguments, _find_rate, _show_rate),
)
