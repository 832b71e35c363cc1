"""Commands about what speaks against the figures of a run: `integrity`, and what leaked pictures were worth."""

import argparse
from collections.abc import Iterator

from core.commands.running import failed_runs, not_counted, work_on
from core.commands.shared import Command, add_detach, number, tell
from core.commands.training import run_arguments
from core.runs.store import RunStore
from core.studies.study import StudyStore
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


def _leakage_arguments(parser: argparse.ArgumentParser) -> None:
    run_arguments(parser)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="so many seeds for each split; default: 5")
    add_detach(parser)


def _leakage(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.studies import leakage
    from core.studies.duel import told, varied

    run = RunStore(workspace).get(arguments.id)
    id = leakage.make(str(workspace.root), run.id, range(max(0, arguments.seeds)))
    takes = leakage.expected_seconds(run, arguments.seeds)
    tell("How long it takes is not known ahead." if takes is None else f"About {max(0.1, takes / 60):.1f} minutes.")
    study = StudyStore(workspace).get(id)
    work_on(study, workspace, lambda varies: told(varied(varies["split"], varies["seed"])), detach=arguments.detach)
    return leakage.summarise(str(workspace.root), id)


def show_price(answer: dict) -> Iterator[str]:
    """A price of leakage as a terminal shows it."""
    duel = answer["duel"]
    yield f"{duel['study']}: {duel['name']}; {duel['counted']} of {duel['planned']} runs finished"
    yield answer["sentence"]
    for line in duel["policies"]:
        figures = ", ".join(f"{one['label']} {number(one['mean'])} ± {number(one['std'])}" for one in line["figures"])
        yield f"{line['label']:<24}{figures}"
    for name, words in (("of_known", "known from training"), ("of_new", "new")):
        if gap := answer[name]:
            low, high = (100 * bound for bound in gap["interval"])
            change = f"{100 * gap['mean']:+.1f} points [{low:+.1f}, {high:+.1f}]"
            yield f"    on the {gap['images']} validation pictures that are {words}: {change}"
    yield duel["caution"]
    yield from not_counted(duel)


COMMANDS = (
    Command("integrity", "say what speaks against the figures of a run", _arguments, _integrity, _show),
    Command(
        "leakage",
        "measure what pictures that were learned from and judged by are worth to a run",
        _leakage_arguments,
        _leakage,
        show_price,
        lambda answer: failed_runs(answer["duel"]),
    ),
)
