"""Masks that contradict each other, belong to other pictures or say nothing are found."""

from dataclasses import replace

import numpy as np
import pytest

from core.data.dataset import IGNORE, Dataset, save_dataset
from core.data.mask_files import mask_png, read_mask
from core.integrity.health import check_health
from tests.shapes import kept_shapes

SPLITS = ("train",) * 20 + ("validation",) * 20 + ("test",) * 20


@pytest.fixture
def findings(workspace):
    def of(dataset: Dataset):
        save_dataset(dataset)
        report = check_health(str(workspace.root), dataset.id, labels=False)
        return {finding.check: finding for finding in report.findings}

    return of


def _with(dataset: Dataset, row: int, **changes) -> Dataset:
    samples = list(dataset.samples)
    samples[row] = replace(samples[row], **changes)
    return replace(dataset, samples=tuple(samples))


def test_clean_masks_are_fine(workspace, findings):
    assert set(findings(kept_shapes(workspace, splits=SPLITS))) <= {"few-to-judge"}


def test_one_picture_with_two_masks_is_told_and_can_be_left_out(workspace, findings):
    dataset = kept_shapes(workspace, splits=SPLITS)
    first = dataset.samples[0]
    found = findings(_with(dataset, 3, file=first.file, digest=first.digest))  # its picture, and the mask it had
    finding = found["contradicting-masks"]
    assert finding.severity == "error"
    assert finding.evidence == (("000000", "000003"),)
    assert finding.repairs[0].changes[0].samples == ("000000", "000003")
    assert finding.figures["least_agreement"] < 0.95


def test_one_picture_that_was_outlined_twice_alike_is_a_note(workspace, findings):
    dataset = kept_shapes(workspace, splits=SPLITS)
    first, second = dataset.samples[0], dataset.samples[3]
    mask = read_mask(dataset.mask(first))
    mask[20, 20] = 1 - mask[20, 20]
    dataset.mask(second).write_bytes(mask_png(mask))
    finding = findings(_with(dataset, 3, file=first.file, digest=first.digest))["contradicting-masks"]
    assert finding.severity == "note"
    assert "agree in 99.9% of the pixels" in finding.message
    assert finding.repairs[0].changes[0].samples == ("000003",)


def test_one_mask_for_two_pictures_is_a_warning(workspace, findings):
    dataset = kept_shapes(workspace, splits=SPLITS)
    first = dataset.samples[0]
    finding = findings(_with(dataset, 3, mask=first.mask, pixels=first.pixels))["shared-masks"]
    assert finding.severity == "warning"
    assert finding.evidence == (("000000", "000003"),)


def test_a_mask_of_ignored_pixels_and_one_without_an_outline_are_told(workspace, findings):
    dataset = kept_shapes(workspace, splits=SPLITS)
    ignored, empty = dataset.samples[1], dataset.samples[2]
    for sample, value in ((ignored, IGNORE), (empty, 0)):
        dataset.mask(sample).write_bytes(mask_png(np.full((sample.height, sample.width), value, np.uint8)))
    dataset = _with(_with(dataset, 1, pixels=(0, 0, 0)), 2, pixels=(1600, 0, 0))
    save_dataset(dataset)
    report = check_health(str(workspace.root), dataset.id, labels=False)
    told = {one.severity: one for one in report.findings if one.check == "odd-masks"}
    assert told["warning"].files == (ignored.name,)
    assert told["note"].files == (empty.name,)


def test_a_mask_that_is_gone_or_damaged_is_unreadable(workspace, findings):
    dataset = kept_shapes(workspace, splits=SPLITS)
    dataset.mask(dataset.samples[0]).unlink()
    dataset.mask(dataset.samples[1]).write_bytes(b"no picture")
    finding = findings(dataset)["unreadable"]
    assert finding.severity == "error"
    assert "a mask that is gone" in finding.message
    assert len(finding.files) == 2
