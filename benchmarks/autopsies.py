"""Are planted faults named, and are tables without one left in peace?

    python -m benchmarks.autopsies [--trials 200] [--data FOLDER]

Real answers are made first: scikit-learn models on handwritten digits, answering rows that they did not learn from, at
accuracies of about 0.6 to 0.98 and for 2 to 20 classes (a mirrored digit is a class of its own); and, given a folder of
class folders, heads on the frozen backbone of Fovea. Each trial draws 50 to 5,000 rows of such answers, with classes as
even as they are or up to ten times as common as each other, in a mixed order or class after class, plants one fault,
and asks for the cause. A trial counts where the rule of `core.integrity.autopsy.decidable` says that so many rows can
decide; others are told apart. Confidence is held against how often it was right.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import bench
from benchmarks.judge import Verdict
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.decidable import CLOSE, GOOD, LEAST, can_place, can_refuse, claims_of, lift_of, shares_of
from core.integrity.autopsy.leaks import find_leak
from core.integrity.autopsy.repeats import period_of
from core.integrity.autopsy.shares import CONSTANT, ceiling
from core.integrity.autopsy.weighing import tempered, weigh

ACCURACIES = (0.6, 0.7, 0.8, 0.9, 0.98)
CLASSES = (2, 3, 5, 10, 20)
SIZES = (50, 200, 1000, 5000)
UNEVEN = (1.0, 3.0, 10.0)  # times as many of the commonest class as of the rarest
DIRECTIONS = 64  # of the features of pictures that a head learns from
NAMED, ALARMS = 0.95, 0.01


@dataclass(frozen=True, eq=False)
class Pool:
    """Answers of one model to images that it had not learned from."""

    name: str
    classes: tuple[str, ...]
    truth: np.ndarray  # (N,)
    shares: np.ndarray  # (N, K) probabilities
    guesses: np.ndarray  # (N, K) those of the same kind of model, after it had learned labels in a mixed order

    @property
    def accuracy(self) -> float:
        return float((self.shares.argmax(axis=1) == self.truth).mean())


def digits(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 64) and labels of digits; from ten classes on those of mirrored ones as well."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    if classes > 10:
        mirrored = images.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
        images, labels = np.concatenate([images, mirrored]), np.concatenate([labels, labels + 10])
    chosen = labels < classes
    return images[chosen], labels[chosen]


def out_of_fold(images: np.ndarray, labels: np.ndarray, kind: str) -> np.ndarray:
    """Probabilities (N, K) for every row, of models that learned from the others."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models = {
        "logistic regression": lambda: LogisticRegression(C=0.01, max_iter=60),
        "naive Bayes": lambda: GaussianNB(var_smoothing=0.01),
        "neighbours": lambda: KNeighborsClassifier(9),
        "forest": lambda: RandomForestClassifier(40, max_depth=9, random_state=0),
    }
    model = make_pipeline(StandardScaler(), models[kind]())
    return cross_val_predict(model, images, labels, cv=3, method="predict_proba").astype(np.float32)


def pool_at(name: str, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...], aim: float, kind: str) -> Pool:
    """Answers of about this accuracy: so much noise is laid over what is learned from and asked about."""
    generator = np.random.default_rng(int(100 * aim) + len(names))
    noise = generator.normal(size=images.shape) * images.std()
    low, high, best = 0.0, 12.0, None
    for _ in range(7):
        middle = (low + high) / 2
        shares = out_of_fold(images + middle * noise, labels, kind)
        accuracy = (shares.argmax(axis=1) == labels).mean()
        if best is None or abs(accuracy - aim) < best[0]:
            best = abs(accuracy - aim), middle, shares
        if abs(accuracy - aim) < 0.01:
            break
        low, high = (middle, high) if accuracy > aim else (low, middle)
    guesses = out_of_fold(images + best[1] * noise, generator.permutation(labels), kind)
    return Pool(f"{name}, {kind}", names, labels, best[2], guesses)


def digit_pools() -> Iterator[Pool]:
    """Models on digits, for each number of classes and accuracy one."""
    kinds = ("logistic regression", "naive Bayes", "neighbours", "forest")
    for row, classes in enumerate(CLASSES):
        images, labels = digits(classes)
        names = tuple(map(str, range(classes)))
        for column, aim in enumerate(ACCURACIES):
            yield pool_at(f"digits, {classes} classes", images, labels, names, aim, kinds[(row + column) % len(kinds)])


def folder_pools(folder: Path) -> Iterator[Pool]:
    """Heads on the features that Fovea's backbone sees in a folder of class folders."""
    from sklearn.decomposition import PCA

    from core.integrity.embedding import BLOCK, features_of

    with bench.bench_workspace() as workspace:
        dataset = bench.folder_dataset(workspace, folder, seed=0)
        labels = np.array([sample.label for sample in dataset.samples])
        with features_of(dataset, workspace.cache) as read:
            blocks = [range(start, min(len(labels), start + BLOCK)) for start in range(0, len(labels), BLOCK)]
            features = np.concatenate([read(block) for block in blocks])
        features = PCA(DIRECTIONS, random_state=0).fit_transform(features)
        for aim in ACCURACIES:
            yield pool_at(folder.name, features, labels, dataset.classes, aim, "logistic regression")


@dataclass(frozen=True, eq=False)
class Clean:
    """Rows drawn from a pool, with nothing wrong."""

    pool: Pool
    truth: np.ndarray
    shares: np.ndarray
    rows: np.ndarray  # of the pool
    ordered: bool  # whether classes come one after the other
    uneven: float

    @property
    def predicted(self) -> np.ndarray:
        return self.shares.argmax(axis=1)


def drawn(pool: Pool, size: int, uneven: float, ordered: bool, generator: np.random.Generator) -> Clean:
    """So many rows of a pool, with replacement."""
    classes = len(pool.classes)
    weights = uneven ** -(np.arange(classes) / max(1, classes - 1))
    weights = generator.permutation(weights)[pool.truth] / np.bincount(pool.truth, minlength=classes)[pool.truth]
    rows = generator.choice(len(pool.truth), size, p=weights / weights.sum())
    if ordered:
        rows = rows[np.argsort(pool.truth[rows], kind="stable")]
    return Clean(pool, pool.truth[rows], pool.shares[rows], rows, ordered, uneven)


@dataclass(frozen=True, eq=False)
class Planted:
    """Answers with a fault, as somebody would hand them in, and of which clean row each of them is."""

    answers: Answers
    places: np.ndarray


def handed_in(
    clean: Clean, truth: np.ndarray, shares: np.ndarray, places: np.ndarray | None = None, *, labels: bool = True
) -> Planted:
    """The answers `shares[places]`, with classes or with probabilities alone."""
    places = np.arange(len(shares)) if places is None else places
    shares = shares[places]
    answers = Answers(
        clean.pool.classes, truth, shares.argmax(axis=1), probabilities=None if labels else shares, labelled=labels
    )
    return Planted(answers, places)


def sound(clean: Clean, generator: np.random.Generator) -> Planted:
    return handed_in(clean, clean.truth, clean.shares, labels=generator.random() < 0.5)


def shuffled(clean: Clean, generator: np.random.Generator) -> Planted:
    order = generator.permutation(len(clean.truth))
    return handed_in(clean, clean.truth, clean.shares, order, labels=generator.random() < 0.5)


def shifted(clean: Clean, generator: np.random.Generator) -> Planted:
    size = len(clean.truth)
    offset = int(generator.choice([1, 2, 3, 8, 16, 32, int(generator.integers(1, size // 2))])) % (size // 2) or 1
    if generator.random() < 0.5:
        return handed_in(clean, clean.truth, clean.shares, np.roll(np.arange(size), offset))
    return handed_in(clean, clean.truth[:-offset], clean.shares, np.arange(offset, size))


def permuted(clean: Clean, generator: np.random.Generator) -> Planted:
    order = np.arange(len(clean.pool.classes))
    while (order == np.arange(len(order))).all():
        order = generator.permutation(order)
    return handed_in(clean, clean.truth, clean.shares[:, order])


def string_order(clean: Clean, generator: np.random.Generator) -> Planted:
    order = np.argsort([str(label) for label in range(len(clean.pool.classes))], kind="stable")
    return handed_in(clean, clean.truth, clean.shares[:, order])


def columns(clean: Clean, generator: np.random.Generator) -> Planted:
    shares = np.roll(clean.shares, int(generator.integers(1, len(clean.pool.classes))), axis=1)
    return handed_in(clean, clean.truth, shares, labels=False)


def truncated(clean: Clean, generator: np.random.Generator) -> Planted:
    size = len(clean.truth)
    batch = int(generator.choice([batch for batch in (8, 16, 32, 64, 100, 128) if batch < size and size % batch]))
    return handed_in(clean, clean.truth, clean.shares, np.arange(size // batch * batch))


def tiled(clean: Clean, generator: np.random.Generator) -> Planted:
    first = max(10, len(clean.truth) // int(generator.integers(2, 6)))
    return handed_in(clean, np.resize(clean.truth[:first], len(clean.truth)), clean.shares)


def repeated(clean: Clean, generator: np.random.Generator) -> Planted:
    times = int(generator.integers(2, 4))
    again = np.tile if generator.random() < 0.5 else np.repeat
    return handed_in(clean, again(clean.truth, times), clean.shares)


def constant(clean: Clean, generator: np.random.Generator) -> Planted:
    shares = np.zeros_like(clean.shares)
    shares[:, int(generator.integers(len(clean.pool.classes)))] = 1
    return handed_in(clean, clean.truth, shares)


def chance(clean: Clean, generator: np.random.Generator) -> Planted:
    """A model with random weights, which leans towards some classes whatever it sees."""
    classes = len(clean.pool.classes)
    while True:
        scores = generator.normal(size=(len(clean.truth), classes)) @ generator.normal(size=(classes, classes)) * 0.5
        scores += generator.normal(size=classes) * 2
        if np.bincount(scores.argmax(axis=1)).max() < CONSTANT * len(scores):  # else it is another fault
            return handed_in(clean, clean.truth, scores)


def mixed_labels(clean: Clean, generator: np.random.Generator) -> Planted:
    """A model that had learned labels in a mixed order."""
    rows = generator.permutation(clean.rows)  # the few rows of a pool hang together a little, by luck
    return handed_in(clean, clean.truth, clean.pool.guesses[rows], labels=generator.random() < 0.5)


def leaked(clean: Clean, generator: np.random.Generator) -> Planted:
    names = [f"img_{row}_{place:05d}_{generator.integers(16**6):06x}.jpg" for place, row in enumerate(clean.rows)]
    share = generator.uniform(0.02, 0.5)
    shared = [name for name in names if generator.random() < share] or names[:1]
    training = "\n".join([f"train/{name}" for name in shared] + [f"train/other_{row:06d}x.jpg" for row in range(200)])
    leak = find_leak(("train.txt", training.encode()), None, names)
    planted = handed_in(clean, clean.truth, clean.shares)
    return replace(planted, answers=replace(planted.answers, ids=tuple(names), leak=leak))


FAULTS = {
    "nothing": (sound, "sound"),
    "rows shuffled": (shuffled, "shuffled"),
    "rows shifted": (shifted, "shifted"),
    "classes permuted": (permuted, "permuted-classes"),
    "classes in string order": (string_order, "permuted-classes"),
    "columns rolled": (columns, "permuted-classes"),
    "last batch dropped": (truncated, "truncated"),
    "truth tiled": (tiled, "repeated"),
    "truth several times": (repeated, "repeated"),
    "one class answered": (constant, "constant"),
    "random weights": (chance, "chance"),
    "labels learned mixed": (mixed_labels, "chance"),
    "leaked": (leaked, "leaked"),
}


def decidable(cause: str, clean: Clean, planted: Planted) -> bool:
    """The rule, from what is known of what was planted: the shares, the accuracy, the classes and the rows."""
    answers, classes = planted.answers, len(clean.pool.classes)
    shares = shares_of(clean.predicted, classes)
    lift = lift_of(float((clean.predicted == clean.truth).mean()), shares)
    if cause == "sound":
        return lift >= LEAST
    if cause in ("constant", "leaked"):
        return True
    rows = min(len(answers.truth), len(answers.predicted))
    if cause in ("shuffled", "chance"):
        best = ceiling(answers.truth, answers.predicted, classes)
        if not (best < GOOD if cause == "chance" else best >= CLOSE):
            return False
        return can_refuse(rows, shares_of(answers.predicted, classes), shares_of(answers.truth, classes))
    meant, said = clean.truth[planted.places[:rows]], clean.predicted[planted.places[:rows]]
    apart = (answers.truth[:rows] != meant) | (answers.predicted[:rows] != said)
    if cause == "repeated" and len(answers.truth) == len(answers.predicted):
        rows = period_of(answers.truth) or 0
    differing = int(apart.sum()) if apart.any() else None
    truth = shares_of(clean.truth[:rows], classes)
    return can_place(
        rows, shares, lift, claims_of(cause, len(answers.truth), classes), truth=truth, differing=differing
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="class folders, besides digits")
    parser.add_argument("--trials", type=int, default=200, help="of each fault (200); five times as many without one")
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), help="some of the faults")
    arguments, verdict = parser.parse_args(), Verdict()
    bench.headline("Autopsies: planted faults that are named, and false alarms")
    began = time.monotonic()
    pools = [*digit_pools(), *(folder_pools(arguments.data) if arguments.data else ())]
    for pool in pools:
        print(f"   {pool.name:<44} accuracy {pool.accuracy:.2f}, {len(pool.truth):,} rows")
    print(f"   made in {time.monotonic() - began:.0f} s", flush=True)
    print(f"   {'planted':<26}{'decidable':>10}{'named':>8}   {'below the rule':>14}{'named':>8}   taken for")
    sure: list[tuple[float, bool]] = []
    for fault in arguments.only or FAULTS:
        show(fault, pools, arguments.trials * (5 if fault == "nothing" else 1), sure, verdict)
    reliability(sure)
    bench.footer()
    verdict.end()


def show(fault: str, pools: list[Pool], trials: int, sure: list[tuple[float, bool]], verdict: Verdict) -> None:
    """Plant one fault again and again, and tell how often it was named."""
    plant, cause = FAULTS[fault]
    generator = np.random.default_rng(sum(map(ord, fault)))
    right: dict[bool, list[bool]] = {True: [], False: []}
    taken: dict[str, int] = defaultdict(int)
    usable = [pool for pool in pools if fault != "classes in string order" or len(pool.classes) > 10]
    for _ in range(trials):
        pool = usable[generator.integers(len(usable))]
        size, uneven = int(generator.choice(SIZES)), float(generator.choice(UNEVEN))
        clean = drawn(pool, size, uneven, bool(generator.random() < 0.3), generator)
        planted = plant(clean, generator)
        _, _, weights, named = weigh(planted.answers)
        decides = decidable(cause, clean, planted)
        right[decides].append(named == cause)
        sure.append((tempered(weights)[named], named == cause))
        if named != cause and decides:
            taken[named] += 1
    figures = [f"{len(found):>10}{f'{np.mean(found):.1%}' if found else '–':>8}   " for found in right.values()]
    others = ", ".join(f"{name} {number}" for name, number in sorted(taken.items(), key=lambda row: -row[1]))
    print(f"   {fault:<26}{figures[0]}{figures[1].rjust(25)}{others}", flush=True)
    if fault == "nothing":
        verdict.at_most("false alarms", [1 - float(np.mean(right[True]))], ALARMS, unit="of tables")
    elif right[True]:
        verdict.at_least(f"{fault}: named", [float(np.mean(right[True]))], NAMED, unit="of tables")


def reliability(sure: list[tuple[float, bool]]) -> None:
    """How often a verdict of each confidence was right."""
    confidence, right = np.array([row[0] for row in sure]), np.array([row[1] for row in sure])
    print("   confidence and how often it was right:")
    for low, high in ((0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 0.99), (0.99, 1.01)):
        inside = (confidence >= low) & (confidence < high)
        if inside.any():
            print(f"      {low:.2f} to {min(high, 1):.2f}: {right[inside].mean():.1%} of {inside.sum():,}", flush=True)


if __name__ == "__main__":
    main()
