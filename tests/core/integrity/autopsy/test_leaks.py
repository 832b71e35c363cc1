"""Evaluated images that were learned from: by names that prove something, by bytes, and by looks."""

import pytest

from core.errors import InputError
from core.integrity.autopsy.leaks import find_leak
from tests.planted import cell, noise, saved


def listed(*names: str) -> tuple[str, bytes]:
    return "list.txt", "\n".join(names).encode()


def test_names_that_agree_in_all_parts_are_the_same_image():
    found = find_leak(listed("a/001.jpg", "a/002.jpg"), listed("a/002.jpg", "a/003.jpg"))
    assert (found.shared, found.evaluated, found.trained) == (1, 2, 2)
    assert found.examples == (("a/002.jpg", "a/002.jpg"),)


def test_a_telling_name_is_the_same_image_in_another_folder_and_a_number_is_not():
    found = find_leak(listed("train/cat/001.jpg", "train/cat/patient-77-left.jpg"),
                      listed("test/cat/001.jpg", "test/cat/patient-77-left.jpg"))  # fmt: skip
    assert found.examples == (("test/cat/patient-77-left.jpg", "train/cat/patient-77-left.jpg"),)
    assert found.doubtful == 1


def test_ids_of_the_rows_stand_in_for_a_list():
    found = find_leak(listed("x/blue-heron.jpg"), None, ("y/red-fox.jpg", "y/blue-heron.jpg"))
    assert found.rows == (1,)
    assert find_leak(None, None, ("a",)) is None
    with pytest.raises(InputError, match="which images were evaluated"):
        find_leak(listed("a.jpg"), None)


def test_a_list_as_long_as_the_rows_is_theirs():
    lists = listed("blue-heron.jpg"), listed("red-fox.jpg", "blue-heron.jpg")
    assert find_leak(*lists, rows=2).rows == (1,)
    assert find_leak(*lists, rows=7).rows == ()


def test_files_are_known_by_their_bytes_and_by_their_looks(tmp_path):
    picture = cell(0, 1)
    for name, data in {
        "train/one.jpg": saved(picture),
        "train/two.jpg": saved(cell(1, 2)),
        "test/copy.jpg": saved(picture),
        "test/mirror.png": saved(cell(1, 2).transpose(0), "PNG"),
        "test/other.jpg": saved(noise()),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = find_leak(tmp_path / "train", tmp_path / "test")
    assert dict(found.examples) == {"copy.jpg": "one.jpg", "mirror.png": "two.jpg"}
    assert found.how == "the same bytes and looking the same"


def test_a_list_opens_nothing_outside_its_folder(tmp_path):
    (tmp_path / "secret.png").write_bytes(saved(noise(), "PNG"))
    (tmp_path / "inside").mkdir()
    lists = [tmp_path / "inside" / name for name in ("a.txt", "b.txt")]
    lists[0].write_text("../secret.png\n")
    lists[1].write_text(f"{tmp_path}/secret.png\n../inside/other-name-here.png\n")
    found = find_leak(lists[0], lists[1])
    assert found.how == "the same name"
