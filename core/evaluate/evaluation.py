"""Let a trained model answer a whole split, and report on the answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from core.data.dataset import Dataset
from core.data.loading import DecodedImages
from core.errors import DatasetError, InputError, RunError
from core.evaluate.classification import evaluate_table
from core.evaluate.current import current_result, digest_of
from core.evaluate.depth import current_depth, depth_of, pixel_depth_of, write_depth
from core.evaluate.mask_predictions import level_png, predict_masks
from core.evaluate.masks import Levels, MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import Result, write_result
from core.evaluate.segmentation import evaluate_masks
from core.models.classifiers import CHUNK, in_chunks
from core.recipe import Recipe
from core.runs.data import dataset_of
from core.runs.run import RunPaths
from core.runs.seal import open_seal, openings
from core.runs.store import Run, RunStore
from core.train.checkpoint import Trained, load_trained, read_facts
from core.workspace import Workspace

_BLOCK = 8 * CHUNK  # images held in memory at a time

Report = Callable[[int, int], None]  # told how many are done, of how many


class Answering(Protocol):
    """A network in evaluation mode, or what stands in for one."""

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (N, K), or of masks (N, K, S, S), of images (N, 3, S, S) uint8."""


def evaluate_run(workspace_root: str, run_id: str, split: str, opened_by: str = "page") -> Result:
    """The report on one split of a run's data, by the run's best weights.

    The prediction table, and of a segmentation run the masks beside it, is read if it is there and was made by these
    weights; else it is made and stored with the report. The test split is sealed: that it is opened, and by whom, is
    written down in the run before anything else happens.

    Raises RunError when the run is not there, has no weights yet, or, for the test split, still trains; DatasetError
    when the split is empty or the dataset is gone or no longer the one the run was trained on.
    """
    workspace = Workspace(Path(workspace_root))
    run = RunStore(workspace).get(run_id)
    _insist_on_images(run, split)
    if split == "test":
        if not run.status.state.is_finished:
            raise RunError(
                "The test split stays closed while a run trains",
                found=f"a run that is {run.status.state}",
                do="Wait until it has finished, or stop it",
            )
        open_seal(run.paths, opened_by)

    table = _stored(run, split, checkpoint_of(run.paths.best))
    if table is None:
        table = _predicted(workspace, run, split)
        table.write(run.paths.predictions(split))
    result = evaluate_masks(table) if isinstance(table, MaskTable) else evaluate_table(table)
    if current_result(run.paths, split) != result:
        write_result(run.paths.results(split), result)
    _deepen(run, split, table)
    return result


def level_map(workspace_root: str, run_id: str, sample_id: str) -> bytes:
    """How probable the foreground is at each pixel of an image, for a run with two classes, by its best weights.

    An 8-bit grey PNG of the image's size whose values are the bins that `Levels` counts, 0 to 99: with a threshold of
    t hundredths exactly the pixels from t on are foreground. Raises what `evaluate_run` does, and RunError for a run of
    more classes or a sample of the test split that nobody has opened.
    """
    workspace = Workspace(Path(workspace_root))
    run = RunStore(workspace).get(run_id)
    if run.recipe.task != "segmentation" or len(run.facts.classes) != 2:
        raise RunError("A threshold needs a run that divides pixels into two classes", found=f"run {run_id}")
    dataset = dataset_of(workspace, run)
    sample = dataset.sample(sample_id)
    if sample.split == "test" and not openings(run.paths):
        raise RunError("The test split of this run is sealed", do="Open it on the page Evaluate first")
    trained, _ = loaded(run.paths.best, device_of(run.recipe))
    return level_png(trained.model, dataset, sample, trained.recipe, workspace.cache)


def predict_split(
    model: Answering,
    dataset: Dataset,
    split: str,
    recipe: Recipe,
    cache: Path,
    *,
    checkpoint: str = "",
    report: Report | None = None,
) -> PredictionTable:
    """What `model`, in evaluation mode and on any device, says about every image of a split, without augmentation.

    Images come decoded from `cache` and go through the model in passes of one fixed size, so the same weights always
    give the same table, bit for bit on a CPU. `report` is told how many images are done, of how many; what it raises
    ends the work. Raises DatasetError when the split is empty.
    """
    rows = [row for row, sample in enumerate(dataset.samples) if sample.split == split]
    if not rows:
        raise DatasetError(f"The {split} split of {dataset.name!r} has no images")
    samples = [dataset.samples[row] for row in rows]
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    parts = []
    with DecodedImages(dataset, recipe.image_size, recipe.fit, cache) as decoded:
        for block, following in zip(blocks, [*blocks[1:], []], strict=True):
            images = torch.from_numpy(decoded.get(block)).permute(0, 3, 1, 2)
            decoded.prefetch(following)  # the next ones are decoded while the model is at these
            parts.append(in_chunks(model.probabilities, images).numpy())
            if report:
                report(min(len(rows), len(parts) * _BLOCK), len(rows))
    return PredictionTable(
        classes=dataset.classes,
        ids=tuple(sample.id for sample in samples),
        files=tuple(sample.name for sample in samples),
        truth=np.array([sample.label for sample in samples], dtype=np.int64),
        probabilities=np.concatenate(parts),
        split=split,
        checkpoint=checkpoint,
    )


def checkpoint_of(best: Path) -> str:
    """What a weight file is called in tables and reports: its epoch and 16 digits of its SHA-256.

    Raises RunError when there is no such file, WeightsError when it is damaged.
    """
    return f"epoch {read_facts(best)['epoch']}, {digest_of(best)}"


def _insist_on_images(run: Run, split: str) -> None:
    if not run.facts.samples.get(split):
        there = ", ".join(f"{name} ({count} images)" for name, count in run.facts.samples.items())
        raise DatasetError(f"The data of this run has no images to evaluate in {split!r}", expected=f"one of {there}")


def _stored(run: Run, split: str, checkpoint: str) -> PredictionTable | MaskTable | None:
    """The table on disk; None when there is none, or only one that other weights made or that cannot be read, or when
    one of the masks or the levels that belong to it is gone."""
    paths, masks = run.paths, run.recipe.task == "segmentation"
    try:
        table = (MaskTable if masks else PredictionTable).read(paths.predictions(split))
        if isinstance(table, MaskTable) and not _complete(paths, split, table):
            return None
    except InputError:
        return None
    return table if table.checkpoint == checkpoint else None


def _complete(paths: RunPaths, split: str, table: MaskTable) -> bool:
    if len(table.classes) == 2 and Levels.read(paths.levels(split)).checkpoint != table.checkpoint:
        return False
    return all(paths.mask(split, id).exists() for id in table.ids)


def _deepen(run: Run, split: str, table: PredictionTable | MaskTable) -> None:
    """Keep ranking and calibration beside the metrics, for pages that only read."""
    if current_depth(run.paths, split) is not None:
        return
    if isinstance(table, PredictionTable):
        found = depth_of(table)
    elif len(table.classes) == 2:
        found = pixel_depth_of(table, Levels.read(run.paths.levels(split)))
    else:
        return
    write_depth(run.paths.depth(split), found)


def _predicted(workspace: Workspace, run: Run, split: str) -> PredictionTable | MaskTable:
    dataset = dataset_of(workspace, run)
    trained, checkpoint = loaded(run.paths.best, device_of(run.recipe))
    if trained.recipe.task == "classification":
        return predict_split(trained.model, dataset, split, trained.recipe, workspace.cache, checkpoint=checkpoint)
    folder = run.paths.masks(split)
    table, levels = predict_masks(
        trained.model, dataset, split, trained.recipe, workspace.cache, folder, checkpoint=checkpoint
    )
    if levels is not None:
        levels.write(run.paths.levels(split))
    return table


def loaded(best: Path, device: str) -> tuple[Trained, str]:
    """The weights on disk, and what they are called. Both are read again when a run at work replaced them meanwhile,
    which it does every few seconds at most."""
    while True:
        checkpoint = checkpoint_of(best)
        trained = load_trained(best, device=device)
        if checkpoint_of(best) == checkpoint:
            return trained, checkpoint


def device_of(recipe: Recipe) -> str:
    """On the GPU, if there is one and the recipe allows it. Unlike training, evaluation never insists."""
    if recipe.device == "cpu" or not torch.accelerator.is_available():
        return "cpu"
    return str(torch.accelerator.current_accelerator())
