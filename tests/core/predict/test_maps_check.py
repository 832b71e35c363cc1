"""Maps are compared with those of random weights, and the verdict follows from the numbers."""

import numpy as np
import pytest
import torch

from core.errors import RunError
from core.evaluate.current import digest_of
from core.metrics.intervals import Interval
from core.predict import maps_check
from core.predict.maps_check import _likeness, check_maps
from core.predict.meaning import LEARNED, NOTHING, UNDECIDED, Likeness, MapsCheck, read_check

FAR, NEAR, OPEN = (Likeness(mean, Interval(mean - 0.1, mean + 0.1)) for mean in (0.1, 0.9, 0.5))


def made(whole: Likeness, head: Likeness) -> MapsCheck:
    return MapsCheck("0123456789abcdef", 24, 0, 4, whole, head)


@pytest.mark.parametrize(
    ("whole", "head", "verdict", "words"),
    [
        (FAR, FAR, LEARNED, "come from what was learned"),
        (NEAR, FAR, NOTHING, "mean nothing"),
        (NEAR, NEAR, NOTHING, "mean nothing"),
        (FAR, NEAR, NOTHING, "do not tell the classes apart"),
        (OPEN, FAR, UNDECIDED, "It is open"),
        (FAR, OPEN, UNDECIDED, "It is open"),
    ],
)
def test_the_verdict_is_sure_only_where_the_interval_is(whole, head, verdict, words):
    found = made(whole, head)
    assert found.verdict == verdict
    assert words in found.sentence
    assert MapsCheck.from_json(found.to_json()) == found


def test_likeness_goes_by_the_order_of_the_places():
    one = np.arange(9.0).reshape(3, 3)
    assert _likeness(one, one**3) == pytest.approx(1)
    assert _likeness(one, -one) == pytest.approx(-1)
    assert _likeness(one, np.ones((3, 3))) == 0, "a map without any difference is like nothing"


def test_a_run_is_checked_and_the_outcome_kept_until_its_weights_change(workspace, trained_run, monkeypatch):
    monkeypatch.setattr(maps_check, "DRAWS", 3)
    told = []
    assert read_check(trained_run.paths) is None
    try:
        found = check_maps(str(workspace.root), trained_run.id, report=lambda done, total: told.append((done, total)))
    except RunError as error:
        pytest.fail(str(error))
    assert read_check(trained_run.paths) == found
    assert found.checkpoint == digest_of(trained_run.paths.best)
    assert -1 <= found.whole.interval.low <= found.whole.mean <= found.whole.interval.high <= 1
    assert told == sorted(told)
    monkeypatch.setattr(maps_check, "_random", lambda *_: pytest.fail("nothing is drawn for what is known"))
    assert check_maps(str(workspace.root), trained_run.id) == found
    trained_run.paths.best.write_bytes(trained_run.paths.best.read_bytes() + b" ")
    assert read_check(trained_run.paths) is None, "these are other weights"


def test_a_network_is_like_itself_and_so_means_nothing_beside_itself(workspace, trained_run, monkeypatch):
    """If the random networks were no other than the run's own, the check would have to say that maps mean nothing."""
    monkeypatch.setattr(maps_check, "_random", lambda trained, squares, seed: trained.model)
    found = check_maps(str(workspace.root), trained_run.id)
    assert found.whole.mean == pytest.approx(1)
    assert found.verdict == NOTHING


def test_random_networks_are_as_before_training_with_norms_that_have_measured_the_pictures(trained_run):
    from core.predict.predictor import trained_model

    trained = trained_model(trained_run.paths.folder)
    squares = [torch.randint(0, 255, (1, 3, 32, 32), dtype=torch.uint8) for _ in range(6)]
    state = torch.random.get_rng_state()
    one, same, other = (maps_check._random(trained, squares, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state), "nobody else's draws are disturbed"
    assert not one.training
    first = next(iter(one.backbone.parameters()))
    assert torch.equal(first, next(iter(same.backbone.parameters())))
    assert not torch.equal(first, next(iter(other.backbone.parameters())))
    assert not torch.equal(first, next(iter(trained.model.backbone.parameters())))
    means = [tensor for name, tensor in one.state_dict().items() if name.endswith("running_mean")]
    assert means
    assert any(mean.any() for mean in means)


def test_too_few_maps_are_not_compared(workspace, trained_run, monkeypatch):
    monkeypatch.setattr(maps_check, "TRIED", 3)
    with pytest.raises(RunError, match="draws too few maps to compare them: found . of 3"):
        check_maps(str(workspace.root), trained_run.id)


@pytest.mark.parametrize("content", ["", "{}", '{"whole": 1}', "[]", '{"checkpoint": "x", "whole": {"mean": "a"}}'])
def test_a_damaged_outcome_counts_as_none(trained_run, content):
    trained_run.paths.maps_check.write_text(content)
    assert read_check(trained_run.paths) is None


@pytest.mark.slow
def test_maps_of_masks_are_checked_as_well(workspace, masked_run, monkeypatch):
    monkeypatch.setattr(maps_check, "FEWEST", 2)  # there are four validation images
    found = check_maps(str(workspace.root), masked_run.id)
    assert found.pictures >= 2
    assert found == read_check(masked_run.paths)
