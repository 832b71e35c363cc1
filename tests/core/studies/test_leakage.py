"""The price of leakage: the two splits, the runs on them, and what they say together."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from core.data.split import dataset_caution
from core.errors import RecipeError, RunError
from core.evaluate.classification import evaluate_table
from core.executors.inline import InlineExecutor
from core.integrity.leaks import known_from_train
from core.runs.data import dataset_of
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.studies import leakage
from core.studies.leakage import CLEAN, LEAKY, Price, price_of, sides_of, study_of, summarise
from core.studies.repeats import planned_runs, submit
from core.studies.study import StudyStore
from core.workspace import write_json
from tests.made_runs import answered, rows_dataset, table_of
from tests.running import SMALL

LABELS = [0, 1, 2] * 20
KNOWN = range(18)  # rows of validation that look like the same rows of train


@pytest.fixture
def dataset(workspace):
    return rows_dataset(
        workspace, {"train": LABELS, "validation": LABELS, "test": LABELS}, twins={60 + row: row for row in KNOWN}
    )


@pytest.fixture
def run(workspace, dataset):
    return answered(workspace, dataset, {"validation": LABELS}, recipe=SMALL)


def study_for(workspace, run, seeds=range(3)):
    return StudyStore(workspace).get(leakage.make(str(workspace.root), run.id, seeds))


def end(workspace, dataset, run_id, wrong):
    """Let a run be finished, these rows of validation taken for the next class."""
    run = RunStore(workspace).get(run_id)
    predicted = [(label + 1) % 3 if row in wrong else label for row, label in enumerate(LABELS)]
    table = table_of(dataset, "validation", predicted, "epoch 1")
    table.write(run.paths.predictions("validation"))
    write_json(run.paths.results("validation"), evaluate_table(table).to_json())
    write_status(run.paths, replace(run.status, state=RunState.FINISHED, best={"loss": 0.1, "accuracy": 0.5}))


# The two splits


def test_the_splits_differ_in_the_copies_alone_and_learn_from_as_many_pictures_of_each_class(dataset):
    sides = sides_of(dataset)
    clean, leaky = ({sample.id for sample in side.of("train")} for side in (sides.clean, sides.leaky))
    copies = {f"{row:06d}" for row in KNOWN}
    assert clean == {f"{row:06d}" for row in range(18, 60)}
    assert copies <= leaky
    assert len(clean) == len(leaky) == 42
    for side in (sides.clean, sides.leaky):
        assert Counter(sample.label for sample in side.of("train")) == {0: 14, 1: 14, 2: 14}
        assert [sample.id for sample in side.of("validation")] == [sample.id for sample in dataset.of("validation")]
    assert known_from_train(sides.clean)["validation"] == {}
    assert dataset_caution(sides.clean) == "", "what was left out is on no side"
    assert len(known_from_train(sides.leaky)["validation"]) == len(KNOWN)


def test_where_too_few_others_are_left_the_sides_are_not_of_one_size(workspace):
    dataset = rows_dataset(
        workspace, {"train": LABELS, "validation": LABELS}, twins={60 + row: row for row in range(48)}
    )
    sides = sides_of(dataset)
    assert (sides.leaking, sides.instead) == (48, 9), "four others of each class, of which one stays"


@pytest.mark.parametrize("twins", [{}, {61: 60}, {120: 0}], ids=["none", "inside validation", "test only"])
def test_without_a_leak_into_validation_there_is_nothing_to_measure(workspace, twins):
    dataset = rows_dataset(workspace, {"train": LABELS, "validation": LABELS, "test": LABELS}, twins=twins)
    with pytest.raises(RunError, match="no validation picture"):
        sides_of(dataset)


# The runs


def test_each_seed_trains_the_recipe_on_both_splits_which_the_runs_keep(workspace, run):
    study = study_for(workspace, run)
    assert study.kind == "leakage"
    assert planned_runs(study) == 6
    store = RunStore(workspace)
    runs = [store.get(member.run) for member in study.members]
    assert [(member.varies["split"], member.varies["seed"]) for member in study.members[:3]] == [
        (CLEAN, 0),
        (LEAKY, 0),
        (CLEAN, 1),
    ]
    for one, side in zip(runs[:2], (CLEAN, LEAKY), strict=True):
        data = dataset_of(workspace, one)
        assert side in data.split_rule
        assert (len(data.of("train")), len(data.of("validation"))) == (42, 60)
        assert data.fingerprint == run.facts.dataset_fingerprint
        assert one.facts.samples == {"train": 42, "validation": 60, "test": 60}
        assert not one.paths.seal.exists()
    assert runs[0].facts.cautions == ()
    assert runs[1].facts.cautions
    assert runs[0].recipe.model_copy(update={"name": ""}) == run.recipe.model_copy(update={"name": ""})
    assert store.unfinished() == [], "they wait for `submit`"


@pytest.mark.parametrize(("seeds", "told"), [([0, 1], "3 to"), ([0, 0, 1], "each seed once"), (range(60), "3 to 50")])
def test_too_few_too_many_and_equal_seeds_are_refused(workspace, run, seeds, told):
    with pytest.raises(RecipeError, match=told):
        leakage.make(str(workspace.root), run.id, seeds)
    assert StudyStore(workspace).list() == []


# The price


def test_the_price_is_the_paired_difference_and_is_paid_by_the_known_pictures(workspace, dataset, run):
    study = study_for(workspace, run, range(4))
    for member in study.members:
        seed = member.varies["seed"]
        always = {50 + seed, 55}  # of the new ones two are wrong on both sides
        wrong = always | ({0, 1, 2, 3, 4, 5, 6, 7, 8, 9} if member.varies["split"] == CLEAN else set())
        end(workspace, dataset, member.run, wrong)
    found = Price.from_json(summarise(str(workspace.root), study.id))
    assert found.gap.mean == pytest.approx(10 / 60)
    assert found.gap.interval.low > 0.05
    assert found.of_known.mean == pytest.approx(10 / 18)
    assert found.of_new.mean == 0
    assert (found.of_known.images, found.of_new.images, found.known, found.judged) == (18, 42, 18, 60)
    assert found.learned == {CLEAN: 42, LEAKY: 42}
    assert "18 validation pictures known from training lift the figure by 16.7 points" in found.sentence
    assert "0.967 with the copies and 0.800 without" in found.sentence
    assert price_of(str(workspace.root), run.id) == found
    assert study_of(StudyStore(workspace).list(), run.id) == study
    assert study_of(StudyStore(workspace).list(), "another-run") is None


def test_a_price_of_nothing_is_not_told_as_one(workspace, dataset, run):
    study = study_for(workspace, run)
    generator = np.random.default_rng(0)
    for member in study.members:
        end(workspace, dataset, member.run, set(generator.choice(60, 6, replace=False)))
    found = Price.from_json(summarise(str(workspace.root), study.id))
    assert found.gap.interval.low < 0 < found.gap.interval.high
    assert "worth nothing that can be told from chance" in found.sentence


def test_before_three_seeds_have_finished_there_is_no_price(workspace, dataset, run):
    study = study_for(workspace, run)
    for member in study.members[:4]:
        end(workspace, dataset, member.run, {1})
    found = Price.from_json(summarise(str(workspace.root), study.id))
    assert found.gap is None
    assert found.sentence.startswith("No price yet")
    assert price_of(str(workspace.root), run.id) is None


@pytest.mark.slow
def test_a_real_study_trains_and_is_judged_by_the_same_images(workspace, tiny_dataset, monkeypatch):
    """Every other validation picture is made a twin of a training picture, by its row in the table."""
    from core.data.dataset import save_dataset

    train, validation = tiny_dataset.of("train"), tiny_dataset.of("validation")
    twin = {one.id: other.id for one, other in zip(validation[::2], train, strict=False)}
    twins = twin | {first: first for first in twin.values()}
    changed = replace(
        tiny_dataset, samples=tuple(replace(one, twins=twins.get(one.id, "")) for one in tiny_dataset.samples)
    )
    save_dataset(changed)
    run = answered(workspace, changed, {"validation": [0] * len(validation)}, recipe=SMALL | {"phases.0.epochs": 1})
    study = study_for(workspace, run)
    submit(InlineExecutor(workspace), study)
    found = Price.from_json(summarise(str(workspace.root), study.id))
    assert found.duel.counted == 6
    assert found.gap.images == len(validation)
    assert found.gap.seeds == 3
