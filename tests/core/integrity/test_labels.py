"""Labels are judged on made-up features, blobs in a space of a few numbers, so that what is wrong is known."""

from dataclasses import replace

import numpy as np
import pytest

from core.data.revisions import revise
from core.integrity.embedding import Embedding
from core.integrity.labels import FEWEST, FOLDS, folds_of, judge, label_findings, ranked, weigh

CLASSES = ("a", "b", "c")


@pytest.fixture
def blobs(tiny_dataset):
    """`blobs(each, apart)`: a dataset of three classes with `each` pictures, and features (N, 60) around three middles
    that lie `apart` from each other, in deviations. As in real data some pictures are clearer than others."""

    def made(each=100, apart=6.0, seed=0):
        labels = np.repeat(np.arange(3), each)
        generator = np.random.default_rng(seed)
        clear = generator.uniform(0.5, 1.5, (len(labels), 1))
        features = generator.normal(size=(len(labels), 60)) + apart * clear * np.eye(3, 60)[labels]
        return labelled(tiny_dataset, labels), features.astype(np.float32)

    return made


def labelled(dataset, labels):
    first = dataset.samples[0]
    samples = (replace(first, id=f"{row:06d}", label=int(label)) for row, label in enumerate(labels))
    return replace(dataset, classes=CLASSES, samples=tuple(samples))


def with_wrong(dataset, share, seed=0):
    """The dataset with a share of its labels replaced by either other class, and where that was done."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(dataset.samples))[: round(share * len(dataset.samples))]
    labels = np.array([sample.label for sample in dataset.samples])
    labels[rows] = (labels[rows] + generator.integers(1, 3, len(rows))) % 3
    return labelled(dataset, labels), set(rows.tolist())


def judged(dataset, features, units=None):
    """An embedding of which only the labels are looked at."""
    count = len(features)
    units = np.arange(count) if units is None else units
    return embedding_of(dataset, **vars(judge(dataset, lambda rows: features[list(rows)], units)))


def embedding_of(dataset, **fields):
    count = len(dataset.samples)
    return Embedding(
        ids=np.array([sample.id for sample in dataset.samples]),
        xy=np.zeros((count, 2), np.float32),
        explained=np.zeros(2, np.float32),
        cluster=np.zeros(count, np.int32),
        outlier=np.zeros(count, np.float32),
        **fields,
    )


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_planted_wrong_labels_are_ranked_first_and_counted(blobs, share):
    clean, features = blobs()
    dataset, wrong = with_wrong(clean, share)
    embedding = judged(dataset, features)
    assert len(wrong & set(ranked(embedding)[: round(1.5 * len(wrong))].tolist())) >= 0.95 * len(wrong)
    assert embedding.noise[1] <= share <= embedding.noise[2]


def test_what_is_told_are_the_planted_ones_with_the_classes_that_they_show(blobs):
    (clean, features) = blobs(apart=8)
    dataset, wrong = with_wrong(clean, 0.05)
    (finding,) = label_findings(dataset, judged(dataset, features))
    told, planted = [id for (id,) in finding.evidence], {f"{row:06d}" for row in wrong}
    assert set(told[:10]) <= planted
    assert len(planted & set(told)) >= 0.8 * len(planted)
    assert len(planted & set(told)) >= 0.8 * len(told)
    assert finding.severity == "warning"
    assert finding.message.startswith(f"{len(told)} labels are likely wrong. Of all labels about ")
    for id in planted & set(told):
        assert finding.figures["pictures"][id]["suggested"] == CLASSES[clean.sample(id).label]
        assert finding.figures["pictures"][id]["label"] == CLASSES[dataset.sample(id).label]
    relabel, leave_out = finding.repairs
    assert {change.kind for change in relabel.changes} == {"relabel"}
    assert sorted(id for change in relabel.changes for id in change.samples) == sorted(leave_out.changes[0].samples)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("apart", [0.0, 1.0, 2.5, 8.0])
def test_right_labels_are_left_in_peace_however_much_the_classes_are_alike(blobs, apart, seed):
    dataset, features = blobs(apart=apart, seed=seed)
    embedding = judged(dataset, features)
    assert label_findings(dataset, embedding) == ()
    if apart < 2:  # the heads do err, so there was something to be tempted by
        assert (embedding.predicted != [sample.label for sample in dataset.samples]).mean() > 0.15


def test_labels_that_nobody_can_read_off_the_pictures_are_not_called_wrong(tiny_dataset):
    """More numbers than pictures, and none of them says anything: the heads are sure all the same."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(240, 500)).astype(np.float32)
    dataset = labelled(tiny_dataset, generator.integers(0, 3, 240))
    assert label_findings(dataset, judged(dataset, features)) == ()


def test_a_near_duplicate_does_not_vouch_for_its_twin(tiny_dataset):
    """With more numbers than pictures a head learns each by heart, and would know the copy again."""
    generator = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 40)
    features = generator.normal(size=(120, 400)).astype(np.float32) + 3 * np.eye(3, 400, dtype=np.float32)[labels]
    labels[0] = 1  # a picture of the first class, and a copy of it
    features, labels = np.concatenate([features, features[:1]]), np.append(labels, 1)
    dataset = labelled(tiny_dataset, labels)
    alone = np.arange(121)
    together = np.append(alone[:120], 0)
    assert judged(dataset, features, alone).confidence[0] > 0.5
    assert judged(dataset, features, together).confidence[[0, 120]].max() < 0.2


def test_folds_keep_units_whole_and_hold_every_class():
    labels = np.repeat([0, 0, 1], 30)
    units = np.arange(90) // 3
    fold = folds_of(units, labels)
    assert all(len(set(fold[units == unit])) == 1 for unit in range(30))
    assert all(set(fold[labels == label]) == set(range(FOLDS)) for label in (0, 1))
    assert np.array_equal(fold, folds_of(units, labels))


def test_a_class_with_too_few_pictures_is_neither_judged_nor_accused(blobs):
    dataset, features = blobs(each=60)
    few = np.ones(180, bool)
    few[FEWEST - 1 : 60] = False
    dataset = labelled(dataset, np.repeat(np.arange(3), 60)[few])
    embedding = judged(dataset, features[few])
    assert (embedding.predicted[: FEWEST - 1] == -1).all()
    assert np.isnan(embedding.wrong[: FEWEST - 1]).all()
    assert (embedding.predicted[FEWEST - 1 :] > 0).all()
    assert label_findings(dataset, embedding) == ()
    assert set(ranked(embedding)) == set(range(FEWEST - 1, len(embedding.ids)))


def test_copies_of_one_picture_do_not_make_a_class(blobs):
    dataset, features = blobs(each=30)
    units = np.arange(90)
    units[:30] = 0
    assert (judged(dataset, features, units).predicted[:30] == -1).all()


def test_where_nothing_can_be_judged_nothing_is_said(blobs):
    dataset, features = blobs(each=FEWEST - 1)
    embedding = judged(dataset, features)
    assert np.isnan(embedding.noise).all()
    assert label_findings(dataset, embedding) == ()
    assert len(ranked(embedding)) == 0


def test_a_share_of_labels_against_sure_heads_is_the_share_that_is_wrong():
    """Heads that are nearly always right: surer of some pictures than of others, as much as they are right of them."""
    generator = np.random.default_rng(0)
    margins = generator.uniform(2, 12, 400)
    labels = (generator.random(400) < 1 / (1 + np.exp(-margins))).astype(int)
    logits = np.stack([-margins, margins], 1) / 2
    labels[:20] = 1 - labels[:20]
    (share, low, high), wrong, said = weigh(logits, labels)
    assert 0.02 < low < 0.05 < high < 0.1
    assert low < share < high
    assert (wrong[:20] > 0.5).mean() > 0.5
    assert (wrong[20:] > 0.5).mean() < 0.02
    assert np.allclose(said.sum(1), 1)


def test_close_calls_are_no_mistakes():
    """Labels drawn by the very probabilities that the heads say: a third of them are not the likelier class."""
    generator = np.random.default_rng(0)
    right = generator.uniform(0.4, 0.95, 2000)
    logits = np.stack([np.log(right), np.log(1 - right)], 1)
    labels = (generator.random(2000) > right).astype(int)
    (share, low, _), wrong, _ = weigh(logits, labels)
    assert low == 0
    assert share < 0.03
    assert not (wrong >= 0.5).any()


@pytest.mark.parametrize(("low", "findings"), [(0.0, 0), (0.012, 0), (0.02, 1)])
def test_a_few_odd_pictures_are_not_told_as_wrong_labels(tiny_dataset, low, findings):
    assert len(label_findings(tiny_dataset, of_cells(tiny_dataset, [3], low))) == findings


def of_cells(dataset, rows, low=0.05):
    """An embedding that finds the labels of these rows wrong, and the next class likely."""
    labels = np.array([sample.label for sample in dataset.samples])
    doubted = np.isin(np.arange(len(labels)), rows)
    return embedding_of(
        dataset,
        predicted=np.where(doubted, (labels + 1) % 3, labels).astype(np.int32),
        confidence=np.where(doubted, 0.01, 0.9).astype(np.float32),
        likely=np.full(len(labels), 0.9, np.float32),
        wrong=np.where(doubted, 0.99, 0.0).astype(np.float32),
        noise=np.array([low + 0.01, low, low + 0.05], np.float32),
    )


@pytest.mark.parametrize("repair", [0, 1])
def test_the_repairs_make_a_revision(tiny_dataset, repair):
    (finding,) = label_findings(tiny_dataset, of_cells(tiny_dataset, [3, 7]))
    revised = revise(tiny_dataset, finding.repairs[repair].changes)
    wrong = [tiny_dataset.samples[row] for row in (3, 7)]
    if repair:
        assert len(revised.samples) == len(tiny_dataset.samples) - 2
        assert not {sample.id for sample in revised.samples} & {sample.id for sample in wrong}
    else:
        assert [revised.sample(sample.id).label for sample in wrong] == [(sample.label + 1) % 3 for sample in wrong]
