"""Files of answers as people have them, and one sentence for each that cannot be used."""

import csv as csv_module
import io

import numpy as np
import pytest

from core.errors import InputError
from core.integrity.autopsy.reading import read_answers


def csv(text: str, name: str = "table.csv") -> tuple[str, bytes]:
    return name, text.encode()


def npy(array, name: str = "array.npy") -> tuple[str, bytes]:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return name, stream.getvalue()


TRUTH = csv("y_true\ncat\ndog\ncat\ndog\n", "t.csv")


@pytest.mark.parametrize(
    "answers",
    [
        csv("y_pred\ncat\ncat\ncat\ndog\n"),
        csv("cat\ncat\ncat\ndog"),
        csv("Cat \ncat\nCAT\ndog\n"),
        csv("0\n0\n0\n1\n"),
        csv("prediction;file\ncat;a\ncat;b\ncat;c\ndog;d\n"),
        csv("cat,dog\n0.9,0.1\n0.6,0.4\n0.8,0.2\n0,1\n"),
        csv("file,p:dog,p:cat\na,0.1,0.9\nb,0.4,0.6\nc,0.2,0.8\nd,1,0\n"),
        csv("0.9,0.1\n0.6,0.4\n0.8,0.2\n0.1,0.9\n"),
        csv("probability\n0.1\n0.4\n0.2\n0.9\n"),
        npy(np.array([0, 0, 0, 1])),
        npy(np.array([0.0, 0.0, 0.0, 1.0])),
        npy(np.array([False, False, False, True])),
        npy(np.array(["cat", "cat", "cat", "dog"])),
        npy(np.array([[2.5, -1], [1, 0], [3, 1], [0, 4]])),
        npy(np.array([0.1, 0.4, 0.2, 0.9])),
    ],
)
def test_answers_are_read_however_they_are_written(answers):
    found = read_answers(TRUTH, answers)
    assert found.classes == ("cat", "dog")
    assert found.truth.tolist() == [0, 1, 0, 1]
    assert found.predicted.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "answers",
    [
        csv("y_pred\ncat\ncat\ncat\ndog\n"),
        csv("dog,cat\n0.1,0.9\n0.4,0.6\n0.2,0.8\n1,0\n"),
    ],
)
def test_numbers_of_the_truth_stand_for_the_names_that_were_answered(answers):
    numbers = csv("0\n1\n0\n1\n" if answers[1].startswith(b"y") else "1\n0\n1\n0\n")  # columns: dog is 0
    found = read_answers(numbers, answers)
    assert [found.classes[number] for number in found.truth] == ["cat", "dog", "cat", "dog"]
    assert [found.classes[number] for number in found.predicted] == ["cat", "cat", "cat", "dog"]
    assert any("0 was taken as the first" in note for note in found.notes)
    with pytest.raises(InputError, match="'2'.*order of their numbers"):
        read_answers(csv("0\n1\n2\n1\n"), answers)


def test_a_series_that_was_saved_with_its_row_numbers_has_a_header():
    found = read_answers(csv(",0\n0,1\n1,0\n2,1\n3,0\n"), csv(",0\n0,1\n1,0\n2,0\n3,0\n"))
    assert (found.truth.tolist(), found.predicted.tolist()) == ([1, 0, 1, 0], [1, 0, 0, 0])
    assert found.joined == "ids"
    assert "column 1 as ids" in found.notes[0]


@pytest.mark.parametrize(
    "text", ["truth,predicted\na,a\nb,a\na,b\n", "a,a\nb,a\na,b\n", "predicted\ttruth\na\ta\na\tb\nb\ta\n"]
)
def test_one_file_may_hold_both(text):
    found = read_answers(csv(text))
    assert (found.truth.tolist(), found.predicted.tolist()) == ([0, 1, 0], [0, 0, 1])
    assert found.joined == "table"


def test_a_prediction_table_of_fovea_is_read_as_it_is(trained_run):
    from core.evaluate.evaluation import evaluate_run
    from core.integrity.autopsy.entry import autopsy_paths

    root = str(trained_run.paths.folder.parents[1])
    result = evaluate_run(root, trained_run.id, "validation")
    path = trained_run.paths.predictions("validation")
    found = read_answers(path)
    assert found.classes == result.classes
    assert found.probabilities.shape == (result.n, len(result.classes))
    assert autopsy_paths(root, path).as_given.confusion == result.confusion
    assert autopsy_paths(root, None, run=trained_run.id).as_given.confusion == result.confusion


def test_rows_with_ids_are_brought_together_by_them():
    found = read_answers(csv("id,label\n1,a\n2,b\n3,b\n"), csv("id,label\n3,b\n1,a\n9,a\n", "p.csv"))
    assert found.joined == "ids"
    assert (found.ids, found.truth.tolist(), found.predicted.tolist()) == (("1", "3"), [0, 1], [0, 1])
    assert any("1 row of p.csv" in note for note in found.notes)


def test_ids_without_a_common_one_are_said_to_be_of_no_use():
    found = read_answers(csv("id,label\n1,a\n2,b\n"), csv("id,label\nx,b\ny,a\n"))
    assert found.joined == ""
    assert any("by their places" in note for note in found.notes)


def test_numbers_follow_the_classes_that_are_given():
    found = read_answers(TRUTH, csv("0\n0\n1\n1\n"), classes=["dog", "cat"])
    assert found.predicted.tolist() == [0, 0, 1, 1]
    assert found.truth.tolist() == [1, 0, 1, 0]
    assert not found.numbered
    assert read_answers(TRUTH, csv("0\n0\n1\n1\n")).numbered


def test_probabilities_may_come_besides():
    answers = csv("cat\ncat\ncat\ndog\n")
    found = read_answers(TRUTH, answers, probabilities=csv("cat,dog\n.9,.1\n.6,.4\n.8,.2\n.2,.8\n"))
    assert found.labelled
    assert found.probabilities.shape == (4, 2)
    with pytest.raises(InputError, match="differ in length"):
        read_answers(TRUTH, answers, probabilities=csv("cat,dog\n.9,.1\n.6,.4\n"))


def test_different_lengths_are_no_fault_of_a_file():
    found = read_answers(TRUTH, csv("cat\ncat\n"))
    assert (len(found.truth), len(found.predicted)) == (4, 2)


BAD = {
    "nothing at all": (csv(""), "is empty"),
    "blank lines": (csv("\n \n"), "is empty"),
    "a header alone": (csv("y_pred\n"), "a header and no rows"),
    "a missing answer": (csv("y_pred\ncat\nnan\ndog\n"), "Line 3 of table.csv has no label"),
    "a blank answer": (csv("y_pred\ncat\n\ndog\n"), "Line 3 of table.csv has no label"),
    "another class": (csv("cat\nbird\n"), "not known: found 'bird'"),
    "too high a number": (csv("0\n7\n"), "not known: found '7'"),
    "twice the same id": (csv("id,label\n1,cat\n1,dog\n"), "more than once"),
    "rows of two widths": (csv("id,label\n1,cat\n2\n"), "Line 3 of table.csv does not fit"),
    "measurements": (csv("1.5\n2.25\n"), "neither classes nor probabilities"),
    "a missing probability": (csv("cat,dog\n0.5,0.5\n,0.4\n"), "has no number in line 3"),
    "other bytes": (("x.csv", bytes(range(256))), "is no text"),
    "no array": (("x.npy", b"hello"), "not an array that can be read"),
    "an array cut short": (("x.npy", npy(np.arange(900))[1][:300]), "fewer values than its head says"),
    "an array of objects": (npy(np.array([{}, None], object)), "not an array that can be read"),
    "an array with NaN": (npy(np.array([[0.5, 0.5], [np.nan, 1]])), "has no number in row 1"),
    "an array of pictures": (npy(np.zeros((2, 2, 2))), "another shape"),
    "too many columns": (npy(np.ones((2, 5)) / 5), "another number of columns"),
    "several arrays": (("x.npz", b"PK"), "several arrays"),
    "a field without an end": (csv("x" * 200_000 + "\n1\n"), "is no table"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_is_told_in_one_sentence(bad):
    source, words = BAD[bad]
    truth = csv("id,label\n1,cat\n2,dog\n", "t.csv") if "id" in bad else TRUTH
    with pytest.raises(InputError, match=words) as error:
        read_answers(truth, source, classes=["cat", "dog"])
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_answers(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_answers(tmp_path)


def test_an_array_that_claims_to_be_huge_is_not_made():
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<i8", "fortran_order": False, "shape": (10**15,)})
    with pytest.raises(InputError, match="fewer values"):
        read_answers(("huge.npy", stream.getvalue()), TRUTH)


def test_an_id_with_two_truths_is_refused_and_ids_as_labels_too():
    with pytest.raises(InputError, match="two true classes"):
        read_answers(csv("id,truth,predicted\n1,a,a\n1,b,b\n"))
    with pytest.raises(InputError, match="more classes"):
        read_answers(csv("truth\n" + "\n".join(f"image {n}" for n in range(200))), TRUTH)


def test_how_long_a_field_may_be_does_not_depend_on_who_else_reads_tables():
    before = csv_module.field_size_limit(2**24)
    try:
        with pytest.raises(InputError, match="is no table"):
            read_answers(csv("x" * 200_000 + "\n1\n"))
    finally:
        csv_module.field_size_limit(before)
