import errno
import os

import numpy as np
import pytest

from core.data.rows import RowFile
from core.errors import StorageError


def test_rows_are_read_back_as_written_and_only_the_others_are_missing(tmp_path):
    table = RowFile(tmp_path / "t.rows", 5, (2, 3), np.float32)
    table.write(3, np.full((2, 3), 7.0))
    assert table.missing([0, 3, 4, 0]) == [0, 4]
    assert table.read([3, 3]).tolist() == [[[7.0] * 3] * 2] * 2


def test_a_second_process_finds_what_the_first_one_filled(tmp_path):
    first = RowFile(tmp_path / "t.rows", 4, (2,), np.uint8)
    second = RowFile(tmp_path / "t.rows", 4, (2,), np.uint8)
    first.write(1, np.array([5, 6]))
    assert second.missing(range(4)) == [0, 2, 3]
    assert second.read([1]).tolist() == [[5, 6]]


def test_an_empty_table_takes_no_room(tmp_path):
    RowFile(tmp_path / "t.rows", 1_000, (1_000,), np.uint8)
    assert (tmp_path / "t.rows").stat().st_size == 1_000_000
    assert (tmp_path / "t.rows").stat().st_blocks * 512 < 100_000


def test_a_row_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a row of shape"):
        RowFile(tmp_path / "t.rows", 2, (2,), np.uint8).write(0, np.zeros(3))


def test_a_full_disk_is_one_sentence_and_leaves_the_row_missing(tmp_path, monkeypatch):
    table = RowFile(tmp_path / "t.rows", 2, (2,), np.uint8)

    class Full:
        def seek(self, offset): ...

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(table, "_data_file", Full())
    with pytest.raises(StorageError, match="no space left"):
        table.write(0, np.zeros(2))
    assert table.missing([0]) == [0]


def test_a_row_that_was_written_by_half_counts_as_missing(tmp_path):
    RowFile(tmp_path / "t.rows", 3, (4,), np.uint8).write(1, np.array([1, 2, 3, 4]))
    with (tmp_path / "t.rows").open("r+b") as file:
        file.seek(6)
        file.write(b"\x00\x00")
    assert RowFile(tmp_path / "t.rows", 3, (4,), np.uint8).missing([1]) == [1]


def test_a_table_without_rows_can_be_opened(tmp_path):
    assert RowFile(tmp_path / "t.rows", 0, (4,), np.uint8).read([]).shape == (0, 4)
