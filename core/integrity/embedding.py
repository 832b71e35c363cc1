"""What a pretrained network sees in every picture of a dataset: a map of them, and which of them stand out.

The features are those that a head on the default backbone learns from, on the same shelves: a run that follows finds
them. What is read off them is small, lies beside them under the key of what it depends on, and is read without torch.
"""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from core.data.cache import cache_folder
from core.data.dataset import Dataset
from core.data.library import Library
from core.recipe import Recipe
from core.seeding import fingerprint
from core.workspace import Workspace, replacing

VERSION = "embedding 1"  # another one wherever the numbers would be others
COMPONENTS = 128  # directions of the features that are kept of each picture
MOST_LEARNED_FROM = 4096  # pictures that the directions are found in
BLOCK = 512  # pictures whose features are held at once
PASS = 64  # pictures that are asked for at once while they go through the network


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
    outlier: np.ndarray  # (N,) float32: how far from all others, in deviations of what is usual; above 0 is unusual

    def row(self, id: str) -> int | None:
        """The row of a sample, None when there is none."""
        found = np.flatnonzero(self.ids == id)
        return int(found[0]) if len(found) else None


def embed(root: str, reference: str, *, report: Callable[[int, int], None] | None = None) -> Embedding:
    """The embedding of a revision of a dataset of the workspace `root`; `reference` is as in "cells-1a2b@2".

    What is stored is read. Else features are computed where they are missing, blocks at a time, and all the rest of
    them in seconds; both at once give the same bits. `report` is called with the pictures done and in all.

    Raises DatasetError for a dataset that is not there, ImageError for a picture that is gone, WeightsError where the
    network's weights cannot be had, StorageError when the disk is full.
    """
    from core.integrity.labels import judge
    from core.integrity.outliers import clusters, distances

    workspace = Workspace(Path(root))
    dataset = Library(workspace).get(reference)
    stored = read_embedding(workspace, dataset)
    if stored is not None:
        return stored
    units = units_of(dataset)
    features, explained = _compact(dataset, workspace.cache, report or (lambda done, of: None))
    embedding = Embedding(
        ids=np.array([sample.id for sample in dataset.samples]),
        xy=features[:, :2].copy(),
        explained=explained[:2],
        cluster=clusters(features, len(dataset.classes) if dataset.task == "classification" else 0),
        **asdict(judge(dataset, features, units)),
        outlier=distances(features, units),
    )
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


def units_of(dataset: Dataset) -> np.ndarray:
    """The unit (N,) of each sample: two of one unit show the same thing, and may not vouch for each other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(dataset.samples)
    first = {("twins", sample.id): row for row, sample in enumerate(dataset.samples)}
    edges = [
        (row, first.setdefault((kind, name), row))
        for row, sample in enumerate(dataset.samples)
        for kind, name in (("bytes", sample.digest), ("group", sample.group), ("twins", sample.twins))
        if name
    ]
    ends = np.array(edges).T
    return connected_components(coo_array((np.ones(len(edges)), (ends[0], ends[1])), (count, count)), directed=False)[1]


def _file(workspace: Workspace, dataset: Dataset) -> Path:
    """Where it lies: with what else is kept of the dataset, by all that it depends on."""
    rows = "\n".join(f"{sample.id} {sample.twins} {sample.group}" for sample in dataset.samples)
    key = fingerprint(VERSION, dataset.fingerprint, rows)
    return cache_folder(workspace.cache, dataset.id) / "embedding" / f"{key}.npz"


def _write(path: Path, embedding: Embedding) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **asdict(embedding))


def _compact(dataset: Dataset, cache: Path, tell: Callable[[int, int], None]) -> tuple[np.ndarray, np.ndarray]:
    """Features along their principal components (N, D) float32, and the share of variance (D,) that each holds.

    D is at most 128, and at least 2 (with nothing in what is not there). So what is held grows by half a kilobyte for
    each picture.
    """
    from sklearn.decomposition import PCA

    count = len(dataset.samples)
    with _features(dataset, cache) as read:
        for start in range(0, count, PASS):
            read(range(start, min(count, start + PASS)))
            tell(min(count, start + PASS), count)
        known = np.unique(np.linspace(0, count - 1, min(count, MOST_LEARNED_FROM)).round().astype(int))
        directions = PCA(min(COMPONENTS, len(known) - 1), svd_solver="covariance_eigh").fit(read(known.tolist()))
        held = directions.n_components_
        places, shares = np.zeros((count, max(2, held)), np.float32), np.zeros(max(2, held), np.float32)
        shares[:held] = directions.explained_variance_ratio_
        for start in range(0, count, BLOCK):
            rows = range(start, min(count, start + BLOCK))
            places[rows.start : rows.stop, :held] = directions.transform(read(rows))
    return places, shares


@contextmanager
def _features(dataset: Dataset, cache: Path) -> Iterator[Callable[[Any], np.ndarray]]:
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

            def read(rows: Any) -> np.ndarray:
                following = range(rows[-1] + 1, min(count, rows[-1] + 1 + PASS))
                stored.prefetch(following, None)
                return stored.get(rows, None).numpy()

            yield read
