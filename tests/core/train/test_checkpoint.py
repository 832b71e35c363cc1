import json
import resource
import signal
from types import SimpleNamespace

import pytest
import torch

from core.errors import RunError, StorageError, WeightsError
from core.train.checkpoint import Checkpointer, load_trained, read_facts


@pytest.fixture
def files(tmp_path):
    return tmp_path / "best.safetensors", tmp_path / "best.json", tmp_path / "last.pt"


@pytest.fixture
def small_files_only():
    """No file may grow past 100 kB, as on a disk that is almost full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_nothing_is_written_until_some_seconds_have_passed(files):
    now = [0.0]
    keeper = Checkpointer(*files, clock=lambda: now[0])
    keeper.keep_best(torch.nn.Linear(2, 2).state_dict(), {"epoch": 1})
    assert not keeper.due()
    now[0] = 6.0
    assert keeper.due()
    assert not keeper.due(within_epoch=True)
    keeper.save({"epoch": 2})
    assert not keeper.due()
    assert keeper.load_last()["epoch"] == 2
    assert read_facts(files[0]) == json.loads(files[1].read_text()) == {"epoch": 1}


def test_a_full_disk_is_one_sentence_and_leaves_the_earlier_files_whole(files, small_files_only):
    keeper, large = Checkpointer(*files), torch.nn.Linear(300, 300)
    keeper.keep_best(torch.nn.Linear(2, 2).state_dict(), {"epoch": 1})
    keeper.save({"epoch": 1})
    keeper.keep_best(large.state_dict(), {"epoch": 2})
    with pytest.raises(StorageError, match="Nothing more can be written"):
        keeper.flush_best()
    with pytest.raises(StorageError, match="Nothing more can be written"):
        Checkpointer(*files).save({"epoch": 2, "model": large.state_dict()})
    assert read_facts(files[0]) == {"epoch": 1}
    assert keeper.load_last()["epoch"] == 1
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["best.json", "best.safetensors", "last.pt"]


def test_a_missing_and_a_damaged_model_are_told_apart(files):
    with pytest.raises(RunError, match="no saved model"):
        load_trained(files[0])
    files[0].write_bytes(b"not a model")
    with pytest.raises(WeightsError, match="damaged"):
        load_trained(files[0])


def test_a_state_that_takes_long_to_write_is_written_less_often(files, monkeypatch):
    now = [0.0]
    keeper = Checkpointer(*files, clock=lambda: now[0])

    def slow(state, path):
        now[0] += 10
        path.write_bytes(b"")

    monkeypatch.setattr("core.train.checkpoint._save_state", slow)
    keeper.save({})
    now[0] += 499
    assert not keeper.due()
    now[0] += 2
    assert keeper.due()


def test_one_of_several_processes_writes(files):
    keeper = Checkpointer(*files, writes=False)
    keeper.keep_best(torch.nn.Linear(2, 2).state_dict(), {"epoch": 1})
    keeper.save({"epoch": 1})
    keeper.flush_best()
    assert not any(file.exists() for file in files)


def test_a_disk_that_cannot_hold_the_weights_is_told_of_before_the_start(files, monkeypatch):
    model = torch.nn.Linear(1000, 1000)  # 4 MB
    keeper = Checkpointer(*files)
    keeper.insist_on_room(model)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=3_000_000))
    with pytest.raises(StorageError, match=r"found 3.0 MB free, expected at least 4.0 MB for the weights"):
        keeper.insist_on_room(model)


def copied(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_of_the_end_only_what_differs_from_the_best_is_written(files):
    model = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.Linear(300, 2))
    keeper = Checkpointer(*files)
    keeper.keep_best(copied(model), {"epoch": 1})
    with torch.no_grad():
        model[1].weight += 1
    keeper.keep_end({"at": {"epoch": 2}}, model, restored=False)
    assert list(torch.load(files[2])["model"]) == ["1.weight"]
    saved = keeper.load_last()
    assert saved["at"] == {"epoch": 2}
    assert all(torch.equal(saved["model"][name], tensor) for name, tensor in model.state_dict().items())
    keeper.keep_best(copied(model), {"epoch": 3})
    keeper.flush_best()  # another best must not change what was the end
    assert torch.equal(keeper.load_last()["model"]["1.weight"], model.state_dict()["1.weight"])


def test_the_end_of_a_run_that_goes_back_to_its_best_is_its_best(files):
    model = torch.nn.Linear(3, 2)
    keeper = Checkpointer(*files)
    keeper.keep_best(copied(model), {"epoch": 1})
    best = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    keeper.keep_end({"at": {}}, model, restored=True)
    assert torch.equal(keeper.load_last()["model"]["weight"], best)
