"""Labels that are likely wrong, by heads that never saw the picture or its likes.

What a head says of a picture that it did not learn from is the evidence, as in confident learning (Northcutt, Jiang and
Chuang 2021, https://doi.org/10.1613/jair.1.12125). How much of it is needed is another matter: a head is unsure where
classes are alike, and that is no fault of the labels. So the labels are weighed by a model of both (see `weigh`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.data.dataset import Change, Dataset
from core.data.health.finding import Finding, Repair
from core.integrity.embedding import BLOCK, Embedding
from core.integrity.subject import MOST_FILES
from core.seeding import derive

CHECK = "wrong-labels"
FOLDS = 5
ROUNDS = 2  # everything is done again without the labels that were found wrong
DECAY = 0.1  # of the heads' weights, as in core.train.convex
FEWEST = 20  # units that a class has, for its labels to be judged: of fewer a head learns too little to accuse anybody
MOST_LEARNED = 4096  # pictures that a head learns from
SURE = 0.5  # probability of being wrong, from which on a label is told
# The least share of wrong labels, by the lower end of its interval, that is told at all: where no label is wrong, a few
# pictures that do not look like their kind make up nearly as much (0.012 in the worst of fourteen clean sets).
LEAST = 0.015

_SHARES = np.concatenate(
    [[0.0], np.geomspace(1e-3, 0.4, 72)]
)  # of wrong labels, that are tried; of more, who is right?
_TEMPERATURES = np.geomspace(0.1, 100, 90)  # up to where a head that knows nothing says so
_UNSEEN = -1e4  # logit of a class that a head never saw
_HALF_DEVIANCE = 1.92  # by which the log-likelihood falls at the ends of a 95 % interval


@dataclass(frozen=True)
class Judged:
    """What heads say of labels; the fields of an Embedding by the same names."""

    predicted: np.ndarray
    confidence: np.ndarray
    likely: np.ndarray
    wrong: np.ndarray
    noise: np.ndarray


def judge(
    dataset: Dataset,
    read: Callable[[Sequence[int]], np.ndarray],
    units: np.ndarray,
    tell: Callable[[int], None] = lambda heads: None,
) -> Judged:
    """What linear heads say of the label of each picture, that learned from none of its unit.

    `read` gives the features (R, F) of rows. Five heads, each from four fifths of the units; then five more, without
    the labels that were found wrong, so that these spoil nothing. `tell` is called with the heads done. Where there
    are no labels, or too few pictures of a class, nothing is said.
    """
    labels = np.array([sample.label for sample in dataset.samples])
    count, classes = len(labels), len(dataset.classes)
    judged = Judged(np.full(count, -1, np.int32), *(np.full(size, np.nan, np.float32) for size in (count,) * 3 + (3,)))
    known = [label for label in range(classes) if len(np.unique(units[labels == label])) >= FEWEST]
    if len(known) < 2:
        return judged
    rows = np.flatnonzero(np.isin(labels, known))
    given = np.searchsorted(known, labels[rows])
    fold, trusted = folds_of(units[rows], given), np.ones(len(rows), bool)
    for turn in range(ROUNDS):
        logits = np.full((len(rows), len(known)), _UNSEEN)
        for held in range(FOLDS):
            _answer(read, rows, given, (fold != held) & trusted, fold == held, logits)
            tell(turn * FOLDS + held + 1)
        judged.noise[:], wrong, said = weigh(logits, given)
        trusted = wrong < SURE
    judged.predicted[rows] = np.array(known)[said.argmax(1)]
    judged.confidence[rows] = said[np.arange(len(rows)), given]
    judged.likely[rows] = said.max(1)
    judged.wrong[rows] = wrong
    return judged


def folds_of(units: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The fold (N,) of each picture: units whole, their classes spread evenly, always the same way."""
    names, first, place = np.unique(units, return_index=True, return_inverse=True)
    drawn = np.random.default_rng(derive(0, "folds of labels")).permutation(len(names))
    fold = np.empty(len(names), np.int64)
    fold[np.lexsort((drawn, labels[first]))] = np.arange(len(names)) % FOLDS
    return fold[place]


def _answer(
    read: Callable[[Sequence[int]], np.ndarray],
    rows: np.ndarray,
    labels: np.ndarray,
    learned: np.ndarray,
    asked: np.ndarray,
    logits: np.ndarray,
) -> None:
    """Fill the logits (N, K) of those `asked` by a head that learned from those `learned`, both (N,) bool.

    A class that is not among these keeps what is there.
    """
    from core.train.convex import solve

    chosen = np.flatnonzero(learned)
    if len(chosen) > MOST_LEARNED:
        drawn = np.random.default_rng(derive(0, "learned from")).permutation(len(chosen))[:MOST_LEARNED]
        chosen = np.sort(chosen[drawn])
    seen, place = np.unique(labels[chosen], return_inverse=True)
    if len(seen) < 2:
        return
    weight, bias = solve(read(rows[chosen].tolist()), place, classes=len(seen), weight_decay=DECAY)
    held = np.flatnonzero(asked)
    for start in range(0, len(held), BLOCK):
        block = held[start : start + BLOCK]
        logits[np.ix_(block, seen)] = read(rows[block].tolist()) @ weight.T + bias


def weigh(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many of the labels (N,) are wrong, and which, given logits (N, K) of heads that did not see them.

    A label is taken to be drawn by the heads' softmax at some temperature; then a share of the labels was replaced by
    any other class. Temperature and share are those that make the given labels likeliest. Close calls are what a
    temperature explains; mistakes against a sure head it cannot, and they make the share. Gives the share with its
    95 % interval by the profile of the likelihood, (3,); the probability of being wrong (N,); the tempered softmax
    (N, K).
    """
    others = logits.shape[1] - 1
    shares, profile, best = _SHARES[:, None], np.full(len(_SHARES), -np.inf), (-np.inf, 1.0, 0.0)
    for temperature in _TEMPERATURES:
        own = _own(_softmax(logits / temperature), labels)
        likelihood = np.log((1 - shares) * own + shares * (1 - own) / others).sum(1)
        profile = np.maximum(profile, likelihood)
        best = max(best, (float(likelihood.max()), float(temperature), float(_SHARES[likelihood.argmax()])))
    highest, temperature, share = best
    inside = _SHARES[profile >= highest - _HALF_DEVIANCE]
    said = _softmax(logits / temperature)
    own = _own(said, labels)
    replaced = share * (1 - own) / others
    return np.array([share, inside[0], inside[-1]]), replaced / ((1 - share) * own + replaced), said


def _own(said: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The probability (N,) that is given to each label; never quite none."""
    return np.maximum(said[np.arange(len(labels)), labels], 1e-12)


def _softmax(logits: np.ndarray) -> np.ndarray:
    grown = np.exp(logits - logits.max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True)


def ranked(embedding: Embedding) -> np.ndarray:
    """Rows of the pictures whose labels are judged, the likeliest wrong one first."""
    judged = np.flatnonzero(~np.isnan(embedding.confidence))
    return judged[np.argsort(embedding.confidence[judged], kind="stable")]


def label_findings(dataset: Dataset, embedding: Embedding) -> tuple[Finding, ...]:
    """The labels that are likely wrong, the likeliest first, as one finding; none where there is none.

    Repairs: each picture gets the class that was said of it, or all are left out.
    """
    rows = [int(row) for row in ranked(embedding) if embedding.wrong[row] >= SURE]
    share, low, high = map(float, embedding.noise)
    if not rows or not low >= LEAST:
        return ()
    samples = [dataset.samples[row] for row in rows]
    ids = tuple(sample.id for sample in samples)
    suggested = [dataset.classes[embedding.predicted[row]] for row in rows]
    meant: dict[str, list[str]] = {}
    for id, name in zip(ids, suggested, strict=True):
        meant.setdefault(name, []).append(id)
    why = "the label does not fit what the picture shows"
    number = "1 label is" if len(rows) == 1 else f"{len(rows):,} labels are"
    return (
        Finding(
            check=CHECK,
            severity="warning",
            message=f"{number} likely wrong. Of all labels about {share:.1%} are, between {low:.1%} and {high:.1%}.",
            advice="Look at each picture: give it the class it shows, or leave it out where nobody can tell.",
            evidence=tuple((id,) for id in ids),
            files=tuple(sample.name for sample in samples[:MOST_FILES]),
            figures={
                "share": round(share, 4),
                "interval": [round(low, 4), round(high, 4)],
                "pictures": {
                    sample.id: {
                        "label": dataset.classes[sample.label],
                        "suggested": name,
                        "wrong": round(float(embedding.wrong[row]), 4),
                    }
                    for sample, name, row in zip(samples, suggested, rows, strict=True)
                },
            },
            repairs=(
                Repair(
                    "Give them the classes they look like",
                    tuple(Change("relabel", tuple(sorted(some)), name, why) for name, some in sorted(meant.items())),
                ),
                Repair("Leave them out", (Change("exclude", tuple(sorted(ids)), why=why),)),
            ),
        ),
    )
