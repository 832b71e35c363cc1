"""The sides of the measurements do equal work, and what is read off a run is what was learned."""

import json
import subprocess
import sys
from itertools import islice

import pytest
import torch

from benchmarks.bench import ROOT, turns
from benchmarks.fine_tuning import PLAN, recipe_of
from benchmarks.many_images import named_often
from benchmarks.plain_classifier import Careful, Settings, fine_tuned
from benchmarks.watchers import learned
from core.data.library import Library

TINY = {"backbone": "test_efficientnet", "weights": "random", "size": 32, "batch": 8, "epochs": 2}


def test_each_side_goes_first_in_turn():
    assert [turns("abc", number) for number in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


@pytest.mark.parametrize("way", ["careful", "naive"])
def test_a_plain_loop_answers_for_every_validation_image(way, tiny_dataset):
    found = fine_tuned(Settings(**TINY), tiny_dataset, way, torch.device("cpu"))
    assert set(found["answers"]) == {sample.id for sample in tiny_dataset.of("validation")}
    assert len(found["rates"]) == 2  # the epoch of the head is none of them
    assert found["seconds"] > len(tiny_dataset.of("train")) / max(found["rates"])
    json.dumps(found)


def test_the_careful_loop_varies_each_image_on_its_own_and_sees_all_of_them(tiny_dataset):
    settings = Settings(**TINY)
    pictures = Careful(settings, tiny_dataset, torch.device("cpu"), (0.5,) * 3, (0.5,) * 3)
    batches = list(pictures.training())
    assert sum(len(labels) for _, labels in batches) == len(tiny_dataset.of("train"))
    assert len(batches) == pictures.steps
    same = torch.full((6, 3, 32, 32), 128, dtype=torch.uint8)
    same[:, :, :, :16] = 0
    varied = pictures._augmented(same)
    assert len({tuple(image.flatten().tolist()) for image in varied}) == 6
    assert varied.min() >= -1
    assert varied.max() <= 1


def test_fovea_is_told_what_the_loops_are_told(tiny_dataset):
    recipe = recipe_of(PLAN | {"size": 96, "epochs": 3, "seed": 4}, tiny_dataset)
    assert [(phase.trainable, phase.epochs, phase.learning_rate) for phase in recipe.phases] == [
        ("head", 1, 3e-3),
        ("everything", 3, 5e-4),
    ]
    assert (recipe.image_size, recipe.batch_size, recipe.seed) == (96, 16, 4)
    assert set(Settings.__dataclass_fields__) >= set(PLAN)
    assert recipe.optimizer.weight_decay == Settings().weight_decay


def test_many_images_are_few_under_many_names(workspace, tiny_dataset):
    often = named_often(workspace, tiny_dataset, 50)
    again = Library(workspace).get(often.id)
    assert len(again.of("train")) == 50
    assert len({sample.digest for sample in again.samples}) == len(again.samples)
    assert all(again.path(sample).is_file() for sample in islice(again.samples, 60))


def test_the_rate_of_a_window_is_read_off_the_steps_around_it():
    steps = [{"kind": "step", "time": 10.0 + n, "epoch": 1 + n // 4, "step": n % 4 + 1} for n in range(8)]
    entries = [*steps, {"kind": "end", "time": 99.0}]
    assert learned(entries, images=64, between=(10.5, 16.5)) == pytest.approx(16)


@pytest.mark.slow
def test_the_measurement_of_a_gpu_shows_on_a_cpu_that_it_works():
    words = [sys.executable, "-m", "benchmarks.gpu", "--cpu", "--seconds", "1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "| Fovea / careful loop |" in done.stdout
