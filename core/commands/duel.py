"""The command `duel`: augmentation policies against one another."""

import argparse
from collections.abc import Iterator

from core.commands.running import failed_runs, not_counted, work_on
from core.commands.shared import Command, add_detach, listed, number, tell, whole
from core.commands.training import recipe_arguments, recipe_from
from core.data.library import Library
from core.errors import InputError, RecipeError
from core.recipe import AugmentChoice
from core.runs.store import RunStore
from core.studies.study import StudyStore
from core.workspace import Workspace


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="id of a dataset in the workspace")
    names = "two or more policies, the catalog's or saved ones, with commas between them; the first is compared with"
    parser.add_argument("--policies", required=True, metavar="NAME,NAME,...", help=names)
    parser.add_argument("--seeds", default="5", metavar="N", help="so many seeds, or which, as in 3,4,7; default: 5")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--epochs", type=int, metavar="N", help="of each run")
    most = "as many epochs, or stored variants of a frozen backbone, as are expected to fit into so many minutes in all"
    budget.add_argument("--minutes", type=float, metavar="M", help=most)
    views = "so many stored variants of each image, where the backbone is frozen"
    parser.add_argument("--variants", type=int, metavar="K", help=views)
    same = "let all seeds learn from the same stored variants: quicker, but their luck is in no interval"
    parser.add_argument("--same-variants", action="store_true", help=same)
    parser.add_argument("--name", help="what the duel is called")
    recipe_arguments(parser)
    add_detach(parser)


def _duel(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.machine import cores, gpu_here
    from core.studies import duel

    dataset = Library(workspace).get(arguments.dataset)
    seeds = _seeds(arguments.seeds)
    name, arguments.name = arguments.name or "", None
    recipe = recipe_from(arguments, workspace, dataset)
    policies = _policies(listed(arguments.policies), recipe.augment, workspace)
    if arguments.same_variants:
        policies = {label: one.model_copy(update={"seed": min(seeds, default=0)}) for label, one in policies.items()}
    duel.entries(recipe, policies, seeds)
    if arguments.epochs is not None:
        recipe = duel.with_epochs(recipe, arguments.epochs)
    if arguments.variants is not None:
        policies = {label: one.model_copy(update={"views": arguments.variants}) for label, one in policies.items()}
    splits = dataset.split_counts()
    seconds = duel.pace(RunStore(workspace).list(), len(dataset.classes), cores(), gpu=gpu_here())
    if arguments.minutes is not None:
        recipe, policies = duel.within(arguments.minutes, recipe, policies, seeds, splits, seconds)
    takes = duel.expected_seconds(duel.entries(recipe, policies, seeds), splits, seconds)
    id = duel.make(
        str(workspace.root),
        recipe.to_json(),
        dataset.reference,
        {label: choice.model_dump(mode="json") for label, choice in policies.items()},
        seeds,
        name,
    )
    tell("How long it takes is not known ahead." if takes is None else f"About {max(0.1, takes / 60):.1f} minutes.")
    work_on(StudyStore(workspace).get(id), workspace, duel.told, detach=arguments.detach)
    return duel.summarise(str(workspace.root), id) | {"expected_seconds": takes}


def _seeds(text: str) -> list[int]:
    found = [whole(part, "--seeds", "how many, or whole numbers with commas between them") for part in listed(text)]
    return list(range(found[0])) if len(found) == 1 and "," not in text else found


def _policies(names: list[str], usual: AugmentChoice, workspace: Workspace) -> dict[str, AugmentChoice]:
    """The choices of these names: rows of the catalog, else policies that were saved."""
    from core.augment.catalog import POLICIES
    from core.augment.policies import PolicyStore

    if len(set(names)) < len(names):
        raise RecipeError("--policies", found=", ".join(names), expected="each policy once")
    known, choices = {row.name for row in POLICIES}, {}
    for name in names:
        rows = None
        if name not in known:
            try:
                rows = PolicyStore(workspace).get(name).rows
            except InputError as error:
                raise RecipeError(
                    "--policies", found=repr(name), expected=f"one of {', '.join(sorted(known))}, or a saved one"
                ) from error
        choices[name] = usual.model_copy(update={"policy": name, "rows": rows})
    return choices


def show_duel(answer: dict) -> Iterator[str]:
    """A duel as a terminal shows it."""
    yield f"{answer['study']}: {answer['name']}; {answer['counted']} of {answer['planned']} runs finished"
    for line in answer["policies"]:
        told = (f"{one['label']} {number(one['mean'])} ± {number(one['std'])}" for one in line["figures"])
        yield f"{line['label']:<24}{', '.join(told)}"
    for pair in answer["pairs"]:
        yield pair["sentence"]
        for row in pair["per_class"]:
            if row["gap"]:
                low, high = (100 * bound for bound in row["gap"]["interval"])
                change = f"{100 * row['gap']['mean']:+.1f} points [{low:+.1f}, {high:+.1f}]"
                yield f"    {answer['class_figure']} of {row['label']}: {change}"
    if len(answer["pairs"]) > 1:
        yield answer["verdict"]
    yield answer["caution"]
    yield from not_counted(answer)


COMMANDS = (
    Command("duel", "compare augmentation policies, with chance in mind", _arguments, _duel, show_duel, failed_runs),
)
