"""What survives a policy: variants of pictures that the model recognises, and has not learned from."""

import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from core.augment.preview import preview
from core.data.dataset import Change, save_dataset
from core.data.loading import fit_image, read_image
from core.data.revisions import revise
from core.errors import DatasetError, RecipeError, RunError
from core.predict.survival import survival
from core.predict.survived import Kept, RowKept, Survival
from core.recipe import Recipe, SegmentationRecipe
from core.runs.store import RunStore
from core.train.checkpoint import Trained
from tests.shapes import kept_shapes

STILL = {"name": "brightness", "values": {"strength": 0.0}}
NEVER = {"name": "erasing", "probability": 0.0}
GREY = {"name": "grayscale", "probability": 0.5}


class Model:
    """A network that answers by a function of images (N, 3, S, S) uint8."""

    def __init__(self, probabilities) -> None:
        self.probabilities = probabilities


def made(workspace, dataset, recipe, probabilities, monkeypatch):
    """The folder of a run whose model answers by a function."""
    store = RunStore(workspace)
    run = store.get(store.create(recipe.set({"dataset": dataset.id}), dataset))
    trained = Trained(Model(probabilities), dataset.classes, run.recipe, {})
    monkeypatch.setattr("core.predict.survival.trained_model", lambda folder: trained)
    return run.paths.folder


@pytest.fixture
def ask(workspace, tiny_dataset, monkeypatch):
    """The survival of rows by a model that knows every picture as it is by one pixel, and calls all that have no colour
    by the first class."""
    known = {}
    for sample in tiny_dataset.of("validation"):
        square = fit_image(read_image(tiny_dataset.path(sample)), 32, "crop")
        known[tuple(square[0, 0].tolist())] = sample.label
    assert len(known) == len(tiny_dataset.of("validation")), "each can be told by its corner"

    def probabilities(images: torch.Tensor) -> torch.Tensor:
        answers = torch.full((len(images), 3), 0.1)
        for answer, image in zip(answers, images, strict=True):
            corner = tuple(image[:, 0, 0].tolist())
            answer[0 if len(set(corner)) == 1 else known[corner]] = 0.8
        return answers

    folder = made(workspace, tiny_dataset, Recipe(image_size=32, batch_size=8), probabilities, monkeypatch)

    def asked(rows, reference=tiny_dataset.reference, **settings) -> Survival:
        return survival(str(folder), reference, rows, **{"pictures": 99, "variants": 3, "seed": 3} | settings)

    return asked


def test_what_changes_nothing_leaves_everything_that_a_trained_model_recognises(trained_run, tiny_dataset):
    found = survival(str(trained_run.paths.folder), tiny_dataset.reference, [STILL], pictures=4, variants=3)
    assert 0 < found.recognised <= found.pictures == 4
    assert (found.overall.kept, found.overall.of) == (3 * found.recognised, 3 * found.recognised)
    assert (found.lost, found.worst) == ((), None)
    assert [row.kept for row in found.rows] == [found.overall]
    assert "100% of the variants still are" in found.sentence


def test_a_policy_without_rows_or_with_rows_that_are_never_drawn_leaves_everything(ask):
    for rows in ([], [NEVER]):
        found = ask(rows)
        assert found.overall.share == 1
        assert found.rows == ()


def test_what_a_row_destroys_is_counted_in_its_class_and_shown(ask, tiny_dataset):
    """Without colour only the first class is still called by its name."""
    samples = tiny_dataset.of("validation")
    found = ask([STILL, GREY | {"probability": 1.0}])
    assert found.recognised == found.pictures == len(samples)
    first, *others = (found.classes[name] for name in tiny_dataset.classes)
    assert first.share == 1
    assert [kept.share for kept in others] == [0, 0]
    assert found.overall.kept == sum(3 for sample in samples if sample.label == 0)
    assert found.overall.of == 3 * len(samples)
    assert [row.kept.share for row in found.rows] == [1, found.overall.share]
    assert found.worst.name == "grayscale"
    assert "Grayscale loses most" in found.sentence
    for lost in found.lost:
        assert (lost.truth != tiny_dataset.classes[0], lost.answer) == (True, tiny_dataset.classes[0])
        assert (lost.before, lost.after) == (pytest.approx(0.8), pytest.approx(0.1))
        original, variant = (np.asarray(Image.open(BytesIO(one)), int) for one in (lost.original, lost.variant))
        assert np.ptp(original, axis=-1).max() > 20 > np.ptp(variant, axis=-1).max()
    assert len({lost.sample for lost in found.lost}) == len(found.lost) > 0


def test_a_row_alone_is_drawn_for_every_picture_and_the_policy_as_often_as_it_says(ask):
    found = ask([GREY], variants=8)
    alone, whole = found.rows[0].kept, found.overall
    assert alone.share < whole.share < 1
    assert (1 - whole.share) / (1 - alone.share) == pytest.approx(0.5, abs=0.2)


def test_the_interval_is_over_pictures_and_holds_the_share(ask):
    found = ask([GREY], variants=4)
    low, high = found.overall.interval
    assert 0 <= low < found.overall.share < high <= 1
    more = ask([GREY], variants=12).overall.interval
    assert more[1] - more[0] > 0.25 * (high - low), "more variants of the same pictures are no more pictures"
    assert ask([GREY], pictures=3).overall.interval is None


def test_variants_are_those_of_a_preview_of_the_same_seed(ask, tiny_dataset):
    found = ask([GREY | {"probability": 1.0}], variants=2)
    for lost in found.lost:
        rows = [GREY | {"probability": 1.0}]
        ((original, *variants),) = preview(
            str(tiny_dataset.folder), [lost.sample], rows, seed=3, size=32, fit="crop", variants=2
        )
        assert lost.original == original
        assert lost.variant in variants


def test_the_same_seed_gives_the_same_answer_and_pictures_come_from_all_classes(ask):
    few = ask([GREY], pictures=3, variants=2)
    assert few == ask([GREY], pictures=3, variants=2)
    assert few.pictures == 3
    assert [kept.of for kept in few.classes.values()] == [2, 2, 2]


def test_progress_is_told_in_pictures(ask):
    told = []
    ask([STILL], pictures=3, report=lambda *words: told.append(words))
    assert [(done, total) for done, total, _ in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_pictures_that_the_model_learned_from_and_sealed_ones_judge_nothing(ask, tiny_dataset):
    moved = [sample.id for split in ("train", "test") for sample in tiny_dataset.of(split)][3:]
    newer = revise(tiny_dataset, [Change("move", tuple(moved), to="validation", why="a test")])
    assert len(newer.of("validation")) > len(tiny_dataset.of("validation"))
    found = ask([STILL], reference=newer.reference)
    assert found.pictures == len(tiny_dataset.of("validation"))


def test_pictures_that_look_like_those_it_learned_from_judge_nothing(ask, tiny_dataset):
    learned, judge = tiny_dataset.of("train")[0], tiny_dataset.of("validation")[0]
    alike = {learned.id: {"twins": learned.id}, judge.id: {"twins": learned.id}}
    samples = tuple(replace(sample, **alike.get(sample.id, {})) for sample in tiny_dataset.samples)
    save_dataset(replace(tiny_dataset, samples=samples))
    assert ask([STILL]).pictures == len(tiny_dataset.of("validation")) - 1


def test_what_cannot_be_judged_is_said(ask, workspace):
    with pytest.raises(RecipeError, match="one of h-flip"):
        ask([{"name": "spin"}])
    with pytest.raises(DatasetError, match="not trained for the classes"):
        ask([STILL], reference=kept_shapes(workspace).id)
    with pytest.raises(DatasetError):
        ask([STILL], reference="nothing-here")


def test_a_run_without_a_model_is_refused(workspace, tiny_dataset):
    store = RunStore(workspace)
    folder = store.paths(store.create(Recipe(dataset=tiny_dataset.id, batch_size=8), tiny_dataset)).folder
    with pytest.raises(RunError, match="no saved model"):
        survival(str(folder), tiny_dataset.id, [STILL])


def test_of_masks_each_class_is_looked_for_where_it_went(workspace, monkeypatch):
    """A model that finds both kinds by their colour, which grey takes away and a flip does not."""

    def probabilities(images: torch.Tensor) -> torch.Tensor:
        red, green, _ = images.float().unbind(1)
        scores = torch.stack([torch.full_like(red, 40.0), red - green, green - red], dim=1)
        return torch.nn.functional.avg_pool2d(scores, 3, 1, 1).softmax(1)

    dataset = kept_shapes(workspace)
    folder = made(workspace, dataset, SegmentationRecipe(image_size=32, batch_size=4), probabilities, monkeypatch)
    settings = {"pictures": 6, "variants": 2, "seed": 0}
    kept = survival(str(folder), dataset.id, [{"name": "h-flip"}, {"name": "quarter-turn"}], **settings)
    assert list(kept.classes) == ["disc", "square"], "the background is nothing to be recognised"
    assert kept.recognised >= 5
    assert kept.overall.share == 1
    lost = survival(str(folder), dataset.id, [{"name": "grayscale"}], **settings)
    assert lost.overall.share == 0
    assert all(picture.before >= 0.5 > picture.after for picture in lost.lost)
    with pytest.raises(RecipeError, match="not its mask"):
        survival(str(folder), dataset.id, [{"name": "aug-mix"}], **settings)


def test_a_page_can_hold_the_answer_without_torch():
    code = "import sys, core.predict.survived; assert not {'torch', 'numpy', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_was_found_is_said_in_a_sentence():
    def found(*shares: int) -> Survival:
        rows = tuple(
            RowKept(f"r{share}", f"Row {share}", Kept(share, 10, (0.0, min(1.0, share / 10 + 0.2))), ())
            for share in shares
        )
        return Survival(9, 5, 2, Kept(8, 10, (0.5, 0.95)), {}, rows, ())

    assert found(10, 3, 7).sentence == (
        "Of 5 pictures that the model recognises, 80% of the variants still are (95 %: 50% to 95%). "
        "Alone, Row 3 loses most: 30% still are."
    )
    assert found(3).sentence.endswith("to 95%).")
    assert found(10, 9).worst is None, "one lost variant may be chance"
    nothing = Survival(9, 0, 2, Kept(0, 0), {}, (), ())
    assert nothing.sentence.startswith("The model recognises none of the 9 pictures")
    assert nothing.overall.share is None
