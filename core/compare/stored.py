"""Make a comparison, keep it, and read it again for as long as it is about the same weights."""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.compare.answers import Common, Table, gathered, table_of, too_few
from core.compare.comparison import (
    MOST_RUNS,
    Comparison,
    RecipeLine,
    RunLine,
)
from core.compare.disagreement import disagreements
from core.compare.judging import CLASS_FIGURES, MOST_MODELS, Judge
from core.compare.recipes import choices, each_seed_once, grouped, labels, run_labels
from core.compare.verdicts import cautions, verdict
from core.errors import FoveaError, InputError, StorageError
from core.evaluate.results import method
from core.metrics.parts import metric, metrics_of
from core.runs.run import RunPaths
from core.runs.store import Run, RunStore
from core.seeding import fingerprint
from core.workspace import Workspace, read_json, write_json

_VERSION = 2  # raised when Comparison changes; older ones are then made anew
_MOST_KEPT = 200  # comparisons in the cache

Report = Callable[[int, int, str], None]


def compare_runs(
    workspace_root: str,
    run_ids: Sequence[str],
    split: str = "validation",
    report: Report = lambda done, total, what: None,
) -> Comparison:
    """Compare runs on the images of a split that they share, and keep the answer; the same weights, the same answer.

    Validation images are evaluated where that has not happened; a sealed test split stays sealed, and its run stands
    apart. So does, with the reason, every run that cannot be held against the first one. Raises InputError for fewer
    than two runs or too many, RunError for one that is not there, Cancelled where `report` says so.
    """
    runs = _runs(workspace_root, run_ids)
    known = read_comparison(workspace_root, run_ids, split)
    if known is not None:
        return known
    tables: dict[str, Table] = {}
    apart: dict[str, str] = {}
    for done, run in enumerate(runs):
        report(done, len(runs) + 1, run.name)
        try:
            tables[run.id] = table_of(workspace_root, run, split)
        except FoveaError as error:
            apart[run.id] = str(error)
    report(len(runs), len(runs) + 1, "comparing")
    found = compare_tables(runs, tables, apart, split)
    file = _file(workspace_root, runs, split)
    with suppress(StorageError):  # the answer is right all the same; it will have to be found again
        write_json(file, {"version": _VERSION} | found.to_json())
        _forget_oldest(file.parent)
    return found


def compare_tables(runs: Sequence[Run], tables: dict[str, Table], apart: dict[str, str], split: str) -> Comparison:
    """The comparison of runs, oldest first, by their prediction tables alone; `apart` says why a run has none."""
    common, unlike = gathered(runs, tables, split)
    apart = apart | unlike
    kept = [run for run in runs if run.id not in apart]
    if common is not None and len(kept) > 1 and (few := too_few(common)):
        apart |= {run.id: few for run in kept[1:]}
        kept = kept[:1]
    return _judged(runs, kept, apart, common, tables, split)


def summarise(
    workspace_root: str,
    run_ids: Sequence[str],
    split: str = "validation",
    report: Report = lambda done, total, what: None,
) -> dict[str, Any]:
    """`compare_runs` as plain data, for a helper process. Raises what that does."""
    return compare_runs(workspace_root, run_ids, split, report).to_json()


def read_comparison(workspace_root: str, run_ids: Sequence[str], split: str = "validation") -> Comparison | None:
    """The comparison of these runs as it was made for their present weights and names; None where there is none.

    The order of the ids does not matter. Raises what `compare_runs` does for the choice of runs.
    """
    return read_stored(_file(workspace_root, _runs(workspace_root, run_ids), split))


def read_stored(file: Path) -> Comparison | None:
    """The comparison in a file; None where there is none that can be read."""
    data = read_json(file)
    try:
        if data is None or data.pop("version") != _VERSION:
            return None
        return Comparison.from_json(data)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def comparison_file(workspace_root: str, run_ids: Sequence[str], split: str = "validation") -> Path:
    """Where the comparison of these runs is kept, whether it is there or not. Raises what `read_comparison` does."""
    return _file(workspace_root, _runs(workspace_root, run_ids), split)


def _runs(root: str, ids: Sequence[str]) -> list[Run]:
    """The runs, oldest first."""
    ids = list(dict.fromkeys(ids))
    if not 2 <= len(ids) <= MOST_RUNS:
        raise InputError("A comparison", found=f"{len(ids)} runs", expected=f"2 to {MOST_RUNS} different ones")
    store = RunStore(Workspace(Path(root)))
    return sorted((store.get(id) for id in ids), key=lambda run: (run.facts.created, run.id))


def _file(root: str, runs: Sequence[Run], split: str) -> Path:
    key = [
        [run.id, run.name, run.recipe.hash, *(_stamp(path) for path in (run.paths.best, _shown(run.paths, split)))]
        for run in runs
    ]
    return Workspace(Path(root)).cache / "comparisons" / f"{fingerprint(json.dumps([split, method(), key]))}.json"


def _shown(paths: RunPaths, split: str) -> Path:
    """The file of a run that says whether its answers may be looked at: none of them is asked for validation."""
    return paths.predictions(split) if split == "test" else paths.recipe


def _stamp(path: Path) -> list[int]:
    try:
        about = path.stat()
    except FileNotFoundError:
        return []
    return [about.st_mtime_ns, about.st_size]


def _forget_oldest(folder: Path) -> None:
    with os.scandir(folder) as entries:
        ages = sorted((entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(".json"))
    for _, path in ages[:-_MOST_KEPT]:
        Path(path).unlink(missing_ok=True)


def _judged(
    runs: Sequence[Run],
    kept: Sequence[Run],
    apart: dict[str, str],
    common: Common | None,
    tables: dict[str, Table],
    split: str,
) -> Comparison:
    names = run_labels(runs)
    groups = grouped(kept)
    members = {key: each_seed_once(group) for key, group in groups.items()}
    differing = choices(groups)
    names |= labels(groups, differing)
    recipe_of = {run.id: key for key, group in groups.items() for run in group}
    task = kept[0].recipe.task if kept else runs[0].recipe.task
    figures = metrics_of(task)
    judge = Judge(common) if common is not None and kept else None
    lines = tuple(
        RunLine(
            id=run.id,
            name=names[run.id],
            recipe=recipe_of.get(run.id, ""),
            seed=run.recipe.seed,
            data=f"{run.facts.dataset_name}, revision {run.facts.revision}",
            epoch=_epoch(tables.get(run.id)),
            scores=tuple(judge.score(row, run.id) for row in figures) if run in kept and judge else _own(run, tables),
            apart=apart.get(run.id, ""),
        )
        for run in runs
    )
    recipes = tuple(
        RecipeLine(
            key=key,
            label=names[key],
            runs=tuple(run.id for run in group),
            seeds=tuple(run.recipe.seed for run in group),
            scores=tuple(judge.mean_score(row, [run.id for run in group]) for row in figures) if judge else (),
        )
        for key, group in members.items()
    )
    pairs, gaps, pictures = (), (), {}
    if judge is not None and len(kept) > 1:
        ids = [run.id for run in kept]
        seeds = {key: [(run.recipe.seed, run.id) for run in group] for key, group in members.items()}
        pairs = (*judge.models(ids, names), *judge.recipes(seeds, names))
        if len(ids) <= MOST_MODELS:
            gaps, pictures = disagreements(common, ids)
    told, question = verdict(lines, recipes, pairs, names)
    return Comparison(
        split=split,
        task=task,
        verdict=told,
        question=question,
        metrics=tuple((row.name, row.label) for row in figures),
        class_figure=metric(CLASS_FIGURES[task]).label,
        classes=common.classes if common else (),
        images=common.n if common else 0,
        runs=lines,
        recipes=recipes,
        choices=differing,
        pairs=pairs,
        disagreements=gaps,
        pictures=pictures,
        cautions=cautions(split, common, kept, recipes),
    )


def _own(run: Run, tables: dict[str, Table]):
    """The scores of a run that stands apart: of its own images, each with its own interval."""
    if run.id not in tables:
        return ()
    alone, _ = gathered([run], tables, "")
    judge = Judge(alone)
    return tuple(judge.score(row, run.id) for row in metrics_of(run.recipe.task))


def _epoch(table: Table | None) -> int | None:
    """The epoch in the name of a checkpoint, "epoch 4, 81f3..."."""
    words = table.checkpoint.replace(",", " ").split() if table is not None else []
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
