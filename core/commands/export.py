"""The command that takes a run's model, or its training, out of Fovea."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from core.commands.shared import Command, Progress
from core.commands.training import run_arguments
from core.predict.export.kept import FORMATS
from core.workspace import Workspace


def _arguments(parser: argparse.ArgumentParser) -> None:
    run_arguments(parser)
    parser.add_argument(
        "--format",
        default=FORMATS[0].name,
        choices=[row.name for row in FORMATS],
        help="; ".join(f"{row.name}: {row.label.lower()}" for row in FORMATS),
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="what to write; of a script a .zip with its pictures, or a .py alone",
    )


def _export(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.predict.export.exporting import export_run

    out = str(Path(arguments.out).absolute())
    return export_run(str(workspace.root), arguments.id, arguments.format, out, report=Progress("pictures"))


def _show(answer: dict) -> Iterator[str]:
    yield f"{answer['file']}: {answer['bytes']:,} bytes"
    yield answer["sentence"]
    yield "Inside: " + ", ".join(answer["contents"])


COMMANDS = (Command("export", "write a run's model or training as a file", _arguments, _export, _show),)
