"""Is a duel fooled by chance, does it see what is there, and how long does one take?

    python -m benchmarks.duels [--repeats 1000] [--runs 20] [--images 400] [--size 128]

First, made-up answers: in worlds where the luck of seeds, of images or of neither dominates, two equally good ways of
training are compared again and again, and in the same worlds one that is better. The interval of a duel stands beside
two that people use: a paired t-interval over the seeds alone, and one over the images alone.

Then real networks on drawn cells. Runs of one policy, with other seeds and other variants each, are dealt into duels of
the policy against itself, which have to end without evidence; and a policy that destroys what is to be seen has to be
worse. Last, a duel as a person starts it, through the queue, by the clock.
"""

import time

import numpy as np

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.dataset import Dataset
from core.evaluate.predictions import PredictionTable
from core.executors.inline import InlineExecutor
from core.executors.local import LocalExecutor
from core.metrics.crossed import Crossed, crossed
from core.presets import DEFAULT, preset
from core.recipe import AugmentChoice, Recipe, TransformChoice
from core.runs.store import RunStore
from core.studies import duel
from core.studies.repeats import submit
from core.studies.study import Study, StudyStore
from core.workspace import Workspace
from tests.chance import WORLDS, answers

LEAST_QUIET = 0.93  # of duels between equals, that have to end without evidence
LEAST_SEEN = 0.8  # of duels with a difference that five seeds and 200 images can show
GAIN = 1.0  # a difference of 8 to 15 points where 1 to 4 images in 5 are easy
SECONDS = 75.0  # for a duel of two policies with five seeds on the drawn cells
SEEDS = 5
LIGHT = AugmentChoice(policy="light")
DESTROYED = AugmentChoice(
    policy="destroyed",
    rows=(
        TransformChoice(name="random-crop", values={"area": 0.08, "stretch": 2.0}),
        TransformChoice(name="hue", values={"strength": 0.5}),
        TransformChoice(name="grayscale"),
        TransformChoice(name="blur", values={"largest": 0.05}),
        TransformChoice(name="noise", values={"strength": 0.3}),
    ),
)


def made_up(repeats: int, verdict: Verdict) -> None:
    """How often a verdict is given, in percent, where there is no difference and where there is one."""
    print(f"   {'verdicts in 100 duels between equals / with a difference':<64}  duel   seeds  images", flush=True)
    for images in (60, 200, 1000):
        for seeds in (3, 5, 10):
            quiet, seen = [], []
            for name, world in WORLDS.items():
                equal, better = (_given(repeats, seeds, images, gain, world) for gain in (0.0, GAIN))
                told = "  ".join(
                    f"{100 * one:3.0f}/{100 * other:3.0f}" for one, other in zip(equal, better, strict=True)
                )
                print(f"   {images:>5} images, {seeds:>2} seeds, {name:<36} {told}", flush=True)
                quiet.append(1 - equal[0])
                seen += [better[0]] if name != "nearly all right" else []
            verdict.at_least(f"no evidence, {images} images, {seeds} seeds", [min(quiet)], LEAST_QUIET, unit="of duels")
            if seeds >= SEEDS and images >= 200:
                verdict.at_least(f"seen, {images} images, {seeds} seeds", seen, LEAST_SEEN, unit="of duels")


def _given(repeats: int, seeds: int, images: int, gain: float, world: dict[str, float]) -> np.ndarray:
    """Shares of verdicts by a duel, by a t-test over the seeds, and by one over the images."""
    generator, given = np.random.default_rng(0), np.zeros(3)
    for _ in range(repeats):
        table = answers(generator, seeds, images, gain=gain, **world)
        alone = [_beyond(table.mean(axis=axis)) for axis in (1, 0)]
        given += [crossed(table).verdict != "no evidence", *alone]
    return given / repeats


def _beyond(values: np.ndarray) -> bool:
    """Whether the 95 % t-interval of a mean leaves zero out."""
    from scipy.stats import t

    return abs(values.mean()) > t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))


def against_itself(workspace: Workspace, recipe: Recipe, dataset: Dataset, runs: int, verdict: Verdict) -> None:
    """Duels of real runs: of one policy against itself, and against one that destroys what is to be seen."""
    study = _made(workspace, recipe, dataset, {"light": LIGHT, "destroyed": DESTROYED}, range(runs))
    submit(InlineExecutor(workspace), study)
    right: dict[str, list[np.ndarray]] = {"light": [], "destroyed": []}
    for member in study.members:
        table = PredictionTable.read(RunStore(workspace).paths(member.run).predictions("validation"))
        right[member.varies["policy"]].append((table.predicted == table.truth).astype(float))
    generator = np.random.default_rng(0)
    found = [_dealt(generator, right["light"], right["light"]) for _ in range(200)]
    quiet = sum(one.verdict == "no evidence" for one in found) / len(found)
    error = np.mean([np.hypot(one.seed_error, one.image_error) for one in found])
    bench.line("a policy against itself, without evidence", [100 * quiet], "in 100", goal="at least 93")
    bench.line(
        "how far apart its halves are, standard deviation", [100 * np.std([one.mean for one in found])], "points"
    )
    bench.line("what duels take it to be, standard error", [100 * error], "points")
    verdict.at_least("a policy against itself, without evidence", [quiet], LEAST_QUIET, unit="of duels")
    worse = [_dealt(generator, right["destroyed"], right["light"]).verdict == "worse" for _ in range(50)]
    bench.line("a policy that destroys labels is worse", [100 * np.mean(worse)], "in 100", goal="100")
    verdict.at_least("a policy that destroys labels is worse", [np.mean(worse)], 1.0, unit="of duels")


def _dealt(generator: np.random.Generator, ours: list[np.ndarray], theirs: list[np.ndarray]) -> Crossed:
    """A duel of five runs of either side; where both sides are one, no run stands on both."""
    places = generator.permutation(len(ours))
    first, second = places[:SEEDS], places[SEEDS : 2 * SEEDS]
    return crossed(np.stack([ours[one] for one in first]) - np.stack([theirs[one] for one in second]))


def by_the_clock(workspace: Workspace, recipe: Recipe, dataset: Dataset, verdict: Verdict) -> None:
    """A duel of two policies through the queue, from the click to the last run."""
    store, executor = RunStore(workspace), LocalExecutor(workspace)
    study = _made(
        workspace,
        recipe,
        dataset,
        {"moderate": AugmentChoice(policy="moderate"), "none": AugmentChoice(policy="none")},
        range(SEEDS),
    )
    bench.wait_for_spare(workspace)
    began = time.monotonic()
    submit(executor, study)
    for member in study.members:
        bench.wait_until_finished(store, member.run, looks=0.5)
    seconds = time.monotonic() - began
    table = duel.duel_table(study, {member.run: store.get(member.run) for member in study.members})
    print(f"   {table.verdict}", flush=True)
    bench.line("a duel of two policies, five seeds", [seconds], "s", goal="about a minute")
    verdict.at_most("a duel of two policies, five seeds", [seconds], SECONDS, unit="s")


def _made(
    workspace: Workspace, recipe: Recipe, dataset: Dataset, policies: dict[str, AugmentChoice], seeds: range
) -> Study:
    told = {label: choice.model_dump(mode="json") for label, choice in policies.items()}
    id = duel.make(str(workspace.root), recipe.to_json(), dataset.id, told, list(seeds))
    return StudyStore(workspace).get(id)


def main() -> None:
    parser = bench.options(__doc__, pairs=1, images=400, size=128)
    parser.add_argument("--repeats", type=int, default=1000, help="duels of made-up answers in each world (1000)")
    parser.add_argument("--runs", type=int, default=20, help="real runs of each policy, that duels are dealt of (20)")
    arguments, verdict = parser.parse_args(), Verdict()
    bench.headline("Duels: how often chance is taken for a difference, and how long one takes")
    made_up(arguments.repeats, verdict)
    with bench.bench_workspace() as workspace:
        dataset = bench.demo_dataset(workspace, arguments.images, size=96)
        recipe = preset(DEFAULT).recipe().set({"dataset": dataset.id, "image_size": arguments.size})
        by_the_clock(workspace, recipe, dataset, verdict)
        against_itself(workspace, recipe, dataset, max(2 * SEEDS, arguments.runs), verdict)
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
