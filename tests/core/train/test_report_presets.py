"""Every preset of a report trains from its first phase to its last: the real architecture, a few small images."""

from dataclasses import replace

import psutil
import pytest

from core.presets.reports import REPORTS
from core.train.events import EpochEnd, Outcome, Started
from core.train.loop import train
from tests.shapes import shapes_dataset

LARGE = "blood-cells-ladder-convnext"  # 348 million weights: one step of them all takes 5.1 GB
NEEDED = 8e9  # bytes of memory
FEW = {"model.weights": "random", "image_size": 32, "batch_size": 4, "device": "cpu"}


@pytest.fixture
def few(coloured):
    """Two images of each of two classes to learn from and one to validate with."""
    kept = {"train": 2, "validation": 1}
    samples = []
    for sample in coloured.samples:
        same = [one for one in samples if (one.label, one.split) == (sample.label, sample.split)]
        if sample.label < 2 and len(same) < kept.get(sample.split, 0):
            samples.append(sample)
    return replace(coloured, samples=tuple(samples), classes=coloured.classes[:2])


def short(row):
    """The recipe of a preset, one epoch a phase: all that is changed is where it starts, and how much it has to do."""
    recipe = row.recipe()
    return recipe.set(FEW | {f"phases.{number}.epochs": 1 for number in range(len(recipe.phases))})


def outcome(recipe, dataset, folder, phases):
    files = {name: folder / name for name in ("cache", "best", "best_facts", "last")}
    events = [*train(recipe, dataset, **files)]
    assert [event.phase for event in events if isinstance(event, Started)] == list(range(phases))
    assert len([event for event in events if isinstance(event, EpochEnd)]) == phases
    return events[-1]


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in REPORTS if row.name != LARGE], ids=lambda row: row.name)
def test_a_preset_of_a_report_runs_end_to_end(row, few, tmp_path):
    dataset = few if row.task == "classification" else shapes_dataset(tmp_path / "shapes")
    ended = outcome(short(row), dataset, tmp_path, len(row.recipe().phases))
    assert isinstance(ended, Outcome)
    assert ended.state == "finished"
    assert (tmp_path / "best").is_file()


@pytest.mark.slow
@pytest.mark.skipif(psutil.virtual_memory().available < NEEDED, reason="needs 8 GB of free memory")
def test_the_largest_preset_takes_a_step_of_all_its_weights_end_to_end(few, tmp_path):
    """Its last phase alone, which needs the most of everything; a test of plans goes through the others, unfilled."""
    recipe = short(next(row for row in REPORTS if row.name == LARGE))
    last = recipe.phases[-1].model_dump(mode="json")
    assert last["trainable"] == "everything"
    ended = outcome(recipe.set({"phases": [last]}), few, tmp_path, phases=1)
    assert ended.state == "finished"
    assert (tmp_path / "best").stat().st_size > 4 * 348_000_000
    (tmp_path / "best").unlink()  # pytest keeps the folders of several sessions
