"""Commands that write a report to hand in, and check one that was handed in."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.commands.shared import Command, Progress, listed
from core.report.sections import NAMES, SECTIONS
from core.workspace import Workspace

_MOST = 40  # differences that a terminal shows


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="its id; of several runs one report is written")
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="FILE",
        help=".html, .md, or .zip for the bundle that can be verified",
    )
    told = ", ".join(row.name for row in SECTIONS if not row.always)
    parser.add_argument("--sections", metavar="A,B", help=f"only some of {told}; the report says what was left out")
    parser.add_argument("--title", default="", help="of the first page")


def _report(arguments: argparse.Namespace, workspace: Workspace) -> dict[str, Any]:
    from core.report.bundle import make_report

    wanted = NAMES if arguments.sections is None else tuple(listed(arguments.sections))
    told = Progress("runs")
    return make_report(
        str(workspace.root), arguments.runs, str(arguments.out), sections=wanted, title=arguments.title, report=told
    )


def _show_report(answer: dict[str, Any]) -> Iterator[str]:
    yield f"{answer['file']}: {', '.join(answer['runs'])} ({answer['bytes'] / 1e6:.1f} MB)"


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    told = "a bundle, packed or unpacked, or a report.html that came alone"
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=told)


def _verify(arguments: argparse.Namespace, workspace: Workspace) -> dict[str, Any]:
    from core.report.verify import verify

    return verify(str(arguments.bundle)).to_json()


def _show_verification(answer: dict[str, Any]) -> Iterator[str]:
    yield answer["sentence"]
    for row in answer["differences"][:_MOST]:
        should = f", should be {row['recomputed']!r}" if row["recomputed"] else ""
        follows = "  follows from that: " if row["follows"] else ""
        yield f"{follows}{row['file']}: {row['place']}: found {row['found']!r}{should}. {row['sentence']}".rstrip()
    if len(answer["differences"]) > _MOST:
        yield f"and {len(answer['differences']) - _MOST} more, with --json"
    yield from answer["notes"]
    yield "What this cannot know:"
    yield from (f"- {sentence}" for sentence in answer["cannot_know"])


COMMANDS = (
    Command("report", "write a report to hand in", _report_arguments, _report, _show_report),
    Command("verify", "check a report that was handed in", _verify_arguments, _verify, _show_verification),
)
