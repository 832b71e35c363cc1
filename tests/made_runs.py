"""Datasets of rows alone, and finished runs on them whose answers and curves a test makes up, so that every figure can
be checked by eye. No picture is drawn and nothing is trained."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from core.data.dataset import Dataset, Sample, fingerprint_of, save_dataset, thumbnail_file
from core.evaluate.classification import evaluate_table
from core.evaluate.current import digest_of
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import write_result
from core.recipe import Recipe
from core.runs.journal import RunWriter
from core.runs.run import RunState, RunStatus, write_status
from core.runs.seal import open_seal
from core.runs.store import Run, RunStore
from core.workspace import Workspace

CLASSES = ("cat", "dog", "owl")


def rows_dataset(
    workspace: Workspace,
    labels: Mapping[str, Sequence[int]],
    *,
    classes: Sequence[str] = CLASSES,
    twins: Mapping[int, int] | None = None,
    groups: Mapping[int, str] | None = None,
    id: str = "rows-1",
) -> Dataset:
    """A kept dataset with these labels in each split, {split: labels}; rows count over all splits in their order.

    `twins` says of rows, {row: first row}, which looks like which; `groups` to which group a row belongs.
    """
    folder, samples = workspace.datasets / id, []
    flat = [(split, label) for split, members in labels.items() for label in members]
    of = {row: f"{first:06d}" for row, first in (twins or {}).items()}
    of |= {int(first): first for first in of.values()}
    Image.new("RGB", (8, 8), "teal").save(small := BytesIO(), "JPEG")
    for row, (split, label) in enumerate(flat):
        data = f"picture {row}".encode()
        file = folder / "files" / f"{row:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        thumbnail = folder / thumbnail_file(hashlib.sha256(data).hexdigest())
        thumbnail.parent.mkdir(parents=True, exist_ok=True)
        thumbnail.write_bytes(small.getvalue())
        samples.append(
            Sample(
                id=f"{row:06d}",
                file=f"files/{file.name}",
                name=f"{split}/{row}.png",
                label=int(label),
                split=split,
                width=8,
                height=8,
                digest=hashlib.sha256(data).hexdigest(),
                format="PNG",
                group=(groups or {}).get(row, ""),
                twins=of.get(row, ""),
            )
        )
    dataset = Dataset(
        folder=folder,
        id=id,
        name="Rows",
        task="classification",
        classes=tuple(classes),
        layout="csv",
        source="a test",
        created=0.0,
        fingerprint=fingerprint_of(tuple(classes), samples),
        split_rule="given",
        samples=tuple(samples),
        skipped=(),
        bytes=0,
    )
    save_dataset(dataset)
    return dataset


def answered(
    workspace: Workspace,
    dataset: Dataset,
    answers: Mapping[str, Sequence[int]],
    *,
    epochs: Sequence[Mapping[str, float]] = (),
    recipe: Mapping[str, object] | None = None,
    tags: tuple[str, ...] = (),
    sure: float = 0.9,
    weights: bytes = b"weights",
    opened: int | None = None,
) -> Run:
    """A finished run with these answers to each split, {split: class numbers}, each given with the probability `sure`.

    `epochs` are what each epoch measured: {"loss", "accuracy", "train_loss", "phase", "seconds"}, the last two if they
    matter. The test split was opened as often as `opened` says, else once if it was answered.
    """
    store = RunStore(workspace)
    run = store.get(store.create(Recipe(dataset=dataset.id).set(dict(recipe or {})), dataset, tags))
    run.paths.best.write_bytes(weights)
    checkpoint = f"epoch {max(1, len(epochs))}, {digest_of(run.paths.best)}"
    for _ in range(int("test" in answers) if opened is None else opened):
        open_seal(run.paths, "a test")
    best: dict[str, float] = {}
    for split, predicted in answers.items():
        table = table_of(dataset, split, predicted, checkpoint, sure)
        table.write(run.paths.predictions(split))
        write_result(run.paths.results(split), evaluate_table(table))
        if split == "validation":
            best = {"accuracy": float((table.predicted == table.truth).mean()), "loss": 0.5, "epoch": 1}
    write_epochs(run, epochs)
    status = RunStatus(RunState.FINISHED, since=1.0, best=best, epochs_done=len(epochs), epochs=len(epochs) or 1)
    write_status(run.paths, replace(status, seconds=60.0))
    return store.get(run.id)


def table_of(
    dataset: Dataset, split: str, predicted: Sequence[int], checkpoint: str, sure: float = 0.9
) -> PredictionTable:
    """The prediction table of these answers, each with the probability `sure`."""
    samples, k = dataset.of(split), len(dataset.classes)
    probabilities = np.full((len(samples), k), (1 - sure) / (k - 1), np.float32)
    probabilities[np.arange(len(samples)), np.asarray(predicted)] = sure
    return PredictionTable(
        classes=dataset.classes,
        ids=tuple(sample.id for sample in samples),
        files=tuple(sample.name for sample in samples),
        truth=np.array([sample.label for sample in samples], dtype=np.int64),
        probabilities=probabilities,
        split=split,
        checkpoint=checkpoint,
    )


def write_epochs(run: Run, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write down what each epoch measured; the best one is that of the highest accuracy, the first of several."""
    writer, highest, phase = RunWriter(run.paths.epochs, run.paths.clock), -1.0, None
    for number, one in enumerate(epochs, start=1):
        if one.get("phase", 0) != phase:
            phase = one.get("phase", 0)
            writer.append({"kind": "phase", "phase": phase, "epoch": number, "name": f"phase {phase}"})
        accuracy = one.get("accuracy", 0.5)
        writer.append(
            {
                "kind": "epoch",
                "phase": phase,
                "epoch": number,
                "train": {"loss": one.get("train_loss", 1.0 / number), "accuracy": 0.9},
                "validation": {"loss": one["loss"], "accuracy": accuracy},
                "seconds": one.get("seconds", 2.0),
                "best": accuracy > highest,
            }
        )
        highest = max(highest, accuracy)
    writer.close()


def wrong(truth: Sequence[int], number: int, k: int = 3) -> list[int]:
    """Answers that are right but for the first so many, which are taken for the next class."""
    return [(label + 1) % k if row < number else label for row, label in enumerate(truth)]
