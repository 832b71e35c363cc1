"""Labels that are likely wrong, by heads that never saw the picture or its likes."""

from dataclasses import dataclass

import numpy as np

from core.data.dataset import Change, Dataset
from core.data.health.finding import Finding, Repair
from core.integrity.embedding import Embedding
from core.seeding import derive

CHECK = "wrong-labels"
FOLDS = 5
DECAY = 0.1
FEWEST = 10  # units of a class, for its labels to be judged
SURE = 0.5  # probability of being wrong, from which on a label is told


@dataclass(frozen=True)
class Judged:
    """What heads say of labels; the fields of an Embedding by the same names."""

    predicted: np.ndarray
    confidence: np.ndarray
    likely: np.ndarray
    wrong: np.ndarray
    noise: np.ndarray


def judge(dataset: Dataset, features: np.ndarray, units: np.ndarray) -> Judged:
    """What linear heads say of the label of each picture, that learned from none of its unit; features (N, D).

    Five heads, each on four fifths of the units. Then everything again without the labels that the first round found
    wrong, so that these do not spoil what is learned. Raises nothing: where no label can be judged, none is.
    """
    labels = np.array([sample.label for sample in dataset.samples])
    count, classes = len(labels), len(dataset.classes)
    judged = Judged(np.full(count, -1, np.int32), *(np.full(size, np.nan, np.float32) for size in (count,) * 3 + (3,)))
    known = [label for label in range(classes) if len(set(units[labels == label])) >= FEWEST]
    rows = np.flatnonzero(np.isin(labels, known))
    if len(known) < 2:
        return judged
    given = np.searchsorted(known, labels[rows])
    fold = folds_of(units[rows], given)
    trusted = np.ones(len(rows), bool)
    for _ in range(2):
        logits = _out_of_fold(features[rows], given, fold, trusted, len(known))
        noise, wrong, said = weigh(logits, given)
        trusted = wrong < SURE
    judged.predicted[rows] = np.array(known)[said.argmax(1)]
    judged.confidence[rows] = said[np.arange(len(rows)), given]
    judged.likely[rows] = said.max(1)
    judged.wrong[rows] = wrong
    judged.noise[:] = noise
    return judged


def folds_of(units: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The fold (N,) of each picture: units whole, their classes spread evenly, always the same way."""
    names, first, place = np.unique(units, return_index=True, return_inverse=True)
    drawn = np.random.default_rng(derive(0, "folds of labels")).permutation(len(names))
    fold = np.empty(len(names), np.int64)
    fold[np.lexsort((drawn, labels[first]))] = np.arange(len(names)) % FOLDS
    return fold[place]


def _out_of_fold(
    features: np.ndarray, labels: np.ndarray, fold: np.ndarray, trusted: np.ndarray, classes: int
) -> np.ndarray:
    """Logits (N, K) of heads that learned from the trusted pictures of the other folds; -inf for a class unseen."""
    from core.train.convex import solve

    logits = np.full((len(labels), classes), -np.inf)
    for held in range(FOLDS):
        learned = (fold != held) & trusted
        seen, place = np.unique(labels[learned], return_inverse=True)
        if len(seen) > 1:
            weight, bias = solve(features[learned], place, classes=len(seen), weight_decay=DECAY)
            logits[np.ix_(fold == held, seen)] = features[fold == held] @ weight.T + bias
    return logits


def weigh(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many labels (N,) are wrong, given logits (N, K) of heads that did not see them, and which.

    Labels are taken to be drawn from the heads' softmax at some temperature, and a share of them then replaced by any
    other class. Temperature and share are those that make the labels most likely: close calls are what a temperature
    explains, mistakes against a sure head are what it cannot. Gives the share with its 95 % interval by the likelihood
    (3,), the probability of being wrong (N,), and the tempered softmax (N, K).
    """
    others = logits.shape[1] - 1
    shares = np.concatenate([[0], np.geomspace(1e-3, 0.7, 80)])[:, None]
    chosen, best, profile = None, -np.inf, np.full(len(shares), -np.inf)
    for temperature in np.geomspace(0.25, 8, 51):
        said = _softmax(logits / temperature)
        own = np.maximum(said[np.arange(len(labels)), labels], 1e-12)
        likelihood = np.log((1 - shares) * own + shares * (1 - own) / others).sum(1)
        profile = np.maximum(profile, likelihood)
        if likelihood.max() > best:
            best, chosen = likelihood.max(), (said, own, shares[likelihood.argmax(), 0])
    said, own, share = chosen
    inside = shares[profile >= best - 1.92, 0]
    replaced = share * (1 - own) / others
    return np.array([share, inside[0], inside[-1]]), replaced / ((1 - share) * own + replaced), said


def _softmax(logits: np.ndarray) -> np.ndarray:
    grown = np.exp(logits - logits.max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True)


def label_findings(dataset: Dataset, embedding: Embedding) -> tuple[Finding, ...]:
    """The labels that are likely wrong, the likeliest first, as one finding; none where there is none.

    Repairs: each gets the class that was said of it, or all are left out.
    """
    rows = ranked(embedding)[: int((embedding.wrong >= SURE).sum())] if embedding.noise[1] > 0 else ()
    if not len(rows):
        return ()
    samples = [dataset.samples[row] for row in rows]
    ids = tuple(sample.id for sample in samples)
    meant: dict[str, list[str]] = {}
    for sample, row in zip(samples, rows, strict=True):
        meant.setdefault(dataset.classes[embedding.predicted[row]], []).append(sample.id)
    share, low, high = (float(number) for number in embedding.noise)
    why = "the label does not fit what the picture shows"
    number = f"{len(rows):,} {'label is' if len(rows) == 1 else 'labels are'}"
    return (
        Finding(
            check=CHECK,
            severity="warning",
            message=f"{number} likely wrong; of all labels it is about {share:.1%} [{low:.1%}, {high:.1%}].",
            advice="Look at each picture: give it the class it shows, or leave it out where nobody can tell.",
            evidence=tuple((id,) for id in ids),
            files=tuple(sample.name for sample in samples),
            figures={
                "share": share,
                "interval": [low, high],
                "pictures": {
                    sample.id: {
                        "label": dataset.classes[sample.label],
                        "suggested": dataset.classes[embedding.predicted[row]],
                        "wrong": round(float(embedding.wrong[row]), 4),
                    }
                    for sample, row in zip(samples, rows, strict=True)
                },
            },
            repairs=(
                Repair(
                    "Give them the classes they look like",
                    tuple(Change("relabel", tuple(some), name, why) for name, some in meant.items()),
                ),
                Repair("Leave them out", (Change("exclude", ids, why=why),)),
            ),
        ),
    )


def ranked(embedding: Embedding) -> np.ndarray:
    """Rows of the pictures whose labels are judged, the likeliest wrong one first."""
    judged = np.flatnonzero(~np.isnan(embedding.wrong))
    return judged[np.argsort(-embedding.wrong[judged], kind="stable")]
