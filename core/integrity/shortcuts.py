"""Can the class be told by how a picture was saved? A small classifier sees facts of the files and nothing else.

A model finds such a shortcut too: it then learns the camera, the program or the clinic, and not what the picture shows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.data.dataset import Sample
from core.data.health.finding import Finding
from core.data.split import units
from core.integrity.subject import Subject
from core.metrics.intervals import wilson
from core.seeding import derive

FOLDS = 5
FEWEST = 10  # pictures of a class from which on it takes part
MOST_CLASSES = 40  # sets of classes that pictures with masks show
SHOWN = 6  # pairs of pictures

# How much better than guessing the lower bound of the interval must be: 0 is guessing, 1 is knowing. What is told of
# one class against all others is the share of it that is found, less the share of the others that is taken for it.
NOTED, NOTED_CLASS = 0.03, 0.1
GRAVE, GRAVE_CLASS = 0.25, 0.25
SHOWN_NOTED, SHOWN_GRAVE = 0.6, 0.75  # for facts that hang together with what a picture shows


@dataclass(frozen=True)
class Clue:
    """A kind of fact by which a class should not be told."""

    name: str
    label: str  # in a sentence: "the file format"
    columns: Callable[[Subject], np.ndarray]  # (N, C) float, NaN where unknown
    words: Callable[[Subject, np.ndarray, np.ndarray], str]  # how some pictures differ from others in it, as rows
    of_file: bool  # of how a picture was saved; other facts may hang together with what it shows


@dataclass(frozen=True)
class Told:
    """How well a classifier tells the classes."""

    accuracy: float  # mean over the classes of the share that is found
    low: float  # its 95 % interval
    high: float
    classes: np.ndarray  # (K,) found of each class, less what of the others is taken for it
    classes_low: np.ndarray  # (K,) the lower bounds of that
    found: np.ndarray  # (K,) share of each class that is found
    right: np.ndarray  # (N,) bool

    @property
    def best(self) -> int:
        """The class that is told best."""
        return int(self.classes_low.argmax())

    def gain(self, bound: float) -> float:
        """A bound of the accuracy as 0 for guessing and 1 for knowing."""
        chance = 1 / len(self.found)
        return (bound - chance) / (1 - chance)


def _codes(values: Sequence[str]) -> np.ndarray:
    """One column for each different value, (N, C): 1 where it is that one."""
    names, place = np.unique(values, return_inverse=True)
    return np.eye(len(names))[place]


def _counted(named: Callable[[Subject], list[str]]) -> Callable[[Subject, np.ndarray, np.ndarray], str]:
    """Tells the value in which some pictures differ most from others: "PNG: 98% of it, 0% of all others"."""

    def told(subject: Subject, inside: np.ndarray, outside: np.ndarray) -> str:
        words = np.array(named(subject))
        here, there = Counter(words[inside].tolist()), Counter(words[outside].tolist())
        apart = max(here, key=lambda word: here[word] / len(inside) - there[word] / len(outside))
        return f"{apart}: {here[apart] / len(inside):.0%} of it, {there[apart] / len(outside):.0%} of all others"

    return told


def _formats(subject: Subject) -> list[str]:
    return [sample.format for sample in subject.dataset.samples]


def _modes(subject: Subject) -> list[str]:
    return subject.facts.modes(subject.dataset)


def _sizes(subject: Subject) -> list[str]:
    return [f"{sample.width} x {sample.height} pixels" for sample in subject.dataset.samples]


def _qualities(subject: Subject) -> list[str]:
    """Numbers in the tables of JPEG files say how much was thrown away."""
    return [f"JPEG with steps of {value:.3g}" if value > 0 else "no JPEG" for value in subject.facts.of("quality")]


def _notes(subject: Subject) -> list[str]:
    return ["with notes" if value == 1 else "without notes" for value in subject.facts.of("exif")]


def _borders(subject: Subject) -> list[str]:
    words = []
    for red, green, blue, spread in np.nan_to_num(_border(subject)):
        tone = ("dark", "neither dark nor bright", "bright")[int(np.digitize((red + green + blue) / 3, (70, 185)))]
        words.append(f"{tone}{' and plain' if spread < 4 else ''}")
    return words


def _size(subject: Subject) -> np.ndarray:
    width, height = np.array([(sample.width, sample.height) for sample in subject.dataset.samples], float).T
    return np.stack([width, height, width / height, width * height], axis=1)


def _size_words(subject: Subject, inside: np.ndarray, outside: np.ndarray) -> str:
    commonest = Counter(np.array(_sizes(subject))[inside].tolist()).most_common(1)[0][1]
    if commonest >= 0.3 * len(inside):
        return _counted(_sizes)(subject, inside, outside)
    here, there = (np.median(_size(subject)[rows, :2], axis=0) for rows in (inside, outside))
    return f"usually {here[0]:.0f} x {here[1]:.0f} pixels, all others {there[0]:.0f} x {there[1]:.0f}"


def _weight(subject: Subject) -> np.ndarray:
    pixels = np.array([sample.width * sample.height for sample in subject.dataset.samples], float)
    return np.stack([subject.facts.of("bytes"), subject.facts.of("bytes") / pixels], axis=1)


def _weight_words(subject: Subject, inside: np.ndarray, outside: np.ndarray) -> str:
    here, there = (np.median(subject.facts.of("bytes")[rows]) / 1000 for rows in (inside, outside))
    return f"usually {here:,.3g} kB, all others {there:,.3g} kB"


def _border(subject: Subject) -> np.ndarray:
    names = ("border_red", "border_green", "border_blue", "border_spread")
    return np.stack([subject.facts.of(name) for name in names], axis=1)


CLUES = (
    Clue("format", "the file format", lambda subject: _codes(_formats(subject)), _counted(_formats), True),
    Clue("mode", "the colour mode", lambda subject: _codes(_modes(subject)), _counted(_modes), True),
    Clue("size", "the size in pixels", _size, _size_words, True),
    Clue(
        "quality",
        "the JPEG quality",
        lambda subject: subject.facts.of("quality")[:, None],
        _counted(_qualities),
        True,
    ),
    Clue(
        "notes",
        "the notes of a camera or program (EXIF)",
        lambda subject: subject.facts.of("exif")[:, None],
        _counted(_notes),
        True,
    ),
    Clue("bytes", "the number of bytes", _weight, _weight_words, False),
    Clue("border", "the outermost pixels", _border, _counted(_borders), False),
)


def shortcuts(subject: Subject) -> Iterator[Finding]:
    """Facts of the files, and the outermost pixels, that tell the class.

    Pictures with masks are told apart by the classes they show. What belongs together (copies, groups) is never on both
    sides of a fold, or a copy would be recognised by its size in bytes.
    """
    labels, names, rows = _labels(subject)
    if len(names) < 2:
        return
    folds = _folds([subject.dataset.samples[row] for row in rows], labels)
    if folds is None:
        return
    saved, columns = {}, []
    for clue in CLUES:
        values = clue.columns(subject)[rows]
        if (values == values[0]).all():
            continue  # the same everywhere tells nothing
        told = _told(values, labels, folds)
        if clue.of_file:
            saved[clue] = told
            columns.append(values)
        else:
            yield from _of_pixels(subject, clue, told, labels, names, rows)
    if saved:
        yield from _of_files(subject, saved, _told(np.concatenate(columns, axis=1), labels, folds), labels, names, rows)


def _of_files(
    subject: Subject, saved: dict[Clue, Told], together: Told, labels: np.ndarray, names: list[str], rows: np.ndarray
) -> Iterator[Finding]:
    every = [*saved.values(), together]
    gain, of_class = max(told.gain(told.low) for told in every), max(told.classes_low.max() for told in every)
    if gain < NOTED and of_class < NOTED_CLASS:
        return
    grave = gain >= GRAVE or of_class >= GRAVE_CLASS
    telling = [clue for clue, told in saved.items() if told.gain(told.low) >= NOTED or told.classes_low.max() >= NOTED]
    telling.sort(key=lambda clue: -max(saved[clue].gain(saved[clue].low), saved[clue].classes_low.max()))
    clue = telling[0] if telling else max(saved, key=lambda clue: saved[clue].accuracy)
    told = together if together.low > saved[clue].low else saved[clue]
    yield Finding(
        "shortcut",
        "warning" if grave else "note",
        f"The class can {'' if grave else 'to some degree '}be told without looking at the picture. A small classifier "
        f"that sees only {_joined([clue.label for clue in telling] or [clue.label])} is right in {_share(told)}. "
        f"{_what(subject, clue, saved[clue], labels, names, rows)}",
        "A model may learn how the pictures were saved instead of what they show, and then fail on pictures from "
        "elsewhere, whatever the test split says. Bring all pictures to one format, size and quality, or take each "
        "class from the same sources.",
        evidence=_pairs(subject, saved[clue], labels, rows),
        files=_found(subject, saved[clue], labels, rows),
        figures=_figures(together, names)
        | {"alone": {clue.name: _figures(told, names) for clue, told in saved.items()}, "telling": clue.name},
    )


def _of_pixels(
    subject: Subject, clue: Clue, told: Told, labels: np.ndarray, names: list[str], rows: np.ndarray
) -> Iterator[Finding]:
    # What takes few bytes may be a class of simple things: bytes count when they tell all classes, and are but a note.
    weight = clue.name == "bytes"
    best = told.gain(told.low) if weight else max(told.gain(told.low), float(told.classes_low.max()))
    if best < SHOWN_NOTED:
        return
    yield Finding(
        "shortcut",
        "warning" if best >= SHOWN_GRAVE and not weight else "note",
        f"A small classifier that sees only {clue.label} of each picture is right in {_share(told)}. "
        f"{_what(subject, clue, told, labels, names, rows)}",
        "Look at the pictures: if it is a frame, a ruler, a caption or another background, a model may learn that "
        "instead of what matters. Then cut it away, or take each class from the same sources. If it belongs to what "
        "the classes are, all is well.",
        evidence=_pairs(subject, told, labels, rows),
        files=_found(subject, told, labels, rows),
        figures=_figures(told, names) | {"telling": clue.name},
    )


def _labels(subject: Subject) -> tuple[np.ndarray, list[str], np.ndarray]:
    """The class of each picture that takes part, (n,), their names, and the rows of these pictures, (n,)."""
    dataset = subject.dataset
    shown = [sample.holds for sample in dataset.samples]
    readable = ~np.isnan(subject.facts.of("bytes"))
    counted = Counter(held for held, good in zip(shown, readable, strict=True) if good)
    kept = sorted(held for held, number in counted.items() if number >= FEWEST and held)
    if dataset.task == "segmentation":
        kept = sorted(kept, key=lambda held: -counted[held])[:MOST_CLASSES]
    place = {held: number for number, held in enumerate(kept)}
    rows = np.array([row for row, held in enumerate(shown) if held in place and readable[row]], np.intp)
    names = [" with ".join(dataset.classes[label] for label in held) for held in kept]
    return np.array([place[shown[row]] for row in rows], np.intp), names, rows


def _folds(samples: Sequence[Sample], labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Rows to learn from and to judge by, five times; None where a class is in too few units for that."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # here, because pages may import this

    together = np.unique(units(samples), return_inverse=True)[1]
    alone = len(set(together.tolist())) == len(samples)
    if min(len(set(together[labels == label].tolist())) for label in set(labels.tolist())) < FOLDS:
        return None
    dealer = (StratifiedKFold if alone else StratifiedGroupKFold)(
        FOLDS, shuffle=True, random_state=derive(0, "shortcuts") % 2**32
    )
    return list(dealer.split(labels, labels, None if alone else together))


def _told(values: np.ndarray, labels: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> Told:
    """How well a decision tree tells the classes (n,) by some columns (n, C), on pictures that it has not seen.

    Intervals of sums and differences are put together of Wilson's for each class (MOVER: Zou & Donner 2008,
    https://doi.org/10.1002/sim.3095).
    """
    from sklearn.tree import DecisionTreeClassifier

    answers = np.empty_like(labels)
    for learned, judged in folds:
        leaf = max(3, len(learned) // 100)
        tree = DecisionTreeClassifier(class_weight="balanced", min_samples_leaf=leaf, random_state=0)
        answers[judged] = tree.fit(values[learned], labels[learned]).predict(values[judged])
    classes = int(labels.max()) + 1
    counts = np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)
    hits, of_class = counts.diagonal(), counts.sum(axis=1)
    false, others = counts.sum(axis=0) - hits, len(labels) - of_class
    found = np.array([wilson(*pair) for pair in zip(hits, of_class, strict=True)])
    taken = np.array([wilson(*pair) for pair in zip(false, others, strict=True)])
    share, wrong = hits / of_class, false / others
    reach = np.sqrt(((share[:, None] - found) ** 2).sum(axis=0)) / classes
    return Told(
        accuracy=float(share.mean()),
        low=float(share.mean() - reach[0]),
        high=float(share.mean() + reach[1]),
        classes=share - wrong,
        classes_low=share - wrong - np.sqrt((share - found[:, 0]) ** 2 + (taken[:, 1] - wrong) ** 2),
        found=share,
        right=answers == labels,
    )


def _share(told: Told) -> str:
    return (
        f"{told.accuracy:.0%} of cases (95 % interval {told.low:.0%} to {told.high:.0%}, each class counted alike), "
        f"where guessing is right in {1 / len(told.found):.0%}"
    )


def _what(subject: Subject, clue: Clue, told: Told, labels: np.ndarray, names: list[str], rows: np.ndarray) -> str:
    """What gives the class away, for the class that is told best, as a sentence."""
    name, inside = names[told.best], labels == told.best
    return (
        f"Best told is the class {name}: {told.found[told.best]:.0%} of it is found by {clue.label} alone "
        f"({clue.words(subject, rows[inside], rows[~inside])})."
    )


def _pairs(subject: Subject, told: Told, labels: np.ndarray, rows: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """Pictures of the class that is told best, which were found, each beside one of another class."""
    samples = subject.dataset.samples
    of_class = [samples[row].id for row in rows[(labels == told.best) & told.right][:SHOWN]]
    others = rows[labels != told.best]
    spread = others[np.linspace(0, len(others) - 1, len(of_class)).astype(int)] if len(of_class) else []
    return tuple((id, samples[row].id) for id, row in zip(of_class, spread, strict=True))


def _found(subject: Subject, told: Told, labels: np.ndarray, rows: np.ndarray) -> tuple[str, ...]:
    """Where the pictures of the class that is told best came from, those that were found."""
    return subject.names(subject.dataset.samples[row].id for row in rows[(labels == told.best) & told.right])


def _figures(told: Told, names: list[str]) -> dict[str, Any]:
    return {
        "accuracy": told.accuracy,
        "interval": [told.low, told.high],
        "chance": 1 / len(names),
        "found": dict(zip(names, told.found.tolist(), strict=True)),
    }


def _joined(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
