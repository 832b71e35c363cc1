"""Tables beside pictures: any column names, separators and letters; a bad row never costs the good ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.readers.catalog import recognise
from core.data.readers.csv_labels import CSV_LABELS
from core.data.readers.reader import Found
from core.data.readers.table import MOST_NAMED
from core.data.tree import Tree, walk
from core.errors import DatasetError

PICTURES = ("1.png", "2.png", "3.png", "4.png")


@pytest.fixture
def table(tmp_path) -> Callable[..., Tree]:
    """A folder with a table, by its text or bytes, and pictures that are empty files."""

    def make(text: str | bytes, *pictures: str, name: str = "labels.csv") -> Tree:
        for picture in pictures or PICTURES:
            (tmp_path / picture).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / picture).write_bytes(b"")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return walk(tmp_path)

    return make


def read(tree: Tree, **picks: str) -> Found:
    return CSV_LABELS.read(tree, CSV_LABELS.picks(tree, picks).settled(picks))


def labels(found: Found) -> dict[str, str]:
    return {image.file.name: image.label for image in found.images}


def reasons(found: Found) -> dict[str, str]:
    return {entry.file: entry.reason for entry in found.skipped}


def guesses(tree: Tree) -> dict[str, str]:
    return {pick.role: pick.guess for pick in CSV_LABELS.picks(tree, {}).picks}


ROWS = "file,label\n1.png,cat\n2.png,dog\n3.png,cat\n4.png,dog\n"
MEANT = {"1.png": "cat", "2.png": "dog", "3.png": "cat", "4.png": "dog"}


def test_a_table_is_recognised_with_the_reason_and_read(table):
    row, why, found = recognise(table(ROWS))
    assert row is CSV_LABELS
    assert why == "labels.csv names pictures (column file) and their classes (column label)"
    assert labels(found) == MEANT
    assert found.classes == ("cat", "dog")
    assert (found.skipped, found.notes) == ((), ())


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_separators_encodings_and_line_endings_of_any_program_are_read(table, separator, encoding, ending):
    text = ROWS.replace("cat", "Kätzchen, süß").replace(",", separator).replace(f"Kätzchen{separator}", "Kätzchen,")
    text = text.replace("Kätzchen, süß", '"Kätzchen, süß"').replace("\n", ending)
    found = read(table(text.encode(encoding)))
    assert labels(found) == {name: label.replace("cat", "Kätzchen, süß") for name, label in MEANT.items()}


def test_letters_of_two_encodings_in_one_table_are_read_and_told(table):
    found = read(table("file,label\n1.png,süß\n2.png,é\n".encode() + "3.png,süß\n4.png,é\n".encode("latin-1")))
    assert labels(found) == {"1.png": "süß", "2.png": "é", "3.png": "süß", "4.png": "é"}
    assert found.notes == (
        "In labels.csv: 2 rows with letters that are no UTF-8; read as Windows-1252, so look at the class names.",
    )


def test_rows_of_another_separator_are_read_and_told(table):
    found = read(table("file,label\n1.png,cat\n2.png;dog\n3.png\tcat\n4.png,dog\n"))
    assert labels(found) == MEANT
    assert found.notes == ("In labels.csv: 2 rows separated otherwise than the header; read by that separator.",)


def test_rows_that_do_not_fit_the_header_are_left_out_and_the_rest_is_read(table):
    found = read(table("file,label,note\n1.png,cat,a\n2.png\n3.png,cat,b,c\n4.png,dog,\n\n"))
    assert labels(found) == {"1.png": "cat", "4.png": "dog"}
    assert reasons(found)["labels.csv, line 3"] == "a row of 1 cell under 3 columns"
    assert reasons(found)["labels.csv, line 4"] == "a row of 4 cells under 3 columns"
    assert found.notes[0] == ("Left out: 2 rows of labels.csv without the 3 cells of its header; correct the table.")


def test_a_quoted_cell_may_reach_over_lines_and_a_lone_quotation_mark_costs_nothing(table):
    found = read(
        table('file,label,note\n1.png,cat,"one\ntwo, three"\n2.png,dog,5" wide\n3.png,cat,"open\n4.png,dog,x\n')
    )
    assert labels(found) == MEANT


def test_a_row_without_its_picture_and_a_picture_without_its_row_are_told_and_the_rest_is_read(table):
    found = read(table(ROWS + "9.png,cat\n", *PICTURES, "7.png"))
    assert labels(found) == MEANT
    assert reasons(found) == {
        "9.png": "not here, though line 6 of labels.csv names it",
        "7.png": "has no row in labels.csv",
    }
    assert found.notes == (
        "Left out: 1 row of labels.csv without a picture here, such as '9.png'; add it if you can.",
        "Left out: 1 picture without a row in labels.csv, such as 7.png; add rows to use them.",
    )


def test_a_row_that_repeats_another_counts_once_and_rows_that_contradict_each_other_not_at_all(table):
    found = read(table(ROWS + "1.png,cat\n2.png,cat\n"))
    assert labels(found) == {"1.png": "cat", "3.png": "cat", "4.png": "dog"}
    assert reasons(found) == {
        "2.png": "rows that contradict each other: 'dog' on line 3 of labels.csv, 'cat' on line 7 of labels.csv"
    }
    assert found.notes == (
        "Left out: 1 picture whose rows in labels.csv contradict each other; correct the table.",
        "In labels.csv: 1 row repeating another one, which counts once.",
    )


@pytest.mark.parametrize(
    ("called", "file"),
    [
        ("1.png", "1.png"),
        ("1.png", "images/deep/1.png"),
        ("images/1.png", "images/1.png"),
        ("./images/1.png", "images/1.png"),
        ("images\\1.png", "images/1.png"),
        (r"C:\Users\me\set\images\1.png", "images/1.png"),
        ("/home/me/images/1.png", "images/1.png"),
        ("old/1.png", "images/1.png"),
        ("1", "images/1.png"),
        ("1", "images/0001.png"),
        ("1.bmp", "images/1.png"),
        ("A B.PNG", "images/a b.png"),
        ("ISIC_01.v2", "images/ISIC_01.v2.jpg"),
        ("caf\u0065\u0301.png", "caf\u00e9.png"),
    ],
)
def test_a_picture_is_found_however_the_table_calls_it(table, called, file):
    others = [f"images/x{number}.png" for number in range(4)]
    text = f"which,what\n{called},cat\n" + "".join(f"{name},dog\n" for name in others)
    assert labels(read(table(text, file, *others)))[file] == "cat"


def test_the_same_name_in_several_folders_is_told_apart_by_the_folder(table):
    files = [f"{split}/{label}/1.png" for split in ("train", "test") for label in ("cat", "dog")]
    whole = "file,label\n" + "".join(f"{name},{name.split('/')[1]}\n" for name in files)
    assert labels(read(table(whole, *files))) == {name: name.split("/")[1] for name in files}


def test_the_same_name_in_several_folders_is_told_apart_by_the_class_or_the_split(table):
    found = read(table("file,label\n1.png,cat\n1.png,dog\n", "cat/1.png", "dog/1.png"))
    assert labels(found) == {"cat/1.png": "cat", "dog/1.png": "dog"}
    tree = table("file,label,set\n7.png,a,val\n7.png,b,train\n", "train/7.png", "val/7.png", name="more/labels.csv")
    assert labels(read(tree, table="more/labels.csv")) == {"train/7.png": "b", "val/7.png": "a"}


def test_a_name_that_fits_several_pictures_is_left_out_and_told(table):
    found = read(table("file,label\n1.png,cat\n2.png,dog\n3.png,cat\n", "a/1.png", "b/1.png", "2.png", "3.png"))
    assert labels(found) == {"2.png": "dog", "3.png": "cat"}
    assert reasons(found)["1.png"] == "line 2 of labels.csv fits several pictures: a/1.png, b/1.png"


def test_a_table_beside_images_and_masks_means_the_images(table):
    found = read(table(ROWS, *(f"{folder}/{name}" for folder in ("images", "masks") for name in PICTURES)))
    assert labels(found) == {f"images/{name}": label for name, label in MEANT.items()}
    assert reasons(found)["masks/1.png"] == "lies among masks, and no row of labels.csv names it"


def test_columns_of_any_name_are_guessed_by_what_stands_in_them(table):
    text = (
        "nr;wert;was;bild;patient\n1;0.5;Hund;4.png;a\n2;0.7;Katze;3.png;a\n3;0.1;Hund;2.png;b\n4;0.2;Katze;1.png;b\n"
    )
    assert guesses(table(text)) == {"images": "bild", "labels": "was", "split": "", "group": "patient"}


def test_columns_are_guessed_by_their_names_where_several_would_do(table):
    text = "lesion_id,image_id,dx,dx_type,age,sex,dataset\n" + "".join(
        f"L{n // 2},{n},{'nv' if n % 3 else 'mel'},{'histo' if n % 2 else 'follow_up'},{40 + n % 2},"
        f"{'male' if n % 2 else 'female'},{'train' if n < 6 else 'test'}\n"
        for n in range(1, 9)
    )
    tree = table(text, *(f"part_{n % 2}/{n}.jpg" for n in range(1, 9)))
    assert guesses(tree) == {"images": "image_id", "labels": "dx", "split": "dataset", "group": "lesion_id"}
    assert recognise(tree)[0] is CSV_LABELS  # and not the class folders part_0 and part_1


def test_picked_columns_are_used_whatever_was_guessed(table):
    tree = table("file,label,kind,who\n1.png,a,x,p\n2.png,b,x,p\n3.png,a,y,q\n4.png,b,y,q\n")
    found = read(tree, labels="kind", group="who")
    assert labels(found) == {"1.png": "x", "2.png": "x", "3.png": "y", "4.png": "y"}
    assert [image.group for image in found.images] == ["p", "p", "q", "q"]


def test_splits_are_given_by_a_column_and_rows_without_one_are_left_out(table):
    found = read(
        table("file,label,fold\n1.png,cat,Train\n2.png,dog,VAL\n3.png,cat,test\n4.png,dog,holdout\n"), split="fold"
    )
    assert [(image.file.name, image.split) for image in found.images] == [
        ("1.png", "train"),
        ("2.png", "validation"),
        ("3.png", "test"),
    ]
    assert reasons(found) == {"4.png": "no known split on line 5 of labels.csv: 'holdout'"}


def test_tables_named_by_their_splits_are_read_as_one(table):
    pictures = [f"{split}/{n}.png" for split in ("train", "test") for n in (1, 2)]
    for split in ("test", "train"):
        tree = table("file,label\n1.png,cat\n2.png,dog\n", *pictures, name=f"{split}.csv")
    assert guesses(tree)["table"] == "train.csv + test.csv"
    assert [(image.file.name, image.split) for image in read(tree).images] == [
        ("train/1.png", "train"),
        ("train/2.png", "train"),
        ("test/1.png", "test"),
        ("test/2.png", "test"),
    ]
    assert {image.split for image in read(tree, table="test.csv", split="").images} == {""}


def test_of_several_tables_the_one_that_names_the_pictures_is_guessed_and_another_may_be_chosen(table):
    table("a,b\nx,y\nz,w\n", name="about.csv")
    tree = table(ROWS)
    assert guesses(tree)["table"] == "labels.csv"
    assert CSV_LABELS.picks(tree, {"table": "about.csv"}).preview == (("a", "b"), ("x", "y"), ("z", "w"))


def test_a_table_without_a_header_has_numbered_columns(table):
    tree = table(ROWS.partition("\n")[2])
    assert CSV_LABELS.picks(tree, {}).preview[0] == ("column 1", "column 2")
    assert labels(read(tree)) == MEANT


def test_columns_without_a_name_or_with_the_same_are_told_apart(table):
    tree = table(
        ROWS.replace("file,label", "x,x")
        .replace(
            "g,",
            "g,,",
        )
        .replace("x,x", "x,,x")
    )
    assert CSV_LABELS.picks(tree, {}).preview[0] == ("x", "(column 2)", "x (column 3)")


def test_the_preview_shows_the_first_rows(table):
    preview = CSV_LABELS.picks(table(ROWS + "5.png,cat\n" * 20), {}).preview
    assert preview[:2] == (("file", "label"), ("1.png", "cat"))
    assert len(preview) == 9


def test_numbers_are_classes_in_the_order_of_numbers_and_2_0_is_2(table):
    pictures = [f"{n}.png" for n in range(1, 7)]
    found = read(table("file,y\n1.png,10\n2.png,2.0\n3.png,2\n4.png,9\n5.png,10.0\n6.png,9\n", *pictures))
    assert found.classes == ("2", "9", "10")
    assert labels(found)["2.png"] == labels(found)["3.png"] == "2"


def test_a_row_without_a_class_is_left_out(table):
    found = read(table("file,label\n1.png,cat\n2.png,\n3.png,NaN\n4.png,dog\n"))
    assert labels(found) == {"1.png": "cat", "4.png": "dog"}
    assert reasons(found)["2.png"] == "no class on line 3 of labels.csv"


def test_a_class_is_one_line_without_control_characters_and_not_endless(table):
    found = read(table('file,label\n1.png,"big\n  cat"\n2.png,big cat\n3.png,d\x07og\n4.png,' + "x" * 300 + "\n"))
    assert labels(found) == {"1.png": "big cat", "2.png": "big cat", "3.png": "dog"}
    assert reasons(found) == {"4.png": "a text of 300 letters for a class on line 6 of labels.csv"}


def test_classes_that_differ_only_in_capitals_are_asked_about(table):
    found = read(table("file,label\n1.png,Cat\n2.png,cat\n3.png,dog\n4.png,dog\n"))
    assert found.classes == ("Cat", "cat", "dog")
    assert found.notes == ("The classes 'Cat' and 'cat' differ only in capitals or blanks; are they one?",)


@pytest.mark.parametrize(
    ("picks", "sentence"),
    [
        ({"images": "label"}, "No row of labels.csv names a picture that is here: found 'cat' in the column label, "),
        ({"labels": "file"}, "One column cannot name the picture and its class: found 'file' for both"),
        ({"split": "label"}, "The column label of labels.csv gives no split: found the values 'cat', 'dog', expected"),
        ({"labels": "nothing"}, "Class: the column that says .* found 'nothing', expected one of file, label, note"),
        ({"colour": "label"}, "There is no such role: found 'colour', expected one of images, labels, split, group"),
        ({"labels": "note"}, "The column note gives no picture a class"),
    ],
)
def test_a_wrong_column_is_refused_with_what_is_in_it(table, picks, sentence):
    tree = table("file,label,note\n1.png,cat,\n2.png,dog,\n3.png,cat,\n4.png,dog,\n")
    with pytest.raises(DatasetError, match=sentence) as caught:
        read(tree, **({"labels": "note", "images": "label"} if picks == {"images": "label"} else picks))
    assert "\n" not in str(caught.value)


def test_a_column_that_differs_for_every_picture_gives_no_classes(table):
    pictures = [f"{n}.png" for n in range(30)]
    tree = table("file,weight\n" + "".join(f"{name},{n}.5\n" for n, name in enumerate(pictures)), *pictures)
    with pytest.raises(DatasetError, match="30 different values for 30 pictures, such as '0.5'"):
        read(tree, labels="weight")


def test_a_table_alone_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_text(ROWS)
    with pytest.raises(DatasetError, match="There are no pictures here: found 1 file, none of which"):
        recognise(walk(tmp_path), "csv")


@pytest.mark.parametrize("junk", [b"", b"\0\1\2\3" * 50, b"only one column\n1.png\n", b"\xff\xfe", b"\n\n\n"])
def test_what_is_no_table_is_not_taken_for_one(table, junk):
    tree = table(junk, "cat/1.png", "dog/2.png")
    assert CSV_LABELS.recognise(tree) is None
    assert recognise(tree)[0].name == "image-folder"


def test_a_table_of_something_else_leaves_class_folders_alone(table):
    tree = table("author,year\nme,2026\nyou,2025\n", "cat/1.png", "dog/2.png")
    assert recognise(tree)[0].name == "image-folder"
    assert recognise(tree)[2].notes == ()


def test_rows_that_are_left_out_are_named_only_up_to_a_bound_and_all_counted(table):
    found = read(table(ROWS + "".join(f"x{n}.png,cat\n" for n in range(MOST_NAMED + 5))))
    assert len(found.skipped) == MOST_NAMED
    assert found.notes[0].startswith(f"Left out: {MOST_NAMED + 5:,} rows of labels.csv without a picture here")


def test_a_very_long_cell_and_a_path_that_leads_away_harm_nothing(table, tmp_path):
    (tmp_path.parent / "secret.png").write_bytes(b"")
    found = read(table(ROWS + "../secret.png,cat\n" + "x" * 200_000 + ",cat\n" + "y" * 100_000 + ",cat\n"))
    assert labels(found) == MEANT
    assert max(len(row.file) for row in found.skipped) < 300
    assert "../secret.png" in reasons(found)
    assert Path(tmp_path / "1.png") in {image.file.path for image in found.images}
