"""Checks on numbers: classes that are rarer than others, and too few pictures to learn from or to judge by."""

from collections.abc import Iterator, Sequence
from math import sqrt

from core.data.dataset import Sample
from core.data.health.finding import Finding
from core.integrity.subject import Subject, number_of, some
from core.metrics.intervals import FEWEST_IMAGES, wilson

UNEVEN, VERY_UNEVEN = 3.0, 10.0  # times as many pictures of the commonest class as of the rarest
THIN = 0.01  # of the pixels of masks: a class with fewer is easily overlooked

FEWEST_TO_LEARN = 10  # pictures of a class
USUAL = 0.8  # the share of right answers for which intervals are told
WIDE, TOO_WIDE = 0.2, 0.4  # of the interval of an accuracy: from there on a note, and a warning
WIDE_CLASS, TOO_WIDE_CLASS = 0.45, 0.65  # of that of one class
SPREAD = 0.2  # by which Dice usually differs from picture to picture


def imbalance(subject: Subject) -> Iterator[Finding]:
    """Classes of which there are many more pictures than of others, or in masks far more pixels."""
    dataset = subject.dataset
    masks = dataset.task == "segmentation"
    counts = _counts(dataset.samples, len(dataset.classes))
    present = [label for label, number in enumerate(counts) if number]
    if len(present) < 2:
        return
    most, least = max(present, key=lambda label: counts[label]), min(present, key=lambda label: counts[label])
    ratio = counts[most] / counts[least]
    rare = ("shows" if masks else "is of") if counts[least] == 1 else "show" if masks else "are of"
    if ratio >= UNEVEN:
        yield Finding(
            "imbalance",
            "warning" if ratio >= VERY_UNEVEN else "note",
            f"{number_of(counts[most])} {'show' if masks else 'are of'} the class {dataset.classes[most]}, and only "
            f"{counts[least]:,} {rare} {dataset.classes[least]}: {ratio:.3g} times as many.",
            "A model that hardly ever answers with the rare class looks good then. Look at every class by itself, "
            "train with class weights, or collect more pictures of the rare ones.",
            evidence=_examples(dataset.samples, least),
            figures={"ratio": ratio, "pictures": dict(zip(dataset.classes, counts, strict=True))},
        )
    if masks:
        yield from _thin(subject, present)


def _thin(subject: Subject, present: Sequence[int]) -> Iterator[Finding]:
    dataset = subject.dataset
    pixels = [sum(sample.pixels[label] for sample in dataset.samples) for label in range(len(dataset.classes))]
    shares = {dataset.classes[label]: pixels[label] / sum(pixels) for label in present}
    thin = {name: share for name, share in shares.items() if share < THIN}
    if thin:
        told = some([f"{share:.2%} of them {name}" for name, share in thin.items()])
        yield Finding(
            "imbalance",
            "note",
            f"Few pixels of the masks belong to some classes: {told}.",
            "A loss that counts pixels hardly feels them. Use a Dice or focal loss, and judge by the Dice of each "
            "class and not by the share of right pixels.",
            evidence=_examples(dataset.samples, dataset.classes.index(min(thin, key=thin.__getitem__))),
            figures={"shares": shares},
        )


def few_to_learn(subject: Subject) -> Iterator[Finding]:
    """Too few pictures of a class to learn it."""
    dataset = subject.dataset
    learned = _counts(dataset.of("train"), len(dataset.classes))
    few = {name: number for name, number in zip(dataset.classes, learned, strict=True) if number < FEWEST_TO_LEARN}
    if few:
        told = some([f"{number:,} of {name}" for name, number in sorted(few.items(), key=lambda row: row[1])])
        yield Finding(
            "few-to-learn",
            "warning",
            f"Some classes have fewer than {FEWEST_TO_LEARN} pictures to learn from: {told}.",
            "A model can learn so few by heart and still not know the class. Collect more, or put the class together "
            "with another one.",
            figures={"pictures": few},
        )


def few_to_judge(subject: Subject) -> Iterator[Finding]:
    """Too few pictures to judge by, in the test split or of a class, told as the interval that they allow."""
    dataset = subject.dataset
    split = "test" if "test" in dataset.split_counts() else "validation"
    judging = dataset.of(split)
    if dataset.task == "segmentation":
        yield from _few_masks(subject, split, judging)
    elif judging:
        yield from _few_answers(subject, split, judging)


def _few_answers(subject: Subject, split: str, judging: Sequence[Sample]) -> Iterator[Finding]:
    number = len(judging)
    right, low, high = _interval(number)
    per_class = _counts(judging, len(subject.dataset.classes))
    rows = dict(zip(subject.dataset.classes, per_class, strict=True))
    widths = {name: high - low for name, count in rows.items() for _, low, high in [_interval(count)]}
    narrow = [name for name, width in widths.items() if width > WIDE_CLASS]
    if high - low > WIDE or narrow:
        severe = high - low > TOO_WIDE or max(widths.values()) > TOO_WIDE_CLASS
        whole = (
            f"With {number_of(number)} in {split}, {right} right answers ({right / number:.0%}) can come from a model "
            f"that is truly right in {low:.0%} to {high:.0%} of cases (95 % interval)."
        )
        yield Finding(
            "few-to-judge",
            "warning" if severe else "note",
            f"{whole}{_of_classes(rows, narrow)}",
            f"Two models can only be told apart when their scores differ by more than that. Put more pictures into "
            f"{split}, or use cross-validation (folds), where every picture is judged once.",
            figures={
                "split": split,
                "pictures": number,
                "interval": [low, high],
                "width": high - low,
                "per_class": {name: {"pictures": rows[name], "width": widths[name]} for name in rows},
            },
        )


def _of_classes(rows: dict[str, int], narrow: list[str]) -> str:
    """What can be said of the class with the fewest pictures, as a sentence; nothing where all have enough."""
    if not narrow:
        return ""
    fewest = min(narrow, key=lambda name: rows[name])
    if not rows[fewest]:
        return f" There is none of the class {fewest}, so nothing can be said about it."
    right, low, high = _interval(rows[fewest])
    others = f", and {number_of(len(narrow) - 1, 'other class has', 'other classes have')} hardly more" * (
        len(narrow) > 1
    )
    return (
        f" Of the class {fewest} there {'is' if rows[fewest] == 1 else 'are'} {rows[fewest]:,}: {right} found means "
        f"{low:.0%} to {high:.0%}{others}."
    )


def _few_masks(subject: Subject, split: str, judging: Sequence[Sample]) -> Iterator[Finding]:
    counts = dict(zip(subject.dataset.classes, _counts(judging, len(subject.dataset.classes)), strict=True))
    reaches = {name: _reach(count) for name, count in counts.items()}
    wide = {name: reach for name, reach in reaches.items() if 2 * reach > WIDE}
    if wide:
        fewest = min(wide, key=lambda name: counts[name])
        known = f"about ± {reaches[fewest]:.2f}" if counts[fewest] >= FEWEST_IMAGES else "nothing of use"
        yield Finding(
            "few-to-judge",
            "warning" if counts[fewest] < FEWEST_IMAGES else "note",
            f"{number_of(counts[fewest])} in {split} {'shows' if counts[fewest] == 1 else 'show'} the class {fewest}: "
            f"its mean Dice can then be known to {known} (95 % interval, where Dice differs by {SPREAD:g} from picture "
            "to picture).",
            f"Two models can only be told apart when their scores differ by more than that. Put more pictures into "
            f"{split}, or use cross-validation (folds).",
            figures={"split": split, "per_class": {name: {"pictures": counts[name]} for name in counts}},
        )


def _counts(samples: Sequence[Sample], classes: int) -> list[int]:
    counts = [0] * classes
    for sample in samples:
        for label in sample.holds:
            counts[label] += 1
    return counts


def _interval(number: int) -> tuple[int, float, float]:
    """Of so many pictures: how many right answers are usual, and Wilson's interval for them."""
    right = round(USUAL * number)
    return right, *wilson(right, number)


def _reach(number: int) -> float:
    """Half the width of the interval of a mean Dice over so many pictures."""
    return 1.96 * SPREAD / sqrt(number) if number else 1.0


def _examples(samples: Sequence[Sample], label: int) -> tuple[tuple[str, ...], ...]:
    return tuple((sample.id,) for sample in samples if label in sample.holds)[:8]
