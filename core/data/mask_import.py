"""Masks between import and dataset: kept as they came, judged anew under every map, and at last written as indices."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.data.dataset import THUMBNAIL_SIDE, Sample, Skipped, read_table, write_table
from core.data.intake import RAW, Report, Taken, in_order, one_large
from core.data.mask_files import mask_png
from core.data.mask_survey import survey
from core.data.mask_values import MaskMap, check_map, value_text
from core.data.masks import MaskAudit, Stray, audited, index_mask, judge
from core.data.raw_masks import RawMask, load_histograms, read_raw, save_histograms
from core.errors import DatasetError, storage_errors

PAIRS, LEFT_OUT, HISTOGRAMS = "pairs.csv", "left_out.csv", "histograms.npz"


@dataclass(frozen=True)
class Judged:
    """The pairs of an import under one map."""

    audit: MaskAudit
    mask_map: MaskMap
    samples: tuple[Sample, ...]  # with ids and `pixels`; `mask` is the file as it came
    skipped: tuple[Skipped, ...]


def settle(
    folder: Path, taken: Sequence[Taken], skipped: Sequence[Skipped], labels: Mapping[str, str] | None = None
) -> Judged:
    """Survey the masks that were taken into `folder`, remember what is needed to judge them again, and judge them.

    Raises DatasetError when they hold fewer than two classes, StorageError when the disk is full.
    """
    histograms = [one.mask for one in taken if one.mask]
    audit, mask_map = survey(histograms, labels)
    audit = replace(audit, turned=tuple(one.sample.name for one in taken if one.turned))
    raw = folder / RAW
    write_table(raw / PAIRS, Sample, [one.sample for one in taken])
    write_table(raw / LEFT_OUT, Skipped, skipped)
    save_histograms(raw / HISTOGRAMS, histograms)
    return rejudge(folder, audit, mask_map)


def rejudge(folder: Path, audit: MaskAudit, mask_map: MaskMap) -> Judged:
    """The pairs in `folder` under a map. Raises DatasetError when the map cannot be used or leaves no pair."""
    mask_map = check_map(mask_map, audit.kind)
    raw = folder / RAW
    pairs, skipped = read_table(raw / PAIRS, Sample), read_table(raw / LEFT_OUT, Skipped)
    histograms = load_histograms(raw / HISTOGRAMS)
    verdicts = judge(histograms, audit, mask_map)
    refused = tuple(_refusal(verdict.stray) for verdict in verdicts if verdict.stray)
    kept = [(pair, verdict) for pair, verdict in zip(pairs, verdicts, strict=True) if verdict.stray is None]
    if not kept:
        raise DatasetError(
            "No mask fits the map",
            found=f"in {refused[0].file} {refused[0].reason}",
            expected="every value of the masks in the map",
        )
    samples = tuple(
        replace(pair, id=f"{place:06d}", pixels=verdict.pixels) for place, (pair, verdict) in enumerate(kept)
    )
    return Judged(audited(audit, histograms, verdicts, mask_map), mask_map, samples, (*skipped, *refused))


def _refusal(stray: Stray) -> Skipped:
    value = value_text(stray.value)
    return Skipped(stray.file, f"{stray.amount} of the value {value}, which is not in the map of the masks")


def write_masks(
    folder: Path, samples: Sequence[Sample], audit: MaskAudit, mask_map: MaskMap, report: Report
) -> tuple[Sample, ...]:
    """Write the mask of every sample as class indices under masks/, and give the samples that name them.

    Raises StorageError when the disk is full.
    """

    def write(sample: Sample) -> Sample:
        with one_large(sample.width, sample.height):
            data = mask_png(index_mask(read_raw(folder / sample.mask, name=sample.name), audit, mask_map))
        digest = hashlib.sha256(data).hexdigest()
        file = f"masks/{digest[:2]}/{digest}.png"
        with storage_errors(folder):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        return replace(sample, mask=file)

    return tuple(in_order(write, samples, report))


def small_mask(file: Path, audit: MaskAudit, mask_map: MaskMap) -> np.ndarray:
    """A mask as it came as class indices, uint8 (h, w), with a long side of at most 160 pixels."""
    raw = read_raw(file)
    height, width = raw.values.shape
    scale = min(1.0, THUMBNAIL_SIDE / max(width, height))
    wide, tall = max(1, round(width * scale)), max(1, round(height * scale))
    rows = ((np.arange(tall) + 0.5) * (height / tall)).astype(int)
    columns = ((np.arange(wide) + 0.5) * (width / wide)).astype(int)
    small = RawMask(raw.mode, raw.values[rows[:, None], columns], raw.palette, raw.lossy)
    return index_mask(small, audit, mask_map)
