"""The check as a whole: every row is made, findings come gravest first, and what was found is there again."""

import json

import pytest

from core.data.dataset import Change
from core.data.demo import make_demo
from core.data.health.finding import SEVERITIES, Finding, HealthReport, Repair
from core.data.health.store import read_report
from core.data.incoming import keep
from core.data.revisions import restore, revise
from core.data.smear import CELLS
from core.errors import DatasetError, WeightsError
from core.integrity import embedding, labels, outliers
from core.integrity.checks import CHECKS
from core.integrity.health import check_health
from core.integrity.subject import possible
from tests.planted import cell, cells, saved

ONE, OTHER = CELLS[0].name, CELLS[1].name


def test_every_check_has_a_name_of_its_own_and_words():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.label and check.sentence for check in CHECKS)


def test_a_report_is_stored_is_plain_data_and_has_the_gravest_first(workspace, kept):
    dataset = kept(cells() | {f"test/{ONE}/copy.jpg": saved(cell(0, 0)), f"train/{ONE}/copy.jpg": saved(cell(0, 1))})
    told = []
    report = check_health(str(workspace.root), dataset.id, labels=False, report=lambda *steps: told.append(steps))
    severities = [SEVERITIES.index(finding.severity) for finding in report.findings]
    assert severities == sorted(severities)
    assert len(set(severities)) > 1
    assert read_report(workspace, dataset) == report
    assert HealthReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert report.checks == tuple(check.name for check in CHECKS)
    assert told[-1] == (42, 42)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_every_finding_says_what_was_found_and_what_to_do_in_whole_sentences(workspace, kept):
    planted = {
        f"test/{ONE}/copy.jpg": saved(cell(0, 0)),
        f"train/{OTHER}/copy.jpg": saved(cell(0, 1)),
        f"train/{ONE}/plain.jpg": saved(cell(0, 2).resize((1, 1)).resize((48, 48))),
    }
    report = check_health(str(workspace.root), kept(cells() | planted).id, labels=False)
    assert len(report.findings) >= 4
    for finding in report.findings:
        assert finding.check in report.checks
        assert finding.message.endswith((".", ".)"))
        assert any(letter.isdigit() for letter in finding.message)
        assert finding.advice.endswith(".")


def test_every_repair_that_is_offered_can_be_made(workspace, kept):
    planted = {
        f"test/{ONE}/copy.jpg": saved(cell(0, 0)),
        f"validation/{OTHER}/copy.jpg": saved(cell(0, 1)),
        f"train/{ONE}/a.jpg": saved(cell(0, 2)),
    }
    dataset = kept(cells() | planted)
    report = check_health(str(workspace.root), dataset.id, labels=False)
    repairs = [repair for finding in report.findings for repair in finding.repairs]
    assert len(repairs) == 4
    for repair in repairs:
        revised = revise(dataset, repair.changes)
        assert len(revised.samples) <= len(dataset.samples)
        dataset = restore(revised, 1)


def test_a_repair_that_would_leave_nothing_to_validate_with_is_not_offered(tiny_dataset):
    validation = tuple(sample.id for sample in tiny_dataset.of("validation"))
    out = Repair("Leave them out", (Change("exclude", validation),))
    moved = Repair("Move them", (Change("move", validation, "train"),))
    some = Repair("Leave one out", (Change("exclude", validation[:1]),))
    nothing = Repair("Do nothing", ())
    finding = Finding("x", "note", "1.", "Do.", repairs=(out, moved, some, nothing))
    assert possible(tiny_dataset, finding).repairs == (some,)


def test_an_earlier_revision_is_checked_as_it_was(workspace, kept):
    dataset = kept(cells() | {f"test/{ONE}/copy.jpg": saved(cell(0, 0))})
    found = check_health(str(workspace.root), dataset.id, labels=False).findings[0]
    revise(dataset, found.repairs[0].changes)
    now = {finding.check for finding in check_health(str(workspace.root), dataset.id, labels=False).findings}
    then = check_health(str(workspace.root), f"{dataset.id}@1", labels=False)
    assert "copies-across-splits" not in now
    assert then.revision == 1
    assert "copies-across-splits" in {finding.check for finding in then.findings}


def test_labels_are_looked_at_when_asked_and_kept(workspace, tiny_dataset, monkeypatch):
    wrong = Finding("wrong-labels", "warning", "1 label is probably wrong.", "Look at it.")
    strange = Finding("outliers", "note", "1 picture is strange.", "Look at it.")

    def embed(root, reference, *, report):
        assert reference == tiny_dataset.reference
        report(18, 36)
        return "the embedding"

    monkeypatch.setattr(embedding, "embed", embed)
    monkeypatch.setattr(labels, "label_findings", lambda dataset, embedded: (wrong,))
    monkeypatch.setattr(outliers, "outlier_findings", lambda dataset, embedded: (strange,))
    told = []
    report = check_health(str(workspace.root), tiny_dataset.id, report=lambda *steps: told.append(steps))
    assert wrong in report.findings
    assert strange in report.findings
    assert {"wrong-labels", "outliers"} <= set(report.checks)
    assert (36 + 72, 180) in told
    assert read_report(workspace, tiny_dataset) == report


def test_without_weights_the_other_checks_are_made_and_a_note_says_so(workspace, tiny_dataset, monkeypatch):
    def embed(*_, **__):
        raise WeightsError("There are no weights for lite0 here", do="Connect to a network")

    monkeypatch.setattr(embedding, "embed", embed)
    report = check_health(str(workspace.root), tiny_dataset.id)
    (note,) = [finding for finding in report.findings if finding.check == "wrong-labels"]
    assert note.severity == "note"
    assert "no weights for lite0" in note.message


def test_a_dataset_that_is_not_there_is_an_error_in_a_sentence(workspace):
    with pytest.raises(DatasetError, match="There is no such dataset"):
        check_health(str(workspace.root), "nothing-000000")


@pytest.mark.slow
def test_a_demo_with_wrong_labels_and_one_without(workspace):
    for noise, expected in ((0.0, False), (0.1, True)):
        dials = {"images": 160, "size": 64, "difficulty": 0.0, "label_noise": noise}
        dataset = keep(workspace, make_demo(workspace, "blood-smear", dials).id)
        report = check_health(str(workspace.root), dataset.id)
        graver = {finding.check for finding in report.findings if finding.severity != "note"}
        assert graver == ({"wrong-labels"} if expected else set())


def test_one_damaged_file_does_not_silently_keep_labels_from_being_looked_at(workspace, tiny_dataset, monkeypatch):
    monkeypatch.setattr(embedding, "embed", lambda *_, **__: pytest.fail("its pictures cannot all be read"))
    tiny_dataset.path(tiny_dataset.samples[0]).write_bytes(b"gone")
    report = check_health(str(workspace.root), tiny_dataset.id)
    (note,) = [finding for finding in report.findings if finding.check == "wrong-labels"]
    assert note.severity == "note"
    assert "cannot be read" in note.message
