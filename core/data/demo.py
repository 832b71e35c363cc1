"""Datasets that come with Fovea: drawn blood cells and polyps with dials, and the digits of scikit-learn.

A demo is written as a folder of images and then imported like any other, so that it shows what an import shows.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.data.incoming import Proposal, new_folder, propose
from core.data.intake import Report
from core.data.mask_values import value_text
from core.data.polyps import CLASSES, COLOURS, draw_polyps
from core.data.smear import CELLS, MASK_CLASSES, CellType, draw_cell, draw_masked_cell, redraw_outlines
from core.data.split import SplitRule, stratified
from core.data.tree import walk
from core.errors import DatasetError, storage_errors
from core.knobs import BoolKnob, FloatKnob, IntKnob, Knob, check_values, find
from core.seeding import derive
from core.workspace import Workspace

DIGITS = 1797  # as many as scikit-learn has
GREYS = np.array([0, 128, 255], np.uint8)  # of MASK_CLASSES in the masks of the blood smear
WHITE_CELLS = tuple(row for row in CELLS if row.name not in ("platelet", "erythroblast", "immature granulocyte"))


@dataclass(frozen=True)
class Demo:
    """A dataset that needs no download."""

    name: str
    label: str
    sentence: str
    knobs: tuple[Knob, ...]
    draw: Callable[[dict[str, Any], Path, Report], None]  # writes a folder of images, for segmentation with masks
    masks: tuple[tuple[str, str], ...] = ()  # for segmentation: what the values of the masks mean


def demo(name: str) -> Demo:
    """The demo of this name. Raises DatasetError listing the names."""
    return find(DEMOS, name, "There is no such demo", error=DatasetError)


def make_demo(
    workspace: Workspace,
    name: str,
    values: dict[str, Any] | None = None,
    report: Report | None = None,
    id: str = "",
) -> Proposal:
    """Draw a demo and propose it as an import; `keep` makes it a dataset. The same values draw the same images.

    `values` sets dials by name; others keep their defaults. `report` is called with the steps done and in all, two for
    each image: drawn, and read. `id` is that of the proposal, where somebody must know it before. Raises DatasetError
    for a name nobody knows, RecipeError naming a dial that is out of range, StorageError when the disk is full.
    """
    row = demo(name)
    checked = check_values(row.knobs, values or {}, row.name)
    tell = report or (lambda done, of: None)
    with new_folder(workspace, row.label, id) as folder:
        drawn = folder / "unpacked"
        with storage_errors(folder):
            row.draw(checked, drawn, lambda done, of: tell(done, 2 * of))
        dials = ", ".join(f"{dial} {value:g}" for dial, value in checked.items())
        return propose(
            walk(drawn),
            folder,
            name=row.label,
            source=f"demo {row.name}: {dials}",
            owned=True,
            labels=dict(row.masks),
            report=lambda done, of: tell(of + done, 2 * of),
        )


@dataclass(frozen=True)
class Planned:
    """One image of the blood smear before it is drawn."""

    kind: CellType  # what is drawn
    label: str  # what the folder says; another kind where the label is noise
    split: str  # "" without planted duplicates
    copy_of: int | None  # the place of the training image that this one repeats


def plan_smear(values: dict[str, Any]) -> list[Planned]:
    """The images of a blood smear in the order of their numbers, with every planted fault known."""
    rng = np.random.default_rng(derive(values["seed"], "smear", "plan"))
    kinds = [CELLS[index] for index in np.repeat(np.arange(values["classes"]), _class_sizes(values))]
    kinds = [kinds[place] for place in rng.permutation(len(kinds))]  # so that a number says nothing about the kind
    labels = [kind.name for kind in kinds]
    for place in _some(rng, range(len(kinds)), values["label_noise"]):
        others = [row.name for row in CELLS[: values["classes"]] if row is not kinds[place]]
        labels[place] = others[rng.integers(len(others))]
    splits, copies = [""] * len(kinds), [None] * len(kinds)
    if values["duplicates"]:
        names = [row.name for row in CELLS]
        splits = stratified([names.index(label) for label in labels], SplitRule(seed=values["seed"]))
        examined = [place for place, split in enumerate(splits) if split != "train"]
        for place in _some(rng, examined, values["duplicates"]):
            alike = [i for i, split in enumerate(splits) if split == "train" and labels[i] == labels[place]]
            if alike:
                copies[place] = int(rng.choice(alike))
                kinds[place] = kinds[copies[place]]
    return [Planned(*row) for row in zip(kinds, labels, splits, copies, strict=True)]


def _class_sizes(values: dict[str, Any]) -> list[int]:
    """How many images each class has: evenly falling on a logarithmic scale from the first class to the last."""
    count, images = values["classes"], values["images"]
    weights = float(values["imbalance"]) ** -np.linspace(0, 1, count)
    sizes = np.maximum(3, np.floor(images * weights / weights.sum())).astype(int)
    sizes[0] += max(0, images - sizes.sum())  # what rounding down has left
    while sizes.sum() > images:  # what raising the small classes to 3 has taken
        sizes[sizes.argmax()] -= 1
    return sizes.tolist()


def _some(rng: np.random.Generator, places: range | list[int], share: float) -> list[int]:
    """A share of the places, drawn without repetition."""
    return sorted(rng.choice(np.asarray(places, int), round(share * len(places)), replace=False).tolist())


def _draw_smear(values: dict[str, Any], folder: Path, report: Report) -> None:
    planned = plan_smear(values)

    def file(place: int) -> Path:
        row = planned[place]
        return folder / row.split / row.label / f"cell-{place:05d}.jpg"

    def draw(place: int) -> None:
        seed = derive(values["seed"], "smear", "cell", place)
        image = draw_cell(planned[place].kind, values["size"], values["difficulty"], seed)
        image.save(file(place), quality=92, subsampling=0)

    for place in range(len(planned)):
        file(place).parent.mkdir(parents=True, exist_ok=True)
    originals = [place for place, row in enumerate(planned) if row.copy_of is None]
    with ThreadPoolExecutor(2, thread_name_prefix="draw") as threads:
        for done, _ in enumerate(threads.map(draw, originals), 1):
            report(done, len(planned))
    for place, row in enumerate(planned):
        if row.copy_of is not None:
            file(place).write_bytes(file(row.copy_of).read_bytes())


def _draw_smear_masks(values: dict[str, Any], folder: Path, report: Report) -> None:
    def draw(place: int) -> None:
        seed = derive(values["seed"], "smear masks", "cell", place)
        kind = WHITE_CELLS[derive(seed, "kind") % len(WHITE_CELLS)]
        image, mask = draw_masked_cell(kind, values["size"], values["difficulty"], seed)
        mask = redraw_outlines(mask, values["mask_noise"], derive(seed, "outlines"))
        image.save(images / f"cell-{place:05d}.jpg", quality=92, subsampling=0)
        Image.fromarray(GREYS[mask]).save(masks / f"cell-{place:05d}.png")

    images, masks = _pair_folders(folder)
    _draw_all(draw, values["images"], report)


def _draw_polyps(values: dict[str, Any], folder: Path, report: Report) -> None:
    planned = plan_polyps(values)

    def draw(place: int) -> None:
        seed = derive(values["seed"], "polyps", "picture", place)
        image, mask = draw_polyps(planned[place], values["size"], values["difficulty"], seed)
        image.save(images / f"polyp-{place:05d}.jpg", quality=92, subsampling=0)
        coloured = Image.fromarray(np.array(COLOURS, np.uint8)[mask])
        if values["jpeg_masks"]:
            coloured.save(masks / f"polyp-{place:05d}.jpg", quality=90)
        else:
            coloured.save(masks / f"polyp-{place:05d}.png")

    images, masks = _pair_folders(folder)
    _draw_all(draw, values["images"], report)


def plan_polyps(values: dict[str, Any]) -> list[tuple[int, ...]]:
    """Which polyps each picture of the polyp demo shows, as indices of classes: none, one, or two."""
    rng = np.random.default_rng(derive(values["seed"], "polyps", "plan"))
    empty = set(_some(rng, range(values["images"]), values["empty"]))
    return [
        () if place in empty else tuple(int(kind) for kind in rng.integers(1, 3, 1 + (rng.random() < 0.3)))
        for place in range(values["images"])
    ]


def _pair_folders(folder: Path) -> tuple[Path, Path]:
    images, masks = folder / "images", folder / "masks"
    images.mkdir(parents=True)
    masks.mkdir()
    return images, masks


def _draw_all(draw: Callable[[int], None], count: int, report: Report) -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="draw") as threads:
        for done, _ in enumerate(threads.map(draw, range(count)), 1):
            report(done, count)


def _draw_digits(values: dict[str, Any], folder: Path, report: Report) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    for place in range(values["images"]):
        label = folder / str(digits.target[place])
        label.mkdir(parents=True, exist_ok=True)
        ink = np.clip(digits.images[place] * (255 / 16), 0, 255).astype(np.uint8)
        image = Image.fromarray(ink).resize((32, 32), Image.Resampling.BICUBIC)  # 8 x 8 pixels would be hard to look at
        image.save(label / f"digit-{place:04d}.png")
        report(place + 1, values["images"])


_IMBALANCE = "How many times more images the commonest class has than the rarest; no class has fewer than 3"
_LABEL_NOISE = "Share of images that lie in the folder of another class"
_DUPLICATES = "Share of validation and test images that repeat a training image; above 0 the splits are given"
_MASK_NOISE = "How far the outlines of the masks are off, as if drawn in a hurry: shifted and ragged"
_JPEG_MASKS = "Save the masks as JPEG files, as some datasets do: colours bleed, and the import has to snap them back"
_ALIKE = "How much the two kinds of polyps look alike, how flat they are, and how unsteady the camera is"
_DIFFICULTY = "How much the kinds look alike, and how unsteady stain, focus and light are"

DEMOS = (
    Demo(
        name="blood-smear",
        label="Blood smear",
        sentence="Stained blood cells, drawn here, with dials for everything that makes a dataset hard",
        knobs=(
            IntKnob("classes", "Classes", 4, 2, len(CELLS), help="Kinds of cells"),
            IntKnob("images", "Images", 400, 24, 5000, step=20),
            IntKnob("size", "Size", 96, 24, 256, step=8, unit="px"),
            FloatKnob("imbalance", "Imbalance", 1.0, 1.0, 50.0, step=0.5, unit="times", help=_IMBALANCE),
            FloatKnob("label_noise", "Label noise", 0.0, 0.0, 0.5, help=_LABEL_NOISE),
            FloatKnob("duplicates", "Duplicates across splits", 0.0, 0.0, 0.5, help=_DUPLICATES),
            FloatKnob("difficulty", "Difficulty", 0.3, 0.0, 1.0, step=0.05, help=_DIFFICULTY),
            IntKnob("seed", "Seed", 0, 0, 2**31 - 1, help="Another seed draws other cells"),
        ),
        draw=_draw_smear,
    ),
    Demo(
        name="blood-smear-masks",
        label="Blood smear with masks",
        sentence="White blood cells, drawn here, each with a mask of its cytoplasm and nucleus (grey 0, 128 and 255)",
        knobs=(
            IntKnob("images", "Images", 240, 24, 5000, step=20),
            IntKnob("size", "Size", 96, 24, 256, step=8, unit="px"),
            FloatKnob("difficulty", "Difficulty", 0.3, 0.0, 1.0, step=0.05, help=_DIFFICULTY),
            FloatKnob("mask_noise", "Mask noise", 0.0, 0.0, 1.0, step=0.05, help=_MASK_NOISE),
            IntKnob("seed", "Seed", 0, 0, 2**31 - 1, help="Another seed draws other cells"),
        ),
        draw=_draw_smear_masks,
        masks=tuple((str(grey), name) for grey, name in zip(GREYS.tolist(), MASK_CLASSES, strict=True)),
    ),
    Demo(
        name="polyps",
        label="Polyps",
        sentence="Endoscopy pictures, drawn here, with masks of two kinds of polyps (black, red and green)",
        knobs=(
            IntKnob("images", "Images", 200, 24, 5000, step=20),
            IntKnob("size", "Size", 128, 32, 256, step=8, unit="px"),
            FloatKnob("empty", "Without a polyp", 0.1, 0.0, 0.9, step=0.05, help="Share of pictures without any polyp"),
            FloatKnob("difficulty", "Difficulty", 0.3, 0.0, 1.0, step=0.05, help=_ALIKE),
            BoolKnob("jpeg_masks", "JPEG masks", False, help=_JPEG_MASKS),
            IntKnob("seed", "Seed", 0, 0, 2**31 - 1, help="Another seed draws other pictures"),
        ),
        draw=_draw_polyps,
        masks=tuple((value_text(colour), name) for colour, name in zip(COLOURS, CLASSES, strict=True)),
    ),
    Demo(
        name="digits",
        label="Digits",
        sentence="Handwritten digits 0 to 9 from scikit-learn: real, tiny (8 x 8 pixels, enlarged) and quick to learn",
        knobs=(IntKnob("images", "Images", 600, 50, DIGITS, step=50),),
        draw=_draw_digits,
    ),
)
