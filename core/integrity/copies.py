"""Checks on pictures that are there more than once, and on groups that should not have been parted.

Pictures count as copies when they are the same file, or look nearly the same, also mirrored, turned, resized or
recompressed (`core.data.prints`). Copies of copies are one set.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from core.data.dataset import SPLITS, Change, Sample
from core.data.health.finding import Finding, Repair
from core.data.prints import twins_of
from core.data.split import units
from core.integrity.subject import MOST_EVIDENCE, Subject, number_of, some

MANY = 0.02  # of the pictures: so many superfluous copies are more than a note
GRAVE = 0.01  # of the pictures: so many contradictions spoil what is learned
SAME = ("the same file", "the same picture")  # of how copies differ: not at all

Set = tuple[Sample, ...]


def across_splits(subject: Subject) -> Iterator[Finding]:
    """Copies of which some are learned from and others judge what was learned."""
    torn = [found for found in _sets(subject) if len({sample.split for sample in found}) > 1]
    if not torn:
        return
    seen = _known_from_train(subject, torn)
    counted = number_of(len(torn), "set of copies is", "sets of copies are")
    hows = _hows(subject, torn)
    yield Finding(
        "copies-across-splits",
        "error" if seen[0] else "warning",
        f"{counted} on more than one side of the split, {number_of(sum(map(len, torn)))} in all "
        f"({_listed(hows)}).{seen[0]}",
        "A model that has seen a picture knows its copy by heart, so it seems better than it is. Put each set into one "
        "split, or leave out all but one picture of each.",
        evidence=_evidence(torn),
        files=subject.names(sample.id for found in torn for sample in found),
        figures={"sets": len(torn), "pictures": sum(map(len, torn)), "how": dict(hows), **seen[1]},
        repairs=(
            _gathered(subject, torn, "Put each set into one split", "its copies were in another split."),
            _once(torn),
        ),
    )


def across_classes(subject: Subject) -> Iterator[Finding]:
    """Copies that have different labels, of which all but one must be wrong."""
    if subject.dataset.task != "classification":
        return
    torn = [found for found in _sets(subject) if len({sample.label for sample in found}) > 1]
    if not torn:
        return
    classes, every = subject.dataset.classes, [sample.id for found in torn for sample in found]
    names = Counter(" and ".join(classes[label] for label in sorted({one.label for one in found})) for found in torn)
    hows = _hows(subject, torn)
    told = some([f"{number:,} called {name}" for name, number in names.most_common()], 3)
    repairs = [subject.leave_out(every, "Leave out every picture of them", "copies with different labels.")]
    called = [change for found in torn for change in _by_majority(found, classes)]
    if called:
        repairs.insert(0, Repair("Call each copy what most of its set is called", tuple(called)))
    yield Finding(
        "copies-across-classes",
        "error" if len(every) > GRAVE * len(subject.dataset.samples) else "warning",
        f"{number_of(len(torn), 'set of copies has', 'sets of copies have')} more than one label "
        f"({_listed(hows)}): {told}.",
        "One picture cannot be two things, so some of these labels are wrong. Look which, and mend them; where nobody "
        "can tell, leave all of them out.",
        evidence=_evidence(torn),
        files=subject.names(every),
        figures={"sets": len(torn), "pictures": len(every), "how": dict(hows), "labels": dict(names)},
        repairs=tuple(repairs),
    )


def inside_splits(subject: Subject) -> Iterator[Finding]:
    """Copies that are together in one split, where they count more than once."""
    per_split = [
        tuple(sample for sample in found if sample.split == split) for found in _sets(subject) for split in SPLITS
    ]
    same = [found for found in per_split if len(found) > 1]
    if not same:
        return
    extra = sum(len(found) - 1 for found in same)
    places = Counter({split: sum(len(found) - 1 for found in same if found[0].split == split) for split in SPLITS})
    where = ", ".join(f"{places[split]:,} in {split}" for split in SPLITS if places[split])
    hows = _hows(subject, same)
    share = extra / len(subject.dataset.samples)
    yield Finding(
        "copies",
        "warning" if share > MANY else "note",
        f"{number_of(extra, 'picture is a copy', 'pictures are copies')} of another one in the same split: {where} "
        f"({_listed(hows)}).",
        "A copy teaches nothing new and counts twice: in train it pulls the model towards itself, in validation and "
        "test it makes few pictures look like many, so that intervals become too narrow.",
        evidence=_evidence(same),
        files=subject.names(sample.id for found in same for sample in found),
        figures={"pictures": extra, "share": share, "sets": len(same), "how": dict(hows), **places},
        repairs=(_once(same),),
    )


def parted_groups(subject: Subject) -> Iterator[Finding]:
    """Groups (a patient, a video, a slide) of which some pictures are learned from and others judge."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in subject.dataset.samples:
        if sample.group:
            groups[sample.group].append(sample)
    torn = {name: tuple(found) for name, found in groups.items() if len({sample.split for sample in found}) > 1}
    if not torn:
        return
    pictures = sum(map(len, torn.values()))
    seen = _known_from_train(subject, torn.values(), "are of a group")
    yield Finding(
        "parted-groups",
        "error" if seen[0] else "warning",
        f"{len(torn):,} of {number_of(len(groups), 'group', 'groups')} ({number_of(pictures)}) "
        f"{'is' if len(torn) == 1 else 'are'} on more than one side of the split: {some(list(torn), 4)}.{seen[0]}",
        "Pictures of one patient, video or slide look alike, so a model is then judged by what it has seen, and seems "
        "better than it will be for somebody new. Put each group into one split.",
        evidence=_evidence(list(torn.values())),
        files=subject.names(sample.id for found in torn.values() for sample in found),
        figures={"groups": len(torn), "of": len(groups), "pictures": pictures, **seen[1]},
        repairs=(
            _gathered(subject, list(torn.values()), "Put each group into one split", "its group was in another split."),
        ),
    )


def _sets(subject: Subject) -> list[Set]:
    """The sets of copies in the order of the samples."""
    sets: dict[str, list[Sample]] = defaultdict(list)
    for id, first in twins_of(subject.dataset.samples, subject.pairs).items():
        sets[first].append(subject.dataset.sample(id))
    return [tuple(found) for found in sets.values()]


def _hows(subject: Subject, sets: Sequence[Set]) -> Counter[str]:
    """In how many pairs of these sets copies differ in which way."""
    place = {sample.id: number for number, found in enumerate(sets) for sample in found}
    return Counter(
        pair.how
        for pair in subject.pairs
        if pair.first_id in place and place[pair.first_id] == place.get(pair.second_id)
    )


def _listed(hows: Counter[str]) -> str:
    return some([f"{number:,} {how}" for how, number in hows.most_common()], 4) or "alike through others"


def _known_from_train(
    subject: Subject, torn: Iterable[Set], words: str = "look like a picture"
) -> tuple[str, dict[str, int]]:
    """How many of the pictures that judge are known from train, as a sentence, and as figures."""
    known: Counter[str] = Counter()
    for found in torn:
        if any(sample.split == "train" for sample in found):
            known.update(sample.split for sample in found if sample.split != "train")
    counts = subject.dataset.split_counts()
    told = [
        f"{known[split]:,} of the {counts[split]:,} {split} pictures ({known[split] / counts[split]:.0%})"
        for split in SPLITS
        if known[split]
    ]
    figures = {f"{split}_known": known[split] for split in SPLITS[1:]}
    return (f" {' and '.join(told)} {words} in train." if told else ""), figures


def _evidence(sets: Sequence[Set]) -> tuple[tuple[str, ...], ...]:
    """The sets as ids side by side, of a large one those that differ most: one of each split and label first."""
    shown = []
    for found in sets[:MOST_EVIDENCE]:
        first = {(sample.split, sample.label): sample.id for sample in reversed(found)}
        ids = list(dict.fromkeys([*reversed(first.values()), *(sample.id for sample in found)]))
        shown.append(tuple(ids[:6]))
    return tuple(shown)


def _gathered(subject: Subject, sets: Sequence[Set], label: str, why: str) -> Repair:
    """The repair that moves each set to the split in which most of it is; of as many, to train.

    Whatever belongs to a part of it goes along: copies may be of several groups, and must not part these.
    """
    twins = twins_of(subject.dataset.samples, subject.pairs)
    named = units([replace(one, twins=twins.get(one.id, "")) for one in subject.dataset.samples])
    unit_of = {sample.id: unit for sample, unit in zip(subject.dataset.samples, named, strict=True)}
    whole: dict[str, list[Sample]] = defaultdict(list)
    for sample in subject.dataset.samples:
        whole[unit_of[sample.id]].append(sample)
    moving: dict[str, list[str]] = defaultdict(list)
    for found in (whole[unit] for unit in dict.fromkeys(unit_of[one.id] for members in sets for one in members)):
        counted = Counter(sample.split for sample in found)
        home = max(SPLITS, key=lambda split: counted[split])
        moving[home] += [sample.id for sample in found if sample.split != home]
    changes = (Change("move", tuple(sorted(moving[split])), split, why) for split in SPLITS if moving[split])
    return Repair(label, tuple(changes))


def _once(sets: Sequence[Set]) -> Repair:
    """The repair that keeps one picture of each set: one that judges rather than one of train, and the largest."""
    out = []
    for found in sets:
        kept = min(found, key=lambda one: (-SPLITS.index(one.split), -one.width * one.height, one.id))
        out += [sample.id for sample in found if sample is not kept]
    return Repair("Leave out all but one of each set", (Change("exclude", tuple(sorted(out)), why="copies."),))


def _by_majority(found: Set, classes: Sequence[str]) -> Iterator[Change]:
    (label, most), *_ = Counter(sample.label for sample in found).most_common()
    others = [sample.id for sample in found if sample.label != label]
    if most > len(found) / 2:
        yield Change("relabel", tuple(others), classes[label], "most copies of it are called so.")
