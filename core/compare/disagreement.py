"""The images on which two runs disagree, those first on which they do most."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from core.compare.answers import Common
from core.compare.comparison import Disagreement, Picture
from core.metrics.segmentation import class_mean, dice

SHOWN = 96  # images of all pairs and kinds together, at most
FEWEST_SHOWN = 6  # of each kind of a pair, however many pairs there are
GAP = 0.05  # of mean Dice: masks that are closer than this are taken for equally good
KINDS = ("only_first", "only_second", "neither")


def disagreements(common: Common, runs: Sequence[str]) -> tuple[tuple[Disagreement, ...], dict[str, Picture]]:
    """Where every two of these runs disagree, and what all of them say about the images that are shown."""
    couples = list(combinations(runs, 2))
    most = max(FEWEST_SHOWN, SHOWN // (len(KINDS) * max(1, len(couples))))
    find = _of_masks if common.truth is None else _of_labels
    found, shown = [], set()
    for one, two in couples:
        kinds, gaps, agree = find(common, one, two)
        rows = {
            kind: np.flatnonzero(mask)[np.argsort(-gaps[mask], kind="stable")][:most] for kind, mask in kinds.items()
        }
        shown |= {int(row) for some in rows.values() for row in some}
        found.append(
            Disagreement(
                one,
                two,
                **{kind: int(mask.sum()) for kind, mask in kinds.items()},
                agree=agree,
                shown={kind: tuple(common.ids[row] for row in some) for kind, some in rows.items()},
            )
        )
    return tuple(found), {common.ids[row]: _picture(common, row, runs) for row in sorted(shown)}


def _of_labels(common: Common, one: str, two: str) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
    a, b, truth = common.answers[one], common.answers[two], common.truth
    first, second = a.argmax(axis=1), b.argmax(axis=1)
    kinds = {
        "only_first": (first == truth) & (second != truth),
        "only_second": (first != truth) & (second == truth),
        "neither": (first != truth) & (second != truth) & (first != second),
    }
    rows = np.arange(len(truth))
    return kinds, np.abs(a[rows, truth] - b[rows, truth]), int((first == second).sum())


def _of_masks(common: Common, one: str, two: str) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
    first, second = (image_dice(common, run) for run in (one, two))
    gap = np.nan_to_num(second - first)
    kinds = {"only_first": gap <= -GAP, "only_second": gap >= GAP, "neither": np.zeros(len(gap), bool)}
    return kinds, np.abs(gap), int((np.abs(gap) < GAP).sum())


def image_dice(common: Common, run: str) -> np.ndarray:
    """The mean Dice of every image (N,), over the classes that it or the answer has; NaN where there are none."""
    return class_mean(dice(common.answers[run]), common.background)


def _picture(common: Common, row: int, runs: Sequence[str]) -> Picture:
    if common.truth is None:
        answers = {run: ("", float(np.nan_to_num(image_dice(common, run)[row], nan=1.0))) for run in runs}
        return Picture(common.ids[row], common.files[row], "", answers)
    answers = {}
    for run in runs:
        probabilities = common.answers[run][row]
        answers[run] = common.classes[int(probabilities.argmax())], float(probabilities.max())
    return Picture(common.ids[row], common.files[row], common.classes[int(common.truth[row])], answers)
