"""Strange pictures and groups of pictures, on made-up features."""

import numpy as np
import pytest

from core.data.revisions import revise
from core.integrity.embedding import Embedding
from core.integrity.outliers import FAR, clusters, distances, outlier_findings


def pictures(count=200, width=30, seed=0):
    """Features (N, F) of pictures that all point much the same way."""
    return (5 + np.random.default_rng(seed).normal(size=(count, width))).astype(np.float32)


def strange(count=1, width=30):
    """Features that point another way, all the same one."""
    features = np.zeros((count, width), np.float32)
    features[:, 0] = 9
    return features


def looked(features, units=None, known=None):
    known = np.arange(len(features)) if known is None else known
    units = np.arange(len(features)) if units is None else units
    return distances(lambda rows: features[list(rows)], units, known, features[known])


@pytest.mark.parametrize("seed", range(5))
def test_pictures_of_one_kind_lie_near_each_other(seed):
    assert looked(pictures(seed=seed)).max() < FAR


def test_a_picture_of_something_else_lies_far():
    far = looked(np.concatenate([pictures(), strange()]))
    assert far[-1] > FAR
    assert far[:-1].max() < FAR


def test_copies_of_a_strange_picture_are_still_strange():
    features, units = np.concatenate([pictures(), strange(30)]), np.arange(230)
    assert looked(features, units)[200:].max() < FAR  # many strange pictures of several kinds are a kind of their own
    units[200:] = 200
    assert looked(features, units)[200:].min() > FAR


def test_neighbours_are_looked_for_among_a_part_where_there_are_many():
    features = np.concatenate([pictures(), strange()])
    far = looked(features, known=np.arange(0, 200, 4))
    assert far.argmax() == 200
    assert far[200] > FAR


@pytest.mark.parametrize("features", [np.zeros((20, 8), np.float32), np.ones((20, 8), np.float32), pictures(2)])
def test_blank_equal_and_few_pictures_give_numbers(features):
    assert np.isfinite(looked(features)).all()
    assert looked(features).max() < FAR


def test_clusters_are_the_groups_that_lie_together_the_largest_first():
    middles = np.repeat([[0, 0], [20, 0], [0, 20]], [20, 50, 30], axis=0)
    places = (middles + np.random.default_rng(0).normal(size=(100, 2))).astype(np.float32)
    for number in (3, 0):  # told, and found
        assert clusters(places, np.arange(100), number).tolist() == [2] * 20 + [0] * 50 + [1] * 30


@pytest.mark.parametrize("number", [0, 3])
def test_pictures_that_are_all_alike_are_one_cluster(number):
    assert clusters(np.zeros((12, 4), np.float32), np.arange(12), number).tolist() == [0] * 12


def test_the_farthest_are_told_first_and_can_be_left_out(tiny_dataset):
    count = len(tiny_dataset.samples)
    outlier = np.zeros(count, np.float32)
    outlier[[4, 9]] = FAR + 1, FAR + 3
    numbers = {name: np.full(count, np.nan, np.float32) for name in ("confidence", "likely", "wrong")}
    embedding = Embedding(
        ids=np.array([sample.id for sample in tiny_dataset.samples]),
        xy=np.zeros((count, 2), np.float32),
        explained=np.zeros(2, np.float32),
        cluster=np.zeros(count, np.int32),
        predicted=np.full(count, -1, np.int32),
        noise=np.full(3, np.nan, np.float32),
        outlier=outlier,
        **numbers,
    )
    (finding,) = outlier_findings(tiny_dataset, embedding)
    ids = [tiny_dataset.samples[row].id for row in (9, 4)]
    assert finding.evidence == tuple((id,) for id in ids)
    assert finding.message == "2 pictures look like nothing else in this data, and may belong to no class."
    revised = revise(tiny_dataset, finding.repairs[0].changes)
    assert {sample.id for sample in tiny_dataset.samples} - {sample.id for sample in revised.samples} == set(ids)
