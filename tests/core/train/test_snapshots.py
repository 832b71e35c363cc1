"""The weights of each epoch, kept beside training: right, small, and without a trace in what is learned."""

import pytest
import torch
from safetensors.torch import load_file

from core.errors import StorageError, WeightsError
from core.models.snapshot_files import START, epochs_kept, snapshot_of, start_of
from core.runs.run import RunPaths
from core.runs.snapshots import epochs_to_visit
from core.train import snapshots
from core.train.checkpoint import Checkpointer
from core.train.classification import ClassificationTask
from core.train.snapshots import Past, Snapshots
from core.workspace import replacing

HEAD = {"phases.0.epochs": 4}
EVERYTHING = {"phases.0": {"trainable": "everything", "epochs": 3, "learning_rate": 1e-3}}
BOTH = {
    "phases": [
        {"name": "head", "trainable": "head", "epochs": 2},
        {"name": "more", "trainable": "last 2 layers", "epochs": 2, "learning_rate": 0.01},
    ]
}
ROUNDS = {"phases": [*BOTH["phases"], {"name": "head again", "trainable": "head", "epochs": 2}], "restore_best": True}
RECIPES = {"head": HEAD, "everything": EVERYTHING, "both": BOTH, "rounds": ROUNDS, "mean": EVERYTHING | {"ema": 0.5}}


def bytes_kept(folder):
    """How much a folder of snapshots holds."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch):
    """However busy the machine is, every epoch is kept."""
    monkeypatch.setattr(snapshots, "FREE_SECONDS", float("inf"))


@pytest.fixture
def seen(monkeypatch) -> dict[int, dict[str, torch.Tensor]]:
    """The whole weights after each epoch, as they are judged: every epoch counts as the best."""
    weights = {}

    def keep_best(keeper, given, facts):
        weights[facts["epoch"]] = given
        keeper._pending = given, facts

    monkeypatch.setattr(Checkpointer, "keep_best", keep_best)
    monkeypatch.setattr(ClassificationTask, "better", lambda task, new, old: True)
    return weights


def same(one, two) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def past_of(run, folder) -> Past:
    return Past.of(run.best, run.events[-1].best["epoch"], folder)


@pytest.mark.parametrize("name", RECIPES)
def test_every_epoch_can_be_gone_back_to_bit_for_bit_and_training_learns_the_same(
    attempt, small_recipe, coloured, tmp_path, seen, name
):
    recipe, folder = small_recipe.set(RECIPES[name]), tmp_path / "snapshots"
    plain = attempt("plain", recipe, coloured)
    seen.clear()
    kept = attempt("kept", recipe, coloured, snapshots=folder)
    assert kept.best.read_bytes() == plain.best.read_bytes()
    assert epochs_kept(folder) == list(range(1, recipe.epochs + 1)) == sorted(seen)
    past = past_of(kept, folder)
    for epoch, weights in seen.items():
        assert same(past.weights(epoch), weights), f"epoch {epoch}"


def test_the_start_is_what_training_began_with(attempt, small_recipe, coloured, tmp_path):
    folder = tmp_path / "snapshots"
    run = attempt("run", small_recipe.set(BOTH), coloured, snapshots=folder)
    past = past_of(run, folder)
    before, first, last = (past.weights(epoch) for epoch in (START, 1, 4))
    head = {name for name in before if name.startswith("head.")}
    moved = {name for name in before if not torch.equal(before[name], first[name])}
    assert moved
    assert moved <= head, "the first phase trains the head alone"
    later = {name for name in before if not torch.equal(first[name], last[name])}
    assert later - head, "the second one changed some of the backbone"
    assert later - head <= past.touched
    assert set(load_file(start_of(folder))) == past.touched < set(before), "what nobody touched is in the best model"


def test_a_head_takes_little_room(attempt, small_recipe, coloured, tmp_path):
    run = attempt("run", small_recipe.set(HEAD), coloured, snapshots=tmp_path / "snapshots")
    assert bytes_kept(tmp_path / "snapshots") < run.best.stat().st_size / 4


def test_a_run_that_goes_on_keeps_what_it_had(attempt, small_recipe, coloured, tmp_path, saving_always):
    recipe = small_recipe.set(BOTH)
    whole = attempt("whole", recipe, coloured, snapshots=tmp_path / "one")
    asked = iter(range(1, 100))
    folder = tmp_path / "two"
    attempt("parts", recipe, coloured, snapshots=folder, should_pause=lambda: next(asked) == 2)
    assert epochs_kept(folder) == [], "within the first epoch"
    attempt("parts", recipe, coloured, snapshots=folder, resume=True, should_pause=lambda: next(asked) == 12)
    before = epochs_kept(folder)
    (folder / ".epoch-00009.safetensors.1.abcdef.tmp").write_bytes(b"half")
    rest = attempt("parts", recipe, coloured, snapshots=folder, resume=True)
    assert before
    assert before[-1] < 4
    assert epochs_kept(folder) == epochs_kept(tmp_path / "one") == [1, 2, 3, 4]
    assert not list(folder.glob(".*")), "what a killed worker left is swept"
    for epoch in range(5):
        assert same(past_of(rest, folder).weights(epoch), past_of(whole, tmp_path / "one").weights(epoch))


def test_a_run_that_starts_anew_keeps_nothing_of_before(attempt, small_recipe, coloured, tmp_path):
    folder = tmp_path / "snapshots"
    attempt("run", small_recipe.set(HEAD), coloured, snapshots=folder)
    attempt("again", small_recipe.set({"phases.0.epochs": 2}), coloured, snapshots=folder)
    assert epochs_kept(folder) == [1, 2]


# The keeper alone, with a network of two tensors


@pytest.fixture
def network() -> dict[str, torch.Tensor]:
    return {"backbone.weight": torch.randn(100, 100), "head.weight": torch.randn(3, 100)}


@pytest.fixture
def best(tmp_path, network):
    from safetensors.torch import save_file

    save_file(network, tmp_path / "best.safetensors")
    return tmp_path / "best.safetensors"


def keeper_of(tmp_path, network, best, moving=None, **options) -> Snapshots:
    keeper = Snapshots(tmp_path / "snapshots", **options)
    keeper.begin(None, moving or set(network), lambda names: {name: network[name] for name in names}, best)
    return keeper


def keep(keeper, network, *epochs):
    for epoch in epochs:
        keeper.keep(epoch, lambda names: {name: network[name] + epoch for name in names})  # noqa: B023 (called at once)
    keeper.flush()


def test_no_more_epochs_are_kept_than_a_slider_needs(tmp_path, network, best, monkeypatch):
    monkeypatch.setattr(snapshots, "MOST_EPOCHS", 8)
    keeper = keeper_of(tmp_path, network, best)
    keep(keeper, network, *range(1, 101))
    kept = epochs_kept(tmp_path / "snapshots")
    assert len(kept) == 8
    assert kept[-1] == 100, "the newest always stays"
    gaps = [later - earlier for earlier, later in zip([0, *kept], kept, strict=False)]
    assert max(gaps[:-1]) <= 4 * min(gaps[:-1]), kept


def test_snapshots_stay_within_their_bytes(tmp_path, network, best, monkeypatch):
    each = sum(tensor.numel() for tensor in network.values()) * 4
    monkeypatch.setattr(snapshots, "MOST_BYTES", 5 * each)
    monkeypatch.setattr(snapshots, "ALWAYS_BYTES", 5 * each)
    keeper = keeper_of(tmp_path, network, best)
    for epoch in range(1, 40):
        keep(keeper, network, epoch)
        assert bytes_kept(tmp_path / "snapshots") <= 5 * each + 5_000  # and their headers
    assert len(epochs_kept(tmp_path / "snapshots")) == 4, "and the start"


def test_heads_of_an_early_phase_stay_when_backbones_need_room(tmp_path, network, best, monkeypatch):
    each = sum(tensor.numel() for tensor in network.values()) * 4
    monkeypatch.setattr(snapshots, "MOST_BYTES", 4 * each)
    monkeypatch.setattr(snapshots, "ALWAYS_BYTES", 4 * each)
    keeper = keeper_of(tmp_path, network, best, {"head.weight"})
    keep(keeper, network, 1, 2, 3, 4)
    keeper.begin(4, set(network), lambda names: {name: network[name] for name in names}, best)
    keep(keeper, network, *range(5, 15))
    kept = epochs_kept(tmp_path / "snapshots")
    assert kept[:4] == [1, 2, 3, 4]
    assert kept[-1] == 14
    assert 6 <= len(kept) <= 7


def test_a_network_too_large_to_keep_is_not_kept(tmp_path, network, best, monkeypatch):
    monkeypatch.setattr(snapshots, "MOST_BYTES", 1000)
    keeper = keeper_of(tmp_path, network, best)
    keep(keeper, network, 1)
    assert epochs_kept(tmp_path / "snapshots") == []
    assert not start_of(tmp_path / "snapshots").exists()


def test_large_parts_are_rounded_to_half_precision_but_not_what_would_not_fit_it(tmp_path, network, best, monkeypatch):
    monkeypatch.setattr(snapshots, "EXACT_BYTES", 100)
    network["head.weight"][0, 0] = 1e6
    keep(keeper_of(tmp_path, network, best), network, 1)
    kept = load_file(snapshot_of(tmp_path / "snapshots", 1))
    assert kept["backbone.weight"].dtype is torch.float16
    assert kept["head.weight"].dtype is torch.float32
    past = Past.of(best, 9, tmp_path / "snapshots").weights(1)
    assert past["backbone.weight"].dtype is torch.float32
    assert torch.allclose(past["backbone.weight"], network["backbone.weight"] + 1, rtol=1e-3)


def test_keeping_takes_a_hundredth_of_the_time_at_most_but_for_the_last_epoch(tmp_path, network, best, monkeypatch):
    monkeypatch.setattr(snapshots, "FREE_SECONDS", 0.0)
    now = iter(float(second) for second in range(1000))  # every look at the clock is a second later
    keeper = keeper_of(tmp_path, network, best, clock=lambda: next(now))
    for epoch in range(1, 21):
        keeper.keep(epoch, lambda names: network, whatever=epoch == 20)
    keeper.flush()
    kept = epochs_kept(tmp_path / "snapshots")
    assert kept == [1, 20], "the first took a second of the first two"


def test_a_full_disk_ends_the_keeping_and_not_the_training(attempt, small_recipe, coloured, tmp_path, monkeypatch):
    def full(path):
        if "epoch-" in path.name:
            raise StorageError("Nothing more can be written")
        return replacing(path)

    monkeypatch.setattr(snapshots, "replacing", full)
    run = attempt("run", small_recipe.set(HEAD), coloured, snapshots=tmp_path / "snapshots")
    assert run.events[-1].state == "finished"
    assert bytes_kept(tmp_path / "snapshots") == 0, "the space is given back"


def test_a_run_without_snapshots_has_no_epochs_to_visit(tmp_path, network):
    assert epochs_to_visit(RunPaths(tmp_path / "nobody")) == []


def test_epochs_to_visit_are_the_start_those_kept_and_the_best(tmp_path, network, best):
    keep(keeper_of(tmp_path, network, best), network, 2, 3)
    (tmp_path / "best.json").write_text('{"epoch": 5}')
    assert epochs_to_visit(RunPaths(tmp_path)) == [START, 2, 3, 5]
    best.unlink()
    assert epochs_to_visit(RunPaths(tmp_path)) == []


def test_a_damaged_snapshot_is_one_sentence(tmp_path, network, best):
    keep(keeper_of(tmp_path, network, best), network, 1)
    snapshot_of(tmp_path / "snapshots", 1).write_bytes(b"half")
    with pytest.raises(WeightsError, match="epoch-00001.safetensors cannot be read"):
        Past.of(best, 9, tmp_path / "snapshots").weights(1)
