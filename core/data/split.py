"""Splits: which images train the model, which choose it, and which judge it at the end."""

import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

from core.data.dataset import SPLITS, Dataset, Sample
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
        except (TypeError, ValueError) as error:
            raise DatasetError("This is no rule for splits", found=shown(text)) from error

    @property
    def sentence(self) -> str:
        """The rule as the dataset states it: "70/15/15 stratified by seed 0"."""
        return "/".join(f"{100 * share:.3g}" for share in self.shares.values()) + f" stratified by seed {self.seed}"


def deal(samples: Sequence[Sample], rule: SplitRule) -> tuple[tuple[Sample, ...], str]:
    """Samples in the splits that a rule gives them, whatever splits they had, and the sentence that says how."""
    masks = any(sample.mask for sample in samples)
    labels = rarest_held(samples) if masks else [sample.label for sample in samples]
    splits = stratified(labels, rule, [sample.digest for sample in samples])
    sentence = rule.sentence
    if masks:
        sentence = sentence.replace("stratified", "stratified by the rarest class of each mask,")
    return tuple(replace(sample, split=split) for sample, split in zip(samples, splits, strict=True)), sentence


def stratified(labels: Sequence[int], rule: SplitRule, pictures: Sequence[str] | None = None) -> list[str]:
    """The split of each sample: within every class the shares of the rule, as near as whole pictures allow.

    `pictures` names what must stay together, by default nothing: samples of one class that have the same name (the
    same SHA-256) go to the same split, or a copy of a training image would be examined as if it were new. A class of
    three or more different pictures is in every split whose share is above 0; of two, in train and validation; a
    single one trains. Depends on nothing but the arguments, and with `pictures` not on the order of the samples.
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

    Every image is in the validation split of exactly one fold. Copies of one picture stay together, and an image with
    a mask is dealt by the rarest class in it. Depends on the pictures, their labels and the seed alone. The result has
    the fingerprint of the dataset, since its images and their order are the same: whatever is stored for them is
    shared by all folds. Raises what `insist_on_folds` does.
    """
    from sklearn.model_selection import StratifiedKFold  # here, because pages import this file

    insist_on_folds(dataset, folds, fold)
    pool = [sample for sample in dataset.samples if sample.split in POOLED]
    classes = dict(zip((sample.digest for sample in pool), rarest_held(pool), strict=True))
    pictures = sorted(classes)
    sizes = Counter(classes.values())
    # Of masks, few pictures may have a class as their rarest one: those are dealt together.
    strata = [classes[picture] if sizes[classes[picture]] >= folds else -2 for picture in pictures]
    dealer = StratifiedKFold(folds, shuffle=True, random_state=derive(seed, "folds") % 2**32)
    with warnings.catch_warnings():  # of strata, that is; no class is so rare
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        chosen = list(dealer.split(pictures, strata))[fold][1]
    held_out = {pictures[place] for place in chosen}
    split_of = {sample.id: "validation" if sample.digest in held_out else "train" for sample in pool}
    return in_splits(dataset, split_of, f"fold {fold + 1} of {folds}, stratified by seed {seed}")


def split_for(recipe: Recipe, dataset: Dataset) -> Dataset:
    """The dataset in the splits that a recipe asks for: its own, or one of the folds. Raises what `folded` does."""
    return folded(dataset, recipe.folds, recipe.fold, recipe.seed) if recipe.folds else dataset


def insist_on_folds(dataset: Dataset, folds: int, fold: int) -> None:
    """Refuse folds that cannot be dealt.

    Raises RecipeError for a number of folds below 2 and for a fold that is none of them; DatasetError where fewer
    different pictures of a class are there than folds, test images not counted.
    """
    if folds < 2:
        raise RecipeError("folds", found=str(folds), expected="2 or more, or 0 for the split of the dataset")
    if not 0 <= fold < folds:
        raise RecipeError("fold", found=str(fold), expected=f"0 to {folds - 1}, since there are {folds} folds")
    pictures: dict[int, set[str]] = defaultdict(set)
    for sample in dataset.samples:
        if sample.split in POOLED:
            for label in sample.holds:
                pictures[label].add(sample.digest)
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


def _deal(labels: Sequence[int], shares: dict[str, float], seed: int, pictures: Sequence[str] | None) -> list[str]:
    classes: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, label in enumerate(labels):
        classes[label][pictures[row] if pictures else str(row)].append(row)
    dealt = [""] * len(labels)
    for label, units in classes.items():
        shuffled = sorted(units, key=lambda unit, label=label: derive(seed, "split", label, unit))
        start = 0
        for split, count in _apportion(len(units), shares).items():
            for unit in shuffled[start : start + count]:
                for row in units[unit]:
                    dealt[row] = split
            start += count
    return dealt


def _apportion(count: int, shares: dict[str, float]) -> dict[str, int]:
    """Whole numbers that sum to `count`, in proportion to the shares, none of them 0 where there is enough for all."""
    if count < len(shares):  # a lonely picture trains, a second one validates
        return {split: int(place < count) for place, split in enumerate(shares)}
    whole = sum(shares.values())
    exact = {split: count * share / whole for split, share in shares.items()}
    parts = {split: int(number + 1e-9) for split, number in exact.items()}
    for split in sorted(shares, key=lambda split: parts[split] - exact[split])[: count - sum(parts.values())]:
        parts[split] += 1
    for split in shares:
        if not parts[split]:
            parts[max(parts, key=lambda other: parts[other])] -= 1
            parts[split] = 1
    return parts
