"""A segmentation dataset of bright shapes on noise, made in a moment: discs are one class and squares the other."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.dataset import IGNORE, Dataset, Sample, fingerprint_of, save_dataset
from core.data.mask_files import mask_png
from core.workspace import Workspace

CLASSES = ("background", "disc", "square")
SPLITS = ("train",) * 12 + ("validation",) * 6 + ("test",) * 4


def drawn_shape(generator: np.random.Generator, side: int, kinds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """An image (side, side, 3) and its mask, with one shape of each kind (1 disc, 2 square), each in its own half."""
    image = generator.integers(0, 90, (side, side, 3), dtype=np.uint8)
    mask = np.zeros((side, side), np.uint8)
    y, x = np.mgrid[:side, :side]
    for kind in kinds:
        radius = side * generator.uniform(0.14, 0.2)
        middle = side * generator.uniform(0.3, 0.7), side * (0.25 if kind == 1 else 0.75)
        down, along = np.abs(y - middle[0]), np.abs(x - middle[1])
        inside = np.hypot(down, along) < radius if kind == 1 else np.maximum(down, along) < radius
        mask[inside] = kind
        image[inside, kind - 1] += 140
    return image, mask


def shapes_dataset(
    folder: Path,
    *,
    side: int = 40,
    splits: tuple[str, ...] = SPLITS,
    wide: int = 0,
    ignored: int = 2,
    id: str = "shapes-1",
) -> Dataset:
    """Images of `side` pixels (and `wide` pixels wider), one or two shapes in each; rows of `ignored` at the top."""
    generator, samples = np.random.default_rng(0), []
    for number, split in enumerate(splits):
        image, mask = drawn_shape(generator, side, ((1, 2), (1,), (2,))[number % 3])
        image = np.pad(image, ((0, 0), (0, wide), (0, 0)), mode="reflect")
        mask = np.pad(mask, ((0, 0), (0, wide)))
        mask[:ignored] = IGNORE
        file, beside = folder / "files" / f"{number:03d}.png", folder / "masks" / f"{number:03d}.png"
        for path in (file, beside):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
        beside.write_bytes(mask_png(mask))
        samples.append(
            Sample(
                id=f"{number:06d}",
                file=f"files/{file.name}",
                name=f"{number:03d}.png",
                label=-1,
                split=split,
                width=side + wide,
                height=side,
                digest=hashlib.sha256(file.read_bytes()).hexdigest(),
                format="PNG",
                mask=f"masks/{beside.name}",
                pixels=tuple(int(count) for count in np.bincount(mask[mask != IGNORE], minlength=len(CLASSES))),
            )
        )
    return Dataset(
        folder=folder,
        id=id,
        name="Shapes",
        task="segmentation",
        classes=CLASSES,
        layout="mask-pairs",
        source="a test",
        created=0.0,
        fingerprint=fingerprint_of(CLASSES, samples),
        split_rule="given",
        samples=tuple(samples),
        skipped=(),
        bytes=0,
    )


def kept_shapes(workspace: Workspace, **options: object) -> Dataset:
    """The same in a workspace, as an import would have kept it."""
    dataset = shapes_dataset(workspace.datasets / "shapes-1", **options)
    save_dataset(dataset)
    return dataset


SMALL_MASKS = {
    "image_size": 32,
    "batch_size": 4,
    "model.encoder": "tu-test_efficientnet",
    "model.weights": "random",
    "augment.policy": "light",
    "phases.0.epochs": 3,
    "device": "cpu",
}
