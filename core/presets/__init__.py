"""Presets: named starting points for a recipe. Whoever wants one asks here."""

from core.knobs import find
from core.presets.general import GENERAL
from core.presets.reports import REPORTS
from core.presets.row import Preset, Setting

__all__ = ["DEFAULT", "DEFAULTS", "PRESETS", "Preset", "Setting", "preset", "presets_for"]

PRESETS = (*GENERAL, *REPORTS)
DEFAULT = PRESETS[0].name
DEFAULTS = {"classification": DEFAULT, "segmentation": "unet"}  # what a run of each task starts from unless told


def preset(name: str) -> Preset:
    """The preset of that name. Raises RecipeError listing the names there are."""
    return find(PRESETS, name, "preset")


def presets_for(task: str) -> tuple[Preset, ...]:
    """The presets of one task, the first of them the one to start with."""
    return tuple(row for row in PRESETS if row.task == task)
