"""The checks of a run on planted faults, with their figures, and on clean runs, of which nothing may be said."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from core.data.dataset import Change
from core.data.health.finding import Finding, HealthReport
from core.data.health.store import write_report
from core.data.revisions import revise
from core.integrity.changes import data_changed, figures_differ
from core.integrity.choosing import chosen_by_validation, flattery, flattery_of_runs
from core.integrity.gap import SURE, apart
from core.integrity.leaks import known_from_train, leaked, shortcut
from core.integrity.ledger import opened_again
from core.integrity.run_checks import RUN_CHECKS, check_run
from core.integrity.run_report import read_integrity, rests_on
from core.integrity.run_subject import Judged
from core.metrics.independent import shares_apart
from core.runs.run import write_status
from core.runs.seal import open_seal
from core.runs.store import RunStore
from tests.made_runs import answered, rows_dataset, wrong

THREE = [0, 1, 2] * 40
CLEAN = {"train": THREE, "validation": THREE, "test": THREE}


def judged(workspace, run):
    return Judged(workspace, RunStore(workspace).get(run.id))


@pytest.fixture
def dataset(workspace):
    return rows_dataset(workspace, CLEAN)


# Validation and test apart


@pytest.mark.parametrize(("of_validation", "of_test"), [(6, 30), (60, 12)])
def test_scores_further_apart_than_chance_are_told_with_the_difference(workspace, dataset, of_validation, of_test):
    run = answered(workspace, dataset, {"validation": wrong(THREE, of_validation), "test": wrong(THREE, of_test)})
    [found] = apart(judged(workspace, run)).findings
    assert found.figures["difference"] == pytest.approx((of_validation - of_test) / 120)
    low, high = found.figures["interval"]
    assert low < found.figures["difference"] < high
    assert not low <= 0 <= high
    assert found.figures["p"] < 0.01
    assert "copies of training pictures" in found.advice


@pytest.mark.parametrize(("of_validation", "of_test"), [(10, 10), (8, 14), (0, 3), (60, 66)])
def test_what_chance_explains_is_no_finding(workspace, dataset, of_validation, of_test):
    run = answered(workspace, dataset, {"validation": wrong(THREE, of_validation), "test": wrong(THREE, of_test)})
    looked = apart(judged(workspace, run))
    assert looked.findings == ()
    assert "points" in looked.told


def test_a_sealed_test_split_stays_sealed_and_cannot_be_compared(workspace, dataset):
    run = answered(workspace, dataset, {"validation": THREE, "test": wrong(THREE, 100)}, opened=0)
    looked = apart(judged(workspace, run))
    assert (looked.findings, looked.told) == ((), "")
    assert "sealed" in looked.unknown
    assert not run.paths.seal.exists()


@pytest.mark.slow
def test_equal_models_are_hardly_ever_called_apart():
    """Pairs of splits of one kind, judged by what the check asks; equal pairs once."""
    draws = np.random.default_rng(0).binomial(30, 0.85, (1000, 2))
    pairs, often = np.unique(draws, axis=0, return_counts=True)
    told = [shares_apart((int(a), 30), (int(b), 30)).p < SURE for a, b in pairs]
    assert 0 < np.sum(often * told) <= 14


# The ledger of the test split


def test_a_test_split_opened_again_shows_its_ledger(workspace, dataset):
    run = answered(workspace, dataset, {"validation": THREE, "test": THREE}, opened=3)
    [found] = opened_again(judged(workspace, run)).findings
    assert found.severity == "note"
    assert "opened 3 times by 1 run" in found.message
    assert [row["by"] for row in found.figures["rows"]] == ["a test"] * 3


def test_a_run_that_was_made_after_somebody_had_looked_may_have_been_chosen_by_it(workspace, dataset):
    first = answered(workspace, dataset, {"validation": THREE, "test": THREE})
    time.sleep(0.02)
    second = answered(workspace, dataset, {"validation": THREE})
    [found] = opened_again(judged(workspace, second)).findings
    assert found.severity == "warning"
    assert (found.figures["looks"], found.figures["own"], found.figures["made_after"]) == (1, 0, 1)
    assert "this one among them" in found.message
    assert found.figures["rows"][0]["id"] == first.id


def test_one_opening_at_the_end_is_what_it_is_for(workspace, dataset):
    sealed = answered(workspace, dataset, {"validation": THREE})
    opened = answered(workspace, dataset, {"validation": THREE, "test": THREE})
    for run, word in ((sealed, "sealed"), (opened, "opened once")):
        looked = opened_again(judged(workspace, run))
        assert looked.findings == ()
        assert word in looked.told


def test_looks_at_other_data_do_not_count(workspace, dataset):
    other = rows_dataset(workspace, CLEAN, id="rows-2")
    answered(workspace, other, {"validation": THREE, "test": THREE}, opened=5)
    run = answered(workspace, dataset, {"validation": THREE})
    assert opened_again(judged(workspace, run)).findings == ()


# Known from training


def test_copies_in_train_are_told_with_what_they_lift_the_figure_by(workspace):
    twins = {120 + row: row for row in range(30)}  # the first 30 of validation look like the first 30 of train
    dataset = rows_dataset(workspace, CLEAN, twins=twins)
    known = known_from_train(dataset)
    assert len(known["validation"]) == 30
    assert known["validation"]["000120"] == ("000000",)
    assert known["test"] == {}
    predicted = THREE[:30] + wrong(THREE[30:], 27)  # all known ones right, 27 of the other 90 wrong
    run = answered(workspace, dataset, {"validation": predicted})
    [found] = leaked(judged(workspace, run)).findings
    assert found.severity == "error"
    assert "30 pictures of 120 in validation (25.0%)" in found.message
    assert found.figures["validation_apart"]["value"] == pytest.approx(1 - 63 / 90)
    assert found.figures["validation_apart"]["interval"][0] > 0.1
    scores = {row["pictures"]: row["score"] for row in found.figures["rows"]}
    assert scores == {"known from train": 1.0, "new": pytest.approx(0.7), "all": pytest.approx(93 / 120)}
    assert found.evidence[0] == ("000120", "000000")


def test_a_group_on_both_sides_counts_as_known(workspace):
    dataset = rows_dataset(workspace, CLEAN, groups={0: "patient 1", 130: "patient 1", 250: "patient 1"})
    known = known_from_train(dataset)
    assert list(known["validation"]) == ["000130"]
    assert list(known["test"]) == ["000250"]


@pytest.mark.parametrize(
    "links",
    [{}, {"twins": {121: 120}}, {"groups": {0: "a", 1: "a"}}],
    ids=["none", "inside validation", "inside train"],
)
def test_nothing_is_said_where_nothing_is_on_both_sides(workspace, links):
    run = answered(workspace, rows_dataset(workspace, CLEAN, **links), {"validation": THREE})
    looked = leaked(judged(workspace, run))
    assert looked.findings == ()
    assert "No picture" in looked.told


# Chosen and reported by validation


def wavering(epochs, deviation, seed=0, rise=0.3):
    generator = np.random.default_rng(seed)
    course = 0.9 - rise * np.exp(-np.arange(epochs) / 3)
    return [{"loss": 0.5, "accuracy": float(a)} for a in course + generator.normal(0, deviation, epochs)]


def test_a_figure_that_chose_its_epoch_says_among_how_many_and_what_that_flatters(workspace, dataset):
    run = answered(workspace, dataset, {"validation": wrong(THREE, 12)}, epochs=wavering(40, 0.02))
    [found] = chosen_by_validation(judged(workspace, run)).findings
    assert found.severity == "note"
    assert found.figures["epochs"] == 40
    assert 0.01 < found.figures["of_epochs"] < 0.05
    assert "the best of 40 epochs" in found.message


@pytest.mark.parametrize("case", ["one epoch", "no wavering", "test opened"])
def test_nothing_is_said_where_nothing_was_chosen_or_the_test_images_speak(workspace, dataset, case):
    epochs = {"one epoch": wavering(1, 0.02), "no wavering": wavering(30, 0.0), "test opened": wavering(40, 0.02)}
    answers = {"validation": wrong(THREE, 12)} | ({"test": wrong(THREE, 14)} if case == "test opened" else {})
    run = answered(workspace, dataset, answers, epochs=epochs[case])
    looked = chosen_by_validation(judged(workspace, run))
    assert looked.findings == ()
    assert looked.told


@pytest.mark.parametrize(("epochs", "deviation"), [(10, 0.02), (30, 0.02), (60, 0.01)])
def test_the_flattery_of_epochs_is_what_choosing_gives_on_average(epochs, deviation):
    """Of equally good epochs the truth is the mean of the largest of so many normal draws."""
    generator = np.random.default_rng(0)
    drawn = generator.normal(0.8, deviation, (200, epochs))
    told = np.mean([flattery(row, [0] * epochs) for row in drawn[:60]])
    truth = np.mean(drawn.max(axis=1) - 0.8)
    assert 0.6 * truth < told < 1.3 * truth


@pytest.mark.slow
@pytest.mark.parametrize(("apart_by", "runs"), [(0.0, 20), (0.03, 20), (0.3, 5)])
def test_the_flattery_of_runs_is_what_choosing_gives_on_average(apart_by, runs):
    """Runs whose answers differ by luck, a little in truth, or very much, on 100 images of different ease."""
    generator, told, truth = np.random.default_rng(1), [], []
    for _ in range(60):
        skills = 0.7 + apart_by * generator.standard_normal(runs)
        ease = generator.uniform(-0.2, 0.2, 100)
        right = generator.random((runs, 100)) < np.clip(skills[:, None] + ease, 0, 1)
        fresh = np.clip(skills[:, None] + ease, 0, 1).mean(axis=1)
        best = right.mean(axis=1).argmax()
        truth.append(right[best].mean() - fresh[best])
        told.append(flattery_of_runs(right.astype(float)))
    assert np.mean(told) == pytest.approx(np.mean(truth), abs=0.015)


def test_a_trial_of_a_search_counts_the_others_too(workspace, dataset):
    generator = np.random.default_rng(0)
    runs = []
    for number in range(6):
        predicted = [(c + 1) % 3 if generator.random() < 0.25 else c for c in THREE]
        tags = ("study:search-1", f"trial:{number}")
        runs.append(answered(workspace, dataset, {"validation": predicted}, tags=tags))
    best = max(runs, key=lambda run: run.status.best["accuracy"])
    [found] = chosen_by_validation(judged(workspace, best)).findings
    assert found.figures["trials"] == 6
    assert 0.005 < found.figures["of_trials"] < 0.08
    other = min(runs, key=lambda run: run.status.best["accuracy"])
    assert chosen_by_validation(judged(workspace, other)).findings == (), "it was not chosen"


# Data changed


def test_a_newer_revision_is_told_with_what_the_answers_are_worth_in_it(workspace, dataset):
    run = answered(workspace, dataset, {"validation": wrong(THREE, 12)})
    ids = [sample.id for sample in dataset.of("validation")]
    changes = [Change("relabel", tuple(ids[0:12:3]), "dog", "seen"), Change("exclude", tuple(ids[1:12:3]), why="bad.")]
    revise(dataset, changes)
    [found] = data_changed(judged(workspace, run)).findings
    assert found.severity == "warning"
    again = found.figures["validation"]
    assert (again["relabelled"], again["left_out"]) == (4, 4)
    assert again["accuracy_before"] == 0.9
    assert again["accuracy_now"] == pytest.approx((108 + 4) / 116), "what was called dog is dog now"
    assert "4 have another label and 4 were left out" in found.message


def test_a_revision_that_leaves_the_judging_pictures_alone_is_a_note(workspace, dataset):
    run = answered(workspace, dataset, {"validation": THREE})
    revise(dataset, [Change("exclude", (dataset.of("train")[0].id,), why="bad.")])
    [found] = data_changed(judged(workspace, run)).findings
    assert found.severity == "note"


def test_a_file_that_was_changed_on_the_disk_is_found_and_a_touched_one_is_not(workspace, dataset):
    run = answered(workspace, dataset, {"validation": THREE})
    assert data_changed(judged(workspace, run)).findings == ()
    later = run.facts.created + 100
    touched, changed = (dataset.path(dataset.samples[row]) for row in (0, 1))
    os.utime(touched, (later, later))
    changed.write_bytes(b"another picture")
    os.utime(changed, (later, later))
    dataset.path(dataset.samples[2]).unlink()
    [found] = data_changed(judged(workspace, run)).findings
    assert found.severity == "error"
    assert (found.figures["changed"], found.figures["gone"]) == (1, 1)


def test_data_that_are_gone_are_an_error(workspace, dataset):
    run = answered(workspace, dataset, {"validation": THREE})
    (dataset.folder / "dataset.json").unlink()
    [found] = data_changed(judged(workspace, run)).findings
    assert found.severity == "error"
    assert leaked(judged(workspace, run)).unknown


# Figures that disagree


def test_a_table_in_another_order_than_its_labels_disagrees_with_training(workspace, dataset):
    shuffled = np.random.default_rng(0).permutation(THREE).tolist()
    run = answered(workspace, dataset, {"validation": shuffled})
    write_status(run.paths, replace(run.status, best={"accuracy": 0.92, "loss": 0.2, "epoch": 3}))
    [found] = figures_differ(judged(workspace, run)).findings
    assert found.severity == "error"
    assert found.figures["training"] == 0.92
    assert found.figures["table"] < 0.5
    assert "Autopsy" in found.advice


@pytest.mark.parametrize("off", [0, 1, 2])
def test_a_table_that_says_what_training_measured_is_fine(workspace, dataset, off):
    run = answered(workspace, dataset, {"validation": wrong(THREE, 12)})
    write_status(run.paths, replace(run.status, best={"accuracy": (108 + off) / 120, "loss": 0.2, "epoch": 3}))
    assert figures_differ(judged(workspace, run)).findings == ()


# Shortcuts


def health_of(workspace, dataset, *findings):
    checks = ("copies", "shortcut")
    report = HealthReport(dataset.id, 1, dataset.fingerprint, checks, findings, 0.1)
    write_report(workspace, dataset, report, labels=False)


def test_a_shortcut_of_the_data_is_one_of_the_run_beside_what_the_model_finds(workspace, dataset):
    run = answered(workspace, dataset, {"validation": wrong(THREE, 12)})
    figures = {"accuracy": 0.97, "interval": [0.9, 0.99]}
    health_of(workspace, dataset, Finding("shortcut", "error", "PNG means cat.", "Save alike.", figures=figures))
    [found] = shortcut(judged(workspace, run)).findings
    assert (found.check, found.severity) == ("shortcut", "error")
    assert "97.0% on average; the model finds 90.0%" in found.message


def test_no_shortcut_is_told_where_none_was_found_and_none_is_denied_where_nobody_looked(workspace, dataset):
    run = answered(workspace, dataset, {"validation": THREE})
    assert "Nobody has checked" in shortcut(judged(workspace, run)).unknown
    health_of(workspace, dataset, Finding("copies", "warning", "Two are copies.", "Leave them out."))
    looked = shortcut(judged(workspace, run))
    assert (looked.findings, looked.unknown) == ((), "")


# The report


def test_a_clean_run_has_no_finding_and_every_check_says_what_it_saw(workspace, dataset):
    run = answered(workspace, dataset, {"validation": wrong(THREE, 12), "test": wrong(THREE, 14)})
    health_of(workspace, dataset)
    report = check_run(str(workspace.root), run.id)
    assert report.findings == ()
    assert report.verdict.startswith("Nothing found in")
    assert [one.name for one in report.checks] == [check.name for check in RUN_CHECKS]
    assert all(bool(one.told) != bool(one.unknown) for one in report.checks)
    assert read_integrity(run.paths) == report


@pytest.mark.parametrize("change", ["weights", "opening", "revision", "another run", "health"])
def test_a_report_is_forgotten_when_what_it_rests_on_has_changed(workspace, dataset, change):
    run = answered(workspace, dataset, {"validation": THREE})
    report = check_run(str(workspace.root), run.id)
    assert check_run(str(workspace.root), run.id).made == report.made, "nothing changed, so nothing is made again"
    if change == "weights":
        run.paths.best.write_bytes(b"other weights")
    elif change == "opening":
        open_seal(run.paths, "a test")
    elif change == "revision":
        revise(dataset, [Change("exclude", (dataset.samples[0].id,), why="bad.")])
    elif change == "another run":
        answered(workspace, dataset, {"validation": THREE})
    else:
        health_of(workspace, dataset)
    assert read_integrity(run.paths) is None
    assert read_integrity(run.paths, stale=True) == report
    assert check_run(str(workspace.root), run.id).rests_on == rests_on(run.paths)


def test_a_report_that_cannot_be_read_is_made_again(workspace, dataset):
    run = answered(workspace, dataset, {"validation": THREE})
    run.paths.integrity.write_text('{"version": 1, "checks": 3}')
    assert read_integrity(run.paths) is None
    assert check_run(str(workspace.root), run.id).run == run.id
