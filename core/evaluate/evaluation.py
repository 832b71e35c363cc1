"""Let a trained model answer a whole split, and report on the answers."""

from pathlib import Path

import numpy as np
import torch

from core.data.dataset import Dataset
from core.data.library import Library
from core.data.loading import DecodedImages
from core.errors import DatasetError, InputError, RunError
from core.evaluate.classification import ClassificationResult, evaluate_table, read_result
from core.evaluate.current import digest_of
from core.evaluate.predictions import PredictionTable
from core.models.classifiers import CHUNK, Classifier, in_chunks
from core.recipe import Recipe
from core.runs.run import RunPaths
from core.runs.seal import open_seal
from core.runs.store import Run, RunStore
from core.train.checkpoint import Trained, load_trained, read_facts
from core.workspace import Workspace, write_json

_BLOCK = 8 * CHUNK  # images held in memory at a time


def evaluate_run(workspace_root: str, run_id: str, split: str, opened_by: str = "page") -> ClassificationResult:
    """The report on one split of a run's data, by the run's best weights.

    The prediction table is read if it is there and was made by these weights; else it is made and stored with the
    report. The test split is sealed: that it is opened, and by whom, is written down in the run before anything else
    happens.

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

    table = _stored(run.paths, split, checkpoint_of(run.paths.best))
    if table is None:
        table = _predicted(workspace, run, split)
        table.write(run.paths.predictions(split))
    result = evaluate_table(table)
    if read_result(run.paths.results(split)) != result:
        write_json(run.paths.results(split), result.to_json())
    return result


def predict_split(
    model: Classifier, dataset: Dataset, split: str, recipe: Recipe, cache: Path, *, checkpoint: str = ""
) -> PredictionTable:
    """What `model`, in evaluation mode and on any device, says about every image of a split, without augmentation.

    Images come decoded from `cache` and go through the model in passes of one fixed size, so the same weights always
    give the same table, bit for bit on a CPU. Raises DatasetError when the split is empty.
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


def _stored(paths: RunPaths, split: str, checkpoint: str) -> PredictionTable | None:
    """The table on disk; None when there is none, or only one that other weights made or that cannot be read."""
    try:
        table = PredictionTable.read(paths.predictions(split))
    except InputError:
        return None
    return table if table.checkpoint == checkpoint else None


def _predicted(workspace: Workspace, run: Run, split: str) -> PredictionTable:
    dataset = Library(workspace).get(run.recipe.dataset)
    if dataset.fingerprint != run.facts.dataset_fingerprint:
        raise DatasetError(
            f"{dataset.name!r} is no longer the data this run was trained on",
            found=f"fingerprint {dataset.fingerprint}",
            expected=run.facts.dataset_fingerprint,
            do="Train a new run on it",
        )
    trained, checkpoint = _loaded(run.paths.best, _device(run.recipe))
    return predict_split(trained.model, dataset, split, trained.recipe, workspace.cache, checkpoint=checkpoint)


def _loaded(best: Path, device: str) -> tuple[Trained, str]:
    """The weights on disk, and what they are called. Both are read again when a run at work replaced them meanwhile,
    which it does every few seconds at most."""
    while True:
        checkpoint = checkpoint_of(best)
        trained = load_trained(best, device=device)
        if checkpoint_of(best) == checkpoint:
            return trained, checkpoint


def _device(recipe: Recipe) -> str:
    """On the GPU, if there is one and the recipe allows it. Unlike training, evaluation never insists."""
    if recipe.device == "cpu" or not torch.accelerator.is_available():
        return "cpu"
    return str(torch.accelerator.current_accelerator())
