"""A look at a source before it is read, and imports of tables and arrays from a folder, a zip, or a file."""

import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from core.data.incoming import inspect, keep, load_proposal, remap, survey
from core.data.loading import read_image
from core.data.mask_values import map_of
from core.errors import ArchiveError, DatasetError

TABLE = "file,kind,set\n" + "".join(
    f"{n}.png,{'cat' if n % 2 else 'dog'},{('train', 'val', 'test')[n % 3]}\n" for n in range(12)
)


@pytest.fixture
def table(plant, paint, encode):
    """A folder of 12 pictures with a table."""
    return plant("cells", {"list.csv": TABLE.encode()} | {f"all/{n}.png": encode(paint(n)) for n in range(12)})


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"inside/{file.relative_to(folder)}")
    return path


def test_class_folders_ask_nothing(workspace, plant):
    seen = survey(workspace, plant("pets", {"cat": 3, "dog": 2}))
    assert (seen.layout, seen.why) == ("image-folder", "2 folders with pictures, each taken as a class")
    assert seen.fits == (("image-folder", "Class folders", seen.why),)
    assert (seen.picks, seen.files, seen.doubt) == (None, 5, "")


def test_a_table_asks_for_its_columns_and_shows_them_and_nothing_stays(workspace, table):
    seen = survey(workspace, table)
    assert [name for name, _, _ in seen.fits] == ["csv"]
    assert {pick.role: pick.guess for pick in seen.picks.picks} == {
        "images": "file",
        "labels": "kind",
        "split": "set",
        "group": "",
    }
    assert seen.picks.preview[:2] == (("file", "kind", "set"), ("0.png", "dog", "train"))
    assert list(workspace.incoming.iterdir()) == []


def test_of_a_zip_only_the_table_is_unpacked_and_nothing_stays(workspace, table, tmp_path, monkeypatch):
    path = zipped(table, tmp_path / "cells.zip")
    written = []
    monkeypatch.setattr("core.data.archive._write_one", _counting(written))
    seen = survey(workspace, path)
    assert written == ["inside/list.csv"]
    assert (seen.layout, seen.files) == ("csv", 13)
    assert list(workspace.incoming.iterdir()) == []


def _counting(written):
    from core.data.archive import _write_one

    def count(archive, info, *rest):
        written.append(info.filename)
        return _write_one(archive, info, *rest)

    return count


@pytest.mark.parametrize("source", ["folder", "table", "zip"])
def test_a_table_gives_the_same_dataset_from_a_folder_a_zip_and_the_table(workspace, table, tmp_path, source):
    path = {"folder": table, "table": table / "list.csv", "zip": tmp_path / "cells.zip"}[source]
    zipped(table, tmp_path / "cells.zip")
    proposal = inspect(workspace, path, picks={"split": "set"})
    assert load_proposal(workspace, proposal.id) == proposal
    assert proposal.counts() == {split: {"cat": 2, "dog": 2} for split in ("train", "validation", "test")}
    dataset = keep(workspace, proposal.id)
    assert (dataset.name, dataset.layout, dataset.classes) == ("cells", "csv", ("cat", "dog"))
    assert dataset.split_rule == "given by the table"
    for sample in dataset.samples:
        assert dataset.path(sample).read_bytes() == (table / sample.name.removeprefix("inside/")).read_bytes()


def test_notes_of_the_reader_are_told_and_kept(workspace, table):
    (table / "list.csv").write_text(TABLE + "99.png,cat,train\n")
    proposal = inspect(workspace, table)
    assert proposal.notes == (
        "Left out: 1 row of list.csv without a picture here, such as '99.png'; add it if you can.",
    )
    assert proposal.skipped[0].file == "99.png"
    assert load_proposal(workspace, proposal.id) == proposal


def test_a_class_of_a_table_without_a_readable_picture_is_told_as_a_class(workspace, table):
    (table / "all" / "0.png").write_bytes(b"")
    (table / "list.csv").write_text(TABLE.replace("0.png,dog", "0.png,emu", 1))
    assert inspect(workspace, table).notes == ("The class emu holds no readable picture, so it is no class.",)


def test_what_the_reader_said_is_kept_when_masks_are_judged_anew(workspace, plant, encode):
    halves = Image.fromarray(np.repeat([[0, 255]], 4, 0).astype(np.uint8).repeat(3, 1))
    pictures = {f"images/{n}.png": encode(halves.convert("RGB")) for n in range(6)}
    masks = {f"masks/{n}.png": encode(halves) for n in range(6)}
    proposal = inspect(workspace, plant("both", pictures | masks | {"cat": 1, "dog": 1}))
    assert proposal.layout == "mask-pairs"
    assert proposal.notes[0].startswith("Left out: 2 pictures laid out in another way (class folders")
    again = remap(workspace, proposal.id, map_of({"0": "background", "255": "cell"}, "grey", 0))
    assert again.notes[0] == proposal.notes[0]


@pytest.fixture
def arrays():
    pictures = np.random.default_rng(0).integers(0, 256, (30, 8, 7, 3), dtype=np.uint8)
    return {"images": pictures, "labels": np.arange(30) % 3}


@pytest.mark.parametrize("around", ["", "folder", "zip"])
def test_arrays_become_a_dataset_like_any_other(workspace, tmp_path, arrays, around):
    (tmp_path / "cells").mkdir()
    path = tmp_path / "cells" / "cells.npz"
    np.savez_compressed(path, **arrays)
    source = {"": path, "folder": path.parent, "zip": tmp_path / "cells.zip"}[around]
    zipped(path.parent, tmp_path / "cells.zip")
    seen = survey(workspace, source)
    assert (seen.layout, seen.files, seen.doubt) == ("npz", 1, "")
    assert list(workspace.incoming.iterdir()) == []
    proposal = inspect(workspace, source)
    assert proposal.name == "cells"
    assert sorted(path.name for path in proposal.folder.iterdir() if path.is_dir()) == ["files", "thumbs"]
    dataset = keep(workspace, proposal.id)
    assert (dataset.layout, dataset.classes, len(dataset.samples)) == ("npz", ("0", "1", "2"), 30)
    assert {(sample.format, sample.mode, sample.width, sample.height) for sample in dataset.samples} == {
        ("PNG", "RGB", 7, 8)
    }
    for place, sample in enumerate(dataset.samples):
        assert sample.name.endswith(f"cells.npz/images[{place}]")
        assert (np.asarray(read_image(dataset.path(sample))) == arrays["images"][place]).all()
        assert sample.label == place % 3
    assert path.is_file()


@pytest.mark.parametrize("look", [survey, inspect])
@pytest.mark.parametrize(
    ("name", "data", "error", "sentence"),
    [
        ("cells.npz", b"", ArchiveError, "cells.npz cannot be read: found a file that is cut off or no .npz"),
        ("cells.npz", b"PK\x03\x04", ArchiveError, "cells.npz cannot be read: found a file that is cut off or no .npz"),
        ("list.csv", b"", DatasetError, "There are no pictures here: found 1 file"),
        ("list.csv", TABLE.encode(), DatasetError, "There are no pictures here: found 1 file"),
    ],
)
def test_a_file_that_gives_nothing_is_refused_and_nothing_stays(workspace, tmp_path, look, name, data, error, sentence):
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / name).write_bytes(data)
    with pytest.raises(error, match=sentence):
        look(workspace, tmp_path / "alone" / name)
    assert list(workspace.incoming.iterdir()) == []


def test_an_npz_that_would_escape_is_refused(workspace, tmp_path, arrays):
    data = BytesIO()
    np.save(data, arrays["images"])
    with zipfile.ZipFile(tmp_path / "evil.npz", "w") as archive:
        archive.writestr("images.npy", data.getvalue())
        archive.writestr("../../labels.npy", b"")
    with pytest.raises(ArchiveError, match="evil.npz cannot be read: found .*'../../labels.npy'.*leads out"):
        inspect(workspace, tmp_path / "evil.npz")
    assert list(workspace.incoming.iterdir()) == []


def test_the_layout_that_is_asked_for_is_surveyed_alone(workspace, table):
    with pytest.raises(DatasetError, match="expected one folder per class|only one class here"):
        survey(workspace, table, layout="image-folder")
    assert survey(workspace, table, layout="csv").layout == "csv"


def test_several_layouts_that_fit_are_all_told(workspace, plant, paint, encode):
    pictures = {f"{folder}/{n}.png": encode(paint(n)) for folder in ("images", "masks") for n in range(4)}
    table = "file,kind\n" + "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(4))
    source = plant("cells", pictures | {"labels.csv": table.encode()})
    assert [name for name, _, _ in survey(workspace, source).fits] == ["mask-pairs", "csv"]
    proposal = inspect(workspace, source, layout="csv")
    assert [sample.name for sample in proposal.samples] == [f"images/{n}.png" for n in range(4)]
