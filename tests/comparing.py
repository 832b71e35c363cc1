"""Runs whose answers were made by hand, so that every difference between them is known beforehand."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from core.data.dataset import Dataset, Sample, fingerprint_of, save_dataset
from core.evaluate.classification import evaluate_table
from core.evaluate.current import digest_of
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import write_result
from core.recipe import Recipe
from core.runs.journal import RunWriter
from core.runs.run import RunState, RunStatus, write_status
from core.runs.store import Run, RunStore
from core.workspace import Workspace

CLASSES = ("apple", "pear", "plum")


def fruit(workspace: Workspace, number: int = 120, *, id: str = "fruit-1", classes: Sequence[str] = CLASSES) -> Dataset:
    """A dataset whose images, so many to validate with and as many to test, show one of the classes in turn."""
    folder, samples = workspace.datasets / id, []
    (folder / "files").mkdir(parents=True)
    for split, many in (("train", 6), ("validation", number), ("test", number)):
        for place in range(many):
            label, name = place % len(classes), f"{split} {place}.png"
            pixels = np.full((16, 16, 3), (60 + 60 * label, 40, len(samples) % 250), np.uint8)
            Image.fromarray(pixels).save(folder / "files" / f"{len(samples)}.png")
            digest = hashlib.sha256((folder / "files" / f"{len(samples)}.png").read_bytes()).hexdigest()
            facts = {"split": split, "width": 16, "height": 16, "digest": digest, "format": "PNG", "label": label}
            sample = Sample(id=f"{len(samples):06d}", file=f"files/{len(samples)}.png", name=name, **facts)
            (folder / sample.thumbnail).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / sample.thumbnail)
            samples.append(sample)
    facts = {"task": "classification", "layout": "image-folder", "source": "a test", "created": 0.0, "bytes": 0}
    dataset = Dataset(
        folder=folder,
        id=id,
        name="Fruit",
        classes=tuple(classes),
        fingerprint=fingerprint_of(tuple(classes), samples),
        split_rule="given",
        samples=tuple(samples),
        skipped=(),
        **facts,
    )
    save_dataset(dataset)
    return dataset


def answered_run(
    workspace: Workspace,
    dataset: Dataset,
    wrong: Sequence[int],
    *,
    name: str = "",
    seed: int = 0,
    split: str = "validation",
    epochs: Sequence[float] = (0.5, 0.6, 0.7),
    **choices: Any,
) -> Run:
    """A finished run that takes the images in these places of a split for the next class, and is right on all others.

    `epochs` are its validation accuracies; `choices` are fields of its recipe, with "__" for the dots of their paths.
    """
    store = RunStore(workspace)
    changes = {path.replace("__", "."): value for path, value in choices.items()}
    recipe = Recipe(dataset=dataset.id, name=name, seed=seed).set(changes)
    run = store.get(store.create(recipe, dataset))
    run.paths.best.write_bytes(f"weights of {run.id}".encode())
    store_answers(run, dataset, wrong, split)
    writer = RunWriter(run.paths.epochs, run.paths.clock)
    writer.append({"kind": "start", "attempt": 1, "time": 1.0})
    for place, score in enumerate(epochs, start=1):
        train, validation = {"loss": 1 / place, "accuracy": score}, {"loss": 1.2 / place, "accuracy": score}
        entry = {"kind": "epoch", "epoch": place, "phase": 0, "train": train, "validation": validation}
        writer.append(entry | {"interval": [score - 0.1, score + 0.1], "best": place == len(epochs)})
    best = {"accuracy": 1 - len(wrong) / len(dataset.of(split)), "loss": 0.5, "epoch": len(epochs)}
    status = RunStatus(RunState.FINISHED, since=1.0, best=best, epochs_done=len(epochs), epochs=len(epochs))
    write_status(run.paths, status)
    return store.get(run.id)


def store_answers(run: Run, dataset: Dataset, wrong: Sequence[int], split: str = "validation") -> None:
    """Write the prediction table and the report of a run, as `answered_run` has them."""
    samples, k = dataset.of(split), len(dataset.classes)
    truth = np.array([sample.label for sample in samples])
    said = truth.copy()
    said[list(wrong)] = (said[list(wrong)] + 1) % k
    probabilities = np.full((len(samples), k), 0.2 / (k - 1), np.float32)
    probabilities[np.arange(len(samples)), said] = 0.8
    table = PredictionTable(
        classes=dataset.classes,
        ids=tuple(sample.id for sample in samples),
        files=tuple(sample.name for sample in samples),
        truth=truth,
        probabilities=probabilities,
        split=split,
        checkpoint=f"epoch 3, {digest_of(run.paths.best)}",
    )
    table.write(run.paths.predictions(split))
    write_result(run.paths.results(split), evaluate_table(table))
