"""Features of a frozen backbone, computed once per picture and view and kept on shelves.

While nothing but the head trains, the backbone gives the same features for the same picture at every epoch. They are
computed when they are first asked for, so the first epoch learns while it extracts, and every later epoch, run or
process reads them. The key holds everything that could change them: the picture's content, size and fit, the weights of
the backbone, the view's augmentation, and what computes: device, precision and library versions. Labels, splits and the
dataset are not among them: pictures that were relabelled or divided anew cost nothing, and added ones cost themselves.
"""

import hashlib
import json
import weakref
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL
import timm
import torch
from accelerate import Accelerator

from core.augment.catalog import views
from core.augment.pipeline import Augmentation, sample_seed
from core.data.dataset import Dataset
from core.data.loading import DecodedImages
from core.data.shelf import Shelf, names_of
from core.models.classifiers import CHUNK, Classifier, in_chunks
from core.recipe import Recipe, TransformChoice
from core.seeding import fingerprint
from core.train.devices import out_of_memory, precision_of

GPU_CHUNK = 128  # images per pass on an accelerator, at most


def weights_digest(model: torch.nn.Module) -> str:
    """16 hexadecimal digits that change with any weight or buffer of the model."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


class FrozenFeatures:
    """Features (N, F) float32 of a dataset's images, per view, computed on demand and kept under `cache`.

    A view is None for the image as it is, or a draw number for the variant that the augmentation draws at that number.
    On a CPU the backbone sees 16 images a pass, whatever the batch: what was announced by `prefetch` fills it up. And
    while this is open there, torch keeps to one thread but for the backbone: a head's sums take microseconds, and two
    threads that wait for each other at each of them take ten times as long, or a hundred times beside other work.
    """

    def __init__(
        self,
        model: Classifier,
        images: DecodedImages,
        dataset: Dataset,
        recipe: Recipe,
        rows: tuple[TransformChoice, ...],
        cache: Path,
        accelerator: Accelerator,
    ) -> None:
        self._model, self._images, self._dataset, self._recipe = model, images, dataset, recipe
        self._augmentation = Augmentation(rows)
        self._device, self._autocast = accelerator.device, accelerator.autocast
        self._chunk = CHUNK if self._device.type == "cpu" else GPU_CHUNK  # images a pass
        self._policy = json.dumps([row.model_dump(mode="json") for row in rows], sort_keys=True)
        picture = (recipe.image_size, recipe.fit)
        arithmetic = (
            self._device.type,
            precision_of(accelerator),
            torch.__version__,
            timm.__version__,
            PIL.__version__,
        )
        self._base = (*picture, recipe.model.backbone, weights_digest(model.backbone), *arithmetic)
        self._cache = cache
        self._names = names_of(sample.digest for sample in dataset.samples)
        self._shelves: dict[int | None, Shelf] = {}
        self._announced: dict[int | None, dict[int, None]] = {}  # rows whose pictures are decoded, for each view
        self._left: dict[tuple[int | None, str], deque[int]] = {}  # rows of a split that nobody looked at yet
        self.extracted = 0  # images that went through the backbone so far
        self._threads = torch.get_num_threads()
        self._restored = weakref.finalize(self, torch.set_num_threads, self._threads)  # also after an error
        self._compute_in(1)

    def training_view(self, draw: int) -> int | None:
        """The view that the epoch with this draw number (from 0) learns from; the views take turns."""
        return draw % views(self._recipe.augment) if self._augmentation.draws else None

    def get(self, rows: Sequence[int], view: int | None) -> torch.Tensor:
        """Features (len(rows), F) float32 on the CPU; what is missing is computed and kept."""
        shelf = self._shelf(view)
        missing = shelf.missing(rows)
        if missing:
            missing += self._company(missing, view)
            for row, features in zip(missing, self._extract(missing, view), strict=True):
                shelf.write(row, features.numpy())
        return torch.from_numpy(shelf.read(rows))

    def prefetch(self, rows: Sequence[int], view: int | None) -> None:
        """Begin to decode those images whose features will have to be computed, and enough others to fill a pass."""
        announced, shelf = self._announced.setdefault(view, {}), self._shelf(view)
        missing = shelf.missing(rows)
        if not missing:
            return
        announced |= dict.fromkeys(missing)
        left = self._others(missing[0], view)
        while left and len(announced) < self._chunk:
            announced |= dict.fromkeys(shelf.missing([left.popleft()]))
        self._images.prefetch(list(announced))

    def _company(self, missing: list[int], view: int | None) -> list[int]:
        """Announced rows that make the last pass over the missing ones a full one."""
        announced = self._announced.setdefault(view, {})
        for row in missing:
            announced.pop(row, None)
        added: list[int] = []
        while announced and (len(missing) + len(added)) % self._chunk:
            row = next(iter(announced))
            del announced[row]
            added += self._shelf(view).missing([row])
        return added

    def _others(self, row: int, view: int | None) -> deque[int]:
        split = self._dataset.samples[row].split
        if (view, split) not in self._left:
            rows = (place for place, sample in enumerate(self._dataset.samples) if sample.split == split)
            self._left[view, split] = deque(rows)
        return self._left[view, split]

    def _extract(self, rows: list[int], view: int | None) -> torch.Tensor:
        images = torch.from_numpy(self._images.get(rows)).permute(0, 3, 1, 2)
        if view is not None:
            digests = [self._dataset.samples[row].digest for row in rows]
            images = self._augmentation(
                images, [sample_seed(self._recipe.draw_seed, digest, view) for digest in digests]
            )
        self.extracted += len(rows)
        training = self._model.backbone.training
        self._model.backbone.eval()
        self._compute_in(self._threads)
        with torch.inference_mode(), self._autocast():
            features = self._in_passes(images)
        self._compute_in(1)
        self._model.backbone.train(training)
        return features

    def _in_passes(self, images: torch.Tensor) -> torch.Tensor:
        """Features of images, so many a pass as memory takes: what it once refused is not tried again."""
        while True:
            chunk = self._chunk if self._device.type == "cpu" else min(len(images), self._chunk)
            try:
                return in_chunks(self._pass, images, chunk)
            except RuntimeError as error:
                if not out_of_memory(error) or chunk == 1:
                    raise
            # Outside the handler, so that nothing of the failed pass is still held.
            self._chunk = chunk // 2
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def _compute_in(self, threads: int) -> None:
        if self._device.type == "cpu":
            torch.set_num_threads(threads)

    def _pass(self, images: torch.Tensor) -> torch.Tensor:
        return self._model.features(self._model.normalise(images.to(self._device))).float().cpu()

    def _shelf(self, view: int | None) -> Shelf:
        if view not in self._shelves:
            parts = [*self._base] if view is None else [*self._base, self._policy, self._recipe.draw_seed, view]
            key = fingerprint(*map(str, parts))
            shape = (self._model.width,)
            self._shelves[view] = Shelf(self._cache, self._dataset.id, "features", key, self._names, shape, np.float32)
        return self._shelves[view]

    def close(self) -> None:
        """Close the files, and let torch use its threads again."""
        self._restored()
        for shelf in self._shelves.values():
            shelf.close()
        self._shelves.clear()
