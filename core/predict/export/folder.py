"""The pictures of a run as a folder and a table, for a script that trains on them."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.data.dataset import Dataset, Sample
from core.predict.export.script import IMAGES, MASKS

SPLITS = ("train", "validation")  # the test split stays sealed: no script needs it to train


@dataclass(frozen=True)
class Packed:
    """One file of the folder: where it goes, and where it is now."""

    name: str
    source: Path


def packed(dataset: Dataset) -> Iterator[Packed]:
    """The pictures, and masks, of the splits that a script reads, byte for byte as they came."""
    for sample in _samples(dataset):
        yield Packed(_picture(sample), dataset.path(sample))
        if sample.mask:
            yield Packed(_mask(sample), dataset.mask(sample))


def table(dataset: Dataset) -> str:
    """split.csv: each picture with its class, or its mask, and its split, in the order of the dataset."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    masks = dataset.task == "segmentation"
    writer.writerow(["file", "mask" if masks else "label", "split", "name"])
    for sample in _samples(dataset):
        told = _mask(sample) if masks else dataset.classes[sample.label]
        writer.writerow([_picture(sample), told, sample.split, sample.name])
    return text.getvalue()


def _samples(dataset: Dataset) -> Iterator[Sample]:
    return (sample for sample in dataset.samples if sample.split in SPLITS)


def _picture(sample: Sample) -> str:
    return f"{IMAGES}/{sample.id}{Path(sample.file).suffix}"


def _mask(sample: Sample) -> str:
    return f"{MASKS}/{sample.id}.png"
