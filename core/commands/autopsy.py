"""The command that says what is wrong with a report."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.commands.shared import Command, listed
from core.errors import InputError
from core.workspace import Workspace


def _arguments(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("from files")
    files.add_argument("--truth", type=Path, metavar="FILE", help="CSV or .npy of true classes, or with answers too")
    files.add_argument("--predicted", type=Path, metavar="FILE", help="CSV or .npy of answers, or of probabilities")
    files.add_argument("--probabilities", type=Path, metavar="FILE", help="their probabilities, where they lie apart")
    files.add_argument("--classes", metavar="A,B,C", help="the classes in their order, where numbers stand for names")
    files.add_argument("--training", type=Path, metavar="LIST", help="files that were learned from, or their folder")
    files.add_argument("--evaluated", type=Path, metavar="LIST", help="the files that were evaluated")
    run = parser.add_argument_group("of a run, by its stored answers")
    run.add_argument("--run", default="", metavar="RUN")
    run.add_argument("--split", default="validation", choices=["validation", "test"])


def _autopsy(arguments: argparse.Namespace, workspace: Workspace) -> dict[str, Any]:
    from core.integrity.autopsy.entry import autopsy_paths

    if bool(arguments.run) == bool(arguments.truth):
        raise InputError("An autopsy needs something to look at", expected="--truth FILE, or --run RUN")
    found = autopsy_paths(
        str(workspace.root),
        arguments.truth,
        arguments.predicted,
        probabilities=arguments.probabilities,
        training=arguments.training,
        evaluated=arguments.evaluated,
        classes=listed(arguments.classes) if arguments.classes else None,
        run=arguments.run,
        split=arguments.split,
    )
    return found.to_json()


def _show(answer: dict[str, Any]) -> Iterator[str]:
    sure = "over 99%" if answer["confidence"] > 0.99 else f"{answer['confidence']:.0%}"
    yield f"{answer['verdict']} ({sure} sure): {answer['explanation']}"
    if not answer["enough"]:
        yield "  These are few rows for a verdict: take it as a hint."
    for row in answer["evidence"]:
        yield f"  {row['label']}: {row['value']}. {row['meaning']}"
    if answer["also"]:
        yield "  fits as well: " + ", ".join(f"{row['verdict']} {row['weight']:.0%}" for row in answer["also"])
    for sentence in answer["cannot_know"]:
        yield f"  cannot be known: {sentence}"
    for sentence in answer["notes"]:
        yield f"  note: {sentence}"
    if answer["code"]:
        yield f"  {answer['code']}"


COMMANDS = (Command("autopsy", "say what is wrong with a report", _arguments, _autopsy, _show),)
