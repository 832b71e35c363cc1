"""Commands that bring pictures in."""

import argparse
import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from core.commands.shared import Command, Progress, add_set, pairs
from core.data.dataset import Dataset
from core.data.demo import DEMOS, make_demo
from core.data.incoming import Proposal, SplitRule, discard, inspect, keep, remap
from core.data.mask_values import IGNORED, MaskMap, map_of, value_text
from core.data.readers.catalog import READERS
from core.errors import DatasetError, FoveaError, RecipeError
from core.recipe import from_text
from core.workspace import Workspace


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder, a zip, an .npz, or a .csv beside its images")
    parser.add_argument("--name", default="", help="what the dataset is called; default: from the path")
    parser.add_argument("--layout", default="auto", choices=["auto", *(row.name for row in READERS)])
    columns = "columns of a table, or arrays of an .npz: images=file,labels=diagnosis,split=fold,group=patient"
    parser.add_argument("--columns", default="", metavar="ROLE=NAME,...", help=columns)
    groups = "what belongs together and stays in one split, by the file names: '{group}_*' for patient7_03.png"
    parser.add_argument("--groups", default="", metavar="PATTERN", help=groups)
    shares = "train/validation/test in percent, where no split is given"
    parser.add_argument("--shares", default="70/15/15", metavar="70/15/15", help=shares)
    parser.add_argument("--seed", type=int, default=0, help="seed of the split, where none is given")
    apart = "let near duplicates fall into different splits"
    parser.add_argument("--scatter-duplicates", action="store_true", help=apart)
    means = "what the values of masks mean: 0=background,128=cell,255=ignore or #000000=background,#ff0000=polyp"
    parser.add_argument("--map", default="", metavar="VALUE=CLASS,...", help=means)
    near = "how many levels a mask's pixel may be from a value of the map; default: by what the masks hold"
    parser.add_argument("--tolerance", type=int, metavar="N", help=near)


def _import(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    told, rule = Progress("images"), _rule(arguments)
    texts = [part for part in arguments.map.split(",") if part.strip()]
    meant = pairs(texts, "--map", "value=class,value=class")
    if len(meant) < len(texts):
        raise RecipeError("--map", found="a value twice", expected="each value once")
    named = {"layout": arguments.layout, "name": arguments.name, "picks": _picks(arguments.columns)}
    proposal = inspect(workspace, arguments.path, **named, report=told)
    with _discarded_on_failure(workspace, proposal):
        if meant or arguments.tolerance is not None:
            proposal = remap(workspace, proposal.id, _mask_map(proposal, meant, arguments.tolerance))
        return _kept(workspace, proposal, rule)


def _picks(text: str) -> dict[str, str]:
    """{"images": "file"} from "images=file,..."; a comma in a name is no end of it."""
    texts = [part for part in re.split(r",(?=\s*\w+=)", text) if part.strip()]
    picks = pairs(texts, "--columns", "role=column,role=column")
    if len(picks) < len(texts):
        raise RecipeError("--columns", found="a role twice", expected="each role once")
    return {role: name.strip() for role, name in picks.items()}


def _rule(arguments: argparse.Namespace) -> SplitRule:
    """The rule of the split. Raises RecipeError for shares that are no numbers, DatasetError for any that cannot be."""
    try:
        shares = [float(part) / 100 for part in arguments.shares.split("/")]
    except ValueError:
        shares = []
    if len(shares) not in (2, 3) or not all(map(math.isfinite, shares)):
        raise RecipeError("--shares", found=repr(arguments.shares), expected="percent of train/validation/test")
    train, validation, test = (*shares, 0.0)[:3]
    kept = not arguments.scatter_duplicates
    return SplitRule(train, validation, test, arguments.seed, groups=arguments.groups, apart=kept)


def _mask_map(proposal: Proposal, meant: dict[str, str], tolerance: int | None) -> MaskMap:
    """The map of an import's masks with what was given on the command line in the place of what was proposed."""
    if proposal.masks is None or proposal.mask_map is None:
        raise DatasetError("--map and --tolerance are about masks", found=f"an import without any ({proposal.layout})")
    allowed = proposal.mask_map.tolerance if tolerance is None else tolerance
    return map_of(meant, proposal.masks.kind, allowed) if meant else replace(proposal.mask_map, tolerance=allowed)


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=" or ".join(row.name for row in DEMOS))
    add_set(parser, "DIAL=VALUE", "turn a dial, as in images=200; repeatable")


def _demo(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    dials = {name: from_text(text) for name, text in pairs(arguments.set).items()}
    proposal = make_demo(workspace, arguments.name, dials, report=Progress("images"))
    with _discarded_on_failure(workspace, proposal):
        return _kept(workspace, proposal, SplitRule())


@contextlib.contextmanager
def _discarded_on_failure(workspace: Workspace, proposal: Proposal) -> Iterator[None]:
    try:
        yield
    except FoveaError:
        discard(workspace, proposal.id)
        raise


def _kept(workspace: Workspace, proposal: Proposal, rule: SplitRule) -> dict:
    told = Progress("masks") if proposal.masks else None
    return _dataset_answer(keep(workspace, proposal.id, rule=rule, report=told), proposal)


def _dataset_answer(dataset: Dataset, proposal: Proposal) -> dict:
    labels = {value: label or IGNORED for value, label in dataset.mask_map}
    found = [(value_text(row.value), row.share) for row in proposal.masks.values] if proposal.masks else []
    return {
        "dataset": dataset.id,
        "name": dataset.name,
        "task": dataset.task,
        "classes": list(dataset.classes),
        "samples": len(dataset.samples),
        "splits": dataset.split_counts(),
        "skipped": [{"file": row.file, "reason": row.reason} for row in dataset.skipped],
        "layout": dataset.layout,
        "why": proposal.why,
        "split_rule": dataset.split_rule,
        "mask_values": [{"value": value, "share": share, "label": labels.get(value)} for value, share in found],
        "findings": [*(proposal.masks.findings if proposal.masks else ()), *proposal.notes],
    }


def _show_dataset(answer: dict) -> Iterator[str]:
    splits = ", ".join(f"{name} {count}" for name, count in answer["splits"].items())
    yield f"{answer['dataset']}: {answer['samples']} images, {len(answer['classes'])} classes ({splits})"
    yield f"layout: {answer['layout']}, {answer['why']}"
    yield f"split: {answer['split_rule']}"
    for row in answer["mask_values"]:
        yield f"mask value {row['value']}, {row['share']:.1%} of the pixels: {row['label'] or 'in no class'}"
    yield from answer["findings"]
    for row in answer["skipped"]:
        yield f"skipped {row['file']}: {row['reason']}"


COMMANDS = (
    Command(
        "import",
        "bring in a folder or a zip of images, a table of labels, or arrays",
        _import_arguments,
        _import,
        _show_dataset,
    ),
    Command("demo", "draw a teaching dataset", _demo_arguments, _demo, _show_dataset),
)
