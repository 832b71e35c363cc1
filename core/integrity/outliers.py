"""Pictures that lie far from all others, and groups of pictures that lie together, by what a network sees in them."""

import numpy as np

from core.data.dataset import Change, Dataset
from core.data.health.finding import Finding, Repair
from core.integrity.embedding import Embedding
from core.seeding import derive

CHECK = "outliers"
NEIGHBOURS = 10  # nearest pictures that a picture is measured by
MOST_ASKED = 4096  # pictures that are looked among for neighbours
FAR = 6.0  # deviations from what is usual, from which on a picture is told
DIRECTIONS = 32  # principal components that distances are measured in
MOST_CLUSTERS = 10
BLOCK = 1024


def distances(features: np.ndarray, units: np.ndarray) -> np.ndarray:
    """How far each picture with features (N, D) lies from its nearest others, (N,) float32.

    In robust deviations (by the median and the median deviation) of the logarithm of the mean distance to ten
    neighbours. Pictures of one unit are no neighbours: two copies of a strange picture are still strange.
    """
    generator = np.random.default_rng(derive(0, "outliers"))
    count = len(features)
    asked = np.sort(generator.permutation(count)[:MOST_ASKED])
    places = features[:, :DIRECTIONS].astype(np.float64)
    among, squares = places[asked], (places[asked] ** 2).sum(1)
    means = np.empty(count)
    for start in range(0, count, BLOCK):
        rows = slice(start, start + BLOCK)
        apart = (places[rows] ** 2).sum(1)[:, None] + squares - 2 * places[rows] @ among.T
        apart = np.where(units[rows][:, None] == units[asked], np.inf, np.sqrt(np.maximum(apart, 0)))
        near = np.partition(apart, min(NEIGHBOURS, len(asked)) - 1, axis=1)[:, :NEIGHBOURS]
        found = np.isfinite(near)
        means[rows] = np.where(found, near, 0).sum(1) / np.maximum(found.sum(1), 1)
    logs = np.log(np.maximum(means, 1e-9))
    usual = np.median(logs)
    spread = 1.4826 * np.median(np.abs(logs - usual))
    return ((logs - usual) / max(spread, 1e-6)).astype(np.float32)


def clusters(features: np.ndarray, number: int) -> np.ndarray:
    """The cluster (N,) int32 of each picture by k-means, the largest one 0.

    `number` of them, as many as there are classes; 0 where nobody knows, and the silhouette of a part decides.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    places = features[:, :DIRECTIONS]
    part = places[:: max(1, len(places) // MOST_ASKED)]

    def fitted(k: int) -> KMeans:
        return KMeans(k, n_init=4, random_state=0).fit(part)

    with threadpool_limits(1):
        if not number:
            few = part[:: max(1, len(part) // 1000)]
            options = range(2, min(MOST_CLUSTERS, len(few) - 1) + 1)
            number = max(options, key=lambda k: silhouette_score(few, fitted(k).predict(few)), default=1)
        found = fitted(min(number, len(part))).predict(places)
    sizes = np.bincount(found)
    rank = np.empty(len(sizes), np.int32)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[found]


def outlier_findings(dataset: Dataset, embedding: Embedding) -> tuple[Finding, ...]:
    """The pictures that lie far from all others, farthest first, as one finding; none where there is none."""
    far = [int(row) for row in np.argsort(-embedding.outlier, kind="stable") if embedding.outlier[row] >= FAR]
    if not far:
        return ()
    samples = [dataset.samples[row] for row in far]
    ids = tuple(sample.id for sample in samples)
    number = f"{len(far):,} {'picture looks' if len(far) == 1 else 'pictures look'}"
    why = "they look like no other picture of the data"
    return (
        Finding(
            check=CHECK,
            severity="note",
            message=f"{number} like no other picture of this data, and may belong to no class.",
            advice="Look at them: leave out what is no picture of this kind at all; what is only rare may stay.",
            evidence=tuple((id,) for id in ids),
            files=tuple(sample.name for sample in samples),
            figures={
                "pictures": {id: round(float(embedding.outlier[row]), 2) for id, row in zip(ids, far, strict=True)}
            },
            repairs=(Repair("Leave them out", (Change("exclude", ids, why=why),)),),
        ),
    )
