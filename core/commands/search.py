"""The command that searches."""

import argparse
import time
from collections.abc import Iterator
from typing import Any

from core.commands.shared import Command, add_detach, bounds, number, tell
from core.commands.training import recipe_arguments, recipe_from
from core.data.library import Library
from core.errors import FoveaError, InputError, TrainingError
from core.studies.study import Study, StudyStore
from core.workspace import Workspace


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
    recipe_arguments(parser)
    add_detach(parser)


def _search(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.studies import search

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
        tell(f"{study.id}: {study.name}")
    if not arguments.detach:
        _wait_for(study, told)
    return search_answer(study)


def _begin_search(arguments: argparse.Namespace, workspace: Workspace) -> Study:
    from core.studies.search import SearchSpec, begin
    from core.studies.space import read_span

    dataset = Library(workspace).get(arguments.dataset)
    name, arguments.name = arguments.name or "", None
    recipe = recipe_from(arguments, workspace, dataset)
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
            tell(f"trial {trial['number']}: {trial['state']}, {number(trial['value'])}")
        if not now.is_active:
            break
        try:
            time.sleep(0.3)
        except KeyboardInterrupt:
            if stopping:
                raise
            stopping = True
            tell("Stopping the search; --continue goes on with it")
            stop(study)
        drive(study)  # if its driver was killed, another one takes up its work
        now = standing(study)
    tell(now.sentence)


def _trials(study: Study) -> list[dict]:
    from core.studies.search import read_results

    return (read_results(study) or {"trials": []})["trials"]


def search_answer(study: Study) -> dict:
    """What is told of a search, as plain data."""
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


def show_search(answer: dict) -> Iterator[str]:
    """The same as lines of a terminal."""
    yield f"{answer['study']}: {answer['state']}, {answer['trials_done']} trials. {answer['sentence']}"
    for trial in answer["trials"] or ():
        values = ", ".join(f"{path} {_short(value)}" for path, value in trial["values"].items())
        yield f"{trial['number']:>4}  {trial['state']:<9}{number(trial['value']):>8}  {values}"
    if answer["best"]:
        best = answer["best"]
        yield f"best: trial {best['number']}, {answer['metric']} {number(best['value'])}{bounds(best['interval'])}"
        for row in best["changes"]:
            yield f"      {row['path']}: {_short(row['base'])} -> {_short(row['best'])}"
        yield answer["caution"]


def _failed_search(answer: dict) -> FoveaError | None:
    failed = answer["state"] == "failed"
    return TrainingError(f"The search {answer['study']} failed", found=answer["sentence"]) if failed else None


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


COMMANDS = (Command("search", "search the best recipe", _search_arguments, _search, show_search, _failed_search),)
