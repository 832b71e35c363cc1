"""Arrays in an .npz: one holds the pictures, another their labels, perhaps a third the names of the classes.

Several pairs, named by their splits (train_images, train_labels, test_images, ...) or in files named so, are read as
one. A row becomes a PNG when it is taken in, so that a dataset of arrays is like any other from there on.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from core.data.dataset import SPLITS, Skipped
from core.data.readers.arrays import Head, heads
from core.data.readers.columns import rank, split_of, words
from core.data.readers.pieces import OTHER_ARRAY, SHAPES, Piece, picture_axes, take_piece
from core.data.readers.reader import Found, FoundImage, Pick, Picks, Reader, insist_on_classes
from core.data.readers.split_folders import SPLIT_NAMES
from core.data.tree import ARRAYS_SUFFIX, Tree, TreeFile, natural
from core.errors import ArchiveError, DatasetError

MOST_FILES = 20  # of a tree that are opened; those with the shortest paths first
_AND = " + "  # between files, or arrays, that are read as one
_IMAGES = rank(("images", "image", "x", "imgs", "pictures", "photos", "data", "features", "arr"))
_LABELS = rank(("labels", "label", "y", "targets", "target", "class", "classes", "diagnosis"))
_NAMES = rank(("names", "name", "classes", "categories"))


@dataclass(frozen=True)
class _Bundle:
    """One .npz, or several that are read as one because they are named by their splits and hold the same keys."""

    name: str
    files: tuple[tuple[str, TreeFile], ...]  # with the split of each; "" for one alone
    heads: Mapping[str, Head]  # of the first

    @cached_property
    def options(self) -> dict[str, tuple[str, ...]]:
        """What may be picked: arrays that are one in parts, by their splits, and each array alone."""
        parts: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
        for key in self.heads:
            if split := _split(key):
                parts[tuple(word for word in words(key) if word not in SPLIT_NAMES)].setdefault(split, key)
        joined = [tuple(found[split] for split in SPLITS if split in found) for found in parts.values()]
        return {
            _AND.join(keys): keys
            for keys in (*(some for some in joined if len(some) > 1), *((key,) for key in self.heads))
        }

    def size(self, option: str) -> int:
        """Bytes of an option."""
        return sum(self.heads[key].bytes for key in self.options[option])


def recognise(tree: Tree) -> str | None:
    if not any(file.suffix == ARRAYS_SUFFIX for file in tree.files):
        return None
    for bundle in _bundles(tree)[0]:
        images, labels, _ = _guess(bundle)
        if labels and images and all(_may_be_pictures(bundle.heads[key]) for key in bundle.options[images]):
            shape = " x ".join(map(str, bundle.heads[bundle.options[images][0]].shape))
            return f"{bundle.name} holds pictures (array {images}, {shape}) and their classes (array {labels})"
    if tree.folders() or tree.loose_pictures():
        return None  # arrays of something else, beside pictures
    return "a file of arrays"


def ask(tree: Tree, given: Mapping[str, str]) -> Picks | None:
    """What to ask about the file that was given, or the one that fits best; None where there is none.

    Raises ArchiveError when none of the files can be read.
    """
    bundles, broken = _bundles(tree)
    if not bundles and broken:
        raise broken[0]
    if not bundles:
        return None
    bundle = _chosen(bundles, given.get("file", ""))
    images, labels, names = _guess(bundle)
    every, single = tuple(bundle.options), tuple(bundle.heads)
    asked = [
        Pick("images", "Pictures", f"The array of the pictures, {SHAPES}", every, images, True),
        Pick("labels", "Labels", "The array of their classes, one for each picture", every, labels, True),
        Pick("names", "Class names", "The array that names the classes 0, 1, 2, ...", single, names, False),
    ]
    if len(bundles) > 1:
        options = tuple(one.name for one in bundles)
        asked.insert(0, Pick("file", "File", "The file of arrays that is read", options, bundle.name, True))
    rows = tuple((head.key, head.kind, head.first[:80]) for head in bundle.heads.values())
    return Picks(tuple(asked), (("array", "shape and type", "first values"), *rows), tuple(map(str, broken)))


def read(tree: Tree, picks: Mapping[str, str]) -> Found:
    if tree.room is None:
        raise ValueError("what is unpacked needs room")
    bundles, broken = _bundles(tree)
    if not bundles:
        raise broken[0]
    bundle = _chosen(bundles, picks.get("file", ""))
    pieces = list(_pieces(bundle, picks))
    images: list[FoundImage] = []
    skipped: list[Skipped] = []
    notes = [f"Left out: {error}" for error in broken]
    for number, piece in enumerate(pieces):
        try:
            taken = take_piece(piece, heads(piece.file), tree.room / str(number))
        except DatasetError as error:
            if len(pieces) == 1 or (number == len(pieces) - 1 and not images):
                raise
            notes.append(f"Left out: all of {piece.split}. {error}")
            continue
        images += taken.images
        skipped += taken.skipped
        notes += taken.notes
    if skipped and not images:
        found = f"{skipped[0].file}: {skipped[0].reason}"
        raise DatasetError(f"No picture of {bundle.name} can be used", found=found, do=OTHER_ARRAY)
    classes = tuple(sorted({image.label for image in images}, key=natural))
    insist_on_classes(classes, len(images), f"The array {picks['labels']}", OTHER_ARRAY)
    files = {file for _, file in bundle.files}
    beside = (Skipped(file.name, f"lies beside {bundle.name}") for file in tree.files if file not in files)
    return Found(classes, tuple(images), (*tree.skipped, *skipped, *beside), tuple(notes))


def _bundles(tree: Tree) -> tuple[list[_Bundle], list[DatasetError]]:
    """The files of arrays in a tree, in front those that are one in parts, and what is wrong with the others."""
    files = sorted((file for file in tree.files if file.suffix == ARRAYS_SUFFIX), key=lambda file: len(file.parts))
    alone: list[_Bundle] = []
    broken: list[DatasetError] = []
    parts: dict[frozenset[str], dict[str, _Bundle]] = defaultdict(dict)
    for file in files[:MOST_FILES]:
        try:
            alone.append(_Bundle(file.name, (("", file),), heads(file)))
        except ArchiveError as error:
            broken.append(error)
            continue
        if split := split_of(file):
            parts[frozenset(alone[-1].heads)].setdefault(split, alone[-1])
    joined = []
    for some in parts.values():
        ordered = [(split, some[split]) for split in SPLITS if split in some]
        if len(ordered) > 1:
            name = _AND.join(bundle.name for _, bundle in ordered)
            joined.append(_Bundle(name, tuple((split, one.files[0][1]) for split, one in ordered), ordered[0][1].heads))
    return [*joined, *alone], broken


def _chosen(bundles: Sequence[_Bundle], name: str) -> _Bundle:
    """The bundle of this name, else the first that has pictures and labels, else the first."""
    named = [bundle for bundle in bundles if bundle.name == name] or bundles
    return next((bundle for bundle in named if all(_guess(bundle)[:2])), named[0])


def _guess(bundle: _Bundle) -> tuple[str, str, str]:
    """What seem to be the pictures, the labels and the names of the classes; "" for none."""
    found = bundle.heads
    pictures = [option for option, keys in bundle.options.items() if all(_may_be_pictures(found[key]) for key in keys)]
    pictures = pictures or [option for option in bundle.options if _IMAGES(option) < 2]
    images = min(
        pictures,
        key=lambda option: (len(bundle.options[option]) == 1, _IMAGES(option), -bundle.size(option)),
        default="",
    )
    partners = [(_split(key), found[key].count) for key in bundle.options.get(images, ())]

    def fit(option: str) -> int:
        """0 for as many labels as pictures, 1 for what is only called labels, 2 for neither."""
        keys = bundle.options[option]
        counts = [(_split(key), found[key].count) for key in keys]
        same = counts == partners or (len(keys) == len(partners) == 1 and counts[0][1] == partners[0][1])
        return 0 if same else 1 if _LABELS(option) < 2 else 2

    def preference(option: str) -> tuple:
        return fit(option), len(bundle.options[option]) != len(partners), _LABELS(option), bundle.size(option)

    flat = [
        option
        for option, keys in bundle.options.items()
        if option != images and fit(option) < 2 and all(len(found[key].shape) in (1, 2) for key in keys)
    ]
    labels = min(flat, key=preference, default="")
    if any(found[key].dtype.kind in "US" for key in bundle.options.get(labels, ())):
        return images, labels, ""  # which name the classes themselves
    named = [key for key, head in found.items() if _may_be_names(head) and key != labels]
    return images, labels, min(named, key=_NAMES, default="")


def _may_be_pictures(head: Head) -> bool:
    fits = not head.fault and head.dtype.kind in "buif" and head.count > 1 and picture_axes(head.shape) is not None
    return fits and _LABELS(head.key) == 2 and "mask" not in head.key.casefold()


def _may_be_names(head: Head) -> bool:
    """Whether an array could name classes; one that is called so but cannot be read is asked for, to be told about."""
    called = _NAMES(head.key)
    return called < 2 and len(head.shape) == 1 and (head.dtype.kind in "US" or (called == 0 and bool(head.fault)))


def _split(key: str) -> str:
    return next((SPLIT_NAMES[word] for word in words(key) if word in SPLIT_NAMES), "")


def _pieces(bundle: _Bundle, picks: Mapping[str, str]) -> Iterator[Piece]:
    """The pairs of arrays that were picked. Raises DatasetError when they cannot be pairs."""
    images, labels = bundle.options[picks["images"]], bundle.options[picks["labels"]]
    both = f"{picks['images']} and {picks['labels']}"
    if set(images) & set(labels):
        raise DatasetError("One array cannot be the pictures and their labels", found=both, do=OTHER_ARRAY)
    if len(images) != len(labels) or (len(images) > 1 and list(map(_split, images)) != list(map(_split, labels))):
        raise DatasetError(
            "Pictures and labels must be picked of the same splits",
            found=both,
            expected="an array of labels for each array of pictures",
            do=OTHER_ARRAY,
        )
    for split, file in bundle.files:
        for image, label in zip(images, labels, strict=True):
            yield Piece(file, image, label, picks["names"], _split(image) if len(images) > 1 else split)


def _pictures(tree: Tree) -> int:
    """How many pictures the arrays that fit best should hold."""
    bundles, _ = _bundles(tree)
    if not bundles:
        return 0
    bundle = _chosen(bundles, "")
    images, labels, _ = _guess(bundle)
    keys = bundle.options[images] if images and labels else ()
    if not all(_may_be_pictures(bundle.heads[key]) for key in keys):
        return 0
    return sum(bundle.heads[key].count for key in keys) * len(bundle.files)


NPZ_ARRAYS = Reader(
    name="npz",
    label="Arrays",
    sentence="An .npz file with an array of pictures and one of their labels",
    recognise=recognise,
    read=read,
    picks=ask,
    pictures=_pictures,
)
