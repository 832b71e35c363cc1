"""The commands about trust in data: what is wrong, mending it, and the revisions that this makes."""

import os
from dataclasses import replace

import pytest

from core.data.health.finding import Finding, HealthReport
from core.data.health.store import write_report
from core.data.smear import CELLS
from tests.planted import cell, cells, imported, saved

ONE, OTHER = CELLS[0].name, CELLS[1].name


@pytest.fixture
def planted(workspace, tmp_path):
    """Cells with a copy across the splits and one across the classes."""
    faults = {f"test/{ONE}/copy.jpg": saved(cell(0, 0)), f"train/{OTHER}/copy.jpg": saved(cell(0, 1))}
    return imported(workspace, tmp_path / "source", cells(each=20) | faults)


def test_health_answers_with_the_keys_of_the_design(planted, answer):
    found = answer("health", planted.id, "--quick")
    assert (found["dataset"], found["revision"], found["fingerprint"]) == (planted.id, 1, planted.fingerprint)
    finding = next(one for one in found["findings"] if one["check"] == "copies-across-splits")
    assert {"check", "severity", "message", "advice", "files", "evidence", "figures", "repairs"} <= set(finding)
    assert finding["severity"] == "error"
    assert sorted(finding["files"]) == [f"test/{ONE}/copy.jpg", f"train/{ONE}/000.jpg"]


def test_health_in_a_terminal_says_what_to_do_and_how_to_mend_it(planted, command):
    code, out, _ = command("health", planted.id, "--quick")
    assert code == 0
    assert "1. error (copies-across-splits): 1 set of copies is on more than one side of the split" in out
    assert f"repair {planted.id} 1: Put each set into one split" in out
    assert f"repair {planted.id} 1 --option 2: Leave out all but one of each set" in out


def test_a_finding_is_mended_by_its_number_or_name_and_is_then_gone(planted, answer):
    answer("health", planted.id, "--quick")
    mended = answer("repair", planted.id, "copies-across-splits", "copies-across-classes", "--option", "1")
    assert (mended["revision"], mended["reference"]) == (2, f"{planted.id}@2")
    assert mended["samples"] == len(planted.samples) - 2
    assert mended["changes"][0] == "2 pictures left out: copies with different labels."
    checks = {one["check"] for one in answer("health", planted.id, "--quick")["findings"]}
    assert not {"copies-across-splits", "copies-across-classes"} & checks
    checks = {one["check"] for one in answer("health", f"{planted.id}@1", "--quick")["findings"]}
    assert {"copies-across-splits", "copies-across-classes"} <= checks


def test_a_repair_without_an_earlier_check_makes_one(planted, answer):
    assert answer("repair", planted.id, "1", "--option", "2")["samples"] == len(planted.samples) - 1


def test_pictures_are_left_out_relabelled_and_moved_by_hand_and_it_can_be_undone(planted, answer):
    first, second, third, fourth = (sample.id for sample in planted.of("train")[:4])
    words = ("--exclude", first, "--relabel", f"{second},{third}={OTHER}", "--move", f"{fourth}=test", "--why", "seen.")
    mended = answer("repair", planted.id, *words)
    assert mended["changes"] == [
        "1 picture left out: seen.",
        f"2 pictures now called {OTHER}: seen.",
        "1 picture moved to the test split: seen.",
    ]
    assert answer("repair", planted.id, "--back", "1")["fingerprint"] == planted.fingerprint
    rows = answer("revisions", planted.id)
    assert [row["revision"] for row in rows] == [1, 2, 3]
    assert rows[0]["changes"] == []
    assert rows[2]["changes"] == ["everything again as in revision 1."]
    assert rows[0]["fingerprint"] == rows[2]["fingerprint"] != rows[1]["fingerprint"]


def test_revisions_in_a_terminal_are_a_line_each(planted, command, answer):
    answer("repair", planted.id, "--exclude", planted.samples[0].id, "--why", "blurred.")
    _, out, _ = command("revisions", planted.id)
    first, second = out.splitlines()
    assert first.startswith("1 of 2, ")
    assert first.endswith("As it was imported.")
    assert second.endswith("1 picture left out: blurred.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "There is nothing to change"),
        (("99",), "expected 1 to"),
        (("nonsense",), "copies-across-splits"),
        (("few-to-judge",), "copies-across-splits"),
        (("copies-across-splits", "--option", "7"), "expected 1 to 2"),
        (("copies-across-splits", "--option", "x"), "--option"),
        (("--exclude", "999999"), "no such sample"),
        (("--relabel", "000001"), "ID,ID=CLASS"),
        (("--move", "000001=nowhere"), "no such split"),
        (("--back", "5"), "no such revision"),
    ],
)
def test_what_cannot_be_mended_is_a_sentence(planted, command, words, sentence):
    code, out, err = command("repair", planted.id, *words)
    assert (code, out) == (2, "")
    assert sentence in err.splitlines()[-1]


def test_health_of_a_dataset_that_is_not_there_is_a_sentence(command):
    code, _, err = command("health", "nothing-000000")
    assert code == 2
    assert "There is no such dataset" in err


def test_a_number_is_that_of_the_list_that_was_shown_last(planted, workspace, answer):
    """A report with labels is kept beside a later one without; the numbers a person sees are those of the later."""
    quick = answer("health", planted.id, "--quick")["findings"]
    full = HealthReport.from_json(answer("health", planted.id, "--quick"))
    extra = Finding("wrong-labels", "error", "1 label is likely wrong.", "Look at it.")
    write_report(workspace, planted, replace(full, findings=(extra, *full.findings)), labels=True)
    os.utime(next((workspace.cache).rglob("*-full-*.json")), (0, 0))
    number = next(place for place, one in enumerate(quick, 1) if one["check"] == "copies-across-splits")
    mended = answer("repair", planted.id, str(number), "--option", "1")
    assert any("moved to" in change for change in mended["changes"])
