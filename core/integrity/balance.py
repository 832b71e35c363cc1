"""Checks on numbers: classes that are rarer than others, and too few pictures to learn or to judge by."""

from collections.abc import Iterator

from core.data.health.finding import Finding
from core.integrity.subject import Subject

UNEVEN, VERY_UNEVEN = 3.0, 10.0  # times as many pictures of the commonest class as of the rarest


def imbalance(subject: Subject) -> Iterator[Finding]:
    """Classes of which there are many more pictures than of others."""
    dataset = subject.dataset
    counts = [0] * len(dataset.classes)
    for sample in dataset.samples:
        for label in sample.holds:
            counts[label] += 1
    present = [label for label, number in enumerate(counts) if number]
    if len(present) < 2:
        return
    most, least = max(present, key=lambda label: counts[label]), min(present, key=lambda label: counts[label])
    ratio = counts[most] / counts[least]
    if ratio < UNEVEN:
        return
    holds = "pictures show" if dataset.task == "segmentation" else "pictures are"
    yield Finding(
        "imbalance",
        "warning" if ratio >= VERY_UNEVEN else "note",
        f"{counts[most]:,} {holds} {dataset.classes[most]}, and only {counts[least]:,} {dataset.classes[least]}: "
        f"{ratio:.3g} times as many.",
        "A model that always answers with the commonest class looks good then. Look at every class by itself (macro F1 "
        "counts them alike), train with class weights, or collect more pictures of the rare classes.",
        figures={"ratio": ratio, "pictures": dict(zip(dataset.classes, counts, strict=True))},
    )
