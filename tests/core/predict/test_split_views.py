import numpy as np
import pytest
import torch

from core.errors import Cancelled, InputError, RunError
from core.evaluate.current import digest_of
from core.evaluate.evaluation import evaluate_run
from core.evaluate.predictions import PredictionTable
from core.evaluate.views import ViewsResult, current_views, result_of, table_of
from core.predict.split_views import evaluate_views
from core.predict.views import MIRRORED, POSITIONS, SeenFrom
from core.runs.seal import openings


class LeftSide:
    """Answers how bright the left half of an image is, as class 1; or, for masks, each pixel."""

    def __init__(self, *, masks: bool) -> None:
        self.masks = masks

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        bright = images[:, 0].float() / 255
        if not self.masks:
            bright = bright[:, :, : bright.shape[2] // 2].mean(dim=(1, 2))
        return torch.stack([1 - bright, bright], dim=1)


def test_answers_are_the_mean_over_the_positions_and_maps_are_turned_back():
    image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    image[..., :4] = 255
    assert SeenFrom(LeftSide(masks=False), MIRRORED).probabilities(image)[0].tolist() == [0.5, 0.5]
    assert SeenFrom(LeftSide(masks=False), POSITIONS).probabilities(image)[0].tolist() == [0.5, 0.5]
    maps = SeenFrom(LeftSide(masks=True), POSITIONS).probabilities(image)
    assert torch.equal(maps[0, 1], image[0, 0].float() / 255), "every pixel is where it was"


@pytest.fixture
def look(workspace, trained_run):
    def call(split: str = "validation", kind: str = "mirrored", **options: object) -> ViewsResult:
        return evaluate_views(str(workspace.root), trained_run.id, split, kind, **options)

    return call


def test_it_stands_in_a_table_of_its_own_beside_the_runs(look, trained_run):
    paths = trained_run.paths
    before = {file: file.read_bytes() for file in (paths.predictions("validation"), paths.results("validation"))}
    told: list[tuple[int, int]] = []
    found = look(report=lambda done, total: told.append((done, total)))

    table = PredictionTable.read(table_of(paths, "validation", "mirrored"))
    plain = PredictionTable.read(paths.predictions("validation"))
    assert table.ids == plain.ids
    assert not np.array_equal(table.probabilities, plain.probabilities)
    assert table.probabilities.sum(axis=1) == pytest.approx(np.ones(len(table)), abs=1e-5)
    assert {file: file.read_bytes() for file in before} == before, "the run's own figures stay"
    assert found.changed == (table.predicted != plain.predicted).sum()
    accuracy = found.figures[0]
    assert accuracy.views == pytest.approx((table.predicted == table.truth).mean())
    assert accuracy.difference.value == pytest.approx(accuracy.views - accuracy.plain)
    assert [one.name for one in found.figures] == ["accuracy", "macro_f1", "auroc"]
    assert told[-1] == (len(table), len(table))


def test_what_was_found_is_read_until_the_weights_change(look, trained_run):
    found = look()
    assert current_views(trained_run.paths, "validation", "mirrored") == found == look()
    assert current_views(trained_run.paths, "validation", "sides") is None
    with trained_run.paths.best.open("ab") as file:
        file.write(b" ")
    assert not found.checkpoint.endswith(digest_of(trained_run.paths.best))
    assert current_views(trained_run.paths, "validation", "mirrored") is None


def test_called_off_nothing_is_kept(look, trained_run):
    def call_off(done: int, total: int) -> None:
        raise Cancelled("This was cancelled")

    with pytest.raises(Cancelled):
        look(report=call_off)
    assert not result_of(trained_run.paths, "validation", "mirrored").exists()
    assert not table_of(trained_run.paths, "validation", "mirrored").exists()


def test_views_that_there_are_none_of_are_refused(look):
    with pytest.raises(InputError, match="mirrored or sides"):
        look(kind="upside down")


def test_the_test_split_stays_sealed_and_another_look_at_it_is_written_down(look, trained_run, workspace):
    with pytest.raises(RunError, match="sealed"):
        look("test")
    assert openings(trained_run.paths) == []
    evaluate_run(str(workspace.root), trained_run.id, "test", "a test")
    look("test")
    look("test")
    assert [one["by"] for one in openings(trained_run.paths)] == ["a test", "test-time augmentation (mirrored)"]


def test_masks_have_their_own_folder_and_dice_first(workspace, masked_run):
    found = evaluate_views(str(workspace.root), masked_run.id, "validation", "sides")
    assert [one.name for one in found.figures] == ["mean_dice", "mean_iou"]
    assert found.views == 8
    assert found.figures[0].views_interval is None or 0 <= found.figures[0].views_interval.low <= 1
    folder = masked_run.paths.views("validation") / "sides_masks"
    assert len(list(folder.glob("*.png"))) == found.n
