"""The command `compare`: runs against one another, with chance in mind."""

import argparse
from collections.abc import Iterator

from core.commands.shared import Command, Progress, bounds, number
from core.workspace import Workspace


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="RUN", help="two or more runs of this workspace")
    sealed = "test: only runs whose test split was opened already; a comparison opens none"
    parser.add_argument("--split", default="validation", choices=["validation", "test"], help=sealed)


def _compare(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.compare import compare_runs

    return compare_runs(str(workspace.root), arguments.ids, arguments.split, Progress("runs")).to_json()


def _show(answer: dict) -> Iterator[str]:
    yield answer["verdict"]
    yield ""
    names = {line["id"]: line["name"] for line in answer["runs"]}
    names |= {line["key"]: line["label"] for line in answer["recipes"]}
    labels = [label for _, label in answer["metrics"]]
    yield f"{'run':<40}{'seed':>6}" + "".join(f"{label:>24}" for label in labels)
    for line in answer["runs"]:
        figures = (f"{number(score['value'])}{bounds(score['interval'])}" for score in line["scores"])
        yield f"{line['name'][:39]:<40}{line['seed']:>6}" + "".join(f"{figure:>24}" for figure in figures)
        if line["apart"]:
            yield f"    not compared: {line['apart']}"
    for row in answer["choices"]:
        yield f"{row['path']}: " + ", ".join(map(str, row["values"]))
    labelled = dict(answer["metrics"])
    for question, about in (("recipes", "Recipes, with other seeds"), ("models", "These trained networks")):
        pairs = [pair for pair in answer["pairs"] if pair["question"] == question]
        if pairs:
            yield f"\n{about}, on {answer['images']} {answer['split']} images:"
        for pair in pairs:
            low, high = (100 * bound for bound in pair["interval"])
            told = "beyond chance" if pair["different"] else "within noise"
            yield (
                f"  {names[pair['second']]} less {names[pair['first']]}: {100 * pair['value']:+.1f} points "
                f"{labelled[pair['metric']]} [{low:+.1f}, {high:+.1f}], {told}"
            )
    yield from ("", *answer["cautions"])


COMMANDS = (Command("compare", "hold runs against one another, with chance in mind", _arguments, _compare, _show),)
