"""What speaks against a run, on Evaluate: checked by the desk, told in one line, with its evidence below."""

import time

import pytest

from core.integrity.run_checks import check_run
from core.integrity.run_report import read_integrity
from core.runs.store import RunStore
from core.studies import leakage
from core.studies.study import StudyStore
from pages.shared import integrity, repeat_tables
from pages.shared.words import plain
from tests.made_runs import answered, rows_dataset, wrong
from tests.pages.conftest import well, words
from tests.running import SMALL

LABELS = [0, 1, 2] * 20


@pytest.fixture
def leaky_run(workspace):
    dataset = rows_dataset(
        workspace, {"train": LABELS, "validation": LABELS}, twins={60 + row: row for row in range(12)}
    )
    return answered(workspace, dataset, {"validation": wrong(LABELS, 6)}, recipe=SMALL)


def checked(visit, run):
    """The page Evaluate, once the desk has looked."""
    app, end = visit("evaluate"), time.monotonic() + 60
    while "being looked at" in words(app) and time.monotonic() < end:
        time.sleep(0.2)  # the first page has the health of the data checked, after which a run is looked at anew
        app.run()
    well(app)
    return app


def test_the_desk_looks_at_a_run_and_the_page_tells_its_findings_gravest_first(visit, leaky_run):
    app = checked(visit, leaky_run)
    told = words(app)
    report = read_integrity(leaky_run.paths)
    assert plain(report.verdict) in told
    titles = [one.label for one in app.expander if one.label and "Known from training" in one.label]
    assert titles, [one.label for one in app.expander]
    assert all(plain(one.label) in told for one in report.checks), "what was checked is told too"


def test_a_clean_run_is_said_to_be_one(visit, workspace):
    dataset = rows_dataset(workspace, {"train": LABELS * 2, "validation": LABELS * 2})
    run = answered(workspace, dataset, {"validation": wrong(LABELS * 2, 12)}, recipe=SMALL)
    assert "Nothing found in" in words(checked(visit, run))


def test_names_from_outside_stay_text(visit, workspace):
    classes = ("<b>cat</b>", "*dog*", "owl")
    dataset = rows_dataset(workspace, {"train": LABELS, "validation": LABELS}, classes=classes)
    run = answered(workspace, dataset, {"validation": [1] * 60}, recipe=SMALL)
    check_run(str(workspace.root), run.id)
    app = checked(visit, run)
    labels = [str(one.label) for one in app.expander]
    assert any("\\<b\\>cat" in label for label in labels), labels


def test_a_price_that_was_measured_can_be_opened_and_one_that_was_not_can_be_asked_for(visit, workspace, leaky_run):
    assert leakage.study_of(StudyStore(workspace).list(), leaky_run.id) is None
    id = leakage.make(str(workspace.root), leaky_run.id, [0, 1, 2])
    app = visit("runs")
    app.segmented_control(key="runs_view").set_value("studies").run()
    well(app)
    assert "Price of leakage" in words(app)
    assert StudyStore(workspace).get(id).spec["run"] == leaky_run.id


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"class": "owl", "recall": 0.8125, "from": 0.6, "to": 0.95}, ["owl", "0.812", "[0.600–0.950]"]),
        ({"score": None, "from": None, "to": None}, ["–", "–"]),
        ({"when": "2026-11-22 13:00", "by": "page"}, ["2026-11-22 13:00", "page"]),
    ],
)
def test_figures_stand_with_their_interval_in_one_cell(row, shown):
    assert list(integrity._row(row).values()) == shown


def test_repeats_of_a_recipe_are_those_that_differ_in_seed_and_fold_alone(leaky_run, workspace):
    recipe = RunStore(workspace).get(leaky_run.id).recipe
    assert repeat_tables.same_recipe(recipe, recipe.set({"seed": 7, "folds": 3, "fold": 2, "name": "other"}))
    assert not repeat_tables.same_recipe(recipe, recipe.set({"batch_size": 4}))
