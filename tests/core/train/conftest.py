"""A dataset of coloured noise, made in a moment, and a short way to train on it."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from core.data.dataset import Dataset, Sample, fingerprint_of
from core.recipe import Recipe
from core.train.loop import train

SPLITS = ["train"] * 8 + ["validation"] * 4 + ["test"] * 2


@pytest.fixture
def coloured(tmp_path) -> Dataset:
    """Three classes (reddish, greenish, bluish noise), 8 / 4 / 2 images of 32 px each."""
    generator, samples = np.random.default_rng(0), []
    folder = tmp_path / "dataset"
    (folder / "files").mkdir(parents=True)
    for number in range(3 * len(SPLITS)):
        label, place = divmod(number, len(SPLITS))
        pixels = generator.integers(0, 120, (32, 32, 3), dtype=np.uint8)
        pixels[..., label] += 100
        file = f"files/{number:03d}.png"
        Image.fromarray(pixels).save(folder / file)
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        samples.append(Sample(f"{number:06d}", file, file, label, SPLITS[place], 32, 32, digest, "PNG"))
    classes = ("red", "green", "blue")
    return Dataset(
        folder=folder,
        id="coloured-1",
        name="Coloured",
        task="classification",
        classes=classes,
        layout="image-folder",
        source="a test",
        created=0.0,
        fingerprint=fingerprint_of(classes, samples),
        split_rule="given",
        samples=tuple(samples),
        skipped=(),
        bytes=0,
    )


SMALL = {
    "image_size": 32,
    "batch_size": 6,
    "model.backbone": "test_efficientnet",
    "model.weights": "random",
    "augment.policy": "light",
    "phases.0.epochs": 3,
    "device": "cpu",
}


@pytest.fixture
def small_recipe() -> Recipe:
    """Three epochs of the head of a tiny random backbone."""
    return Recipe().set(SMALL)


class Attempt:
    """The files of one run and every event it told."""

    def __init__(self, folder, recipe, dataset, *, cache=None, **options):
        folder.mkdir(parents=True, exist_ok=True)
        self.best, self.facts, self.last = folder / "best.safetensors", folder / "best.json", folder / "last.pt"
        self.cache = cache or folder / "cache"
        self.events = []
        for event in train(
            recipe,
            dataset,
            cache=self.cache,
            best=self.best,
            best_facts=self.facts,
            last=self.last,
            **options,
        ):
            self.events.append(event)
            self.told(event)

    def told(self, event):
        """For tests that look while training goes on."""

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def attempt(tmp_path):
    """`attempt(name, recipe, dataset, ...)` trains in a folder of that name."""

    def run(name, recipe, dataset, **options):
        return Attempt(tmp_path / name, recipe, dataset, **options)

    return run


@pytest.fixture
def saving_always(monkeypatch) -> None:
    """A state is saved after every step and every epoch, as after hours of training."""
    monkeypatch.setattr("core.train.checkpoint.SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr("core.train.checkpoint.SECONDS_WITHIN_EPOCHS", 0.0)
    monkeypatch.setattr("core.train.checkpoint.MOST_OF_TIME", float("inf"))
