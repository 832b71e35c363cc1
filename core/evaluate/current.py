"""Whether a stored report is still about the weights of its run, and computed as it is today.

Torch-free, and asking is cheap, so that a page can.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from core.errors import InputError
from core.evaluate.classification import evaluate_table
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import Result, method, read_stored, write_result
from core.evaluate.segmentation import evaluate_masks
from core.runs.run import RunPaths
from core.runs.seal import openings
from core.runs.store import Run, RunStore
from core.workspace import Workspace


def current_result(paths: RunPaths, split: str) -> Result | None:
    """The stored report on a split; None when there is none, the run has other weights by now, or another version of
    Fovea computed it in another way."""
    result, by = read_stored(paths.results(split))
    if result is None or by != method() or not paths.predictions(split).exists():
        return None
    try:
        return result if result.checkpoint.endswith(digest_of(paths.best)) else None
    except FileNotFoundError:
        return None


def renewed(run: Run, split: str) -> Result | None:
    """The stored report on a split, computed anew from its prediction table where it is not there as it is computed
    today; None where the present weights have not answered the split, or it is a sealed test split.

    Opens nothing: somebody who had the right to has looked at these very answers already. For a helper process.
    """
    paths = run.paths
    if split == "test" and not openings(paths):
        return None
    if (found := current_result(paths, split)) is not None:
        return found
    try:
        table = (MaskTable if run.recipe.task == "segmentation" else PredictionTable).read(paths.predictions(split))
        if not table.checkpoint.endswith(digest_of(paths.best)):
            return None
    except (FileNotFoundError, InputError):
        return None
    result = evaluate_masks(table) if isinstance(table, MaskTable) else evaluate_table(table)
    write_result(paths.results(split), result)
    return result


def renew(workspace_root: str, run_id: str, split: str) -> Result | None:
    """`renewed` of a run by its id. Raises RunError when there is none."""
    return renewed(RunStore(Workspace(Path(workspace_root))).get(run_id), split)


def digest_of(best: Path) -> str:
    """16 digits of the SHA-256 of a weight file, computed once for as long as nobody replaces the file.

    Raises FileNotFoundError when there is none.
    """
    about = best.stat()
    return _digest(best, about.st_mtime_ns, about.st_size, about.st_ino)


@lru_cache(maxsize=64)
def _digest(best: Path, _written: int, _size: int, _inode: int) -> str:
    with best.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
