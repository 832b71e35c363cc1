"""An error is one sentence a person can act on, wherever it was raised."""

import errno
import pickle

import pytest

from core import errors
from core.errors import DatasetError, FoveaError, InputError, RecipeError, StorageError, shown, storage_errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FoveaError)]


def test_an_error_says_what_was_found_what_was_expected_and_what_to_do():
    error = RecipeError("batch_size", found="0", expected="at least 1", do="Choose 16")
    assert str(error) == "batch_size: found 0, expected at least 1. Choose 16."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("Nothing there"), "Nothing there."),
        (InputError("Is it there?"), "Is it there?"),
        (InputError("Nothing there", found="an empty folder"), "Nothing there: found an empty folder."),
        (InputError("Nothing there", do="Add images"), "Nothing there. Add images."),
        (InputError("a\n  b", found="c\td\r\ne"), "a b: found c d e."),
    ],
)
def test_an_error_is_one_line_that_ends_as_a_sentence(error, sentence):
    assert str(error) == sentence


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_crosses_a_process_boundary_as_itself(kind):
    error = kind("weights", found="nothing", expected="a file", do="Fetch one")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert (copy.what, copy.found, copy.expected, copy.do) == ("weights", "nothing", "a file", "Fetch one")


def test_the_tree_drawn_at_the_top_of_the_file_names_every_error():
    for kind in KINDS:
        assert kind.__name__ in errors.__doc__
    assert issubclass(DatasetError, InputError)
    assert not issubclass(StorageError, InputError), "a full disk is no bad input"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG])
def test_a_full_or_read_only_disk_becomes_one_sentence_that_names_the_folder(code):
    with pytest.raises(StorageError, match="/some/runs"), storage_errors("/some/runs"):
        raise OSError(code, "the system's words")


def test_no_permission_becomes_one_sentence_that_names_the_folder():
    with pytest.raises(StorageError, match="/some/runs may not be written"), storage_errors("/some/runs"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_other_system_errors_stay_as_they_are():
    with pytest.raises(FileNotFoundError), storage_errors("/some/runs"):
        raise FileNotFoundError(errno.ENOENT, "gone")


@pytest.mark.parametrize("kind", [NotADirectoryError, FileExistsError, IsADirectoryError])
def test_a_file_where_a_folder_should_be_becomes_one_sentence_that_names_the_place(kind):
    code = {NotADirectoryError: errno.ENOTDIR, FileExistsError: errno.EEXIST, IsADirectoryError: errno.EISDIR}[kind]
    with pytest.raises(StorageError, match="Nothing can be written as /some/runs"), storage_errors("/some/runs"):
        raise kind(code, "something stands there")


def test_a_value_is_shown_as_it_is_but_never_at_a_length_nobody_reads():
    assert shown("a'b") == '"a\'b"'
    assert shown(4.5) == "4.5"
    assert len(shown("9" * 5000)) < 300
    assert len(shown(10**400)) < 100
