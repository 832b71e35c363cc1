"""Perceptual prints: a few hundred bytes of each picture by which near duplicates are found, whichever way up they are.

A print is the picture squeezed into a small square of brightness and a smaller one of colour. Two pictures are near
duplicates when their prints differ by little under one of the eight ways to flip and turn a square. Comparing all pairs
eight times would be slow, so a first stage compares what no flip and no quarter turn changes: the sizes of the lowest
frequencies of the cosine transform, which a mirror image has with other signs and a turned one in other places. Since
that can only bring two prints nearer to each other, the first stage loses no pair that the second would find.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from core.data.dataset import Dataset, Sample
from core.data.linked import linked
from core.data.loading import read_image
from core.errors import ImageError
from core.workspace import replacing

PRINTS = "prints.npz"  # in the folder of a dataset: the digests of its pictures and their prints
# Pixels of the squares of brightness and of colour. In larger ones a copy in half size differs more.
SIDE, TINT_SIDE = 16, 4
LENGTH = SIDE * SIDE + 2 * TINT_SIDE * TINT_SIDE  # bytes of a print

# By how much two prints of twins differ at most: the root mean square of brightness and both colours, in grey levels;
# and as a share of their contrast, without which all nearly blank pictures would be twins.
ALIKE, ALIKE_SHARE = 7.0, 0.12
PARTNERS = 4  # pairs that are told of a picture with others of its cluster before it, so that a hundred copies of one
# picture make some hundreds of pairs and not five thousand

_LOW = 8  # frequencies of the brightness, in each direction, that the first stage looks at
_ROWS, _COLUMNS = 512, 4096  # prints compared with others at once, and how many others

# The ways to lay a square on itself: whether it is transposed, then flipped left to right, then top to bottom.
Way = tuple[bool, bool, bool]
_WAYS: tuple[Way, ...] = tuple((bool(t), bool(h), bool(v)) for t in (0, 1) for h in (0, 1) for v in (0, 1))
_HOW = {
    (False, False, False): "",
    (False, True, False): "mirrored",
    (False, False, True): "upside down",
    (False, True, True): "turned by 180 degrees",
    (True, False, True): "turned by 90 degrees",
    (True, True, False): "turned by 270 degrees",
    (True, False, False): "mirrored and turned by 90 degrees",
    (True, True, True): "mirrored and turned by 270 degrees",
}
_WEIGHTS = np.repeat(np.float32([1 / SIDE**2, 1 / TINT_SIDE**2]), [SIDE**2, 2 * TINT_SIDE**2])


@dataclass(frozen=True)
class Pair:
    """Two pictures of a dataset that look nearly the same."""

    first_id: str
    second_id: str
    likeness: float  # 1 for copies of a file, falling towards 0 at the difference up to which two are called alike
    how: str  # how the second differs, for a person: "the same file", "mirrored", "turned by 90 degrees, resized"


def print_of(image: Image.Image) -> np.ndarray:
    """The print of an RGB image, uint8 (LENGTH,): brightness (SIDE, SIDE), then blue and red difference."""
    small = image.resize((SIDE, SIDE), Image.Resampling.HAMMING).convert("YCbCr")
    tint = np.asarray(small.reduce(SIDE // TINT_SIDE))
    return np.concatenate([np.asarray(small)[..., 0].ravel(), tint[..., 1].ravel(), tint[..., 2].ravel()])


def save_prints(folder: Path, prints: dict[str, np.ndarray]) -> None:
    """Keep the prints of pictures, {SHA-256: print}, in a dataset's folder. Raises StorageError on a full disk."""
    with replacing(folder / PRINTS) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            digests=np.array(list(prints), "S64"),
            prints=np.array(list(prints.values()), np.uint8).reshape(len(prints), LENGTH),
        )


def load_prints(folder: Path, samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """The prints of samples, {SHA-256: print}: those kept in the folder, the others made of the thumbnails.

    A picture that cannot be read any more is left out.
    """
    found: dict[str, np.ndarray] = {}
    try:
        with np.load(folder / PRINTS, allow_pickle=False) as kept:
            digests, prints = kept["digests"], kept["prints"]
        if prints.shape == (len(digests), LENGTH) and prints.dtype == np.uint8:
            found = {digest.decode("ascii", "replace"): one for digest, one in zip(digests, prints, strict=True)}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass  # a dataset from before prints were kept, or a file that was damaged
    wanted = {sample.digest: sample for sample in samples}
    for digest, sample in wanted.items():
        if digest not in found:
            try:
                found[digest] = print_of(read_image(folder / sample.thumbnail, name=sample.name))
            except ImageError:
                continue
    return {digest: found[digest] for digest in wanted if digest in found}


def pairs_of(dataset: Dataset) -> tuple[Pair, ...]:
    """The pairs of a dataset's pictures that look nearly the same, in the order of its samples."""
    return pairs_among(dataset.folder, dataset.samples)


def pairs_among(folder: Path, samples: Sequence[Sample]) -> tuple[Pair, ...]:
    """As `pairs_of`, for samples whose prints or thumbnails lie in `folder`.

    Of a file that is there several times each copy makes a pair with the first; a picture that looks like many others
    makes a pair with a few of them, so that clusters are whole but not every two of a cluster are told.
    """
    first: dict[str, Sample] = {}
    pairs = []
    for sample in samples:
        if first.setdefault(sample.digest, sample) is not sample:
            pairs.append(Pair(first[sample.digest].id, sample.id, 1.0, "the same file"))
    prints = load_prints(folder, list(first.values()))
    known = [first[digest] for digest in prints]
    stacked = np.array(list(prints.values()), np.uint8).reshape(len(known), LENGTH)
    for one, other, difference, way in near_duplicates(stacked):
        a, b = known[one], known[other]
        pairs.append(Pair(a.id, b.id, round(max(0.0, 1 - difference / ALIKE), 3), _how(a, b, difference, way)))
    place = {sample.id: row for row, sample in enumerate(samples)}
    return tuple(sorted(pairs, key=lambda pair: (place[pair.first_id], place[pair.second_id])))


def twins_of(samples: Sequence[Sample], pairs: Sequence[Pair]) -> dict[str, str]:
    """The clusters that pairs make: {id: id of the first of its cluster}; a picture without a pair is left out."""
    place = {sample.id: row for row, sample in enumerate(samples)}
    rows = [(place[pair.first_id], place[pair.second_id]) for pair in pairs]
    first = linked(sorted({row for both in rows for row in both}), rows)
    return {samples[row].id: samples[lowest].id for row, lowest in first.items()}


def twinned(folder: Path, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Samples whose prints or thumbnails lie in `folder`, with their `twins`."""
    twins = twins_of(samples, pairs_among(folder, samples))
    return tuple(replace(sample, twins=twins.get(sample.id, "")) for sample in samples)


def looked_through(folder: Path, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """As `twinned`, but only of a dataset that was imported before near duplicates were looked for."""
    return tuple(samples) if (folder / PRINTS).is_file() else twinned(folder, samples)


def near_duplicates(prints: np.ndarray) -> list[tuple[int, int, float, Way]]:
    """Pairs of rows of prints (N, LENGTH) that are nearly the same, with the difference and the way of the second.

    The first row of a pair is the smaller one. A row makes pairs with about PARTNERS rows before it of one cluster.
    Besides the prints this takes memory for N times some 100 numbers.
    """
    contrast = _contrast(prints)
    limits = np.where(contrast >= 1, np.minimum(ALIKE, ALIKE_SHARE * contrast), -1.0).astype(np.float32)
    still = _what_stays(prints)
    squares = (still**2).sum(1)
    cluster, partners = np.arange(len(prints)), np.zeros(len(prints), int)
    pairs = []
    for top in range(0, len(prints), _ROWS):
        block = slice(top, top + _ROWS)
        bounds = np.where(limits[block] < 0, -1, (limits[block] + 0.01) ** 2)[:, None]
        for left in range(top, len(prints), _COLUMNS):
            tile = slice(left, left + _COLUMNS)
            rows, others = np.nonzero(squares[block, None] + squares[tile] - 2 * still[block] @ still[tile].T <= bounds)
            rows, others = rows + top, others + left
            rows, others = rows[others > rows], others[others > rows]
            known, starts = np.unique(rows, return_index=True)
            for row, candidates in zip(known.tolist(), np.split(others, starts[1:]), strict=bool(len(known))):
                new = candidates[(partners[candidates] < PARTNERS) | (cluster[candidates] != cluster[row])]
                for other, difference, way in _looked_at(prints, row, new, limits):
                    pairs.append((row, other, difference, way))
                    partners[other] += 1
                    low, high = sorted((cluster[row], cluster[other]))
                    if low != high:
                        cluster[cluster == high] = low
    return pairs


def _looked_at(
    prints: np.ndarray, row: int, others: np.ndarray, limits: np.ndarray
) -> Iterator[tuple[int, float, Way]]:
    """Those of `others` whose prints are nearly that of `row`, by how much they differ and in which way they lie."""
    if not len(others):
        return
    those = prints[others].astype(np.float32)
    differences = np.stack([_difference(those, _laid(prints[row], way)) for way in _WAYS])
    best = differences.argmin(0)
    best[differences[0] <= differences.min(0) + 0.5] = 0  # what is its own mirror image is not called mirrored
    for place, other in enumerate(others.tolist()):
        difference = float(differences[best[place], place])
        if difference <= min(limits[row], limits[other]):
            yield other, difference, _WAYS[best[place]]


def _difference(prints: np.ndarray, one: np.ndarray) -> np.ndarray:
    """By how much prints (n, LENGTH) differ from one, in grey levels (n,)."""
    return np.sqrt((prints - one.astype(np.float32)) ** 2 @ _WEIGHTS)


def _contrast(prints: np.ndarray) -> np.ndarray:
    """By how much prints (N, LENGTH) differ from a blank picture of their mean brightness and colour (N,)."""
    return np.sqrt(sum(square.var(axis=(1, 2)) for square in _squares(prints)))


def _squares(prints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three squares of prints (..., LENGTH)."""
    cut, shape = SIDE * SIDE, prints.shape[:-1]
    tints = prints[..., cut:].reshape(*shape, 2, TINT_SIDE, TINT_SIDE)
    return prints[..., :cut].reshape(*shape, SIDE, SIDE), tints[..., 0, :, :], tints[..., 1, :, :]


def _laid(one: np.ndarray, way: Way) -> np.ndarray:
    """A print (LENGTH,) laid another way."""
    transposed, mirrored, flipped = way
    parts = []
    for square in _squares(one):
        square = square.T if transposed else square
        square = square[:, ::-1] if mirrored else square
        parts.append((square[::-1] if flipped else square).ravel())
    return np.concatenate(parts)


def _what_stays(prints: np.ndarray) -> np.ndarray:
    """What no flip and no quarter turn changes of prints, float32 (N, D), in grey levels.

    Two prints are never further from each other in it than they are under the best of the eight ways.
    """
    still = []
    for square, low in zip(_squares(prints), (_LOW, TINT_SIDE, TINT_SIDE), strict=True):
        side = square.shape[-1]
        waves = _cosines(side)[:low]
        sizes = np.empty((len(prints), low, low), np.float32)
        for start in range(0, len(prints), _ROWS):
            some = square[start : start + _ROWS].astype(np.float32) - 128
            sizes[start : start + _ROWS] = waves @ some @ waves.T / side
        sizes[:, 1:, :] = np.abs(sizes[:, 1:, :])
        sizes[:, :, 1:] = np.abs(sizes[:, :, 1:])
        above = np.triu_indices(low, 1)
        one, turned = sizes[:, *above], sizes[:, *above[::-1]]
        still += [sizes[:, range(low), range(low)], np.maximum(one, turned), np.minimum(one, turned)]
    return np.concatenate(still, axis=1)


def _cosines(side: int) -> np.ndarray:
    """The rows of the orthonormal cosine transform of `side` values, float32 (side, side)."""
    waves = np.cos(np.pi / side * np.outer(np.arange(side), np.arange(side) + 0.5)) * np.sqrt(2 / side)
    waves[0] /= np.sqrt(2)
    return waves.astype(np.float32)


def _how(first: Sample, second: Sample, difference: float, way: Way) -> str:
    size = (second.height, second.width) if way[0] else (second.width, second.height)
    resized = size != (first.width, first.height)
    if _HOW[way]:
        return _HOW[way] + (", resized" if resized else "")
    return "resized" if resized else "the same picture" if difference == 0 else "nearly the same picture"
