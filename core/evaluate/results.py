"""The stored report of a split, whichever kind it is. Torch-free, so that a page can read one."""

from pathlib import Path

from core.evaluate.classification import ClassificationResult
from core.evaluate.segmentation import TASK, SegmentationResult
from core.workspace import read_json

Result = ClassificationResult | SegmentationResult


def read_result(path: Path) -> Result | None:
    """The result in a results file, or None when there is none that can be read.

    For pages: looking at a result that is already there opens nothing.
    """
    data = read_json(path)
    try:
        if data is None:
            return None
        kind = SegmentationResult if data.get("task") == TASK else ClassificationResult
        return kind.from_json(data)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
