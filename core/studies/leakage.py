"""The price of leakage: what copies of judged pictures among the training pictures were worth.

The recipe of a run is trained again with several seeds on two splits that differ in nothing else: one in which the
pictures that belong together with validation pictures are learned from, and one without them. Both learn from equally
many pictures, of each class as many where there are enough: the first leaves out others instead. Both are judged by the
same validation images, so that the difference is paired, image by image and seed by seed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.data.dataset import Dataset, Sample
from core.data.split import in_splits
from core.errors import FoveaError, RecipeError, RunError
from core.integrity.leaks import known_from_train
from core.metrics.crossed import FEWEST_SEEDS, Crossed
from core.recipe import Recipe
from core.runs.data import dataset_of
from core.runs.store import Run, RunStore
from core.runs.summary import run_name
from core.seeding import derive
from core.studies.duel import DuelTable, crossed_from, crossed_gap, table_of, told, varied
from core.studies.removal import delete_study
from core.studies.repeats import MOST_RUNS, with_runs
from core.studies.study import Study, StudyStore
from core.train.check import check
from core.workspace import Workspace

KIND = "leakage"
CLEAN, LEAKY = "without the copies", "with the copies"  # the two splits; the second less the first is the price
USUAL_SEEDS = 5


@dataclass(frozen=True)
class Sides:
    """The two splits of a dataset."""

    leaky: Dataset
    clean: Dataset
    known: tuple[str, ...]  # ids of the validation pictures that have something in train
    leaking: int  # training pictures that belong together with one of them
    instead: int  # others that the leaky split leaves out, so that both learn from as many


@dataclass(frozen=True)
class Price:
    """What the runs of a study of leakage say together. Only runs that finished count."""

    duel: DuelTable  # the two splits as the sides of a duel
    run: str  # whose recipe it is
    known: int  # validation pictures that have something in train
    judged: int  # validation pictures
    learned: dict[str, int]  # by the name of a split: training pictures
    gap: Crossed | None  # with the copies less without, over all validation pictures; None below three seeds
    of_known: Crossed | None  # the same over the known ones
    of_new: Crossed | None  # and over the others
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the command line gives it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The price from plain data."""
        gaps = {name: crossed_from(data[name]) for name in ("gap", "of_known", "of_new")}
        return cls(**{**data, **gaps, "duel": DuelTable.from_json(data["duel"]), "learned": dict(data["learned"])})


# Making


def sides_of(dataset: Dataset, seed: int = 0) -> Sides:
    """The two splits of a dataset, in the splits of a run. Raises RunError where no validation picture is known from
    train, and where nothing would be left to learn from."""
    known = known_from_train(dataset)["validation"]
    leaking = {id for ids in known.values() for id in ids}
    if not leaking:
        raise RunError(
            "There is no price of leakage to measure",
            found="no validation picture that is a copy of one in train, nearly the same, or of its group",
            do="What leaks into the test split only cannot be measured while that is sealed: mend it on the page Data",
        )
    train = dataset.of("train")
    rest = [sample for sample in train if sample.id not in leaking]
    if not rest:
        raise RunError(
            "There is no price of leakage to measure",
            found=f"all {len(train):,} training pictures belong together with validation pictures",
            do="Deal the split anew on the page Data",
        )
    instead = _as_many(rest, Counter(sample.label for sample in train if sample.id in leaking), seed)
    return Sides(
        leaky=_without(dataset, instead, f"{LEAKY}: {len(instead):,} others of train left out instead"),
        clean=_without(dataset, leaking, f"{CLEAN}: {len(leaking):,} pictures of train left out"),
        known=tuple(known),
        leaking=len(leaking),
        instead=len(instead),
    )


def _as_many(rest: Sequence[Sample], wanted: Mapping[int, int], seed: int) -> set[str]:
    """Ids of so many of each class, chosen by chance; of a class with too few all but one."""
    by_class: dict[int, list[str]] = defaultdict(list)
    for sample in rest:
        by_class[sample.label].append(sample.id)
    chosen: set[str] = set()
    for label, number in wanted.items():
        ids = sorted(by_class[label], key=lambda id: derive(seed, "instead of copies", id))
        chosen.update(ids[: min(number, max(0, len(ids) - 1))])
    return chosen


def _without(dataset: Dataset, ids: Iterable[str], rule: str) -> Dataset:
    return in_splits(dataset, dict.fromkeys(ids, ""), rule)


def make(workspace_root: str, run_id: str, seeds: Sequence[int] = tuple(range(USUAL_SEEDS))) -> str:
    """Make the study of a run and all its runs, which wait until `core.studies.repeats.submit`, and return its id.

    Raises RunError when there is no such run or nothing leaks into its validation images, RecipeError for fewer than
    three seeds, one that is named twice and too many, DatasetError when the data are gone or changed, StorageError when
    the disk is full; nothing is left then.
    """
    workspace, seeds = Workspace(Path(workspace_root)), list(seeds)
    if len(set(seeds)) < len(seeds):
        raise RecipeError("seeds", found=", ".join(map(str, seeds)), expected="each seed once")
    if not FEWEST_SEEDS <= len(seeds) <= MOST_RUNS // 2:
        raise RecipeError("seeds", found=f"{len(seeds)} of them", expected=f"{FEWEST_SEEDS} to {MOST_RUNS // 2}")
    store, studies = RunStore(workspace), StudyStore(workspace)
    run = store.get(run_id)
    sides = sides_of(dataset_of(workspace, run), run.recipe.seed)
    data = {CLEAN: sides.clean, LEAKY: sides.leaky}
    runs = [(label, _recipe(run, label, seed)) for seed in seeds for label in data]
    for label, recipe in runs:
        check(recipe, data[label])
    splits = {label: {"train": len(one.of("train"))} for label, one in data.items()}
    spec = {
        "run": run.id,
        "seeds": seeds,
        "splits": splits,
        "known": list(sides.known),
        "leaking": sides.leaking,
        "instead": sides.instead,
    }
    study = studies.create(KIND, f"Price of leakage: {run.name}", run.recipe, spec)
    try:
        for label, recipe in runs:
            made = store.create(recipe, data[label], tags=(f"study:{study.id}",), dealt=True)
            studies.add(study.id, made, {"split": label, "seed": recipe.seed})
    except FoveaError:
        delete_study(workspace, study.id, runs=True)
        raise
    return study.id


def _recipe(run: Run, label: str, seed: int) -> Recipe:
    named = f"{run_name(run.recipe)}, {told(varied(label, seed))}"
    return run.recipe.set({"seed": seed}).model_copy(update={"name": named})


def expected_seconds(run: Run, seeds: int) -> float | None:
    """About how long the study of a run takes, by how long that took; None where it has not finished."""
    return run.status.seconds * 2 * seeds if run.status.seconds else None


# The price


def study_of(studies: Iterable[Study], run_id: str) -> Study | None:
    """The newest study of the leakage of a run."""
    mine = (one for one in studies if one.kind == KIND and one.spec.get("run") == run_id)
    return max(mine, key=lambda one: one.created, default=None)


def summarise(workspace_root: str, study_id: str) -> dict[str, Any]:
    """`price` as plain data, for the lab and the command line. Raises RunError when there is no such study."""
    return price(*with_runs(workspace_root, study_id)).to_json()


def price_of(workspace_root: str, run_id: str) -> Price | None:
    """What leakage was worth to a run, where a study of it was made and counts; None else."""
    study = study_of(StudyStore(Workspace(Path(workspace_root))).list(), run_id)
    if study is None:
        return None
    found = price(*with_runs(workspace_root, study.id))
    return found if found.gap else None


def price(study: Study, runs: Mapping[str, Run]) -> Price:
    """What the copies were worth, on all validation images, on the known ones and on the others."""
    spec = study.spec
    made = {told(varied(member.varies["split"], member.varies["seed"])): member.run for member in study.members}
    table, answers = table_of(study, [CLEAN, LEAKY], made, runs, _caution(spec))
    seeds = [seed for seed in answers[CLEAN] if seed in answers[LEAKY]]
    ours, theirs = ([answers[label][seed] for seed in seeds] for label in (LEAKY, CLEAN))
    ids = np.array(ours[0].ids if ours else ())
    mine = np.isin(ids, spec["known"])

    def gap(rows: np.ndarray) -> Crossed | None:
        return crossed_gap([one.parts[rows] for one in ours], [one.parts[rows] for one in theirs]) if ours else None

    everything = gap(np.ones(len(ids), bool))
    learned = {label: int(one["train"]) for label, one in spec["splits"].items()}
    return Price(
        duel=table,
        run=spec["run"],
        known=len(spec["known"]),
        judged=len(ids),
        learned=learned,
        gap=everything,
        of_known=gap(mine),
        of_new=gap(~mine),
        sentence=in_words(table, everything, len(spec["known"]), learned),
    )


def in_words(table: DuelTable, gap: Crossed | None, known: int, learned: Mapping[str, int]) -> str:
    """The price in a sentence or two."""
    if gap is None:
        return f"No price yet: {FEWEST_SEEDS} seeds have to finish on both splits."
    clean, leaky = (
        next(one.mean for one in line.figures if one.label == table.score) or 0.0 for line in table.policies
    )
    same = learned[LEAKY] == learned[CLEAN]
    from_ = f"each learning from {learned[CLEAN]:,}" if same else f"from {learned[LEAKY]:,} and {learned[CLEAN]:,}"
    means = (
        f"the same recipe and {gap.seeds} seeds reach {table.score} {leaky:.3f} with the copies and {clean:.3f} "
        f"without, {from_} pictures"
    )
    between = f"95 % interval {100 * gap.interval.low:+.1f} to {100 * gap.interval.high:+.1f}"
    pictures = f"{known:,} validation {'picture' if known == 1 else 'pictures'} known from training"
    if gap.verdict == "better":
        return f"The {pictures} lift the figure by {100 * gap.mean:.1f} points ({between}): {means}."
    if gap.verdict == "worse":
        return f"The {pictures} lower the figure by {-100 * gap.mean:.1f} points ({between}), which is odd: {means}."
    return (
        f"The {pictures} were worth nothing that can be told from chance: {100 * gap.mean:+.1f} points ({between}); "
        f"{means}. A price of less than about {100 * gap.unnoticed:.1f} points could well have gone unnoticed."
    )


def _caution(spec: Mapping[str, Any]) -> str:
    short = spec["leaking"] - spec["instead"]
    parts = [
        "Both sides are judged by the same validation images, each run at its best epoch on them. The intervals count "
        "what other seeds and other validation images would change."
    ]
    if short:
        parts.append(
            " Of some classes there were too few other pictures to leave out, so that the side with the copies learned "
            f"from {short:,} more: a part of the price is that."
        )
    return "".join(parts)
