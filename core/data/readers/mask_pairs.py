"""Images and their masks: images/1.jpg and masks/1.png, train/1.jpg and train_gt/1.png, 1_image.jpg and 1_mask.png."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.data.dataset import SPLITS, Skipped
from core.data.readers.reader import Found, FoundImage, Reader, no_picture
from core.data.readers.split_folders import SPLIT_NAMES
from core.data.tree import Tree, TreeFile

_IMAGE_FOLDERS = frozenset(
    {"image", "images", "img", "imgs", "input", "inputs", "photo", "photos", "picture", "pictures"}
    | {"original", "originals", "jpegimages"}
)
_MASK_FOLDERS = frozenset(
    {"mask", "masks", "label", "labels", "annot", "annotation", "annotations", "gt", "ground_truth", "groundtruth"}
    | {"segmentation", "segmentations", "segmentationclass", "segmentationclasspng", "target", "targets"}
)
_IMAGE_STEMS = frozenset({"image", "img"})
_MASK_STEMS = frozenset({"mask", "masks", "annotation", "seg", "segmentation", "gt", "label", "labels"})


def _patterns(words: frozenset[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What ends in one of the words, perhaps with a number behind it; what is one of them with a number."""
    either = "|".join(sorted(words, key=len, reverse=True))
    last = re.compile(rf"(.*[^_\- ])[_\- ]+(?:{either})([_\- ]?\d+)?", re.IGNORECASE)
    return last, re.compile(rf"(?:{either})[_\- ]*(\d.*)", re.IGNORECASE)


_STEMS = (("mask", *_patterns(_MASK_STEMS)), ("image", *_patterns(_IMAGE_STEMS)))
_NUMBERED_IMAGE = _STEMS[1][2]

Role = Literal["image", "mask", ""]


@dataclass(frozen=True)
class _Picture:
    """A file with what its path says about it."""

    file: TreeFile
    role: Role
    exact: tuple[str, ...]  # the folders that say nothing about its role, and its whole stem
    key: tuple[str, ...]  # the same without the word in the stem that says its role
    loose: tuple[str, ...]  # the key without whatever else in its folders says a role
    alone: tuple[str, ...]  # the key without its folders, if one of these says the role
    split: str
    bare: tuple[str, ...] = ()  # the key without a number behind that word: of "a_mask_2" the key of "a"


@dataclass(frozen=True)
class _Paired:
    pairs: tuple[tuple[_Picture, TreeFile], ...]
    skipped: tuple[Skipped, ...]
    evidence: bool  # whether so many find each other that they are meant as pairs


def recognise(tree: Tree) -> str | None:
    paired = _pair(tree)
    if not paired.evidence:
        return None
    count = len(paired.pairs)
    return f"{count:,} {'image' if count == 1 else 'images'} beside {'its mask' if count == 1 else 'their masks'}"


def read(tree: Tree, picks: Mapping[str, str]) -> Found:
    paired = _pair(tree)
    splits = {image.split for image, _ in paired.pairs}
    given = len(splits) > 1 and "" not in splits  # a train folder alone, or one around a part, divides nothing
    images = [FoundImage(image.file, "", image.split if given else "", mask) for image, mask in paired.pairs]
    if given:
        images.sort(key=lambda image: SPLITS.index(image.split))
    others = (no_picture(file) for file in tree.files if not file.may_be_picture)
    return Found((), tuple(images), (*tree.skipped, *others, *paired.skipped))


def says_role(file: TreeFile) -> Role:
    """What the folders of a file, the innermost that says anything, say to be in them; "" for nothing of the kind."""
    roles = (_role_of_folder(folder)[0] for folder in reversed(file.parts[:-1]))
    return next(filter(None, roles), "")


def _pair(tree: Tree) -> _Paired:
    pictures = [file for file in tree.files if file.may_be_picture]
    foldered = any(_role_of_folder(folder)[0] == "mask" for file in pictures for folder in file.parts[:-1])
    stems = set() if foldered else {(*file.parts[:-1], _stem(file).casefold()) for file in pictures}
    seen = [_look(file, stems) for file in pictures]
    if not any(picture.role == "mask" for picture in seen):
        return _pair_by_ending(seen)
    masks = [picture for picture in seen if picture.role == "mask"]
    images = [picture for picture in seen if picture.role != "mask"]
    pairs, refused, used = _match(images, masks)
    named = [picture for picture in images if picture.role == "image"]
    matched = sum(picture.role == "image" for picture, _ in pairs)
    met = sum(mask.file in used or mask.file in refused for mask in masks)
    evidence = bool(pairs) and (2 * met >= len(masks) or 2 * matched >= len(named) > 0)
    paired = {image.file for image, _ in pairs} | set(refused)
    skipped = [Skipped(file.name, reason) for file, reason in refused.items()]
    for image in images:
        if image.file not in paired:
            skipped.append(Skipped(image.file.name, f"has no mask: no mask here is called {_called(image)}"))
    for mask in masks:
        if mask.file not in used and mask.file not in refused:
            skipped.append(
                Skipped(mask.file.name, f"a mask without its image: no image here is called {_called(mask)}")
            )
    return _Paired(tuple(pairs), tuple(skipped), evidence)


def _match(
    images: list[_Picture], masks: list[_Picture]
) -> tuple[list[tuple[_Picture, TreeFile]], dict[TreeFile, str], set[TreeFile]]:
    """The pairs, the files that fit several others with the reason, and the masks that found their image.

    Whole names first, so that "a_label.jpg" goes with "a_label.png" although "a.jpg" is there too. Folders may differ
    only where nothing finds its partner otherwise.
    """
    partner: dict[TreeFile, TreeFile] = {}
    refused: dict[TreeFile, str] = {}
    for by in ("exact", "key", "loose", "alone"):
        if by in ("loose", "alone") and partner:
            break
        wanted, offered = defaultdict(list), defaultdict(list)
        for image in images:
            if getattr(image, by) and image.file not in partner and image.file not in refused:
                wanted[getattr(image, by)].append(image.file)
        taken = set(partner.values())
        for mask in masks:
            if getattr(mask, by) and mask.file not in taken and mask.file not in refused:
                offered[getattr(mask, by)].append(mask.file)
        for key in wanted.keys() & offered.keys():
            if len(wanted[key]) == len(offered[key]) == 1:
                partner[wanted[key][0]] = offered[key][0]
                continue
            if len(offered[key]) > 1:
                reason = "several masks for one image: " + _listed(offered[key])
            else:
                reason = "several images for one mask: " + _listed(wanted[key])
            refused |= dict.fromkeys((*wanted[key], *offered[key]), reason)
    _refuse_further_masks(images, masks, partner, refused)
    pairs = [(image, partner[image.file]) for image in images if image.file in partner]
    return pairs, refused, set(partner.values())


def _refuse_further_masks(
    images: list[_Picture], masks: list[_Picture], partner: dict[TreeFile, TreeFile], refused: dict[TreeFile, str]
) -> None:
    """Take back a pair beside which "a_mask_1" lies: one of its masks is only a part of the truth."""
    by_key = {image.key: image.file for image in images if image.file in partner}
    for mask in masks:
        image = by_key.get(mask.bare)
        if not mask.bare or image not in partner or mask.file in partner.values():
            continue
        both = [partner[image], mask.file]
        refused |= dict.fromkeys((image, *both), "several masks for one image: " + _listed(both))
        del partner[image]


def _pair_by_ending(seen: list[_Picture]) -> _Paired:
    """Pairs of the same name where nothing says what is what: every JPEG (or so) with a PNG, which is its mask."""
    groups = defaultdict(list)
    for picture in seen:
        groups[picture.exact].append(picture)
    pairs = []
    for group in groups.values():
        masks = [picture for picture in group if picture.file.suffix == ".png"]
        images = [picture for picture in group if picture.file.suffix != ".png"]
        if len(group) != 2 or len(masks) != 1:
            return _Paired((), (), evidence=False)
        pairs.append((images[0], masks[0].file))
    return _Paired(tuple(pairs), (), evidence=bool(pairs))


def _look(file: TreeFile, stems: set[tuple[str, ...]]) -> _Picture:
    """What a path says. The innermost folder that names a role decides.

    But where no folder is one of masks, "images/a_mask.png" beside an image of `stems`, "images/a.png", is a mask.
    """
    folders, split = list(file.parts[:-1]), ""
    role: Role = ""
    for place in reversed(range(len(folders))):
        found, rest = _role_of_folder(folders[place])
        if found:
            role, folders[place] = found, rest
            break
    for place, folder in enumerate(folders):
        named = SPLIT_NAMES.get(folder.lower(), "")
        if named:
            split, folders[place] = split or named, named
    by_folder = role
    within = tuple(folder.casefold() for folder in folders if folder)
    plain = tuple(rest.casefold() for folder in folders if (rest := _role_of_folder(folder)[1]))
    stem = _stem(file)
    said, base, number = _role_of_stem(stem)
    alone = (*file.parts[:-1], base.casefold())
    if said and (not role or (role == "image" and said == "mask" and alone in stems)):
        role = said
    elif not role:
        base, number = stem, ""
    return _Picture(
        file=file,
        role=role,
        exact=(*within, stem.casefold()),
        key=(*within, (base + number).casefold()),
        loose=(*plain, (base + number).casefold()),
        alone=((base + number).casefold(),) if role and role == by_folder else (),
        split=split,
        bare=(*within, base.casefold()) if number and role == "mask" else (),
    )


@lru_cache(maxsize=1024)  # many files lie in few folders
def _role_of_folder(folder: str) -> tuple[Role, str]:
    """The role that a folder's name gives and what is left of the name: "train_gt" is a mask's, of "train"."""
    name = re.sub(r"[\s\-]+", "_", folder.strip().lower())
    for role, words in (("mask", _MASK_FOLDERS), ("image", _IMAGE_FOLDERS)):
        if name in words:
            return role, ""
        for word in words:
            if name.endswith(word) and name[: -len(word)] in SPLIT_NAMES:
                return role, name[: -len(word)]
            if name.endswith(f"_{word}"):
                return role, name[: -len(word) - 1]
            if name.startswith(f"{word}_"):
                return role, name[len(word) + 1 :]
    return "", folder


def _role_of_stem(stem: str) -> tuple[Role, str, str]:
    """The role that a stem's last or first word gives, the rest, and a number behind the last word ("a_mask_2")."""
    for role, ending, _ in _STEMS:
        last = ending.fullmatch(stem)
        if last:
            base = last[1]
            first = _NUMBERED_IMAGE.fullmatch(base)
            return role, first[1] if first else base, last[2] or ""
    for role, _, beginning in _STEMS:
        first = beginning.fullmatch(stem)
        if first:
            return role, first[1], ""
    return "", stem, ""


def _stem(file: TreeFile) -> str:
    return file.parts[-1][: -len(file.suffix)] if file.suffix else file.parts[-1]


def _called(picture: _Picture) -> str:
    return "/".join(picture.key)


def _listed(files: Iterable[TreeFile]) -> str:
    return ", ".join(file.name for file in files)


MASK_PAIRS = Reader(
    name="mask-pairs",
    label="Images and masks",
    sentence="Images beside masks of the same name: in folders images and masks, or named 1_image and 1_mask",
    recognise=recognise,
    read=read,
)
