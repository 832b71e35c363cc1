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

import numpy as np
from PIL import Image

from core.data.dataset import Dataset, Sample
from core.data.loading import read_image
from core.errors import ImageError
from core.workspace import replacing

PRINTS = "prints.npz"  # in the folder of a dataset: the digests of its pictures and their prints
SIDE, TINT_SIDE = 32, 8  # pixels of the squares of brightness and of colour
LENGTH = SIDE * SIDE + 2 * TINT_SIDE * TINT_SIDE  # bytes of a print

ALIKE = 5.0  # root mean square of the differences between two prints, in grey levels, up to which they are twins
PARTNERS = 4  # pairs that are told of a picture with others of its cluster before it, so that a hundred copies of one
# picture make some hundreds of pairs and not five thousand

_LOW, _LOW_TINT = 12, 4  # frequencies, in each direction, that the first stage looks at
_BLOCK = 512  # prints compared with all others at once
_CLOSE = 2048  # pairs looked at closely at once

# The ways to lay a square on itself: whether it is transposed, then flipped left to right, then top to bottom.
_WAYS = tuple((bool(t), bool(h), bool(v)) for t in (0, 1) for h in (0, 1) for v in (0, 1))
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
    except (OSError, ValueError, KeyError):
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


def find_twins(dataset: Dataset) -> dict[str, str]:
    """For each picture of a dataset that looks like another one, {id: id of the first of those like it}."""
    return twins_of(dataset.samples, pairs_of(dataset))


def twins_of(samples: Sequence[Sample], pairs: Sequence[Pair]) -> dict[str, str]:
    """The clusters that pairs make: {id: id of the first of its cluster}; a picture without a pair is left out."""
    place = {sample.id: row for row, sample in enumerate(samples)}
    first = list(range(len(samples)))

    def root(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    paired = set()
    for pair in pairs:
        one, other = place[pair.first_id], place[pair.second_id]
        paired |= {one, other}
        low, high = sorted((root(one), root(other)))
        first[high] = low
    return {samples[row].id: samples[root(row)].id for row in sorted(paired)}


def twinned(folder: Path, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Samples whose prints or thumbnails lie in `folder`, with their `twins`."""
    twins = twins_of(samples, pairs_among(folder, samples))
    return tuple(replace(sample, twins=twins.get(sample.id, "")) for sample in samples)


def near_duplicates(prints: np.ndarray) -> list[tuple[int, int, float, tuple[bool, bool, bool]]]:
    """Pairs of rows of prints (N, LENGTH) that differ by at most ALIKE, with the difference and the way of the second.

    The first row of a pair is the smaller one. A row makes pairs with at most PARTNERS rows before it that are of one
    cluster. Needs memory for N x _BLOCK numbers, besides the prints.
    """
    still = _what_stays(prints)
    squares = (still**2).sum(1)
    cluster, partners = np.arange(len(prints)), np.zeros(len(prints), int)
    pairs = []
    for start in range(0, len(prints), _BLOCK):
        block = slice(start, start + _BLOCK)
        distances = squares[block, None] + squares[None, start:] - 2 * still[block] @ still[start:].T
        rows, others = np.nonzero(distances <= ALIKE**2 * 1.001)
        later = others > rows
        rows, others = rows[later] + start, others[later] + start
        for row in np.unique(rows):
            candidates = others[rows == row]
            candidates = candidates[(partners[candidates] < PARTNERS) | (cluster[candidates] != cluster[row])]
            for other, difference, way in _looked_at(prints, row, candidates):
                pairs.append((int(row), other, difference, way))
                partners[other] += 1
                joined = sorted((cluster[row], cluster[other]))
                if joined[0] != joined[1]:
                    cluster[cluster == joined[1]] = joined[0]
    return pairs


def _looked_at(
    prints: np.ndarray, row: int, others: np.ndarray
) -> Iterator[tuple[int, float, tuple[bool, bool, bool]]]:
    """Those of `others` whose prints differ from that of `row` by at most ALIKE, by how much and in which way."""
    ways = np.stack([_laid(prints[row], *way) for way in _WAYS]).astype(np.float32)
    for start in range(0, len(others), _CLOSE):
        some = others[start : start + _CLOSE]
        those = prints[some].astype(np.float32)
        distances = np.stack([_difference(those, one) for one in ways])
        best = distances.argmin(0)
        best[distances[0] <= distances.min(0) + 0.5] = 0  # a picture that is its own mirror image is not mirrored
        for place, other in enumerate(some):
            difference = float(distances[best[place], place])
            if difference <= ALIKE:
                yield int(other), difference, _WAYS[best[place]]


_WEIGHTS = np.concatenate([np.full(SIDE**2, 1 / SIDE**2), np.full(2 * TINT_SIDE**2, 1 / TINT_SIDE**2)]).astype(
    np.float32
)


def _difference(prints: np.ndarray, one: np.ndarray) -> np.ndarray:
    return np.sqrt((prints - one) ** 2 @ _WEIGHTS)


def _squares(prints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three squares of prints (..., LENGTH)."""
    cut, shape = SIDE * SIDE, prints.shape[:-1]
    tints = prints[..., cut:].reshape(*shape, 2, TINT_SIDE, TINT_SIDE)
    return prints[..., :cut].reshape(*shape, SIDE, SIDE), tints[..., 0, :, :], tints[..., 1, :, :]


def _laid(one: np.ndarray, transposed: bool, mirrored: bool, flipped: bool) -> np.ndarray:
    """A print (LENGTH,) laid another way."""
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
    for square, low in zip(_squares(prints), (_LOW, _LOW_TINT, _LOW_TINT), strict=True):
        side = square.shape[-1]
        waves = _cosines(side)[:low]
        sizes = np.empty((len(prints), low, low), np.float32)
        for start in range(0, len(prints), _BLOCK):
            some = square[start : start + _BLOCK].astype(np.float32) - 128
            sizes[start : start + _BLOCK] = waves @ some @ waves.T / side
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


def _how(first: Sample, second: Sample, difference: float, way: tuple[bool, bool, bool]) -> str:
    size = (second.height, second.width) if way[0] else (second.width, second.height)
    resized = size != (first.width, first.height)
    if _HOW[way]:
        return _HOW[way] + (", resized" if resized else "")
    return "resized" if resized else "the same picture" if difference == 0 else "nearly the same picture"
