"""Are planted near duplicates found, and nothing else? Copies flipped, turned, recompressed and resized, in an import.

    python -m benchmarks.planted_duplicates [--data FOLDER] [--images 600] [--share 0.1] [--seeds 3]

Each fault is planted for a share of the pictures of each drawn set, and of the pictures of a folder. A planted copy
counts as found where it makes a pair with the picture that it was made of, and a pair as right where both come from one
picture. Real pictures may come with near duplicates of their own: those pairs are found before anything is planted,
told by name so that somebody looks at them, and each such pair counts as one picture.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.demo import demo
from core.data.incoming import inspect
from core.data.loading import read_image
from core.data.prints import load_prints, near_duplicates, pairs_among
from core.errors import ImageError
from core.knobs import check_values

DRAWN = ("blood-smear", "polyps", "digits")
AIM = 0.98  # of recall, and of precision
MANY, SECONDS = 10_000, 5.0  # pictures, and how long comparing all of them may take
TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
NAMES_TOLD = 10

Fault = Callable[[Image.Image, random.Random], tuple[Image.Image, dict]]  # a changed picture and how JPEG saves it


def _resized(image: Image.Image, share: float) -> Image.Image:
    size = max(8, round(image.width * share)), max(8, round(image.height * share))
    return image.resize(size, Image.Resampling.BICUBIC)


FAULTS: dict[str, Fault] = {
    "mirrored": lambda image, draw: (ImageOps.mirror(image), {}),
    "upside down": lambda image, draw: (ImageOps.flip(image), {}),
    "turned": lambda image, draw: (image.transpose(draw.choice(TURNS)), {}),
    "recompressed at quality 60": lambda image, draw: (image, {"quality": 60}),
    "half as large": lambda image, draw: (_resized(image, 0.5), {}),
    "another size": lambda image, draw: (_resized(image, draw.uniform(0.6, 1.6)), {}),
}


@dataclass(frozen=True)
class Found:
    """What came of one planting."""

    planted: dict[str, int]  # copies, by fault
    caught: dict[str, int]
    right: int  # pairs of pictures that come from one
    wrong: tuple[tuple[str, str, str], ...]  # names of the others, and how they were said to differ
    own: tuple[tuple[str, str, str], ...]  # pairs that the pictures came with

    @property
    def recall(self) -> float:
        return sum(self.caught.values()) / sum(self.planted.values())

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + len(self.wrong))


@contextmanager
def drawn(name: str, images: int) -> Iterator[list[Path]]:
    """The pictures of a drawn set, without their masks."""
    row = demo(name)
    with tempfile.TemporaryDirectory(prefix="fovea-bench-") as folder:
        row.draw(check_values(row.knobs, {"images": images}, name), Path(folder), lambda done, of: None)
        yield [path for path in pictures(Path(folder)) if "masks" not in path.parts]


def pictures(folder: Path) -> list[Path]:
    """Every file under a folder that can be read as a picture."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            read_image(path)
        except ImageError:
            continue
        found.append(path)
    return found


def plant(files: Sequence[Path], share: float, seed: int) -> Found:
    """Write the pictures and planted copies as an import of two classes, import them, and look at the pairs."""
    draw = random.Random(seed)
    with bench.bench_workspace() as workspace, tempfile.TemporaryDirectory(prefix="fovea-bench-") as folder:
        root, origin, fault_of = Path(folder), {}, {}

        def write(name: str, data: bytes, comes_from: int) -> None:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(data)
            origin[name] = comes_from

        for number, file in enumerate(files):
            write(f"{number % 2}/{number:05d}{file.suffix}", file.read_bytes(), number)
        for fault, change in FAULTS.items():
            for number in draw.sample(range(len(files)), max(1, round(share * len(files)))):
                image, options = change(read_image(files[number]), draw)
                name = f"{draw.randrange(2)}/{number:05d} {fault}.jpg"
                data = BytesIO()
                image.save(data, "JPEG", **({"quality": 92} | options))
                write(name, data.getvalue(), number)
                fault_of[name] = fault
        proposal = inspect(workspace, root)
        names = {sample.id: sample.name for sample in proposal.samples}
        pairs = [
            (*sorted((names[pair.first_id], names[pair.second_id]), key=lambda name: name in fault_of), pair.how)
            for pair in pairs_among(proposal.folder, proposal.samples)
        ]
    own = tuple(pair for pair in pairs if pair[1] not in fault_of)
    alike = {frozenset((origin[one], origin[other])) for one, other, _ in own}
    right, wrong = [], []
    for pair in pairs:
        of_one = {origin[pair[0]], origin[pair[1]]}
        if pair not in own:
            (right if len(of_one) == 1 or frozenset(of_one) in alike else wrong).append(pair)
    with_original = {other for one, other, _ in right if one not in fault_of}
    planted = {fault: sum(found == fault for found in fault_of.values()) for fault in FAULTS}
    caught = {fault: sum(fault_of[name] == fault for name in with_original) for fault in FAULTS}
    called = tuple((str(files[origin[one]]), str(files[origin[other]]), how) for one, other, how in own)
    return Found(planted, caught, len(right), tuple(wrong), called)


def show(name: str, pictured: int, found: Sequence[Found], verdict: Verdict) -> None:
    """What was found in one set, over all seeds."""
    print(f"   {name}: {pictured:,} pictures, {sum(found[0].planted.values())} copies planted for each seed")
    for fault in FAULTS:
        bench.line(f"  recall, {fault}", [one.caught[fault] / one.planted[fault] for one in found], "")
    for what, values in (
        ("recall", [one.recall for one in found]),
        ("precision", [one.precision for one in found]),
    ):
        bench.line(f"  {what}", values, "", goal=f"{AIM:g} or more")
        verdict.at_least(f"{name}: {what}", values, AIM, unit="")
    for one, other, how in [pair for each in found for pair in each.wrong][:NAMES_TOLD]:
        print(f"     WRONG {one} and {other}: {how}")
    if found[0].own:
        print(f"     {len(found[0].own)} pairs that the pictures came with, to be looked at:")
    for one, other, how in found[0].own[:NAMES_TOLD]:
        print(f"       {Path(one).name} and {Path(other).name}: {how}")


def many(files: Sequence[Path]) -> float:
    """Seconds that finding the pairs of MANY pictures takes: blends of the prints of a few, all of them different."""
    with bench.bench_workspace() as workspace, tempfile.TemporaryDirectory(prefix="fovea-bench-") as folder:
        for number, file in enumerate(files[:400]):
            target = Path(folder) / str(number % 2) / f"{number:05d}{file.suffix}"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())
        proposal = inspect(workspace, Path(folder))
        prints = np.stack(list(load_prints(proposal.folder, proposal.samples).values())).astype(np.uint16)
    some = np.random.default_rng(0).integers(0, len(prints), (2, MANY))
    blended = ((prints[some[0]] + 2 * prints[some[1]]) // 3).astype(np.uint8)
    began = time.perf_counter()
    near_duplicates(blended)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=600, help="of each drawn set (600)")
    parser.add_argument("--data", type=Path, help="a folder of pictures, planted with the same faults")
    parser.add_argument("--share", type=float, default=0.1, help="of the pictures that get a copy of each kind (0.1)")
    parser.add_argument("--seeds", type=int, default=3, help="how often faults are planted (3)")
    arguments = parser.parse_args()
    bench.headline("Planted near duplicates: flipped, turned, recompressed, resized")
    verdict = Verdict()
    for name in DRAWN:
        with drawn(name, arguments.images) as files:
            found = [plant(files, arguments.share, seed) for seed in range(arguments.seeds)]
            show(name, len(files), found, verdict)
            if name == DRAWN[0]:
                seconds = [many(files) for _ in range(3)]
    if arguments.data:
        files = pictures(arguments.data)
        found = [plant(files, arguments.share, seed) for seed in range(arguments.seeds)]
        show("the folder", len(files), found, verdict)
    bench.line(f"all pairs of {MANY:,} pictures", seconds, "s", goal=f"{SECONDS:g} s or less")
    verdict.at_most(f"all pairs of {MANY:,} pictures", seconds, SECONDS, unit="s")
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
