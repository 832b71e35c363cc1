"""One folder per class: cat/1.jpg, cat/more/2.jpg, dog/3.jpg."""

from collections.abc import Mapping

from core.data.readers.reader import Found, FoundImage, Reader, gather, misplaced
from core.data.tree import Tree

_NOT_CLASSES = frozenset({"image", "images", "img", "imgs", "mask", "masks", "label", "labels", "annotations"})


def recognise(tree: Tree) -> str | None:
    folders = tree.folders()
    if len(folders) < 2 or _NOT_CLASSES.issuperset(name.lower() for name in folders):
        return None  # images/ beside masks/ is something else than two classes
    return f"{len(folders)} folders with pictures, each taken as a class"


def read(tree: Tree, picks: Mapping[str, str]) -> Found:
    return gather(
        (FoundImage(file, file.parts[0], "") for file in tree.files if file.parts[1:]),
        [
            *tree.skipped,
            *(misplaced(file, "lies in no class folder") for file in tree.files if not file.parts[1:]),
        ],
    )


IMAGE_FOLDER = Reader(
    name="image-folder",
    label="Class folders",
    sentence="One folder per class, with its images inside, at any depth",
    recognise=recognise,
    read=read,
)
