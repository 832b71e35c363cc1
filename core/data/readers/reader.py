"""What a reader is: it recognises one way of laying out a dataset and lists its images."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.data.dataset import Skipped
from core.data.tree import Tree, TreeFile, natural, same_letters
from core.errors import DatasetError, shown

LONGEST_NAME = 255  # letters of a class; about what a folder's name may have
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class FoundImage:
    """A file that should be an image, with its class or its mask and, where the layout gives one, its split."""

    file: TreeFile
    label: str  # "" where a mask says what is in it
    split: str  # one of SPLITS, or "" where the layout gives none
    mask: TreeFile | None = None
    group: str = ""  # what it shares with others that must be in its split: a patient, a video, a slide
    content: Callable[[], bytes] | None = None  # the bytes of one that is no file of its own; raises ImageError


@dataclass(frozen=True)
class Found:
    """What a layout holds. No picture has been opened yet; classes are in natural order ("9" before "10")."""

    classes: tuple[str, ...]
    images: tuple[FoundImage, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()  # what a person should know of the whole, as sentences


@dataclass(frozen=True)
class Pick:
    """A question that a layout asks: which column of its table, or which of its arrays, plays this role."""

    role: str  # "images", "labels", "split", ...: the key of the answer
    label: str
    sentence: str  # what is asked for, for people
    options: tuple[str, ...]  # the possible answers; "" is one besides, where none is needed
    guess: str  # what it seems to be: one of the options, or ""
    needed: bool


@dataclass(frozen=True)
class Picks:
    """All that a layout asks, and a look at what it asks about. Texts come from the file, whoever wrote it."""

    picks: tuple[Pick, ...]
    preview: tuple[tuple[str, ...], ...]  # a table: its header, then its first rows
    notes: tuple[str, ...] = ()  # what stood out while looking, as sentences

    def settled(self, given: Mapping[str, str]) -> dict[str, str]:
        """The answer for each role: the given one, else the guess.

        Raises DatasetError for a role that is not asked for, an answer that is no option, and one that is missing.
        """
        roles = [pick.role for pick in self.picks]
        for role in given:
            if role not in roles:
                raise DatasetError("There is no such role", found=shown(role), expected="one of " + ", ".join(roles))
        answers = {pick.role: given.get(pick.role, pick.guess) for pick in self.picks}
        for pick in self.picks:
            answer = answers[pick.role]
            if (answer and answer not in pick.options) or (pick.needed and not answer):
                some = ", ".join(pick.options[:20]) + (", ..." if len(pick.options) > 20 else "")
                raise DatasetError(
                    f"{pick.label}: {pick.sentence[0].lower()}{pick.sentence[1:]}",
                    found=shown(answer) if answer else "nothing that looks like it",
                    expected=f"one of {some}" if some else "",
                )
        return answers


@dataclass(frozen=True)
class Reader:
    """One way of laying out a dataset."""

    name: str
    label: str
    sentence: str  # how the files must lie, for people
    recognise: Callable[[Tree], str | None]  # why the tree is laid out like this, or None when it is not
    read: Callable[[Tree, Mapping[str, str]], Found]  # with the answers to its picks, {} where it asks nothing
    # What it has to ask about the tree, if anything, where these answers were given already.
    picks: Callable[[Tree, Mapping[str, str]], Picks | None] = lambda tree, given: None
    sure: Callable[[Tree], bool] = lambda tree: True  # of what it recognises; else others that fit go before it
    pictures: Callable[[Tree], int] = lambda tree: sum(file.may_be_picture for file in tree.files)  # it should hold


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


def class_name(text: str) -> str:
    """A label from a file as the name of a class: on one line, with single blanks, without control characters."""
    return " ".join(_CONTROL.sub("", same_letters(text)).split())


def insist_on_classes(classes: Sequence[str], pictures: int, where: str, do: str) -> None:
    """Refuse labels that are none: there are nearly as many different ones as pictures, or none at all.

    `where` is what they come from, at the beginning of a sentence. Raises DatasetError.
    """
    if not classes:
        raise DatasetError(f"{where} gives no picture a class", found="nothing that can be used", do=do)
    if len(classes) > max(20, pictures // 2):
        raise DatasetError(
            f"{where} does not give classes",
            found=f"{len(classes):,} different values for {pictures:,} pictures, such as {shown(classes[0])}",
            expected="values that many pictures share",
            do=do,
        )


def no_picture(file: TreeFile) -> Skipped:
    """A file that its name says is something else."""
    return Skipped(file.name, f"a {file.suffix} file, which is no picture")


def misplaced(file: TreeFile, where: str) -> Skipped:
    """A file at a place that says nothing about its class."""
    return Skipped(file.name, where) if file.may_be_picture else no_picture(file)
