"""The command `integrity`: what speaks against the figures of a run."""

import argparse
from collections.abc import Iterator

from core.commands.shared import Command
from core.commands.training import run_arguments
from core.runs.store import RunStore
from core.workspace import Workspace


def _arguments(parser: argparse.ArgumentParser) -> None:
    run_arguments(parser)
    parser.add_argument("--anew", action="store_true", help="look again, though nothing has changed")


def _integrity(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.integrity.run_checks import check_run

    RunStore(workspace).get(arguments.id)
    report = check_run(str(workspace.root), arguments.id, anew=arguments.anew).to_json()
    return {name: value for name, value in report.items() if name not in ("version", "rests_on")}


def _show(answer: dict) -> Iterator[str]:
    yield answer["verdict"]
    for finding in answer["findings"]:
        yield f"{finding['severity']}, {finding['check']}: {finding['message']}"
        yield f"    {finding['advice']}"
        for row in finding["figures"].get("rows", ()):
            yield "    " + ", ".join(f"{name} {_cell(value)}" for name, value in row.items())
    for one in answer["checks"]:
        if not one["found"]:
            yield f"{'unknown' if one['unknown'] else 'holds'}, {one['name']}: {one['unknown'] or one['told']}"


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "–" if value is None else str(value)


COMMANDS = (Command("integrity", "say what speaks against the figures of a run", _arguments, _integrity, _show),)
