"""How long until a knob that was moved shows new pictures? From the page's question to the lab's answer, as JPEGs.

    python -m benchmarks.lab_knob [--pairs 15] [--images 1000] [--size 224]

Each of the rows asks for new variants with one knob moved a little further each time, as somebody does who drags a
slider: of one picture, and of a sheet of one class. The lab is warm, as it is once a page was looked at. What a browser
takes to show the pictures is not in it.
"""

import time
from statistics import median

from benchmarks import bench
from benchmarks.judge import Verdict
from core.augment.catalog import policy, transform
from core.data.dataset import Dataset
from core.executors.lab import Lab
from core.recipe import TransformChoice

AT_MOST = 0.3  # seconds, the median over all moves
VIEWS = {"one picture, 11 variants": (1, 11), "12 pictures of a class": (12, 1)}
KNOBS = {  # a policy or a single row, and the knob of it that is moved
    "moderate": ("rotation", "degrees"),
    "heavy": ("blur", "largest"),
    "elastic": ("elastic", "strength"),
    "aug-mix": ("aug-mix", "severity"),
}


def rows_of(name: str, turn: int, turns: int) -> list[dict]:
    """The rows of a policy, or one row alone, with its knob moved to place `turn` of `turns`."""
    moved, knob_name = KNOBS[name]
    knob = next(knob for knob in transform(moved).knobs if knob.name == knob_name)
    value = min(knob.high, knob.low + (knob.high - knob.low) * (turn + 1) / turns)
    value = round(value) if isinstance(knob.default, int) else value
    rows = [TransformChoice(name=name)] if name == moved else list(policy(name).rows)
    told = [
        row.model_copy(update={"values": row.values | {knob_name: value}}) if row.name == moved else row for row in rows
    ]
    return [row.model_dump(mode="json") for row in told]


def moves(lab: Lab, dataset: Dataset, name: str, view: str, size: int, turns: int) -> list[float]:
    """Seconds from each question to its answer."""
    pictures, variants = VIEWS[view]
    ids = [sample.id for sample in dataset.of("train") if sample.label == 0][:pictures]
    found = []
    for turn in range(turns):
        asked = rows_of(name, turn, turns)
        began = time.perf_counter()
        settings = {"seed": 0, "size": size, "fit": "crop", "variants": variants}
        lines = lab.call("core.augment.preview:preview", str(dataset.folder), ids, asked, **settings)
        found.append(time.perf_counter() - began)
        if [len(line) for line in lines] != [1 + variants] * pictures:
            raise RuntimeError("there are pictures missing")
    return found


def main() -> None:
    arguments = bench.options(__doc__, pairs=15, images=1000, size=224).parse_args()
    bench.headline(f"From a knob to new pictures of {arguments.size} pixels, {arguments.images:,} drawn images")
    verdict, every = Verdict(), []
    with bench.bench_workspace() as workspace:
        dataset = bench.demo_dataset(workspace, arguments.images, size=96)
        lab = Lab()
        try:
            lab.warm("core.augment.preview").result()
            for view in VIEWS:
                for name in KNOBS:
                    seconds = moves(lab, dataset, name, view, arguments.size, arguments.pairs)
                    bench.line(f"{view}: {name}, first move {seconds[0]:.2f} s", [1000 * one for one in seconds], "ms")
                    every += seconds
        finally:
            lab.close()
    bench.line("every move", [1000 * one for one in every], "ms", goal=f"{1000 * AT_MOST:g} ms or less")
    verdict.at_most("a knob moved in the lab", [median(every)], AT_MOST, unit="s")
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
