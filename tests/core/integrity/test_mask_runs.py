"""The checks of runs that divide pixels, on answers made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from core.data.dataset import save_dataset
from core.evaluate.masks import MaskTable
from core.integrity.claims import below_majority, never_predicted, too_small
from core.integrity.gap import apart
from core.integrity.leaks import leaked
from core.integrity.run_checks import RUN_CHECKS, check_run
from core.integrity.run_subject import Judged
from core.metrics.segmentation import mask_confusion
from core.runs.seal import open_seal
from tests.pages.mask_runs import box, evaluated_run, masked_dataset

CLASSES = ("background", "polyp", "tool")


def shifted(mask, by):
    """The mask with its boxes moved to the right."""
    return np.roll(mask, by, axis=1)


def masks(number, seed=0, kinds=(1, 2)):
    """Boxes of one class after the other, of slightly different places and sizes."""
    generator = np.random.default_rng(seed)
    found = []
    for place in range(number):
        left, top, wide = generator.integers(1, 6), generator.integers(1, 3), generator.integers(6, 10)
        found.append(box(left, top, left + wide, top + 6, kinds[place % len(kinds)]))
    return found


@pytest.fixture
def judged(workspace):
    """A run with these answers to pictures with these masks, as the checks see it."""

    def made(truths, answers):
        dataset = masked_dataset(workspace, CLASSES, truths)
        return Judged(workspace, evaluated_run(workspace, dataset, truths, answers))

    return made


def test_a_class_of_which_no_pixel_is_ever_answered_is_told(judged):
    truths = masks(20)
    [found] = never_predicted(judged(truths, [np.where(mask == 2, 0, mask) for mask in truths])).findings
    pixels = int(sum((mask == 2).sum() for mask in truths))
    assert found.figures["rows"] == [{"class": "tool", "pictures": 10, "pixels": pixels, "found": 0}]
    assert len(found.evidence) == 10


def test_good_masks_have_no_finding_of_size_guessing_or_classes(judged):
    truths = masks(30)
    run = judged(truths, [shifted(mask, 1) for mask in truths])
    for check in (never_predicted, below_majority, too_small):
        looked = check(run)
        assert (looked.findings, looked.unknown) == ((), ""), check
        assert looked.told


def test_few_pictures_that_fare_very_differently_are_too_few(judged):
    truths = masks(8)
    answers = [shifted(mask, 1 if place % 4 < 2 else 7) for place, mask in enumerate(truths)]
    [found] = too_small(judged(truths, answers)).findings
    low, high = found.figures["interval"] or (0, 1)
    assert high - low > 0.2


def test_a_class_in_fewer_than_five_pictures_has_no_interval_at_all(judged):
    truths = masks(4)
    [found] = too_small(judged(truths, truths)).findings
    assert found.severity == "warning"
    assert "fewer than five" in found.message


@pytest.mark.parametrize(("moved", "found"), [(1, 0), (4, 1)])
def test_test_masks_that_fare_far_worse_than_validation_masks_are_apart(judged, moved, found):
    truths = masks(30)
    before = judged(truths, [shifted(mask, 1) for mask in truths])
    paths = before.run.paths
    table = MaskTable.read(paths.predictions("validation"))
    again = [mask_confusion(mask, shifted(mask, moved), len(CLASSES)) for mask in truths]
    replace(table, confusion=np.stack(again), split="test").write(paths.predictions("test"))
    open_seal(paths, "a test")
    assert len(apart(Judged(before.workspace, before.run)).findings) == found


def test_copies_are_told_with_the_dice_of_the_known_and_of_the_others(workspace):
    truths = masks(20)
    dataset = masked_dataset(workspace, CLASSES, truths)
    train, validation = dataset.of("train"), dataset.of("validation")
    twins = {validation[row].id: train[row].id for row in range(6)}
    twins |= {first: first for first in twins.values()}
    save_dataset(replace(dataset, samples=tuple(replace(one, twins=twins.get(one.id, "")) for one in dataset.samples)))
    run = evaluated_run(workspace, dataset, truths, [shifted(m, 0 if row < 6 else 3) for row, m in enumerate(truths)])
    [found] = leaked(Judged(workspace, run)).findings
    scores = {row["pictures"]: row["score"] for row in found.figures["rows"]}
    assert scores["known from train"] == 1
    assert scores["new"] < 0.7
    assert found.figures["validation_apart"]["interval"][0] > 0.2


def test_every_check_says_something_of_a_run_with_masks(workspace):
    truths = masks(30)
    run = evaluated_run(workspace, masked_dataset(workspace, CLASSES, truths), truths, truths)
    report = check_run(str(workspace.root), run.id)
    assert [one.name for one in report.checks] == [check.name for check in RUN_CHECKS]
    assert all(one.found or one.told or one.unknown for one in report.checks)
