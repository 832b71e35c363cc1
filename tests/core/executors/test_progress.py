import pickle

from core.executors.progress import ProgressFile


def test_progress_told_in_one_process_is_read_in_another(tmp_path):
    here = ProgressFile(tmp_path / "deep" / "progress.json")
    there = pickle.loads(pickle.dumps(here))
    assert here.read() is None

    there(3, 10)

    assert here.read() == (3, 10)


def test_the_end_is_always_told_however_quickly_it_comes(tmp_path):
    progress = ProgressFile(tmp_path / "progress.json")
    for done in range(1, 101):
        progress(done, 100)

    assert progress.read() == (100, 100)


def test_forgetting_removes_the_file_and_may_be_done_twice(tmp_path):
    progress = ProgressFile(tmp_path / "progress.json")
    progress(1, 1)
    progress.forget()
    progress.forget()

    assert progress.read() is None
