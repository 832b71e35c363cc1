"""The datasets of a workspace."""

import json
import shutil

import pytest

from core.data.library import Library, plain_name
from core.errors import DatasetError


def test_an_empty_workspace_has_no_datasets_and_says_what_to_do(workspace):
    assert Library(workspace).cards() == []
    with pytest.raises(DatasetError, match="found 'cats', expected|Import one first"):
        Library(workspace).get("cats")
    assert not workspace.root.exists()


def test_a_card_says_what_the_dataset_says(workspace, tiny_dataset):
    (card,) = Library(workspace).cards()
    assert card.id == tiny_dataset.id
    assert card.name == "Tiny cells"
    assert card.classes == tiny_dataset.classes
    assert card.samples == len(tiny_dataset.samples) == sum(card.splits.values())
    assert card.splits == tiny_dataset.split_counts()
    assert card.fingerprint == tiny_dataset.fingerprint
    assert card.split_rule == tiny_dataset.split_rule
    assert card.bytes == sum(file.stat().st_size for file in tiny_dataset.folder.glob("files/*/*"))
    assert card.skipped == 0


def test_a_dataset_is_found_by_its_id(workspace, tiny_dataset):
    assert Library(workspace).get(tiny_dataset.id) == tiny_dataset


def test_the_newest_card_comes_first(workspace, tiny_dataset):
    older = workspace.datasets / "older-000000"
    shutil.copytree(tiny_dataset.folder, older)
    about = json.loads((older / "dataset.json").read_text())
    (older / "dataset.json").write_text(json.dumps(about | {"created": 1.0}))
    assert [card.id for card in Library(workspace).cards()] == [tiny_dataset.id, "older-000000"]


@pytest.mark.parametrize("id", ["nothing", "../runs", "", ".", "/etc", "a/b", "UPPER", "x" * 200])
def test_an_id_that_is_not_there_is_refused_with_those_that_are(workspace, tiny_dataset, id):
    for ask in (Library(workspace).get, Library(workspace).delete, lambda id: Library(workspace).rename(id, "new")):
        with pytest.raises(
            DatasetError, match=f"There is no such dataset: found .*, expected one of {tiny_dataset.id}"
        ):
            ask(id)
    assert Library(workspace).get(tiny_dataset.id)


def test_a_new_name_keeps_the_id_and_everything_else(workspace, tiny_dataset):
    Library(workspace).rename(tiny_dataset.id, "  New\n<b>name</b>  ")
    renamed = Library(workspace).get(tiny_dataset.id)
    assert renamed.name == "New <b>name</b>"
    assert renamed.samples == tiny_dataset.samples
    assert Library(workspace).cards()[0].name == "New <b>name</b>"


@pytest.mark.parametrize("name", ["", "   ", "\n\t\0"])
def test_a_name_needs_something_to_read(workspace, tiny_dataset, name):
    with pytest.raises(DatasetError, match="needs a name"):
        Library(workspace).rename(tiny_dataset.id, name)
    assert Library(workspace).get(tiny_dataset.id).name == "Tiny cells"


def test_a_long_name_is_cut():
    assert len(plain_name("x" * 500)) == 80


def test_a_deleted_dataset_is_gone_with_its_files_and_the_others_stay(workspace, tiny_dataset):
    shutil.copytree(tiny_dataset.folder, workspace.datasets / "other-000000")
    Library(workspace).delete(tiny_dataset.id)
    assert [path.name for path in workspace.datasets.iterdir()] == ["other-000000"]
    assert len(Library(workspace).cards()) == 1


def test_folders_that_hold_no_dataset_are_left_out(workspace, tiny_dataset):
    (workspace.datasets / "empty-000000").mkdir()
    (workspace.datasets / "broken-000000").mkdir()
    (workspace.datasets / "broken-000000" / "dataset.json").write_text("{")
    (workspace.datasets / "strange-000000").mkdir()
    (workspace.datasets / "strange-000000" / "dataset.json").write_text("[1]")
    (workspace.datasets / "a file").write_text("")
    assert [card.id for card in Library(workspace).cards()] == [tiny_dataset.id]


def test_a_deletion_that_was_cut_off_is_completed(workspace, tiny_dataset):
    shutil.copytree(tiny_dataset.folder, workspace.datasets / ".cats-000000.deleted")
    Library(workspace).sweep()
    assert [path.name for path in workspace.datasets.iterdir()] == [tiny_dataset.id]
