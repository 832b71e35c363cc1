"""What a reader is: it recognises one way of laying out a dataset and lists its images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.data.dataset import Skipped
from core.data.tree import Tree, TreeFile, natural


@dataclass(frozen=True)
class FoundImage:
    """A file that should be an image, with its class or its mask and, where the layout gives one, its split."""

    file: TreeFile
    label: str  # "" where a mask says what is in it
    split: str  # one of SPLITS, or "" where the layout gives none
    mask: TreeFile | None = None


@dataclass(frozen=True)
class Found:
    """What a layout holds. Nothing has been opened yet; classes are in natural order ("9" before "10")."""

    classes: tuple[str, ...]
    images: tuple[FoundImage, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Reader:
    """One way of laying out a dataset."""

    name: str
    label: str
    sentence: str  # how the files must lie, for people
    recognise: Callable[[Tree], str | None]  # why the tree is laid out like this, or None when it is not
    read: Callable[[Tree], Found]


def gather(images: Iterable[FoundImage], skipped: Iterable[Skipped]) -> Found:
    """The images and skips of a reader, with the classes; files that are no pictures by their names become skips."""
    pictures, left_out = [], list(skipped)
    for image in images:
        if image.file.may_be_picture:
            pictures.append(image)
        else:
            left_out.append(no_picture(image.file))
    classes = sorted({image.label for image in pictures}, key=natural)
    return Found(tuple(classes), tuple(pictures), tuple(left_out))


def no_picture(file: TreeFile) -> Skipped:
    """A file that its name says is something else."""
    return Skipped(file.name, f"a {file.suffix} file, which is no picture")


def misplaced(file: TreeFile, where: str) -> Skipped:
    """A file at a place that says nothing about its class."""
    return Skipped(file.name, where) if file.may_be_picture else no_picture(file)
