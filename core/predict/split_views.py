"""Test-time augmentation on a whole split: every image seen from several sides, and whether that makes answers better.

What comes of it stands in a table of its own. The figures of a run are those of its plain answers.
"""

from pathlib import Path

import numpy as np

from core.errors import InputError, RunError
from core.evaluate.classification import evaluate_table
from core.evaluate.depth import depth_of
from core.evaluate.evaluation import Report, device_of, loaded, predict_split
from core.evaluate.mask_predictions import predict_masks
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.segmentation import evaluate_masks
from core.evaluate.views import KINDS, ViewsFigure, ViewsResult, current_views, result_of, table_of
from core.metrics.intervals import Interval
from core.metrics.parts import metric
from core.metrics.segmentation import background_of, class_counts
from core.metrics.several import paired_difference
from core.predict.views import MIRRORED, POSITIONS, SeenFrom
from core.runs.data import dataset_of
from core.runs.seal import open_seal, openings
from core.runs.store import Run, RunStore
from core.workspace import Workspace, write_json

SIDES = {"mirrored": MIRRORED, "sides": POSITIONS}
NAMES = ("one look", "Test-time augmentation")  # the second begins sentences

Figure = tuple[float | None, Interval | None]


def evaluate_views(
    workspace_root: str, run_id: str, split: str, kind: str = "mirrored", *, report: Report | None = None
) -> ViewsResult:
    """The figures of an evaluated split with test-time augmentation, beside those without.

    A result that these weights made is read. `report` is told how many images are done; what it raises ends the work,
    and nothing is kept. The test split has to be open already, and this look at it is written down as well.

    Raises InputError for an unknown kind, RunError when the split has not been evaluated by the run's present weights
    or the seal is whole, and DatasetError when the dataset is gone.
    """
    if kind not in KINDS:
        raise InputError("Unknown views", found=repr(kind), expected=" or ".join(KINDS))
    workspace = Workspace(Path(workspace_root))
    run = RunStore(workspace).get(run_id)
    if found := current_views(run.paths, split, kind):
        return found
    if split == "test" and not openings(run.paths):
        raise RunError("The test split of this run is sealed", do="Open it on the page Evaluate first")
    dataset = dataset_of(workspace, run)
    trained, checkpoint = loaded(run.paths.best, device_of(run.recipe))
    plain = _plain(run, split, checkpoint)
    if split == "test":
        open_seal(run.paths, f"test-time augmentation ({kind})")
    network = SeenFrom(trained.model, SIDES[kind])
    how = (dataset, split, trained.recipe, workspace.cache)
    if isinstance(plain, MaskTable):
        folder = run.paths.views(split) / f"{kind}_masks"
        table, _ = predict_masks(network, *how, folder, checkpoint=checkpoint, report=report)
        figures, changed = _of_masks(plain, table), int((plain.confusion != table.confusion).any(axis=(1, 2)).sum())
    else:
        table = predict_split(network, *how, checkpoint=checkpoint, report=report)
        figures, changed = _of_labels(plain, table), int((plain.predicted != table.predicted).sum())
    table.write(table_of(run.paths, split, kind))
    result = ViewsResult(
        task=run.recipe.task,
        kind=kind,
        split=split,
        checkpoint=checkpoint,
        views=len(SIDES[kind]),
        n=len(table),
        changed=changed,
        figures=figures,
    )
    write_json(result_of(run.paths, split, kind), result.to_json())
    return result


def _plain(run: Run, split: str, checkpoint: str) -> PredictionTable | MaskTable:
    path = run.paths.predictions(split)
    if not path.exists():
        raise RunError(f"The {split} split of this run has not been evaluated yet", do="Evaluate it first")
    table = (MaskTable if run.recipe.task == "segmentation" else PredictionTable).read(path)
    if table.checkpoint != checkpoint:
        raise RunError("The prediction table is of other weights than the run has now", do="Evaluate the run again")
    return table


def _of_labels(plain: PredictionTable, views: PredictionTable) -> tuple[ViewsFigure, ...]:
    def figures(table: PredictionTable) -> dict[str, Figure]:
        result, depth = evaluate_table(table), depth_of(table)
        return {
            "accuracy": (result.accuracy, result.interval),
            "macro_f1": (result.macro_f1, result.macro_f1_interval),
            "auroc": (depth.auroc, depth.auroc_interval),
        }

    ours, theirs = figures(plain), figures(views)
    answers = plain.probabilities, views.probabilities
    return tuple(_figure(name, ours[name], theirs[name], plain.truth, *answers) for name in ours)


def _of_masks(plain: MaskTable, views: MaskTable) -> tuple[ViewsFigure, ...]:
    def figures(table: MaskTable) -> dict[str, Figure]:
        result = evaluate_masks(table)
        return {
            "mean_dice": (result.mean_dice, result.mean_dice_interval),
            "mean_iou": (result.mean_iou, result.mean_iou_interval),
        }

    ours, theirs = figures(plain), figures(views)
    counts, ground = [class_counts(table.confusion) for table in (plain, views)], background_of(plain.classes)
    return tuple(_figure(name, ours[name], theirs[name], None, *counts, background=ground) for name in ours)


def _figure(
    name: str,
    plain: Figure,
    views: Figure,
    truth: np.ndarray | None,
    first: np.ndarray,
    second: np.ndarray,
    *,
    background: int | None = None,
) -> ViewsFigure:
    difference = paired_difference(name, truth, first, second, background=background, names=NAMES)
    return ViewsFigure(name, metric(name).label, *plain, *views, difference)
