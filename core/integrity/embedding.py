"""What a pretrained network sees in every picture of a dataset: a map of them, and which of them stand out.

The features are those that a head on the default backbone learns from, on the same shelves: a run that follows finds
them. What is read off them is small, lies beside them under the key of what it depends on, and is read without torch.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from core.data.cache import cache_folder
from core.data.dataset import Dataset
from core.data.library import Library
from core.data.prints import looked_through
from core.data.split import units
from core.recipe import Recipe
from core.seeding import fingerprint
from core.workspace import Workspace, replacing

VERSION = "embedding 1"  # another one wherever the numbers would be others
COMPONENTS = 32  # directions of the features that are kept of each picture for its place and its cluster
MOST_KNOWN = 4096  # pictures that directions, clusters and neighbours are found among
BLOCK = 512  # pictures whose features are read at once
PASS = 64  # pictures that are asked for at once while they go through the network
_HEAD = 0.01  # of the work for all pictures, that one head is

Report = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True)
class Embedding:
    """What is read off the features of N pictures, in the order of the dataset's samples.

    Where labels are not judged, as of masks, or of a class with too few pictures, `predicted` is -1 and `confidence`,
    `likely` and `wrong` are NaN.
    """

    ids: np.ndarray  # (N,) text: the sample of each row
    xy: np.ndarray  # (N, 2) float32: places on the map, the first two principal components
    explained: np.ndarray  # (2,) float32: shares of all variance that they hold
    cluster: np.ndarray  # (N,) int32: by k-means, from 0, the largest first
    predicted: np.ndarray  # (N,) int32: index of the class that a head says that never saw the picture or its likes
    confidence: np.ndarray  # (N,) float32: probability that this head gives to the label that the picture has
    likely: np.ndarray  # (N,) float32: probability that it gives to the class it says
    wrong: np.ndarray  # (N,) float32: probability that the label is wrong
    noise: np.ndarray  # (3,) float32: share of wrong labels, and its 95 % interval; NaN where labels are not judged
    outlier: np.ndarray  # (N,) float32: how far from all others, in deviations from what is usual

    def row(self, id: str) -> int | None:
        """The row of a sample, None when there is none."""
        found = np.flatnonzero(self.ids == id)
        return int(found[0]) if len(found) else None


def embed(root: str, reference: str, *, report: Report | None = None) -> Embedding:
    """The embedding of a revision of a dataset of the workspace `root`; `reference` is as in "cells-1a2b@2".

    What is stored is read. Else features are computed where they are missing, and all the rest of them; blocks at a
    time, so that besides half a kilobyte for each picture memory does not grow. The same data give the same numbers.
    `report` is called with the steps done and in all; what it raises ends the work, and the features stay.

    Raises DatasetError for a dataset that is not there, ImageError for a picture that is gone, WeightsError where the
    network's weights cannot be had, StorageError when the disk is full.
    """
    from sklearn.decomposition import PCA

    from core.integrity.labels import FOLDS, ROUNDS, judge
    from core.integrity.outliers import clusters, distances

    workspace = Workspace(Path(root))
    dataset = Library(workspace).get(reference)
    stored = read_embedding(workspace, dataset)
    if stored is not None:
        return stored
    count, classes = len(dataset.samples), len(dataset.classes) if dataset.task == "classification" else 0
    head = max(1, round(_HEAD * count))
    steps, tell = count + head * FOLDS * ROUNDS, report or (lambda done, of: None)
    alike = np.unique(units_of(dataset), return_inverse=True)[1]
    with features_of(dataset, workspace.cache) as read:
        for rows in _blocks(count, PASS):
            read(rows)
            tell(rows.stop, steps)
        known = np.unique(np.linspace(0, count - 1, min(count, MOST_KNOWN)).round().astype(int))
        among = read(known.tolist())
        found = PCA(min(COMPONENTS, *among.shape), svd_solver="covariance_eigh").fit(among)
        places = np.concatenate([found.transform(read(rows)) for rows in _blocks(count, BLOCK)]).astype(np.float32)
        embedding = Embedding(
            ids=np.array([sample.id for sample in dataset.samples]),
            xy=places[:, :2].copy(),
            explained=np.nan_to_num(found.explained_variance_ratio_[:2]).astype(np.float32),
            cluster=clusters(places, known, classes),
            outlier=distances(read, alike, known, among),
            **asdict(judge(dataset, read, alike, lambda heads: tell(count + heads * head, steps))),
        )
    tell(steps, steps)
    _write(_file(workspace, dataset), embedding)
    return embedding


def read_embedding(workspace: Workspace, dataset: Dataset) -> Embedding | None:
    """What `embed` stored for this revision of a dataset; None where it did not, or the file is damaged."""
    try:
        with np.load(_file(workspace, dataset), allow_pickle=False) as file:
            embedding = Embedding(**{field.name: file[field.name] for field in fields(Embedding)})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return embedding if len(embedding.ids) == len(dataset.samples) else None


def units_of(dataset: Dataset) -> list[str]:
    """The unit of each sample: two of one unit show the same thing, and may not vouch for each other.

    Near duplicates are looked for in data that were imported before that was done.
    """
    return units(looked_through(dataset.folder, dataset.samples))


def _file(workspace: Workspace, dataset: Dataset) -> Path:
    """Where it lies: with what else is kept of the dataset, by all that it depends on."""
    return cache_folder(workspace.cache, dataset.id) / "embedding" / f"{fingerprint(VERSION, dataset.key)}.npz"


def _write(path: Path, embedding: Embedding) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **asdict(embedding))


def _blocks(count: int, size: int) -> Iterator[range]:
    return (range(start, min(count, start + size)) for start in range(0, count, size))


@contextmanager
def features_of(dataset: Dataset, cache: Path) -> Iterator[Callable[[Sequence[int]], np.ndarray]]:
    """What gives the features (R, F) of rows; pictures of the pass that follows are decoded meanwhile."""
    from core.data.loading import DecodedImages
    from core.models.classifiers import build_classifier
    from core.train.devices import accelerator_for
    from core.train.features import FrozenFeatures

    recipe, count = Recipe(), len(dataset.samples)
    with (
        accelerator_for(recipe) as accelerator,
        DecodedImages(dataset, recipe.image_size, recipe.fit, cache) as images,
    ):
        model = build_classifier(recipe.model, 2).eval().to(accelerator.device)
        with closing(FrozenFeatures(model, images, dataset, recipe, (), cache, accelerator)) as stored:

            def read(rows: Sequence[int]) -> np.ndarray:
                following = range(rows[-1] + 1, min(count, rows[-1] + 1 + PASS))
                stored.prefetch(following, None)
                return stored.get(rows, None).numpy()

            yield read
