"""The stored report of a split, whichever kind it is. Torch-free, so that a page can read one.

Beside its figures a stored report says by which method they were computed. Another version of Fovea may have other
intervals; two of them must never be told of one run, so what another method computed counts as not there and is
computed anew from the prediction table, which opens nothing.
"""

from functools import cache
from pathlib import Path
from typing import Any

from core.evaluate.classification import ClassificationResult
from core.evaluate.segmentation import TASK, SegmentationResult
from core.seeding import fingerprint
from core.workspace import read_json, write_json

Result = ClassificationResult | SegmentationResult

METHOD = "method"  # the key of a stored report that says by which code its figures were computed
_FIGURES = ("classification.py", "segmentation.py", "depth.py")  # files of this package that say what a table says


@cache
def method() -> str:
    """16 digits that change with the code that computes figures and intervals from prediction tables."""
    here = Path(__file__).parent
    files = [*sorted((here.parent / "metrics").glob("*.py")), *(here / name for name in _FIGURES)]
    return fingerprint(*(file.read_bytes().replace(b"\r\n", b"\n") for file in files))


def write_result(path: Path, result: Result) -> None:
    """Keep a report that was computed just now. Raises StorageError when the disk is full."""
    write_json(path, {METHOD: method(), **result.to_json()})


def read_result(path: Path) -> Result | None:
    """The result in a results file, by whichever method, or None when there is none that can be read.

    For pages: looking at a result that is already there opens nothing.
    """
    return read_stored(path)[0]


def read_stored(path: Path) -> tuple[Result | None, str]:
    """The result in a results file and the method that computed it; (None, "") when there is none that can be read."""
    data: Any = read_json(path)
    try:
        if data is None:
            return None, ""
        by = str(data.get(METHOD, ""))
        figures = {name: value for name, value in data.items() if name != METHOD}
        kind = SegmentationResult if data.get("task") == TASK else ClassificationResult
        return kind.from_json(figures), by
    except (AttributeError, KeyError, TypeError, ValueError):
        return None, ""
