"""Features of a frozen backbone, computed once per image and view and kept in row files.

While nothing but the head trains, the backbone gives the same features for the same picture at every epoch. They are
computed when they are first asked for, so the first epoch learns while it extracts, and every later epoch, run or
process reads them. The key holds everything that could change them: the images (dataset fingerprint, size, fit), the
weights of the backbone, the view's augmentation, and what computes: device, precision and library versions.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import PIL
import timm
import torch
from accelerate import Accelerator

from core.augment.catalog import views
from core.augment.pipeline import Augmentation, sample_seed
from core.data.cache import cache_folder
from core.data.dataset import Dataset
from core.data.loading import DecodedImages
from core.data.rows import RowFile
from core.models.classifiers import CHUNK, Classifier, in_chunks
from core.recipe import Recipe, TransformChoice
from core.seeding import fingerprint
from core.train.devices import precision_of

GPU_CHUNK = 128  # images per pass on an accelerator, at most


def weights_digest(model: torch.nn.Module) -> str:
    """16 hexadecimal digits that change with any weight or buffer of the model."""
    parts = []
    for name, tensor in model.state_dict().items():
        parts += [name, tensor.detach().cpu().contiguous().numpy().tobytes()]
    return fingerprint(*parts)


class FrozenFeatures:
    """Features (N, F) float32 of a dataset's images, per view, computed on demand and kept under `cache`.

    A view is None for the image as it is, or a draw number for the variant that the augmentation draws at that number.
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
        self._policy = json.dumps([row.model_dump(mode="json") for row in rows], sort_keys=True)
        picture = (dataset.fingerprint, recipe.image_size, recipe.fit)
        arithmetic = (
            self._device.type,
            precision_of(accelerator),
            torch.__version__,
            timm.__version__,
            PIL.__version__,
        )
        self._base = (*picture, recipe.model.backbone, *arithmetic)
        self._weights = weights_digest(model.backbone)
        self._cache = cache_folder(cache, dataset.fingerprint) / "features"
        self._tables: dict[int | None, RowFile] = {}
        self.extracted = 0  # images that went through the backbone so far

    def training_view(self, draw: int) -> int | None:
        """The view that the epoch with this draw number (from 0) learns from; the views take turns."""
        return draw % views(self._recipe.augment) if self._augmentation.draws else None

    def get(self, rows: Sequence[int], view: int | None) -> torch.Tensor:
        """Features (len(rows), F) float32 on the CPU; what is missing is computed and kept."""
        table = self._table(view)
        missing = table.missing(rows)
        if missing:
            for row, features in zip(missing, self._extract(missing, view), strict=True):
                table.write(row, features.numpy())
        return torch.from_numpy(table.read(rows))

    def prefetch(self, rows: Sequence[int], view: int | None) -> None:
        """Begin to decode those images whose features will have to be computed."""
        self._images.prefetch(self._table(view).missing(rows))

    def _extract(self, rows: list[int], view: int | None) -> torch.Tensor:
        images = torch.from_numpy(self._images.get(rows)).permute(0, 3, 1, 2)
        if view is not None:
            ids = [self._dataset.samples[row].id for row in rows]
            images = self._augmentation(images, [sample_seed(self._recipe.seed, name, view) for name in ids])
        self.extracted += len(rows)
        chunk = CHUNK if self._device.type == "cpu" else min(len(rows), GPU_CHUNK)
        training = self._model.backbone.training
        self._model.backbone.eval()
        with torch.inference_mode(), self._autocast():
            features = in_chunks(self._pass, images, chunk)
        self._model.backbone.train(training)
        return features

    def _pass(self, images: torch.Tensor) -> torch.Tensor:
        return self._model.features(self._model.normalise(images.to(self._device))).float().cpu()

    def _table(self, view: int | None) -> RowFile:
        if view not in self._tables:
            parts = [*self._base, self._weights]
            if view is not None:
                parts += [self._policy, self._recipe.seed, view]
            path = self._cache / f"{fingerprint(*map(str, parts))}.rows"
            self._tables[view] = RowFile(path, len(self._dataset.samples), (self._model.width,), "float32")
        return self._tables[view]

    def close(self) -> None:
        """Close the row files."""
        for table in self._tables.values():
            table.close()
        self._tables.clear()
