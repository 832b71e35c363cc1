"""Files that cannot be read, and files unlike all others, are told with their names."""

import os

from PIL import Image

from core.data.revisions import revise
from core.data.smear import CELLS
from tests.planted import cell, cells, noise, saved

ONE = CELLS[0].name


def test_a_file_that_was_damaged_since_the_import_is_an_error_and_can_be_left_out(kept, found):
    dataset = kept(cells())
    damaged, gone = dataset.samples[0], dataset.samples[1]
    data = bytearray(dataset.path(damaged).read_bytes())
    data[200] ^= 255  # as long as before
    dataset.path(damaged).write_bytes(data)
    os.remove(dataset.path(gone))
    findings = found(dataset)
    (finding,) = findings["unreadable"]
    assert finding.severity == "error"
    assert finding.message.startswith("2 pictures of this dataset cannot be read any more")
    assert "a file that has changed since it was imported" in finding.message
    assert set(finding.files) == {damaged.name, gone.name}
    revised = revise(dataset, finding.repairs[0].changes)
    assert "unreadable" not in found(revised)


def test_a_file_that_was_cut_short_after_a_first_check_is_found_by_its_size(kept, found):
    dataset = kept(cells())
    assert "unreadable" not in found(dataset)
    path = dataset.path(dataset.samples[3])
    path.write_bytes(path.read_bytes()[:-50])
    assert found(dataset)["unreadable"][0].files == (dataset.samples[3].name,)


def test_pictures_that_the_import_left_out_are_told_with_the_reason_and_notes_are_not(kept, found):
    whole = saved(cell(0, 0))
    bad = {f"train/{ONE}/cut.jpg": whole[: len(whole) // 2], f"train/{ONE}/read me.txt": b"hello"}
    (finding,) = found(kept(cells() | bad))["unreadable"]
    assert finding.severity == "warning"  # 1 of 41
    assert finding.message == (
        f"1 picture of 41 was left out by the import: train/{ONE}/cut.jpg (a truncated file, which ends before the "
        "picture does)."
    )
    assert finding.files == (f"train/{ONE}/cut.jpg",)


def test_a_rare_format_is_a_note(kept, found):
    dataset = kept(cells(each=20) | {f"train/{ONE}/drawing.gif": saved(noise(), "GIF")})
    kinds = {finding.figures["about"]: finding for finding in found(dataset)["odd-files"]}
    assert kinds["format"].message == "1 picture of 41 is unlike the others, which are JPEG files: 1 GIF files."
    assert kinds["format"].severity == "note"
    assert kinds["mode"].figures["P"] == 1


def test_a_dataset_of_two_formats_has_no_odd_files(kept, found):
    files = cells(each=20)
    half = [name for number, name in enumerate(files) if number % 2]
    files |= {name: saved(noise(seed=number), "PNG") for number, name in enumerate(half)}
    formats = [one for one in found(kept(files)).get("odd-files", []) if one.figures.get("about") == "format"]
    assert formats == []


def test_a_file_that_is_not_what_its_name_says_is_a_note(kept, found):
    dataset = kept(cells() | {f"train/{ONE}/really.jpg": saved(noise(), "PNG")})
    (finding,) = [one for one in found(dataset)["odd-files"] if ".jpg PNG" in one.figures]
    assert "1 called .jpg that hold PNG" in finding.message


def test_a_picture_that_is_very_long_or_very_small_is_a_note(kept, found):
    odd = {
        f"train/{ONE}/banner.jpg": saved(noise(300).resize((300, 60))),
        f"train/{ONE}/icon.jpg": saved(noise(16, 1)),
    }
    dataset = kept(cells(size=96) | odd)
    told = {one.figures["about"]: one for one in found(dataset)["odd-files"]}
    assert told["shape"].files == (f"train/{ONE}/banner.jpg",)
    assert told["size"].files == (f"train/{ONE}/icon.jpg",)
    assert "while the others have about 96" in told["size"].message


def test_modes_are_read_from_the_files_where_the_table_does_not_say(kept, looked_at):
    dataset = kept(cells(each=10) | {f"train/{ONE}/grey.jpg": saved(Image.new("L", (48, 48), 9))})
    modes = looked_at(dataset).facts.modes(dataset)
    assert sorted(set(modes)) == ["L", "RGB"]
    assert modes.count("L") == 1
