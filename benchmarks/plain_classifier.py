"""A classifier fine-tuned without Fovea, in two ways: what Fovea is measured beside.

    python -m benchmarks.plain_classifier WORKSPACE DATASET '{"epochs": 3}' --way careful

`careful` is the loop of an engineer who knows what costs time: pictures decoded once into one uint8 tensor, a whole
batch augmented at once with a draw for each image, channels last, no weight decay on biases and norms, no wait for the
device within an epoch, and mixed precision on a GPU. `naive` is the loop of a first tutorial: Pillow and torchvision's
transforms image by image at every epoch, contiguous tensors, the loss read at every step. Both follow the plan of
fastai's `fine_tune`: the head for an epoch, then everything; both look at the validation split after every epoch and
keep the best. Only the weights come from where Fovea has them, since there may be no network.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample
from torch.utils.data import DataLoader
from torchvision import transforms

from core.data.dataset import Dataset
from core.data.library import Library
from core.data.loading import fit_image, read_image
from core.executors.launch import step_back
from core.machine import cores
from core.models.classifiers import load_weights
from core.models.weights import locate
from core.recipe import ModelChoice
from core.workspace import Workspace

Batch = tuple[torch.Tensor, torch.Tensor]  # images (n, 3, S, S) float32, normalised, on the device; labels (n,)


@dataclass(frozen=True)
class Settings:
    """What every side of the measurement is told."""

    backbone: str = "tf_efficientnet_lite0"
    weights: str = "pretrained"
    size: int = 160  # pixels
    batch: int = 16
    frozen_epochs: int = 1
    epochs: int = 3  # of everything, after those of the head
    head_rate: float = 3e-3
    rate: float = 5e-4
    weight_decay: float = 0.01
    seed: int = 0


class Network(nn.Module):
    """A timm backbone and a linear head."""

    def __init__(self, settings: Settings, classes: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(settings.backbone, num_classes=0)
        path = locate(ModelChoice(backbone=settings.backbone, weights=settings.weights))
        if path is not None:
            load_weights(self.backbone, path, settings.backbone)
        self.head = nn.Linear(self.backbone.head_hidden_size, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(images))


class Careful:
    """All pictures in memory, on the device; batches augmented there."""

    memory_format = torch.channels_last

    def __init__(self, settings: Settings, dataset: Dataset, device: torch.device, mean: Any, std: Any) -> None:
        self._batch, self._device = settings.batch, device
        self._mean, self._std = (torch.tensor(row, device=device).view(1, 3, 1, 1) * 255 for row in (mean, std))
        self._pictures = {split: self._decoded(dataset, split, settings.size) for split in ("train", "validation")}
        self.steps = len(_split(self._pictures["train"][1], self._batch))  # of an epoch

    def _decoded(self, dataset: Dataset, split: str, size: int) -> Batch:
        samples = dataset.of(split)
        pixels = np.empty((len(samples), size, size, 3), np.uint8)
        for row, sample in zip(pixels, samples, strict=True):
            row[:] = fit_image(read_image(dataset.path(sample)), size, "crop")
        labels = torch.tensor([sample.label for sample in samples])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        return images.to(self._device), labels.to(self._device)

    def training(self) -> Iterator[Batch]:
        """One epoch, shuffled and augmented."""
        images, labels = self._pictures["train"]
        for rows in _split(torch.randperm(len(images)), self._batch):
            rows = rows.to(self._device)
            yield self._augmented(images[rows]), labels[rows]

    def validation(self) -> Iterator[Batch]:
        """The validation split in order."""
        images, labels = self._pictures["validation"]
        for some, theirs in zip(images.split(self._batch), labels.split(self._batch), strict=True):
            yield self._normalised(some.float()), theirs

    def _augmented(self, images: torch.Tensor) -> torch.Tensor:
        """Mirrored, zoomed by a tenth, moved by a twentieth, and lighter or darker: a draw for each image."""
        count, device = len(images), self._device
        zoom = 1.1 ** -torch.empty(count, device=device).uniform_(-1, 1)
        flip = torch.randint(0, 2, (count,), device=device) * 2 - 1
        maps = torch.zeros(count, 2, 3, device=device)
        maps[:, 0, 0], maps[:, 1, 1] = zoom * flip, zoom
        maps[:, :, 2].uniform_(-0.1, 0.1)
        # The usual layout of a batch in memory: grid_sample reads it much faster.
        pixels = images.to(torch.float32, memory_format=torch.contiguous_format)
        grid = affine_grid(maps, list(pixels.shape), align_corners=False)
        pixels = grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
        light = torch.empty(count, 1, 1, 1, device=device).uniform_(0.85, 1.15)
        light = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.5, light, 1.0)
        return self._normalised(pixels.mul_(light).clamp_(0, 255))

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        return ((pixels - self._mean) / self._std).contiguous(memory_format=torch.channels_last)


class Naive:
    """Files read again at every epoch by a loader with its defaults."""

    memory_format = torch.contiguous_format

    def __init__(self, settings: Settings, dataset: Dataset, device: torch.device, mean: Any, std: Any) -> None:
        self._device = device
        fitted = [transforms.Resize(settings.size), transforms.CenterCrop(settings.size)]
        varied = [
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(0, translate=(0.05, 0.05), scale=(0.9, 1.1)),
            transforms.ColorJitter(brightness=0.15),
        ]
        tensor = [transforms.ToTensor(), transforms.Normalize(mean, std)]
        train = _Files(dataset, "train", transforms.Compose([*fitted, *varied, *tensor]))
        validation = _Files(dataset, "validation", transforms.Compose([*fitted, *tensor]))
        lonely = len(train) % settings.batch == 1  # batch normalisation cannot learn from one image
        self._train = DataLoader(train, settings.batch, shuffle=True, drop_last=lonely)
        self._validation = DataLoader(validation, settings.batch)
        self.steps = len(self._train)  # of an epoch

    def training(self) -> Iterator[Batch]:
        """One epoch, shuffled and augmented."""
        return self._moved(self._train)

    def validation(self) -> Iterator[Batch]:
        """The validation split in order."""
        return self._moved(self._validation)

    def _moved(self, loader: DataLoader) -> Iterator[Batch]:
        for images, labels in loader:
            yield images.to(self._device), labels.to(self._device)


class _Files(torch.utils.data.Dataset):
    def __init__(self, dataset: Dataset, split: str, transform: transforms.Compose) -> None:
        self._items = [(dataset.path(sample), sample.label) for sample in dataset.of(split)]
        self._transform = transform

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        path, label = self._items[place]
        with Image.open(path) as image:
            return self._transform(image.convert("RGB")), label


WAYS = {"careful": Careful, "naive": Naive}


def fine_tuned(settings: Settings, dataset: Dataset, way: str, device: torch.device) -> dict[str, Any]:
    """Train, and tell: `rates`, training images per second of each epoch of everything; `seconds` from the first
    picture read to the last answer; `answers`, by sample whether the best epoch was right.
    """
    began = time.monotonic()
    torch.manual_seed(settings.seed)
    network = Network(settings, len(dataset.classes))
    config = network.backbone.pretrained_cfg
    pictures = WAYS[way](settings, dataset, device, config["mean"], config["std"])
    network = network.to(device, memory_format=pictures.memory_format)
    rates, found = [], []
    plan = [(False, settings.frozen_epochs, settings.head_rate), (True, settings.epochs, settings.rate)]
    for everything, epochs, rate in plan:
        network.backbone.requires_grad_(everything)
        optimizer = _optimizer(network, settings, rate, way)
        schedule = _schedule(optimizer, epochs * pictures.steps)
        for _ in range(epochs):
            network.train()
            network.backbone.train(everything)
            seen, mark = 0, now(device)
            for images, labels in pictures.training():
                with mixed(device, way):
                    loss = cross_entropy(network(images).float(), labels)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
                seen += len(labels)
                if way == "naive":
                    loss.item()
            if everything:
                rates.append(seen / (now(device) - mark))
            found.append(_looked(network, pictures, device, way))
    best = max(found, key=lambda one: (one[0], -one[1]))[2]
    names = [sample.id for sample in dataset.of("validation")]
    seconds = now(device) - began
    return {"rates": rates, "seconds": seconds, "answers": dict(zip(names, best, strict=True))}


def _optimizer(network: Network, settings: Settings, rate: float, way: str) -> torch.optim.Optimizer:
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if way == "naive":
        return torch.optim.AdamW(learning, rate, weight_decay=settings.weight_decay)
    groups = [
        {"params": [parameter for parameter in learning if parameter.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [parameter for parameter in learning if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, rate)


def _schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """A short rise, then a cosine to zero."""
    rise = max(1, round(0.05 * steps))

    def share(step: int) -> float:
        if step < rise:
            return 0.1 + 0.9 * step / rise
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, steps - rise))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def _looked(
    network: Network, pictures: Careful | Naive, device: torch.device, way: str
) -> tuple[float, float, list[bool]]:
    """Accuracy, mean loss, and for each validation image whether it was right."""
    network.eval()
    right, losses = [], []
    with torch.no_grad():
        for images, labels in pictures.validation():
            with mixed(device, way):
                logits = network(images).float()
            right.append(logits.argmax(1) == labels)
            losses.append(cross_entropy(logits, labels, reduction="none"))
    answers = torch.cat(right).tolist()
    return sum(answers) / len(answers), torch.cat(losses).mean().item(), answers


def mixed(device: torch.device, way: str = "careful") -> torch.autocast | nullcontext:
    """bfloat16 where it matters, on a GPU."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" and way == "careful" else nullcontext()


def now(device: torch.device) -> float:
    """Seconds, once all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()


def _split(order: torch.Tensor, batch: int) -> list[torch.Tensor]:
    """An order in batches; a last one of a single image joins the one before it."""
    parts = list(order.split(batch))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("settings", type=json.loads)
    parser.add_argument("--way", choices=WAYS, default="careful")
    arguments = parser.parse_args()
    step_back()  # the priority and the threads of a worker
    torch.set_num_threads(cores())
    dataset = Library(Workspace(arguments.workspace)).get(arguments.dataset)
    print(json.dumps(fine_tuned(Settings(**arguments.settings), dataset, arguments.way, torch.device("cpu"))))


if __name__ == "__main__":
    main()
