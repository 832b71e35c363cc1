import csv
from pathlib import Path

import pytest

from core.errors import InputError
from core.predict.answer import MaskAnswer
from core.predict.files import mask_files, write_mask, write_table


def test_masks_are_called_by_their_pictures(tmp_path):
    files = mask_files(tmp_path, [Path("x/a.jpeg"), Path("b.png")])
    assert [file.name for file in files] == ["a.mask.png", "b.mask.png"]


def test_pictures_of_one_name_get_masks_of_their_own(tmp_path):
    files = mask_files(tmp_path, [Path("x/a.jpeg"), Path("y/a.png"), Path("z/A.png"), Path("a-2.png")])
    assert len({file.name.casefold() for file in files}) == 4


def test_a_mask_never_takes_the_place_of_a_picture(tmp_path):
    with pytest.raises(InputError, match=r"a\.mask\.png.*Choose another folder"):
        mask_files(tmp_path, [tmp_path / "a.png", tmp_path / "a.mask.png"])
    assert mask_files(tmp_path / "out", [tmp_path / "a.png", tmp_path / "a.mask.png"])


def test_what_there_is_of_an_answer_is_written_and_named(tmp_path):
    file = tmp_path / "out" / "a.mask.png"
    assert write_mask(file, MaskAnswer("a.png", error="no picture")) == {"mask": None, "uncertainty": None}
    assert not file.parent.exists()
    assert write_mask(file, MaskAnswer("a.png", mask=b"mask")) == {"mask": str(file), "uncertainty": None}
    written = write_mask(file, MaskAnswer("a.png", mask=b"mask", uncertainty=b"doubt"))
    assert Path(written["uncertainty"]).name == "a.uncertainty.png"
    assert Path(written["uncertainty"]).read_bytes() == b"doubt"
    assert file.read_bytes() == b"mask"


def test_the_table_has_a_column_for_every_share(tmp_path):
    rows = [
        {"image": "bad,.png", "mask": None, "areas": {}, "error": "no picture"},
        {"image": "a.png", "mask": "out/a.png", "areas": {"background": 0.75, "cell": 0.25}, "error": None},
    ]
    write_table(tmp_path, rows, shares="areas", prefix="area")
    with open(tmp_path / "predictions.csv", newline="") as file:
        bad, good = csv.DictReader(file)
    assert bad == {"image": "bad,.png", "mask": "", "area:background": "", "area:cell": "", "error": "no picture"}
    assert good == {"image": "a.png", "mask": "out/a.png", "area:background": "0.75", "area:cell": "0.25", "error": ""}
