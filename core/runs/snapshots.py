"""Which epochs of a run can be gone back to. Reading this needs no torch."""

from core.models.snapshot_files import START, epochs_kept, start_of
from core.runs.run import RunPaths
from core.workspace import read_json


def epochs_to_visit(paths: RunPaths) -> list[int]:
    """The epochs whose network can be asked: START, those with a snapshot, and the best one. [] where there is none.

    A run made before there were snapshots has none, nor has one whose network is too large for them.
    """
    kept = epochs_kept(paths.snapshots)
    if not kept or not start_of(paths.snapshots).exists() or not paths.best.exists():
        return []
    best = (read_json(paths.best_facts) or {}).get("epoch")
    return sorted({START, *kept} | ({int(best)} if isinstance(best, int | float) else set()))
