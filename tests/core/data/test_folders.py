import pytest

from core.data.folders import MOST_LISTED, subfolders
from core.errors import InputError


def test_subfolders_come_in_natural_order_without_files_and_hidden_ones(tmp_path):
    for name in ("run 10", "run 9", ".hidden", "Ünder"):
        (tmp_path / name).mkdir()
    (tmp_path / "a file").touch()

    assert subfolders(tmp_path) == ["run 9", "run 10", "Ünder"]


def test_a_very_full_folder_is_cut_short(tmp_path):
    for number in range(MOST_LISTED + 5):
        (tmp_path / str(number)).mkdir()

    assert len(subfolders(tmp_path)) == MOST_LISTED


def test_a_folder_that_is_not_there_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read: found no such file"):
        subfolders(tmp_path / "nothing")
