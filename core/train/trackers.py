"""Figures told to a tracker besides the run's own files: TensorBoard, MLflow or Weights & Biases, through Accelerate.

Off unless the recipe names one. A tracker is a guest: its package is asked for before the start, and whatever goes
wrong with it afterwards is said once and ends nothing. This module is imported without torch.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import RecipeError
from core.recipe import Recipe
from core.train.events import EpochEnd, Said

if TYPE_CHECKING:
    from accelerate import Accelerator
    from accelerate.tracking import GeneralTracker

PROJECT = "fovea"  # what the runs are gathered under, in trackers that gather


@dataclass(frozen=True)
class TrackerRow:
    """One tracker, and what it takes."""

    name: str  # as in the recipe and in Accelerate
    label: str
    package: str  # to install; also what it is imported as
    sentence: str


TRACKERS = (
    TrackerRow("none", "None", "", "Figures stand in the run's own files only."),
    TrackerRow("tensorboard", "TensorBoard", "tensorboard", "Event files in the run's folder, under tracker."),
    TrackerRow("mlflow", "MLflow", "mlflow", "To the server that MLFLOW_TRACKING_URI names, or to the run's folder."),
    TrackerRow("wandb", "Weights & Biases", "wandb", "To the account this machine is logged in to, if it is."),
)


def tracker_row(name: str) -> TrackerRow:
    """The row of a tracker. Raises RecipeError when its package is not installed."""
    row = next(row for row in TRACKERS if row.name == name)
    if row.package and importlib.util.find_spec(row.package) is None:
        raise RecipeError(
            "tracker",
            found=f"{name!r}, whose package is not installed",
            do=f"Install it with `pip install {row.package}`, or choose none",
        )
    return row


class Tracking:
    """One tracker at work, or none."""

    def __init__(self, label: str, accelerator: "Accelerator | None" = None) -> None:
        self._label, self._accelerator = label, accelerator
        self._trouble: Exception | None = None

    def start(self, tracker: "GeneralTracker", config: dict[str, Any] | None) -> None:
        """Let the tracker begin; `config` is the recipe in flat and simple values, the first time."""
        try:
            self._accelerator.log_with = [tracker]
            self._accelerator.init_trackers(PROJECT, config)
        except Exception as error:  # whatever a package of somebody else raises
            self._failed(error)

    def tell(self, end: EpochEnd) -> Iterator[Said]:
        """Pass on what an epoch measured; what there is to say when that does not work, once."""
        if self._accelerator is not None:
            figures = {"learning_rate": end.learning_rate, "images_per_second": end.images_per_second}
            for split, measured in (("train", end.train), ("validation", end.validation)):
                figures |= {f"{split}/{name}": value for name, value in measured.items()}
            try:
                self._accelerator.log(figures, step=end.epoch)
            except Exception as error:
                self._failed(error)
        if self._trouble is not None:
            text = " ".join(str(self._trouble).split())[:200] or "no message"
            told = f"{type(self._trouble).__name__}: {text}"
            yield Said(end.epoch, 0, f"{self._label} is told nothing more, since it failed ({told}); the run goes on.")
            self._trouble = None

    def finish(self) -> None:
        """Let the tracker write what it still holds."""
        if self._accelerator is not None:
            for tracker in self._accelerator.trackers:
                with suppress(Exception):  # the run has its outcome already
                    tracker.finish()
            self._accelerator.trackers.clear()

    def _failed(self, error: Exception) -> None:
        self.finish()
        self._accelerator, self._trouble = None, error


@contextmanager
def tracking(recipe: Recipe, accelerator: "Accelerator", folder: Path | None) -> Iterator[Tracking]:
    """The recipe's tracker, which keeps its files in `folder`; a silent one without a folder, for no tracker, and in
    every process but the first.

    A run that is resumed goes on in the same record. Raises RecipeError when the tracker's package is not installed.
    """
    row = tracker_row(recipe.tracker)
    if not row.package or folder is None or not accelerator.is_main_process:
        yield Tracking(row.label)
        return
    found = Tracking(row.label, accelerator)
    first = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tracker = _tracker(row.name, folder, recipe.name or folder.parent.name)
    except Exception as error:
        found._failed(error)
    else:
        found.start(tracker, _flat(recipe.model_dump(mode="json")) if first else None)
        _remember(row.name, folder, tracker)
    try:
        yield found
    finally:
        found.finish()


def _tracker(name: str, folder: Path, title: str) -> "GeneralTracker":
    from accelerate.tracking import MLflowTracker, TensorBoardTracker, WandBTracker

    if name == "tensorboard":
        return TensorBoardTracker(".", folder)
    if name == "mlflow":
        os.environ.setdefault("MLFLOW_TRACKING_URI", folder.absolute().as_uri())
        known = folder / "mlflow-run"
        run_id = known.read_text(encoding="utf-8") if known.exists() else None
        return MLflowTracker(PROJECT, run_id=run_id, run_name=title)
    return WandBTracker(PROJECT, name=title, id=folder.parent.name, resume="allow", dir=str(folder))


def _remember(name: str, folder: Path, tracker: "GeneralTracker") -> None:
    """Keep the id that MLflow gave the run, so that it goes on there when it is resumed."""
    run = getattr(tracker, "active_run", None)
    if name == "mlflow" and run is not None:
        with suppress(OSError):
            (folder / "mlflow-run").write_text(run.info.run_id, encoding="utf-8")


def _flat(value: Any, path: str = "") -> dict[str, bool | int | float | str]:
    """{"a": {"b": [1]}} as {"a.b.0": 1}, since trackers take simple values only."""
    if isinstance(value, dict) and value:
        items = value.items()
    elif isinstance(value, list) and value:
        items = enumerate(value)
    else:
        return {path: value if isinstance(value, bool | int | float | str) else str(value)}
    flat = {}
    for key, inner in items:
        flat |= _flat(inner, f"{path}.{key}" if path else str(key))
    return flat
