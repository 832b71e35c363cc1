import json

import pytest

from core.runs.run import RunFacts, RunPaths, RunState, RunStatus, read_status, write_status


def test_every_state_has_one_sentence():
    for state in RunState:
        assert state.sentence.endswith(".")
        assert state.sentence.count("\n") == 0


def test_a_run_is_waiting_or_at_work_or_finished():
    assert [state.value for state in RunState if state.is_finished] == ["finished", "stopped", "paused", "failed"]
    assert [state.value for state in RunState if state.can_resume] == ["stopped", "paused", "failed"]
    assert [state.value for state in RunState if state.has_worker] == ["starting", "running"]
    assert not RunState.QUEUED.is_finished
    assert not RunState.QUEUED.has_worker


def test_no_two_files_of_a_run_share_a_name(tmp_path):
    paths = RunPaths(tmp_path)
    properties = [name for name, value in vars(RunPaths).items() if isinstance(value, property)]
    files = [getattr(paths, name) for name in properties]
    files += [kind(split) for kind in (paths.predictions, paths.results) for split in ("validation", "test")]
    assert len({file.name for file in files}) == len(files)
    assert {file.parent for file in files} == {tmp_path}


def test_a_status_survives_its_file(tmp_path):
    status = RunStatus(
        RunState.RUNNING,
        since=12.5,
        sentence="Going on.",
        attempt=2,
        queued_at=11.0,
        best={"accuracy": 0.75, "epoch": 3},
        interval=(0.5, 0.9),
        epochs_done=4,
        epochs=20,
        seconds=33.0,
        images_per_second=120.5,
    )
    write_status(RunPaths(tmp_path), status)
    assert read_status(RunPaths(tmp_path)) == status


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"state": "dreaming", "since": 1}', '{"state": "queued"}'])
def test_a_state_file_that_cannot_be_read_is_a_failed_run_and_no_crash(tmp_path, text):
    RunPaths(tmp_path).state.write_text(text)
    status = read_status(RunPaths(tmp_path))
    assert status.state is RunState.FAILED
    assert "state.json" in status.sentence


def test_a_state_file_of_a_later_version_may_hold_more(tmp_path):
    RunPaths(tmp_path).state.write_text(json.dumps({"state": "stopped", "since": 1, "mood": "good"}))
    assert read_status(RunPaths(tmp_path)).state is RunState.STOPPED


def test_facts_survive_their_json():
    facts = RunFacts(1.5, "d-1", "Dächer & <b>", "abc", ("a", "b"), {"train": 3}, ("course",))
    assert RunFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
