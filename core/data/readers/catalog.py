"""The layouts that can be imported, in the order in which they are tried."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.data.readers.csv_labels import CSV_LABELS
from core.data.readers.image_folder import IMAGE_FOLDER
from core.data.readers.mask_pairs import MASK_PAIRS
from core.data.readers.reader import Found, Reader
from core.data.readers.split_folders import SPLIT_FOLDERS
from core.data.tree import Tree
from core.errors import DatasetError
from core.knobs import find

READERS: tuple[Reader, ...] = (
    MASK_PAIRS,  # before the others, to which train/images and train/masks would be two classes
    CSV_LABELS,  # before the folders, of which a table may name some part_1 and part_2 that are no classes
    SPLIT_FOLDERS,  # before class folders, as which train/ and test/ would be two classes
    IMAGE_FOLDER,
)
AUTO = "auto"


def reader(name: str) -> Reader:
    """The reader of this name. Raises DatasetError listing the names."""
    return find(READERS, name, "There is no such layout", error=DatasetError, also=(AUTO,))


@dataclass(frozen=True)
class Fit:
    """A reader that fits a tree."""

    reader: Reader
    why: str
    tree: Tree  # where it fits: inside the folders that only wrap the dataset


def recognise(tree: Tree, layout: str = AUTO, picks: Mapping[str, str] | None = None) -> tuple[Reader, str, Found]:
    """The reader that fits the tree, why it fits, and what it found with these answers to what it asks.

    Folders that only wrap the dataset (a zip of "my data/cat/1.jpg") are stepped through. With a layout other than
    "auto" only that reader is asked. Raises DatasetError, saying what was found, when none fits.
    """
    fit = fitting(tree, layout)[0]
    asked = fit.reader.picks(fit.tree, picks or {})
    return fit.reader, fit.why, fit.reader.read(fit.tree, asked.settled(picks or {}) if asked else {})


def fitting(tree: Tree, layout: str = AUTO) -> tuple[Fit, ...]:
    """All readers that fit the tree, the one that is taken first. Raises what `recognise` does."""
    readers = READERS if layout == AUTO else (reader(layout),)
    here, within = tree, ""
    while True:
        fits = [Fit(row, why + within, here) for row in readers if (why := row.recognise(here))]
        if fits:
            return tuple(fits)
        folders = here.folders()
        inner = here.below(next(iter(folders))) if len(folders) == 1 else None
        if inner is None or not inner.folders():
            raise _unknown(here, readers)
        within += f", inside {next(iter(folders))}"
        here = inner


def _unknown(tree: Tree, readers: tuple[Reader, ...]) -> DatasetError:
    folders, loose = tree.folders(), tree.loose_pictures()
    expected = " or ".join(row.sentence[0].lower() + row.sentence[1:] for row in reversed(readers))
    if not folders and not loose:
        others = len(tree.files)
        found = (
            f"{others} {'file' if others == 1 else 'files'}, none of which is named like a picture"
            if others
            else "no file"
        )
        return DatasetError("There are no pictures here", found=found, expected=expected)
    parts = [f"{_pictures(loose)} in no folder"] if loose else []
    parts += [f"{_pictures(count)} in the folder {name}" for name, count in list(folders.items())[:5]]
    if len(folders) > 5:
        parts.append(f"{len(folders) - 5} more folders")
    if len(folders) == 1 and not loose:
        return DatasetError(
            "There is only one class here", found=parts[0], expected="at least two folders with pictures, one per class"
        )
    return DatasetError(
        "How these pictures belong to classes cannot be seen", found=", ".join(parts), expected=expected
    )


def _pictures(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
