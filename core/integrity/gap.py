"""Are validation and test further apart than chance? Then one of them says something else than the other."""

from core.data.health.finding import Finding
from core.evaluate.masks import MaskTable
from core.integrity.run_report import Looked
from core.integrity.run_subject import Judged, Table, image_dice, rights
from core.metrics.independent import Apart, means_apart, shares_apart

SURE = 0.01  # so rarely may chance alone bring splits so far apart before a word is said; every run is looked at


def apart(judged: Judged) -> Looked:
    """Scores on validation and on test that are further apart than chance brings two splits of the same kind."""
    if not judged.run.facts.samples.get("test"):
        return Looked(unknown="This data has no test split, so there is nothing to compare with.")
    if judged.test is None or judged.validation is None:
        return Looked(unknown="The test split is sealed, or was opened with other weights; this is looked at after it.")
    try:
        found = _apart(judged.validation, judged.test)
    except ValueError:
        return Looked(unknown="Too few pictures to tell how they differ.")
    word = "Mean over images of Dice" if judged.masks else "Accuracy"
    figures = (
        f"{word} {found.first:.3f} on {found.images[0]:,} validation and {found.second:.3f} on {found.images[1]:,} "
        f"test pictures: {100 * found.value:+.1f} points (95 % interval {100 * found.interval.low:+.1f} to "
        f"{100 * found.interval.high:+.1f}; {found.method}, p = {found.p:.2g})"
    )
    if found.p >= SURE:
        return Looked(told=f"{figures}. Chance brings so much in more than one of {round(1 / SURE)} pairs of splits.")
    return Looked((_finding(found, figures),))


def _finding(found: Apart, figures: str) -> Finding:
    if found.value < 0:
        why = (
            "Validation promises more than test holds. Choosing by the validation images flatters them a little; so "
            "much more often comes from copies of training pictures in validation, from test pictures of another kind "
            "(another camera, patient, day), or from test labels in another order. Believe the test figure, and find "
            "out which it is."
        )
    else:
        why = (
            "The test pictures are easier than the validation pictures, or known: look for copies of training pictures "
            "in test, and for another mix of classes. Do not report the higher figure alone."
        )
    return Finding(
        "apart",
        "warning",
        f"{figures}: chance alone does this in fewer than one of {round(1 / SURE)} pairs of splits.",
        why,
        figures={
            "validation": found.first,
            "test": found.second,
            "difference": found.value,
            "interval": list(found.interval),
            "p": found.p,
            "method": found.method,
            "pictures": list(found.images),
        },
    )


def _apart(validation: Table, test: Table) -> Apart:
    if isinstance(validation, MaskTable):
        ours, theirs = (values[values == values] for values in (image_dice(validation), image_dice(test)))
        return means_apart(ours, theirs)
    ours, theirs = rights(validation), rights(test)
    return shares_apart((int(ours.sum()), len(ours)), (int(theirs.sum()), len(theirs)))
