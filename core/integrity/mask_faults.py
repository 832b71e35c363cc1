"""Checks on masks: copies of a picture that were outlined differently, one mask for several pictures, empty ones."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from core.data.dataset import Dataset, Sample
from core.data.health.finding import Finding
from core.data.mask_files import read_mask
from core.errors import FoveaError
from core.integrity.copies import GRAVE, SAME
from core.integrity.subject import MOST_EVIDENCE, Subject, number_of, some

CLOSE = 0.95  # of the pixels: masks that agree in so many were meant alike
USUALLY = 0.1  # of the pictures: where fewer show nothing, they are unlike the others


def contradicting_masks(subject: Subject) -> Iterator[Finding]:
    """Copies of one picture, neither flipped nor turned, whose masks differ: a little, as outlines do, or much."""
    dataset = subject.dataset
    if dataset.task != "segmentation":
        return
    torn = [
        (_agreement(dataset, first, second), first, second)
        for pair in subject.pairs
        if pair.how in SAME
        and (first := dataset.sample(pair.first_id)).mask != (second := dataset.sample(pair.second_id)).mask
    ]
    slight = [row for row in torn if row[0] >= CLOSE]
    for rows, is_slight in (([row for row in torn if row[0] < CLOSE], False), (slight, True)):
        if not rows:
            continue
        rows.sort(key=lambda row: row[0])
        (least, first, second), *_ = rows
        ids = sorted({sample.id for _, *pair in rows for sample in pair})
        out = subject.leave_out(ids, "Leave out every picture of them", "copies with different masks.")
        once = subject.leave_out({second.id for _, _, second in rows}, "Keep the first of each", "outlined twice.")
        yield Finding(
            "contradicting-masks",
            "note" if is_slight else "error" if len(ids) > GRAVE * len(dataset.samples) else "warning",
            f"{number_of(len(rows), 'pair of copies has', 'pairs of copies have')} different masks; those of "
            f"{first.name} and {second.name} agree in {least:.1%} of the pixels.",
            "Outlines that are drawn twice differ a little: no model can be expected to come closer to them than that. "
            "Keep one of each."
            if is_slight
            else "The same pixels cannot belong to two classes, so one mask of each pair is wrong. Look which; where "
            "nobody can tell, leave both out.",
            evidence=tuple((one.id, other.id) for _, one, other in rows[:MOST_EVIDENCE]),
            files=subject.names(ids),
            figures={"pairs": len(rows), "least_agreement": least},
            repairs=(once, out) if is_slight else (out, once),
        )


def _agreement(dataset: Dataset, first: Sample, second: Sample) -> float:
    """The share of pixels in which the masks of two samples agree; 0 where they cannot be compared."""
    try:
        one, other = read_mask(dataset.mask(first)), read_mask(dataset.mask(second))
    except FoveaError:
        return 0.0
    return float((one == other).mean()) if one.shape == other.shape else 0.0


def shared_masks(subject: Subject) -> Iterator[Finding]:
    """One mask, of more than one class, that belongs to different pictures: somebody may have copied the wrong file."""
    alike = {frozenset((pair.first_id, pair.second_id)) for pair in subject.pairs}
    masks: dict[str, list[Sample]] = defaultdict(list)
    for sample in subject.dataset.samples:
        if len(sample.holds) > 1:
            masks[sample.mask].append(sample)
    shared = [found for found in masks.values() if _differ(found, alike)]
    if not shared:
        return
    ids = [sample.id for found in shared for sample in found]
    yield Finding(
        "shared-masks",
        "warning",
        f"{number_of(len(ids))} that look different have the very same outlines: {some(subject.names(ids), 3)}.",
        "A mask drawn for one picture hardly ever fits another, so a file was probably copied under a wrong name. Mend "
        "the masks and import again, or leave these pictures out.",
        evidence=tuple(tuple(sample.id for sample in found[:6]) for found in shared[:MOST_EVIDENCE]),
        files=subject.names(ids),
        figures={"masks": len(shared), "pictures": len(ids)},
        repairs=(subject.leave_out(ids, "Leave them out", "one mask for different pictures."),),
    )


def _differ(found: Sequence[Sample], alike: set[frozenset[str]]) -> bool:
    first = found[0]
    return any(one.digest != first.digest and frozenset((first.id, one.id)) not in alike for one in found[1:])


def odd_masks(subject: Subject) -> Iterator[Finding]:
    """Masks that say nothing: all of them ignored, or a single class where nearly all others show several."""
    dataset = subject.dataset
    if dataset.task != "segmentation":
        return
    ignored = [sample.id for sample in dataset.samples if not any(sample.pixels)]
    single = [sample.id for sample in dataset.samples if len(sample.holds) == 1]
    if ignored:
        yield Finding(
            "odd-masks",
            "warning",
            f"{number_of(len(ignored), 'mask holds', 'masks hold')} nothing but ignored pixels.",
            "Nothing is learned from such a picture, and nothing judged. Leave them out, or map their values to a "
            "class when you import.",
            evidence=tuple((id,) for id in ignored[:MOST_EVIDENCE]),
            files=subject.names(ignored),
            figures={"pictures": len(ignored)},
            repairs=(subject.leave_out(ignored, "Leave them out", "masks of ignored pixels only."),),
        )
    if 0 < len(single) < USUALLY * len(dataset.samples):
        yield Finding(
            "odd-masks",
            "note",
            f"{number_of(len(single), 'mask shows', 'masks show')} a single class and no outline, while nearly all "
            "others show several.",
            "That is right for a picture without anything to find. Look whether something was forgotten.",
            evidence=tuple((id,) for id in single[:MOST_EVIDENCE]),
            files=subject.names(single),
            figures={"pictures": len(single)},
            repairs=(subject.leave_out(single, "Leave them out", "masks without an outline."),),
        )
