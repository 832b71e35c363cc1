"""A U-Net trained as a tutorial of segmentation-models-pytorch writes it: what Fovea is measured beside.

    python -m benchmarks.plain_unet WORKSPACE DATASET '{"encoder": "resnet34", "epochs": 12}'

prints one line of JSON. All pictures are in memory before the clock starts; pictures are mirrored at random and nothing
else; Dice + cross-entropy, Adam, one rate for all steps, the weights of the last epoch. Only the encoder's weights come
from where Fovea has them, since there may be no network.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import nn

from core.data.dataset import IGNORE, Dataset
from core.data.library import Library
from core.data.loading import fit_image, read_image
from core.data.mask_files import fit_mask, read_mask, restored_mask
from core.executors.launch import step_back
from core.machine import cores
from core.metrics.segmentation import class_counts, dice, mask_confusion
from core.models.unets import load_encoder
from core.models.weights import locate
from core.recipe import SegmenterChoice
from core.workspace import Workspace

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


@dataclass(frozen=True)
class Settings:
    """All that the plain loop lets anybody choose."""

    encoder: str = "tu-tf_efficientnet_lite0"
    weights: str = "pretrained"
    size: int = 128  # pixels
    batch: int = 8
    epochs: int = 12
    rate: float = 1e-3
    seed: int = 0


def network_of(settings: Settings, classes: int) -> nn.Module:
    """SMP's U-Net, with the weights that Fovea would give its encoder."""
    network = smp.Unet(settings.encoder, encoder_weights=None, classes=classes)
    path = locate(SegmenterChoice(encoder=settings.encoder, weights=settings.weights))
    if path is not None:
        load_encoder(network.encoder, path, settings.encoder)
    return network


def squares(dataset: Dataset, split: str, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, 3, S, S) float32, normalised, and masks (N, S, S) int64 of a split."""
    samples = dataset.of(split)
    images = np.stack([fit_image(read_image(dataset.path(sample)), size, "squash") for sample in samples])
    masks = np.stack([fit_mask(read_mask(dataset.mask(sample)), size, "squash") for sample in samples])
    pixels = (images / 255 - MEAN) / STD
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().contiguous(), torch.from_numpy(masks).long()


def batches(images: torch.Tensor, masks: torch.Tensor, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch in a random order, each batch mirrored at random."""
    for rows in torch.randperm(len(images)).split(size):
        if len(rows) > 1:  # batch normalisation cannot learn from one image
            inputs, targets = images[rows], masks[rows]
            for axis in (-1, -2):
                if torch.rand(()) < 0.5:
                    inputs, targets = inputs.flip(axis), targets.flip(axis)
            yield inputs, targets


def trained(settings: Settings, dataset: Dataset) -> tuple[nn.Module, float, float]:
    """The network after its last epoch, the seconds that took, and images per second."""
    torch.manual_seed(settings.seed)
    images, masks = squares(dataset, "train", settings.size)
    network = network_of(settings, len(dataset.classes)).train()
    optimizer = torch.optim.Adam(network.parameters(), settings.rate)
    overlap, surprise = smp.losses.DiceLoss("multiclass", ignore_index=IGNORE), nn.CrossEntropyLoss(ignore_index=IGNORE)
    began = time.monotonic()
    for _ in range(settings.epochs):
        for inputs, targets in batches(images, masks, settings.batch):
            logits = network(inputs)
            loss = overlap(logits, targets) + surprise(logits, targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    seconds = time.monotonic() - began
    return network.eval(), seconds, settings.epochs * len(images) / seconds


def dice_on(
    dataset: Dataset, split: str, size: int, answer: Callable[[torch.Tensor], torch.Tensor]
) -> list[float | None]:
    """Dice of each class over all pixels of a split, each picture at its own size; `answer` gives probabilities."""
    total = np.zeros((len(dataset.classes),) * 2, np.int64)
    images, _ = squares(dataset, split, size)
    for sample, image in zip(dataset.of(split), images, strict=True):
        mask = restored_mask(answer(image[None])[0].numpy(), sample.width, sample.height, "squash")
        total += mask_confusion(read_mask(dataset.mask(sample)), mask, len(dataset.classes))
    return [None if np.isnan(value) else float(value) for value in dice(class_counts(total))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("settings", type=json.loads)
    parser.add_argument("--split", default="test", help="held out: what Dice is told of")
    arguments = parser.parse_args()
    step_back()  # the priority and the threads of a worker
    torch.set_num_threads(cores())
    dataset, settings = Library(Workspace(arguments.workspace)).get(arguments.dataset), Settings(**arguments.settings)
    network, seconds, rate = trained(settings, dataset)
    with torch.inference_mode():
        found = dice_on(dataset, arguments.split, settings.size, lambda images: network(images).softmax(1))
    print(json.dumps({"dice": found, "seconds": seconds, "images_per_second": rate}))


if __name__ == "__main__":
    main()
