import subprocess
import sys
import time

import numpy as np
import pytest

from core.data.cache import cache_folder
from core.data.shelf import Shelf, names_of

KEY = "0123456789abcdef"


@pytest.fixture
def shelf(tmp_path):
    """`shelf("abc", "set")` opens the rows of pictures a, b and c of a dataset."""

    def opened(contents, dataset_id="set", key=KEY):
        return Shelf(tmp_path, dataset_id, "features", key, names_of(contents), (2,), np.float32)

    return opened


def value(letter):
    return np.full(2, ord(letter), np.float32)


def fill(shelf, contents):
    for row, letter in enumerate(contents):
        shelf.write(row, value(letter))


def letters(rows):
    return "".join(chr(int(row[0])) for row in rows)


def test_pictures_are_found_wherever_they_stand(shelf):
    fill(shelf("abc"), "abc")
    other = shelf("cxba")
    assert other.missing(range(4)) == [1]
    assert letters(other.read([0, 2, 3])) == "cba"


def test_added_pictures_take_new_rows_and_disturb_no_one_who_has_the_shelf_open(shelf):
    early = shelf("ab")
    fill(early, "ab")
    late = shelf("zab")
    late.write(0, value("z"))
    early.write(1, value("b"))
    assert letters(late.read([0, 1, 2])) == "zab"
    assert letters(early.read([0, 1])) == "ab"


def test_a_picture_that_stands_twice_has_one_row(shelf):
    twice = shelf("aba")
    assert twice.missing([0, 1, 2]) == [0, 1]
    twice.write(2, value("a"))
    assert twice.missing([2, 1, 0]) == [1]


def test_what_another_dataset_has_is_copied_and_stays_when_that_goes(shelf, tmp_path):
    fill(shelf("abc", "one"), "abc")
    two = shelf("xcb", "two")
    assert two.missing(range(3)) == [0]
    two.close()
    for file in cache_folder(tmp_path, "one").rglob("*.*"):
        file.unlink()
    again = shelf("xcb", "two")
    assert again.missing(range(3)) == [0]
    assert letters(again.read([1, 2])) == "cb"


def test_what_another_dataset_has_by_half_or_under_another_key_is_not_taken(shelf):
    fill(shelf("ab", "one"), "a")
    fill(shelf("ab", "three", key="f" * 16), "ab")
    assert shelf("ab", "two").missing([0, 1]) == [1]


def test_a_name_that_was_written_by_half_is_written_anew(shelf, tmp_path):
    fill(shelf("ab"), "ab")
    index = cache_folder(tmp_path, "set") / "features" / f"{KEY}.index"
    index.write_bytes(index.read_bytes()[:-5])
    again = shelf("ab")
    assert letters(again.read([0])) == "a"
    assert index.stat().st_size == 2 * 16
    again.write(1, value("b"))
    assert shelf("ba").missing([0, 1]) == []


def test_no_pictures_are_no_error(shelf):
    empty = shelf("")
    assert empty.missing([]) == []
    assert empty.read([]).shape == (0, 2)


ADD = """
import sys
from pathlib import Path
import numpy as np
from core.data.shelf import Shelf, names_of
own = [f"{sys.argv[2]} {number}" for number in range(150)]
shared = [f"shared {number}" for number in range(150)]
for size in range(10, 151, 10):  # each time with more pictures than before, some of which both have
    contents = own[:size] + shared[:size]
    shelf = Shelf(Path(sys.argv[1]), "set", "features", "0" * 16, names_of(contents), (3,), np.float32)
    for row in shelf.missing(range(len(contents))):
        shelf.write(row, np.full(3, sum(contents[row].encode()), np.float32))
    shelf.close()
"""


def test_two_processes_may_add_and_fill_at_once(tmp_path):
    both = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), name]) for name in ("one", "two")]
    assert [process.wait(60) for process in both] == [0, 0]
    contents = [f"{name} {number}" for name in ("one", "shared", "two") for number in range(150)]
    shelf = Shelf(tmp_path, "set", "features", "0" * 16, names_of(contents), (3,), np.float32)
    assert shelf.missing(range(450)) == []
    assert shelf.read(range(450))[:, 1].tolist() == [sum(text.encode()) for text in contents]
    assert (cache_folder(tmp_path, "set") / "features" / ("0" * 16 + ".index")).stat().st_size == 450 * 16


def test_a_hundred_thousand_pictures_open_at_once_and_a_batch_costs_nothing(tmp_path):
    contents = [f"{number:064x}" for number in range(100_000)]
    Shelf(tmp_path, "set", "features", KEY, names_of(contents), (16,), np.float32).close()
    began = time.perf_counter()
    shelf = Shelf(tmp_path, "set", "features", KEY, names_of(contents), (16,), np.float32)
    opened = time.perf_counter()
    batch = np.random.default_rng(0).permutation(100_000)[:32].tolist()
    for row in batch:
        shelf.write(row, np.full(16, row, np.float32))
    written = time.perf_counter()
    for _ in range(100):
        assert shelf.missing(batch) == []
        assert shelf.read(batch)[:, 0].tolist() == batch
    assert opened - began < 2.0
    assert time.perf_counter() - written < 1.0
