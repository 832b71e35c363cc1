"""Is a comparison of runs fooled by chance? Equal recipes and equal networks, again and again, made up and real.

    python -m benchmarks.comparisons [--repeats 400] [--networks 40]

First made-up answers: two recipes that are equally good, with several seeds each, and two networks that are equally
good, in worlds where the luck of seeds, of images or of neither dominates. Beside the comparison of recipes stands what
a test of two single networks says of them: it answers another question, and of recipes it would be wrong far too often.

Then real networks on scikit-learn's digits: many with one recipe and other seeds, dealt into recipes that are the same
one, on images that are drawn anew each time; two of them, and four at once, of which no pair may be called different.
Last, a recipe that is worse has to be seen.
"""

import argparse
import warnings
from collections.abc import Sequence

import numpy as np

from benchmarks import bench
from benchmarks.judge import Verdict
from core.compare.answers import Common
from core.compare.judging import Judge
from core.metrics.groups import grouped
from core.metrics.parts import metric
from core.metrics.several import level_of, paired_difference, paired_interval, together
from tests.chance import WORLDS

MOST_FOOLED = 0.05  # of comparisons between equals that may be called different
LEAST_HELD = 0.93  # of true differences that intervals have to hold
LEAST_SEEN = 0.9  # of comparisons with a recipe that is clearly worse
ENOUGH = 5  # seeds; three say little, since they hardly say how seeds vary
CLASSES = 10
IMAGES = 300  # of each comparison of real networks


def made_up(repeats: int, verdict: Verdict) -> None:
    """How often equal recipes are called different, by their seeds and images, and by one network of each."""
    print(f"   {'called different in 100, recipes / one network of each':<64}  by world", flush=True)
    for seeds, images in ((3, 60), (3, 1000), (5, 200), (10, 1000)):
        of_recipes, told = [], []
        for name, world in WORLDS.items():
            generator, fooled = np.random.default_rng(0), np.zeros(2)
            for _ in range(repeats):
                ease = generator.normal(world.get("easy", 1.5), 2.0, images)
                one, two = (_right(generator, seeds, ease, world) for _ in range(2))
                single = paired_interval(int((two[0] > one[0]).sum()), int((two[0] < one[0]).sum()), images)
                fooled += [grouped(one, two).verdict != "no evidence", not single.low <= 0 <= single.high]
            of_recipes.append(fooled[0] / repeats)
            told.append(f"{name} {100 * fooled[0] / repeats:.0f}/{100 * fooled[1] / repeats:.0f}")
        print(f"   {seeds:>2} seeds, {images:>4} images: {', '.join(told)}", flush=True)
        verdict.at_most(f"equal recipes, {seeds} seeds, {images} images", [max(of_recipes)], _most(repeats), unit="")


def _right(generator: np.random.Generator, seeds: int, ease: np.ndarray, world: dict[str, float]) -> np.ndarray:
    """Right or wrong answers (S, N) of one recipe to images of this ease, as `tests.chance.answers` draws them."""
    about = {"of_seeds": 0.2, "of_images": 0.3, "of_each": 0.4} | world
    suits = generator.normal(0, about["of_images"], len(ease))
    luck = generator.normal(0, about["of_seeds"], (seeds, 1))
    return (ease + suits + luck + generator.normal(0, about["of_each"], (seeds, len(ease))) > 0).astype(float)


def networks_of_equal_worth(repeats: int, verdict: Verdict) -> None:
    """How often two networks that are equally good on endless images are called different on these, by each figure;
    and how often the intervals of four of them hold all six true differences together."""
    for images in (50, 500):
        fooled = dict.fromkeys(("accuracy", "macro_f1", "auroc"), 0)
        held = 0
        generator = np.random.default_rng(0)
        for _ in range(repeats):
            truth = generator.integers(0, 4, images)
            given = [_sure(generator, truth, 0.5) for _ in range(4)]
            for name in fooled:
                found = paired_difference(name, truth, given[0], given[1], draws=500)
                fooled[name] += found is not None and found.different
            pairs = [(a, b) for a in range(4) for b in range(a)]
            all_pairs = [
                paired_difference("accuracy", truth, given[a], given[b], level=level_of(len(pairs))) for a, b in pairs
            ]
            fair = together([one.p for one in all_pairs], [one.interval for one in all_pairs])
            held += all(one.interval.low <= 0 <= one.interval.high and not one.different for one in fair)
        for name, number in fooled.items():
            label = f"equal networks by {name}, {images} images"
            bench.line(label, [100 * number / repeats], "in 100", goal="at most 5")
            verdict.at_most(label, [number / repeats], _most(repeats), unit="")
        label = f"six intervals hold together, {images} images"
        bench.line(label, [100 * held / repeats], "in 100", goal="at least 93")
        verdict.at_least(label, [held / repeats], LEAST_HELD, unit="")


def _most(repeats: int) -> float:
    """The share that a true 5 in 100 does not exceed in 39 of 40 countings of so many."""
    return MOST_FOOLED + 1.96 * (MOST_FOOLED * (1 - MOST_FOOLED) / repeats) ** 0.5


def _sure(generator: np.random.Generator, truth: np.ndarray, skill: float) -> np.ndarray:
    found = generator.dirichlet(np.ones(4), len(truth)) + skill * np.eye(4)[truth]
    return found / found.sum(axis=1, keepdims=True)


def real(networks: int, repeats: int, verdict: Verdict) -> None:
    """Networks on digits, dealt into recipes that are one and the same; and against fewer training images."""
    truth, same = _digits(range(networks), 600)
    _, worse = _digits(range(1000, 1000 + max(3, networks // 4)), 60)
    generator = np.random.default_rng(0)
    for seeds in (3, 5):
        fooled = any_of_four = seen = 0
        for _ in range(repeats):
            images = generator.choice(len(truth), IMAGES, replace=False)
            places = generator.permutation(networks)
            dealt = [places[group * seeds : (group + 1) * seeds] for group in range(4)]
            fooled += _different(truth, same, dealt[:2], images) > 0
            any_of_four += _different(truth, same, dealt, images) > 0
        for _ in range(max(10, repeats // 10)):
            images = generator.choice(len(truth), IMAGES, replace=False)
            both = same[:seeds] + worse[: min(seeds, len(worse))]
            seen += _different(truth, both, [range(seeds), range(seeds, len(both))], images) > 0
        label = f"one recipe against itself, {seeds} seeds each"
        bench.line(label, [100 * fooled / repeats], "in 100", goal="at most 5")
        verdict.at_most(label, [fooled / repeats], _most(repeats), unit="")
        label = f"any pair of four, {seeds} seeds each"
        bench.line(label, [100 * any_of_four / repeats], "in 100", goal="at most 5")
        verdict.at_most(label, [any_of_four / repeats], _most(repeats), unit="")
        share = seen / max(10, repeats // 10)
        label = f"a recipe with a tenth of the images, {seeds} seeds each"
        bench.line(label, [100 * share], "in 100", goal="at least 90" if seeds >= ENOUGH else "")
        if seeds >= ENOUGH:
            verdict.at_least(label, [share], LEAST_SEEN, unit="")
    alone = _single(truth, same, generator, repeats)
    bench.line("two networks of one recipe, as networks", [100 * alone], "in 100")
    print("   (that they differ may be true of them as networks: it says nothing about their recipe)", flush=True)


def _different(
    truth: np.ndarray, given: Sequence[np.ndarray], groups: Sequence[Sequence[int]], images: np.ndarray
) -> int:
    """How many pairs of recipes, as the page would compare them, are called different by their accuracy."""
    common = _common(truth, given, groups, images)
    judge = Judge(common)
    keys = {f"recipe {place}": [(int(one), str(one)) for one in group] for place, group in enumerate(groups)}
    pairs = judge.recipes(keys, {key: key for key in keys}, figures=[metric("accuracy")], classes=False)
    return sum(pair.different for pair in pairs)


def _single(truth: np.ndarray, given: Sequence[np.ndarray], generator: np.random.Generator, repeats: int) -> float:
    fooled = 0
    for _ in range(repeats):
        images = generator.choice(len(truth), IMAGES, replace=False)
        one, two = generator.choice(len(given), 2, replace=False)
        fooled += paired_difference("accuracy", truth[images], given[one][images], given[two][images]).different
    return fooled / repeats


def _common(
    truth: np.ndarray, given: Sequence[np.ndarray], groups: Sequence[Sequence[int]], images: np.ndarray
) -> Common:
    return Common(
        task="classification",
        classes=tuple(map(str, range(CLASSES))),
        ids=tuple(map(str, images)),
        files=tuple(map(str, images)),
        truth=truth[images],
        answers={str(one): given[one][images] for group in groups for one in group},
        relabelled=0,
        left_out=0,
    )


def _digits(seeds: Sequence[int], images: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The true digits of the images that nothing learned from, and the probabilities that a small network gives them,
    for each seed; it learns from so many other images, which are the same for all seeds."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    learned, held = order[:images], order[600:]
    given = []
    for seed in seeds:
        network = MLPClassifier((12,), random_state=seed, max_iter=25, learning_rate_init=0.01)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it could learn on is the point
            network.fit(pixels[learned] / 16, labels[learned])
        given.append(network.predict_proba(pixels[held] / 16))
    return labels[held].astype(np.int64), given


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=400, help="comparisons of each kind (400)")
    parser.add_argument("--networks", type=int, default=40, help="real networks that recipes are dealt of (40)")
    arguments, verdict = parser.parse_args(), Verdict()
    bench.headline("Comparisons: how often chance is taken for a difference between recipes, or networks")
    made_up(arguments.repeats, verdict)
    networks_of_equal_worth(arguments.repeats, verdict)
    real(max(20, arguments.networks), arguments.repeats, verdict)
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
