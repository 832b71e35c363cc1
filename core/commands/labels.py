"""Commands about what is said of runs: labels, and the hypothesis with which one began."""

import argparse
from collections.abc import Iterator

from core.commands.shared import Command
from core.commands.training import run_arguments, scored, show_scored
from core.errors import InputError
from core.runs.labels import Change, read_labels
from core.runs.store import RunStore
from core.workspace import Workspace


def _label_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="RUN", help="one or more runs, as `runs` lists them")
    parser.add_argument("--name", help='what the run is called; "" for the name that its choices give it')
    parser.add_argument("--tag", action="append", default=[], help="a word to find runs by; repeatable")
    parser.add_argument("--untag", action="append", default=[], metavar="TAG", help="take a tag off; repeatable")
    parser.add_argument("--note", help="what to keep in mind; it takes the place of an earlier note")
    away = parser.add_mutually_exclusive_group()
    away.add_argument(
        "--archive", action="store_true", help="put the runs away: `runs` leaves them out, nothing is lost"
    )
    away.add_argument("--bring-back", action="store_true", help="list them again")


def _label(arguments: argparse.Namespace, workspace: Workspace) -> list[dict]:
    if arguments.name and len(arguments.ids) > 1:
        raise InputError("One name is for one run", found=f"{len(arguments.ids)} runs")
    change = Change(
        name=arguments.name,
        add=tuple(arguments.tag),
        remove=tuple(arguments.untag),
        note=arguments.note,
        archived=True if arguments.archive else False if arguments.bring_back else None,
    )
    store = RunStore(workspace)
    store.label(arguments.ids, change)
    return [{"run": id, **read_labels(store.paths(id).labels).to_json()} for id in arguments.ids]


def _show_labels(answer: list[dict]) -> Iterator[str]:
    for row in answer:
        told = [f"“{row['name']}”" if row["name"] else "", *(f"#{tag}" for tag in row["tags"])]
        yield " ".join(filter(None, [f"{row['run']}:", *told, "(put away)" if row["archived"] else ""]))
        if row["note"]:
            yield f"  {row['note']}"


def _hypothesis(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    return {"run": arguments.id} | scored(workspace, arguments.id)


COMMANDS = (
    Command("label", "name, tag, annotate or put away runs", _label_arguments, _label, _show_labels),
    Command("hypothesis", "score the hypothesis of a run", run_arguments, _hypothesis, show_scored),
)
