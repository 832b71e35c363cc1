"""What lies in a folder: natural order, links, hidden files, names in any writing."""

import os

import pytest

from core.data.tree import natural, walk
from core.errors import DatasetError


def names(tree) -> list[str]:
    return [file.name for file in tree.files]


def skips(tree) -> dict[str, str]:
    return {entry.file: entry.reason for entry in tree.skipped}


def test_numbers_are_sorted_as_numbers_and_case_does_not_matter():
    assert sorted(["b10", "B9", "a", "b9a", "10", "9", "Ä"], key=natural) == ["9", "10", "a", "B9", "b9a", "b10", "Ä"]


def test_two_names_that_differ_only_in_case_keep_one_order():
    assert sorted(["cat", "Cat"], key=natural) == sorted(["Cat", "cat"], key=natural)


@pytest.mark.parametrize("digits", ["٣", "²", "0" * 400])
def test_odd_digits_can_be_sorted(digits):
    assert sorted([digits, "a"], key=natural)


def test_files_come_in_natural_order_with_their_names(plant):
    odd = ["cat/a b.png", 'cat/it\'s "so".png', "cat/🙂.png", "cat/<script>.png", "cat/10.png", "cat/9.png"]
    tree = walk(plant("set", dict.fromkeys(odd, b"x")))
    assert set(names(tree)) == set(odd)
    assert names(tree).index("cat/9.png") < names(tree).index("cat/10.png")
    assert all(file.path.read_bytes() == b"x" for file in tree.files)


def test_what_file_managers_leave_behind_is_dropped_silently(plant):
    tree = walk(plant("set", dict.fromkeys(["cat/1.png", "cat/.DS_Store", "cat/Thumbs.db", "__MACOSX/cat/1.png"], b"")))
    assert names(tree) == ["cat/1.png"]
    assert tree.skipped == ()


def test_hidden_files_and_folders_are_skipped_with_the_reason(plant):
    tree = walk(plant("set", dict.fromkeys(["cat/1.png", "cat/.2.png", ".git/a/b", ".git/c"], b"")))
    assert names(tree) == ["cat/1.png"]
    assert skips(tree) == {"cat/.2.png": "a hidden file", ".git/": "a hidden folder"}


def test_links_are_followed_only_to_files_inside(plant, tmp_path):
    root = plant("set", {"cat/1.png": b"one", "dog/2.png": b"two"})
    (tmp_path / "secret.png").write_bytes(b"secret")
    links = {
        "cat/inside.png": root / "dog" / "2.png",
        "cat/outside.png": tmp_path / "secret.png",
        "cat/nowhere.png": tmp_path / "nothing.png",
        "cat/round.png": root / "cat" / "round.png",
        "loop": root,
        "elsewhere": tmp_path,
    }
    try:
        for place, target in links.items():
            (root / place).symlink_to(target)
    except OSError:
        pytest.skip("this system does not let this user make links")
    tree = walk(root)
    assert names(tree) == ["cat/1.png", "cat/inside.png", "dog/2.png"]
    assert set(skips(tree)) == set(links) - {"cat/inside.png"}
    assert all("a link" in reason for reason in skips(tree).values())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only POSIX systems have pipes in folders")
def test_a_pipe_is_skipped_and_not_waited_for(plant):
    root = plant("set", {"cat/1.png": b""})
    os.mkfifo(root / "cat" / "pipe.png")
    assert skips(walk(root)) == {"cat/pipe.png": "neither a file nor a folder"}


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always Unicode")
def test_a_name_that_is_no_unicode_is_shown_with_a_mark_and_still_opened(plant):
    root = plant("set", {"cat/1.png": b""})
    try:
        with open(os.path.join(os.fsencode(root), b"cat", b"caf\xe9.png"), "wb") as file:
            file.write(b"x")
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    tree = walk(root)
    assert names(tree) == ["cat/1.png", "cat/caf�.png"]
    assert tree.files[1].path.read_bytes() == b"x"


def test_a_folder_with_too_many_files_is_refused(plant):
    with pytest.raises(DatasetError, match="more than 3 files"):
        walk(plant("set", {f"cat/{n}.png": b"" for n in range(5)}), limit=3)


def test_a_folder_that_is_gone_is_refused_with_the_reason(tmp_path):
    with pytest.raises(DatasetError, match="cannot be opened: found no such file"):
        walk(tmp_path / "gone")


def test_very_deep_folders_do_no_harm(tmp_path):
    deep = tmp_path / "set"
    for _ in range(150):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "1.png").write_bytes(b"")
    assert len(walk(tmp_path / "set").files[0].parts) == 151


def test_a_name_of_very_many_digits_has_its_place_too():
    long = "9" * 5000
    assert sorted([long, "10", "009", "9"], key=natural) == ["009", "9", "10", long]
