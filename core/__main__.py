"""The headless commands: the same core functions as the pages, for a terminal, a script, or a server without a screen.

    python -m core [--workspace DIR] COMMAND ... [--json]

Exit code 0: done. 2: what was given cannot be used. 1: anything else that stopped the command. In both of these cases
standard error ends with one line that says what was found and what to do. With --json standard output is exactly one
JSON value; progress goes to standard error.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from core.commands import (
    autopsy,
    compare,
    data,
    duel,
    export,
    health,
    integrity,
    judging,
    labels,
    repeats,
    report,
    search,
    training,
)
from core.commands.shared import tell
from core.errors import FoveaError, InputError
from core.workspace import Workspace, insist_on_folder

COMMANDS = (
    *data.COMMANDS,
    *health.COMMANDS,
    *training.COMMANDS,
    *labels.COMMANDS,
    *repeats.COMMANDS,
    *duel.COMMANDS,
    *search.COMMANDS,
    *judging.COMMANDS,
    *compare.COMMANDS,
    *autopsy.COMMANDS,
    *integrity.COMMANDS,
    *report.COMMANDS,
    *export.COMMANDS,
)


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
        tell("Interrupted.")
        return 130
    lines = [json.dumps(answer, indent=2)] if arguments.json else arguments.command.show(answer)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    fault = arguments.command.fault(answer)
    return _complain(fault) if fault else 0


def _complain(error: FoveaError) -> int:
    tell(str(error))
    return 2 if isinstance(error, InputError) else 1


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


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # not every file name is text, nor every text in a code page
    sys.exit(main())
