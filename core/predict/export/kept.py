"""The formats of an export, and those that a run's folder holds. Torch-free, so that pages can look."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.evaluate.current import digest_of
from core.knobs import find
from core.runs.run import RunPaths
from core.workspace import read_json

FOLDER = "exports"  # in the folder of a run


@dataclass(frozen=True)
class Format:
    """One kind of file that a run can be exported as."""

    name: str
    label: str
    sentence: str
    suffixes: tuple[str, ...]  # that its file may have, the usual one first
    mime: str


FORMATS = (
    Format(
        "onnx",
        "ONNX",
        "The model as one file that any program with onnxruntime can ask: pictures of any size in, probabilities out. "
        "Checked against PyTorch on pictures of the validation split.",
        (".onnx",),
        "application/octet-stream",
    ),
    Format(
        "zip",
        "Weights and model card",
        "The weights as safetensors with recipe, class map and model card, and a file of Python that loads them "
        "without Fovea.",
        (".zip",),
        "application/zip",
    ),
    Format(
        "script",
        "Training script",
        "One readable file of Python that trains this run again without Fovea and comes to the same numbers on a CPU, "
        "with the pictures it needs.",
        (".zip", ".py"),
        "application/zip",
    ),
)


def find_format(name: str) -> Format:
    """The format of this name. Raises RecipeError listing the names when there is none."""
    return find(FORMATS, name, "--format")


def kept_file(paths: RunPaths, kind: str) -> Path:
    """Where an export of a run is kept."""
    return paths.folder / FOLDER / f"{kind}{find_format(kind).suffixes[0]}"


def kept_facts(paths: RunPaths, kind: str) -> Path:
    """What was said of it when it was written."""
    return paths.folder / FOLDER / f"{kind}.json"


def read_kept(paths: RunPaths, kind: str) -> dict[str, Any] | None:
    """What is known of a kept export of the present weights; None where there is none."""
    about = read_json(kept_facts(paths, kind))
    if not isinstance(about, dict) or not kept_file(paths, kind).exists():
        return None
    try:
        return about if about.get("weights") == digest_of(paths.best) else None
    except FileNotFoundError:
        return None
