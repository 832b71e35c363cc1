"""Splits: which images train the model, which choose it, and which judge it at the end."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

from core.data.dataset import SPLITS, Dataset, Sample
from core.data.groups import grouped, insist_on_template
from core.data.linked import linked
from core.errors import DatasetError, RecipeError, shown
from core.recipe import Recipe
from core.seeding import derive

POOLED = ("train", "validation")  # the splits whose images are dealt anew into folds; test stays apart


@dataclass(frozen=True)
class SplitRule:
    """The share of each split and the seed that decides who goes where. The shares sum to 1; only test may be 0."""

    train: float = 0.70
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0
    groups: str = ""  # a template over file names that says what belongs together: "{group}_*"; "" for what is known
    apart: bool = True  # whether near duplicates are kept on one side; groups and copies of a file always are

    def __post_init__(self) -> None:
        shares = self.shares
        fits = all(0 <= share <= 1 for share in shares.values()) and self.train > 0 and self.validation > 0
        if not fits or abs(sum(shares.values()) - 1) > 1e-6:
            raise DatasetError(
                "The shares of the splits do not work",
                found=", ".join(f"{split} {share:g}" for split, share in shares.items()),
                expected="train and validation above 0, test 0 or more, together 1",
            )
        if self.seed < 0:
            raise DatasetError("The seed of a split", found=str(self.seed), expected="0 or more")
        if self.groups:
            insist_on_template(self.groups)

    @property
    def shares(self) -> dict[str, float]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def to_json(self) -> str:
        """The rule as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The rule from JSON. Raises DatasetError when it is none."""
        try:
            return cls(**json.loads(text))
        except (AttributeError, TypeError, ValueError) as error:
            raise DatasetError("This is no rule for splits", found=shown(text)) from error

    @property
    def sentence(self) -> str:
        """The rule as the dataset states it: "70/15/15 stratified by seed 0"."""
        return "/".join(f"{100 * share:.3g}" for share in self.shares.values()) + f" stratified by seed {self.seed}"


def deal(samples: Sequence[Sample], rule: SplitRule) -> tuple[tuple[Sample, ...], str]:
    """Samples in the splits that a rule gives them, whatever splits they had, and the sentence that says how.

    Where the rule has a template for groups, the samples also get the groups that it gives. Raises DatasetError when it
    fits no file name.
    """
    samples = grouped(samples, rule.groups)
    splits = stratified(_strata(samples), rule, units(samples, apart=rule.apart))
    dealt = tuple(replace(sample, split=split) for sample, split in zip(samples, splits, strict=True))
    return dealt, _told(rule.sentence, samples, rule)


def complete(samples: Sequence[Sample], rule: SplitRule) -> tuple[tuple[Sample, ...], str]:
    """Samples whose splits came with the data, in those and, where validation is missing, in one carved out of train.

    Raises what `deal` and `complete_given` do.
    """
    samples = grouped(samples, rule.groups)
    together = units(samples, apart=rule.apart)
    splits, sentence = complete_given([sample.split for sample in samples], _strata(samples), rule, together)
    if splits != [sample.split for sample in samples]:
        sentence = _told(sentence, samples, rule)
    return tuple(replace(sample, split=split) for sample, split in zip(samples, splits, strict=True)), sentence


def _strata(samples: Sequence[Sample]) -> list[int]:
    masks = any(sample.mask for sample in samples)
    return rarest_held(samples) if masks else [sample.label for sample in samples]


def _told(sentence: str, samples: Sequence[Sample], rule: SplitRule) -> str:
    """The sentence of a split that was dealt, with what there was to deal by besides the classes."""
    if any(sample.mask for sample in samples):
        sentence = sentence.replace("stratified", "stratified by the rarest class of each mask,")
    groups = len({sample.group for sample in samples if sample.group})
    if groups:
        sentence += f", {groups:,} {'group' if groups == 1 else 'groups'} kept whole"
    if any(sample.twins for sample in samples):
        sentence += ", near duplicates kept together" if rule.apart else ", near duplicates scattered on request"
    return sentence


def stratified(labels: Sequence[int], rule: SplitRule, pictures: Sequence[str] | None = None) -> list[str]:
    """The split of each sample: within every class the shares of the rule, as near as whole units allow.

    `pictures` names what must stay together (see `units`), by default nothing: samples of the same name go to the same
    split, or a copy of a training image would be examined as if it were new. A class in three or more units is in every
    split whose share is above 0, unless that took another class out of one; in two, in train and validation; in one, in
    train. Depends on nothing but the arguments, and with `pictures` not on the order of the samples.
    """
    return _deal(labels, {split: share for split, share in rule.shares.items() if share > 0}, rule.seed, pictures)


def complete_given(
    given: Sequence[str], labels: Sequence[int], rule: SplitRule, pictures: Sequence[str] | None = None
) -> tuple[list[str], str]:
    """The splits that came with the data, completed, and the sentence that says how.

    A missing validation split is taken out of train, by the rule's seed and its proportion of train to validation. A
    missing test split stays missing: what was not set apart cannot be sealed. Raises DatasetError when nothing trains.
    """
    present = [split for split in SPLITS if split in given]
    if "train" not in present:
        raise DatasetError(
            "There is no training split",
            found=" and ".join(present) or "no split",
            expected="a folder train with pictures",
        )
    if "validation" in present:
        return list(given), "given by the folders"
    rows = [row for row, split in enumerate(given) if split == "train"]
    share = rule.validation / (rule.train + rule.validation)
    dealt = _deal(
        [labels[row] for row in rows],
        {"train": 1 - share, "validation": share},
        rule.seed,
        [pictures[row] for row in rows] if pictures else None,
    )
    completed = list(given)
    for row, split in zip(rows, dealt, strict=True):
        completed[row] = split
    return completed, f"given by the folders; validation is {share:.0%} of train, stratified by seed {rule.seed}"


def units(samples: Sequence[Sample], *, apart: bool = True) -> list[str]:
    """For each sample the name of what must stay on one side together with it: the same file, group or near duplicates.

    Whatever is linked through others is one unit. Its name is the smallest digest in it, whatever the order of the
    samples. Where near duplicates need not be kept `apart` from the other side, they link nothing.
    """
    return _linked(samples, lambda sample: (("group", sample.group), ("twins", sample.twins if apart else "")))


def _linked(samples: Sequence[Sample], links: Callable[[Sample], Iterable[tuple[str, str]]]) -> list[str]:
    """For each sample the smallest digest of those linked with it. A link is a kind and a name, "" for none."""
    first: dict[tuple[str, str], str] = {}  # a digest that has the link
    pairs = (
        (first.setdefault(link, sample.digest), sample.digest)
        for sample in samples
        for link in links(sample)
        if link[1]
    )
    smallest = linked((sample.digest for sample in samples), pairs)
    return [smallest[sample.digest] for sample in samples]


@dataclass(frozen=True)
class Straddling:
    """What is on several sides of a split and should be on one, as ids of the pictures, those that belong together in
    one tuple."""

    groups: tuple[tuple[str, ...], ...]
    twins: tuple[tuple[str, ...], ...]  # near duplicates and copies of one file

    def __bool__(self) -> bool:
        return bool(self.groups or self.twins)

    @property
    def sentence(self) -> str:
        """What it means, for a person; "" for nothing."""
        told = [
            f"{len(found):,} {one if len(found) == 1 else many}"
            for found, one, many in (
                (self.groups, "group", "groups"),
                (self.twins, "set of near duplicates", "sets of near duplicates"),
            )
            if found
        ]
        if not told:
            return ""
        stand = "is" if len(self.groups) + len(self.twins) == 1 else "are"
        return (
            f"{' and '.join(told)} {stand} in more than one split, so a model is examined on pictures like those it "
            "learned from, and scores look better than they are."
        )


def straddling(samples: Sequence[Sample]) -> Straddling:
    """The groups, copies and near duplicates that are in more than one split."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    twins: dict[str, list[Sample]] = defaultdict(list)
    alike = _linked(samples, lambda sample: (("twins", sample.twins),))
    for sample, unit in zip(samples, alike, strict=True):
        twins[unit].append(sample)
        if sample.group:
            groups[sample.group].append(sample)

    def torn(sets: Mapping[str, list[Sample]]) -> tuple[tuple[str, ...], ...]:
        # A picture in no split was left out of a run, and is on neither side.
        several = (members for members in sets.values() if len({sample.split for sample in members} - {""}) > 1)
        return tuple(tuple(sample.id for sample in members) for members in several)

    return Straddling(torn(groups), torn(twins))


def dataset_caution(dataset: Dataset) -> str:
    """What to keep in mind when scores of this dataset are read, as a sentence; "" for nothing."""
    return straddling(dataset.samples).sentence


def rarest_held(samples: Sequence[Sample]) -> list[int]:
    """For each sample the class by which to deal images with masks: of those in it the one that fewest images hold.

    -1 where the mask is all ignored. Copies of one image have one answer, so that they stay together.
    """
    held: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        held[sample.digest].update(sample.holds)
    images = Counter(index for classes in held.values() for index in classes)
    return [min(held[sample.digest], key=lambda index: (images[index], -index), default=-1) for sample in samples]


def folded(dataset: Dataset, folds: int, fold: int, seed: int) -> Dataset:
    """The dataset with its training and validation images dealt into `folds` equal parts by class, of which `fold`,
    from 0, is the validation split and all others are the training split. The test split stays as it is.

    Every image is in the validation split of exactly one fold. What belongs together (see `units`) stays together, and
    an image with a mask is dealt by the rarest class in it. Depends on the pictures, their labels and groups and the
    seed alone. The result has the fingerprint of the dataset, since its images and their order are the same: whatever
    is stored for them is shared by all folds. Raises what `insist_on_folds` does.
    """
    insist_on_folds(dataset, folds, fold)
    pool = [sample for sample in dataset.samples if sample.split in POOLED]
    dealt = _deal(_strata(pool), {str(one): 1 / folds for one in range(folds)}, derive(seed, "folds"), units(pool))
    split_of = {
        sample.id: "validation" if part == str(fold) else "train" for sample, part in zip(pool, dealt, strict=True)
    }
    return in_splits(dataset, split_of, f"fold {fold + 1} of {folds}, stratified by seed {seed}")


def split_for(recipe: Recipe, dataset: Dataset) -> Dataset:
    """The dataset in the splits that a recipe asks for: its own, or one of the folds. Raises what `folded` does."""
    return folded(dataset, recipe.folds, recipe.fold, recipe.seed) if recipe.folds else dataset


def insist_on_folds(dataset: Dataset, folds: int, fold: int) -> None:
    """Refuse folds that cannot be dealt.

    Raises RecipeError for a number of folds below 2 and for a fold that is none of them; DatasetError where a class is
    in fewer different pictures than there are folds, those that must stay together counted once and test images not.
    """
    if folds < 2:
        raise RecipeError("folds", found=str(folds), expected="2 or more, or 0 for the split of the dataset")
    if not 0 <= fold < folds:
        raise RecipeError("fold", found=str(fold), expected=f"0 to {folds - 1}, since there are {folds} folds")
    pictures: dict[int, set[str]] = defaultdict(set)
    pool = [sample for sample in dataset.samples if sample.split in POOLED]
    for sample, unit in zip(pool, units(pool), strict=True):
        for label in sample.holds:
            pictures[label].add(unit)
    scarce = {name: len(pictures[label]) for label, name in enumerate(dataset.classes) if len(pictures[label]) < folds}
    if scarce:
        most = min(scarce.values())
        told = ", ".join(f"{count} of {name!r}" for name, count in list(scarce.items())[:5])
        raise DatasetError(
            f"{dataset.name!r} has too few images for {folds} folds",
            found=f"{told} to train and validate with",
            expected=f"at least {folds} different ones of each class",
            do=f"Choose at most {most} folds" if most > 1 else "Use several seeds instead",
        )


def in_splits(dataset: Dataset, split_of: Mapping[str, str], rule: str) -> Dataset:
    """The dataset with some of its samples, {id: split}, in other splits, and the sentence that says how."""
    samples = tuple(
        replace(sample, split=split) if (split := split_of.get(sample.id, sample.split)) != sample.split else sample
        for sample in dataset.samples
    )
    return replace(dataset, samples=samples, split_rule=rule)


def _deal(labels: Sequence[int], shares: dict[str, float], seed: int, units: Sequence[str] | None) -> list[str]:
    """The part that each row goes to. Units of several rows are dealt first, the largest before the others, each to the
    part that is the furthest from its share of the unit's classes; then single rows fill every class up."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row in range(len(labels)):
        rows[units[row] if units else str(row)].append(row)
    held = {unit: Counter(labels[row] for row in members) for unit, members in rows.items()}
    wanted, totals = {}, Counter()
    for label, count in sorted(Counter(labels).items()):
        wanted[label] = _apportion(count, shares, totals if len(set(shares.values())) == 1 else Counter())
        totals.update(wanted[label])
    filled: dict[int, Counter] = {label: Counter() for label in wanted}
    part_of: dict[str, str] = {}

    def put(unit: str, part: str) -> None:
        part_of[unit] = part
        for label, count in held[unit].items():
            filled[label][part] += count

    several = [unit for unit, members in rows.items() if len(members) > 1]
    for unit in sorted(several, key=lambda unit: (-len(rows[unit]), derive(seed, "split", unit))):
        put(unit, min(shares, key=lambda part: _strain(held[unit], part, wanted, filled)))
    singles: dict[int, list[str]] = defaultdict(list)
    for unit, members in rows.items():
        if len(members) == 1:
            singles[labels[members[0]]].append(unit)
    for label, lonely in singles.items():
        shuffled = iter(sorted(lonely, key=lambda unit, label=label: derive(seed, "split", label, unit)))
        for part, count in _left(len(lonely), wanted[label], filled[label]).items():
            for unit in itertools.islice(shuffled, count):
                put(unit, part)
    if several:
        _spread(held, part_of, shares)
    return [part_of[units[row] if units else str(row)] for row in range(len(labels))]


def _strain(
    classes: Mapping[int, int], part: str, wanted: Mapping[int, Mapping[str, int]], filled: Mapping[int, Counter]
) -> float:
    """By how much a unit moves a part away from what it should hold: the change of the sum of (is - due)^2 / due."""
    return sum(
        count * (count + 2 * (filled[label][part] - wanted[label][part])) / max(wanted[label][part], 0.5)
        for label, count in classes.items()
    )


def _left(count: int, wanted: Mapping[str, int], filled: Counter) -> dict[str, int]:
    """How many of `count` rows go to each part, where some of what is wanted is there already."""
    missing = {part: max(0, due - filled[part]) for part, due in wanted.items()}
    while (over := sum(missing.values()) - count) > 0:  # another part has got too much: all others get less
        largest = max(missing, key=lambda part: missing[part])
        missing[largest] -= min(over, max(1, missing[largest] - sorted(missing.values())[-2]))
    return missing


def _spread(held: Mapping[str, Counter], part_of: dict[str, str], shares: Mapping[str, float]) -> None:
    """Move units so that each class is in as many parts as it has units for, where no other class loses its part."""
    count: Counter = Counter()
    of: dict[int, list[str]] = defaultdict(list)
    for unit, classes in held.items():
        for label in classes:
            of[label].append(unit)
            count[label, part_of[unit]] += 1
    for label in sorted(of, key=lambda label: (len(of[label]), label)):
        for part in list(shares)[: len(of[label])]:
            if count[label, part]:
                continue
            spare = [unit for unit in of[label] if all(count[one, part_of[unit]] > 1 for one in held[unit])]
            if not spare:
                continue
            moved = min(spare, key=lambda unit: (held[unit].total(), unit))
            for one in held[moved]:
                count[one, part_of[moved]] -= 1
                count[one, part] += 1
            part_of[moved] = part


def _apportion(count: int, shares: dict[str, float], before: Counter) -> dict[str, int]:
    """Whole numbers that sum to `count`, in proportion to the shares, none of them 0 where there is enough for all.

    What is left over after rounding down goes to the parts that lost most, of equal ones to that which has less
    `before`.
    """
    if count < len(shares):  # a lonely picture trains, a second one validates
        return {split: int(place < count) for place, split in enumerate(shares)}
    whole = sum(shares.values())
    exact = {split: count * share / whole for split, share in shares.items()}
    parts = {split: int(number + 1e-9) for split, number in exact.items()}
    lost = sorted(shares, key=lambda split: (round(parts[split] - exact[split], 9), before[split]))
    for split in lost[: count - sum(parts.values())]:
        parts[split] += 1
    for split in shares:
        if not parts[split]:
            parts[max(parts, key=lambda other: parts[other])] -= 1
            parts[split] = 1
    return parts
