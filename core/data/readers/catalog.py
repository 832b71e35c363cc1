"""The layouts that can be imported, in the order in which they are tried."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.data.dataset import Skipped
from core.data.readers.csv_labels import CSV_LABELS
from core.data.readers.image_folder import IMAGE_FOLDER
from core.data.readers.mask_pairs import MASK_PAIRS, says_role
from core.data.readers.npz_arrays import NPZ_ARRAYS
from core.data.readers.reader import Found, Reader
from core.data.readers.split_folders import SPLIT_FOLDERS, SPLIT_NAMES
from core.data.tree import ARRAYS_SUFFIX, Tree
from core.errors import DatasetError
from core.knobs import find

READERS: tuple[Reader, ...] = (
    MASK_PAIRS,  # before the others, to which train/images and train/masks would be two classes
    CSV_LABELS,  # before the folders, of which a table may name some part_1 and part_2 that are no classes
    NPZ_ARRAYS,
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


@dataclass(frozen=True)
class Divided:
    """A tree of which one part is laid out in one way and the rest in another."""

    fit: Fit
    pictures: int  # in the part that fits
    other: Fit  # of the rest
    others: int  # pictures in it

    @property
    def evenly(self) -> bool:
        """Whether nobody can say which of the two is meant."""
        return 2 * self.others >= self.pictures

    @property
    def error(self) -> DatasetError:
        """What to say where it is divided evenly."""
        one, two = (
            f"{_pictures(number)} as {fit.reader.label.lower()} ({fit.why})"
            for number, fit in ((self.pictures, self.fit), (self.others, self.other))
        )
        ways = " or ".join(f"{fit.reader.label.lower()} ({fit.reader.name})" for fit in (self.fit, self.other))
        return DatasetError(
            "This is laid out in two ways",
            found=f"{one} and {two}",
            expected="one layout",
            do=f"Choose {ways}, and import the other part on its own",
        )

    @property
    def note(self) -> str:
        """What to say where the part that fits is taken."""
        rest = f"{_pictures(self.others)} laid out in another way ({self.other.reader.label.lower()}: {self.other.why})"
        return f"Left out: {rest}; import that part on its own."


def recognise(tree: Tree, layout: str = AUTO, picks: Mapping[str, str] | None = None) -> tuple[Reader, str, Found]:
    """The reader that fits the tree, why it fits, and what it found with these answers to what it asks.

    Folders that only wrap the dataset (a zip of "my data/cat/1.jpg") are stepped through. With a layout other than
    "auto" only that reader is asked. Raises DatasetError, saying what was found, when none fits, and when half of the
    pictures are laid out in another way than the rest and no layout is asked for.
    """
    if layout != AUTO and (divided := _chosen_part(tree, layout)):
        return _read_part(divided, picks or {})
    fit, *others = fitting(tree, layout)
    answers, why = settle(fit, picks or {})
    found = None if fit.reader is NPZ_ARRAYS else fit.reader.read(fit.tree, answers)
    divided = division(fit, found)
    if divided and divided.evenly and layout == AUTO:
        raise divided.error
    found = found or fit.reader.read(fit.tree, answers)  # of arrays, which are not unpacked before it must be
    notes = [divided.note] if divided else []
    notes += [] if divided else [f"It could be read otherwise, as {one.reader.name}: {one.why}." for one in others]
    return fit.reader, why, replace(found, notes=(*notes, *found.notes))


def _chosen_part(tree: Tree, layout: str) -> Divided | None:
    """A tree that is divided evenly, when the layout asked for is that of its second part."""
    try:
        fit = fitting(tree)[0]
        divided = None if fit.reader.name == layout else _divided(fit, {})
    except DatasetError:
        return None
    return divided if divided and divided.evenly and divided.other.reader.name == layout else None


def _read_part(divided: Divided, picks: Mapping[str, str]) -> tuple[Reader, str, Found]:
    """The second part of a tree; the first is left out."""
    part = divided.other
    answers, why = settle(part, picks)
    found = part.reader.read(part.tree, answers)
    inside = {file.path for file in part.tree.files}
    first = divided.fit
    reason = f"belongs to the part laid out in another way ({first.reader.label.lower()})"
    left = (Skipped(file.name, reason) for file in first.tree.files if file.path not in inside)
    note = replace(divided, other=first, others=divided.pictures).note
    skipped = (*first.tree.skipped, *found.skipped, *left)
    return part.reader, why, replace(found, skipped=skipped, notes=(note, *found.notes))


def torn(fit: Fit, given: Mapping[str, str]) -> str:
    """Why a person must choose the layout, as a sentence; "" where nobody must, or the answers do not fit yet."""
    try:
        divided = _divided(fit, given)
    except DatasetError:
        return ""
    return str(divided.error) if divided and divided.evenly else ""


def settle(fit: Fit, given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The answers to what a layout asks, and why it fits with what was picked otherwise than guessed.

    Raises DatasetError for answers that cannot be.
    """
    asked = fit.reader.picks(fit.tree, given)
    if asked is None and given:
        raise DatasetError(
            f"Nothing can be picked in this layout ({fit.reader.label.lower()})",
            found=", ".join(given),
            do="Pick nothing",
        )
    answers = asked.settled(given) if asked else {}
    changed = [pick for pick in asked.picks if answers[pick.role] != pick.guess] if asked else []
    picked = ", ".join(f"{pick.label.lower()} {answers[pick.role] or 'nothing'}" for pick in changed)
    return answers, fit.why + (f"; picked: {picked}" if picked else "")


def fitting(tree: Tree, layout: str = AUTO) -> tuple[Fit, ...]:
    """All readers that fit the tree, the one that is taken first. Raises what `recognise` does when none does."""
    readers = READERS if layout == AUTO else (reader(layout),)
    here, within = tree, ""
    while True:
        fits = [Fit(row, why + within, here) for row in readers if (why := row.recognise(here))]
        fits = fits or [Fit(row, "what it holds has to be told", here) for row in readers if _asks(row, here, layout)]
        if fits:
            fits = [fit for place, fit in enumerate(fits) if place == 0 or _may_be_meant(fit)]
            return tuple(sorted(fits, key=lambda fit: len(fits) > 1 and not fit.reader.sure(fit.tree)))
        folders = here.folders()
        inner = here.below(next(iter(folders))) if len(folders) == 1 else None
        if inner is None or not inner.folders():
            raise _unknown(here, readers)
        within += f", inside {next(iter(folders))}"
        here = inner


def _may_be_meant(fit: Fit) -> bool:
    """Whether a layout that fits beside a better one says more than that train and masks could be classes as well."""
    if fit.reader not in (SPLIT_FOLDERS, IMAGE_FOLDER):
        return True
    classes = {image.label for image in fit.reader.read(fit.tree, {}).images if not says_role(image.file)}
    return (
        len(classes if fit.reader is SPLIT_FOLDERS else {one for one in classes if one.lower() not in SPLIT_NAMES}) > 1
    )


def _asks(row: Reader, tree: Tree, layout: str) -> bool:
    """Whether a reader could read the tree if somebody told it what is what; it must know the pictures itself."""
    asked = row.picks(tree, {})
    return bool(asked) and (layout != AUTO or any(pick.role == "images" and pick.guess for pick in asked.picks))


def _divided(fit: Fit, given: Mapping[str, str]) -> Divided | None:
    answers, _ = settle(fit, given)
    return division(fit, None if fit.reader is NPZ_ARRAYS else fit.reader.read(fit.tree, answers))


def division(fit: Fit, found: Found | None) -> Divided | None:
    """Whether what a layout leaves of a tree, in folders of its own, is laid out in another way.

    `found` is what the layout holds; None for arrays, which are not read for this.
    """
    if found is None:
        taken = {file.path for file in fit.tree.files if file.suffix == ARRAYS_SUFFIX}
        pictures, places = fit.reader.pictures(fit.tree), set()
    else:
        files = [file for image in found.images for file in (image.file, image.mask) if file]
        taken, places = {file.path for file in files}, {file.parts[:-1] for file in files}
        pictures = len(found.images)
    files = [file for file in fit.tree.files if file.path not in taken]
    inside = tuple(file for file in files if not file.may_be_picture or file.parts[:-1] not in places)
    rest = Tree(inside, room=fit.tree.room)
    for row in READERS:
        why = row is not fit.reader and row.recognise(rest)
        if why and _tells_classes(row, rest):
            return Divided(fit, pictures, Fit(row, why, rest), row.pictures(rest))
    return None


def _tells_classes(row: Reader, tree: Tree) -> bool:
    """Whether what is recognised is more than one folder of pictures under another."""
    if row is NPZ_ARRAYS:
        return row.pictures(tree) > 0
    asked = row.picks(tree, {})
    found = row.read(tree, asked.settled({}) if asked else {})
    if any(image.mask for image in found.images) or row is CSV_LABELS:
        return True
    named = not any(says_role(image.file) for image in found.images)
    split = row is IMAGE_FOLDER and any(part.casefold() in SPLIT_NAMES for part in found.classes)
    return len(found.classes) > 1 and named and not split


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
    if IMAGE_FOLDER not in readers:
        label = readers[0].label.lower()
        return DatasetError(f"These files are not laid out as {label}", found=", ".join(parts), expected=expected)
    if len(folders) == 1 and not loose:
        return DatasetError(
            "There is only one class here", found=parts[0], expected="at least two folders with pictures, one per class"
        )
    return DatasetError(
        "How these pictures belong to classes cannot be seen", found=", ".join(parts), expected=expected
    )


def _pictures(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
