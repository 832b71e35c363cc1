"""Pictures that lie far from all others, and groups of pictures that lie together, by what a network sees in them."""

from collections.abc import Callable, Sequence

import numpy as np

from core.data.dataset import Change, Dataset
from core.data.health.finding import Finding, Repair
from core.integrity.embedding import BLOCK, Embedding
from core.integrity.subject import MOST_FILES, number_of

CHECK = "outliers"
NEIGHBOURS = 10  # nearest pictures that a picture is measured by
FAR = 5.0  # deviations from what is usual, from which on a picture is told; 13 clean sets had none above 4.4
MOST_CLUSTERS = 10
MOST_TRIED = 1000  # pictures by which a number of clusters is chosen
_SMALLEST = 1e-6  # difference of two directions that counts as one, so that its logarithm is a number


def distances(
    read: Callable[[Sequence[int]], np.ndarray], units: np.ndarray, known: np.ndarray, among: np.ndarray
) -> np.ndarray:
    """How far each of N pictures lies from its nearest others, (N,) float32.

    `read` gives the features (R, F) of rows; neighbours are looked for `among` those of the rows `known`. The mean
    distance of ten directions of features, as its logarithm, in robust deviations (of the median, by the median
    deviation). Directions, not places: pictures of nothing have features near zero, hence near everything. Pictures of
    one unit are no neighbours: two copies of a strange picture are still strange.

    Ten nearest neighbours in deep features: Sun et al. 2022, https://arxiv.org/abs/2204.06507
    """
    among, count = _directions(among), len(units)
    number = max(1, min(NEIGHBOURS, len(known) // 4))
    means = np.empty(count)
    for start in range(0, count, BLOCK):
        rows = range(start, min(count, start + BLOCK))
        apart = np.sqrt(np.maximum(2 - 2 * _directions(read(rows)) @ among.T, 0))
        apart[units[rows.start : rows.stop, None] == units[known]] = np.inf
        nearest = np.partition(apart, number - 1, axis=1)[:, :number]
        found = np.isfinite(nearest)
        means[rows.start : rows.stop] = np.where(found, nearest, 0).sum(1) / np.maximum(found.sum(1), 1)
    logs = np.log(np.maximum(means, _SMALLEST))
    usual = np.median(logs)
    deviation = 1.4826 * np.median(np.abs(logs - usual))  # the factor makes it the standard one of a normal spread
    return ((logs - usual) / max(deviation, 0.01)).astype(np.float32)


def _directions(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), _SMALLEST)


def clusters(places: np.ndarray, known: np.ndarray, number: int) -> np.ndarray:
    """The cluster (N,) int32 of each picture by k-means of places (N, D), the largest one 0.

    The middles are found among the rows `known`. `number` of them, as many as there are classes; 0 where nobody knows,
    and the silhouette decides.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    def fitted(pictures: np.ndarray, k: int) -> KMeans:
        return KMeans(k, n_init=4, random_state=0).fit(pictures)

    part = places[known]
    different = len(np.unique(part, axis=0))
    with threadpool_limits(1):
        if not number:
            few = part[:: -(-len(part) // MOST_TRIED)]
            options = range(2, min(MOST_CLUSTERS, len(np.unique(few, axis=0)) - 1) + 1)
            number = max(options, key=lambda k: silhouette_score(few, fitted(few, k).labels_), default=1)
        found = fitted(part, min(number, different)).predict(places)
    rank = np.empty(found.max() + 1, np.int32)
    rank[np.argsort(-np.bincount(found), kind="stable")] = np.arange(len(rank))
    return rank[found]


def outlier_findings(dataset: Dataset, embedding: Embedding) -> tuple[Finding, ...]:
    """The pictures that lie far from all others, farthest first, as one finding; none where there is none."""
    far = [int(row) for row in np.argsort(-embedding.outlier, kind="stable") if embedding.outlier[row] >= FAR]
    if not far:
        return ()
    samples = [dataset.samples[row] for row in far]
    ids = tuple(sample.id for sample in samples)
    looks = "looks" if len(far) == 1 else "look"
    return (
        Finding(
            check=CHECK,
            severity="warning",
            message=f"{number_of(len(far))} {looks} like nothing else in this data, and may belong to no class.",
            advice="Look at them: leave out what is no picture of this kind at all; what is only rare may stay.",
            evidence=tuple((id,) for id in ids),
            files=tuple(sample.name for sample in samples[:MOST_FILES]),
            figures={
                "pictures": {id: round(float(embedding.outlier[row]), 2) for id, row in zip(ids, far, strict=True)}
            },
            repairs=(
                Repair("Leave them out", (Change("exclude", tuple(sorted(ids)), why="they show something else"),)),
            ),
        ),
    )
