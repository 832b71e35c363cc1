"""Nothing is written half, nothing is read from outside the roots, and an id never leaves its folder."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError, StorageError
from core.workspace import (
    Workspace,
    configured_roots,
    inside_roots,
    new_id,
    read_json,
    replacing,
    safe_id,
    write_json,
    write_text,
    writer_of,
)


def test_a_workspace_writes_nothing_until_something_is_stored(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    assert {workspace.datasets, workspace.runs, workspace.cache, workspace.incoming, workspace.spares} == {
        workspace.root / name for name in ("datasets", "runs", "cache", "incoming", "spares")
    }
    assert not workspace.root.exists()


def test_the_default_workspace_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FOVEA_WORKSPACE", str(tmp_path / "elsewhere"))
    assert Workspace.default().root == tmp_path / "elsewhere"
    monkeypatch.setenv("FOVEA_WORKSPACE", "")
    monkeypatch.chdir(tmp_path)
    assert Workspace.default().root == tmp_path / "workspace"


def test_folders_under_a_configured_root_may_be_read(tmp_path, monkeypatch):
    (tmp_path / "one" / "images").mkdir(parents=True)
    (tmp_path / "two").mkdir()
    monkeypatch.setenv("FOVEA_ROOTS", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    roots = configured_roots()
    assert inside_roots(tmp_path / "one" / "images", roots) == (tmp_path / "one" / "images").resolve()
    assert inside_roots(str(tmp_path / "two"), roots) == (tmp_path / "two").resolve()


def test_without_configured_roots_only_the_home_folder_may_be_read(tmp_path, monkeypatch):
    monkeypatch.delenv("FOVEA_ROOTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert configured_roots() == (tmp_path.resolve(),)


@pytest.mark.parametrize("path", ["..", "../secret", "images/../../secret", "/etc", "/"])
def test_a_path_that_leaves_its_root_is_refused(tmp_path, path):
    root = tmp_path / "root"
    (root / "images").mkdir(parents=True)
    with pytest.raises(InputError, match="may not be read"):
        inside_roots(root / path, (root.resolve(),))


def test_a_link_that_leaves_its_root_is_refused(tmp_path):
    root, secret = tmp_path / "root", tmp_path / "secret"
    root.mkdir()
    secret.mkdir()
    (root / "images").symlink_to(secret)
    with pytest.raises(InputError, match="FOVEA_ROOTS"):
        inside_roots(root / "images", (root.resolve(),))


def test_a_folder_whose_name_merely_starts_like_a_root_is_refused(tmp_path):
    (tmp_path / "root-and-more").mkdir()
    with pytest.raises(InputError):
        inside_roots(tmp_path / "root-and-more", (tmp_path / "root",))


@given(st.text(max_size=120))
def test_every_name_gives_a_safe_id(name):
    assert safe_id(new_id(name))


def test_an_id_is_readable_and_two_are_never_the_same():
    assert new_id("Überraschung: 3 Katzen").startswith("uberraschung-3-katzen-")
    assert new_id("🐈").startswith("unnamed-")
    assert new_id("cats") != new_id("cats")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "../x", "a/b", "a\\b", "a b", "-a", "A", "a\n", "a\x00", "é", "a" * 81, "<b>"]
)
def test_what_could_leave_its_folder_is_no_id(text):
    assert not safe_id(text)


def test_an_interrupted_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "state.json"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    with pytest.raises(StorageError, match="Free some space"), replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_file_is_seen_whole_at_every_moment(tmp_path):
    path = tmp_path / "deep" / "state.json"
    write_json(path, {"text": "é🐈<script>"})
    with replacing(path) as temporary:
        temporary.write_text("{")
        assert read_json(path) == {"text": "é🐈<script>"}


def test_a_temporary_path_names_its_writer_and_nothing_else_does(tmp_path):
    with replacing(tmp_path / "last.pt") as temporary:
        assert writer_of(temporary) == os.getpid()
        temporary.write_text("")
    for other in ("last.pt", ".hidden", ".a.tmp", ".a.b.c0ffee.tmp", "a.12.c0ffee.tmp"):
        assert writer_of(tmp_path / other) is None


def test_a_file_that_is_being_replaced_on_windows_is_read_a_moment_later(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    refusals, read = [PermissionError(13, "in use")] * 3, Path.read_text

    def refuse_first(path, *arguments, **named):
        if refusals:
            raise refusals.pop()
        return read(path, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", refuse_first)
    monkeypatch.setattr("core.workspace._TRIES", 50)
    assert read_json(path) == {"a": 1}

    refusals[:] = [PermissionError(13, "not yours")] * 100  # for good
    monkeypatch.setattr("core.workspace._TRIES", 2)
    with pytest.raises(PermissionError):
        read_json(path)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[1,"])
def test_what_is_not_there_or_not_json_reads_as_none(tmp_path, content):
    path = tmp_path / "state.json"
    if content is not None:
        path.write_bytes(content)
    assert read_json(path) is None


def test_json_is_written_for_people(tmp_path):
    write_json(tmp_path / "a.json", {"name": "é", "n": [1]})
    text = Path(tmp_path / "a.json").read_text(encoding="utf-8")
    assert "é" in text
    assert json.loads(text) == {"name": "é", "n": [1]}
