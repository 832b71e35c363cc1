"""Splits given by folders, classes inside: train/cat/1.jpg, val/dog/2.jpg, test/cat/3.jpg."""

from collections.abc import Mapping

from core.data.dataset import SPLITS
from core.data.readers.reader import Found, FoundImage, Reader, gather, misplaced
from core.data.tree import Tree, TreeFile

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def recognise(tree: Tree) -> str | None:
    classes: dict[str, set[str]] = {}
    for file in tree.files:
        if _split(file) and len(file.parts) > 2 and file.may_be_picture:
            classes.setdefault(file.parts[0], set()).add(file.parts[1])
    others = [folder for folder in tree.folders() if folder.lower() not in SPLIT_NAMES]
    inner = {name.casefold() for found in classes.values() for name in found}
    a_class = len(classes) == 1 and len(others) > 1 and not inner.intersection(name.casefold() for name in others)
    if not classes or a_class:  # train/ beside car/ and bus/ is a vehicle, unless it has car/ and bus/ inside
        return None
    named = sorted(classes, key=lambda folder: SPLITS.index(SPLIT_NAMES[folder.lower()]))
    count = len(set().union(*classes.values()))
    return f"folders named {', '.join(named)}, with {count} class {'folder' if count == 1 else 'folders'} inside"


def read(tree: Tree, picks: Mapping[str, str]) -> Found:
    images, skipped = [], list(tree.skipped)
    for file in tree.files:
        split = _split(file)
        if not split:
            skipped.append(misplaced(file, "lies in no train, validation or test folder"))
        elif len(file.parts) < 3:
            skipped.append(misplaced(file, f"lies directly in {file.parts[0]}, in no class folder"))
        else:
            images.append(FoundImage(file, file.parts[1], split))
    return gather(sorted(images, key=lambda image: SPLITS.index(image.split)), skipped)


def _split(file: TreeFile) -> str:
    return SPLIT_NAMES.get(file.parts[0].lower(), "") if len(file.parts) > 1 else ""


SPLIT_FOLDERS = Reader(
    name="split-folders",
    label="Split folders",
    sentence="Folders train, validation (or val, valid) and test, each with one folder per class",
    recognise=recognise,
    read=read,
)
