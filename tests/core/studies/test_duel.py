"""Duels: the runs that are made, what they cost, and what their answers say together."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import RecipeError
from core.evaluate.classification import evaluate_table
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.segmentation import evaluate_masks
from core.executors.inline import InlineExecutor
from core.recipe import AugmentChoice, SegmentationRecipe
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.studies import duel
from core.studies.duel import DuelTable, entries, expected_seconds, in_words, overall, summarise, with_epochs, within
from core.studies.repeats import planned_runs, submit
from core.studies.study import StudyStore
from core.workspace import write_json
from tests.running import small
from tests.shapes import SMALL_MASKS, kept_shapes

IMAGES = 60
CLASSES = ("a", "b")
POLICIES = {"none": AugmentChoice(policy="none"), "light": AugmentChoice(policy="light")}
SPLITS = {"train": 100, "validation": 20}


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


@pytest.fixture
def made(workspace, tiny_dataset):
    """Make a duel of the small recipe, whose runs nobody has started."""

    def make(policies=POLICIES, seeds=(0, 1, 2), **changes):
        recipe = small(tiny_dataset).set({"phases.0.epochs": 1, **changes})
        told = {label: choice.model_dump(mode="json") for label, choice in policies.items()}
        id = duel.make(str(workspace.root), recipe.to_json(), tiny_dataset.id, told, list(seeds))
        return StudyStore(workspace).get(id)

    return make


def end(store, run_id, wrong):
    """Let a run be finished, with a report in which the first images, so many of them, were taken for the other class;
    even ones are of class "a", odd ones of "b"."""
    truth = np.arange(IMAGES) % 2
    predicted = np.where(np.isin(np.arange(IMAGES), wrong), 1 - truth, truth)
    ids = tuple(f"{row:06d}" for row in range(IMAGES))
    table = PredictionTable(CLASSES, ids, ids, truth, np.eye(2)[predicted].astype(np.float32), "validation", "epoch 1")
    run = store.get(run_id)
    table.write(run.paths.predictions("validation"))
    write_json(run.paths.results("validation"), evaluate_table(table).to_json())
    write_status(run.paths, replace(run.status, state=RunState.FINISHED, best={"loss": 0.1, "accuracy": 0.5}))


def table_of(workspace, study):
    return DuelTable.from_json(summarise(str(workspace.root), study.id))


def test_every_policy_trains_with_every_seed_on_the_same_split_seed_by_seed(made, store):
    study = made()
    assert study.kind == "duel"
    assert planned_runs(study) == 6
    runs = [store.get(member.run) for member in study.members]
    assert [(run.recipe.augment.policy, run.recipe.seed) for run in runs[:4]] == [
        ("none", 0),
        ("light", 0),
        ("none", 1),
        ("light", 1),
    ]
    assert runs[1].name == "test_efficientnet, head, light, seed 0"
    assert all(run.facts.tags == (f"study:{study.id}",) for run in runs)
    pair = runs[0].recipe, runs[1].recipe
    assert pair[0].model_copy(update={"augment": pair[1].augment, "name": pair[1].name}) == pair[1]
    assert store.unfinished() == [], "they wait for `submit`"


@pytest.mark.parametrize(
    ("policies", "seeds", "told"),
    [
        (["none"], [0, 1, 2], "1 of them, expected 2 to 6"),
        (["none", "light"], [0, 1], "3 or more"),
        (["none", "light"], [0, 0, 1], "each seed once"),
        (["none", "light"], range(51), "102 runs"),
        (list("abcdefg"), [0, 1, 2], "2 to 6"),
    ],
)
def test_what_is_no_duel_is_refused(tiny_dataset, policies, seeds, told):
    with pytest.raises(RecipeError, match=told):
        entries(small(tiny_dataset), dict.fromkeys(policies, AugmentChoice()), list(seeds))


def test_nothing_is_left_of_a_duel_that_cannot_train(made, store, workspace):
    with pytest.raises(RecipeError):
        made({"none": POLICIES["none"], "odd": AugmentChoice(policy="nowhere")})
    assert store.list() == []
    assert StudyStore(workspace).list() == []


# What it costs


def looks(recipe, splits):
    """A machine that looks at one image a second and needs three to start."""
    return 3 + splits["train"] * recipe.augment.views + splits["validation"]


def test_a_frozen_backbone_looks_once_at_each_variant_and_at_images_as_they_are(tiny_dataset):
    recipe = small(tiny_dataset)
    own = expected_seconds(entries(recipe, POLICIES, [0, 1, 2]), SPLITS, looks)
    # "none" has one view for all seeds; `looks` counts two, since only what is stored is the duel's to know.
    assert own == 6 * 3 + 20 + 200 + 3 * 200
    shared = {label: choice.model_copy(update={"seed": 0}) for label, choice in POLICIES.items()}
    assert expected_seconds(entries(recipe, shared, [0, 1, 2]), SPLITS, looks) == 6 * 3 + 20 + 200 + 200
    deep = recipe.set({"phases.0.trainable": "everything"})
    assert expected_seconds(entries(deep, POLICIES, [0, 1, 2]), SPLITS, looks) == 6 * (3 + 200 + 20)


def test_nobody_knows_how_long_a_gpu_takes(tiny_dataset):
    runs = entries(small(tiny_dataset), POLICIES, [0, 1, 2])
    assert expected_seconds(runs, SPLITS, lambda recipe, splits: None) is None
    with pytest.raises(RecipeError, match="not known ahead"):
        within(5, small(tiny_dataset), POLICIES, [0, 1, 2], SPLITS, lambda recipe, splits: None)


def test_the_pace_is_that_of_the_estimate_and_of_earlier_runs(tiny_dataset):
    recipe = small(tiny_dataset).set({"model.backbone": "tf_efficientnet_lite0", "image_size": 224})
    facts = {"network": "tf_efficientnet_lite0", "image_size": 224, "trainable": "head"}
    slow = SimpleNamespace(**facts, images_per_second=10.0)
    unknown = SimpleNamespace(**facts, images_per_second=None)
    images = 100 * recipe.augment.views + 20
    assert duel.pace([slow], 4, 2)(recipe, SPLITS) == pytest.approx(3 + images / 10)
    assert duel.pace([unknown], 4, 2)(recipe, SPLITS) < 3 + images / 10
    assert duel.pace([slow], 4, 2, gpu=True)(recipe.set({"device": "auto"}), SPLITS) is None


def test_minutes_buy_variants_of_a_frozen_backbone_and_epochs_of_others(tiny_dataset):
    recipe, seeds = small(tiny_dataset), [0, 1, 2]
    same, policies = within(20, recipe, POLICIES, seeds, SPLITS, looks)
    assert same == recipe
    # 18 s to start, 20 for validation, and per variant 100 for "none" and 3 x 100 for "light"
    assert {choice.views for choice in policies.values()} == {(20 * 60 - 38) // 400}
    deep = recipe.set({"phases.0.trainable": "everything"})
    longer, policies = within(60, deep, POLICIES, seeds, SPLITS, lambda one, splits: one.epochs * 7.0)
    assert longer.epochs == 3600 // (6 * 7)
    assert policies == POLICIES
    with pytest.raises(RecipeError, match=r"found 0.1, expected at least 7.3"):
        within(0.1, recipe, POLICIES, seeds, SPLITS, looks)


def test_epochs_are_dealt_to_phases_as_they_were(tiny_dataset):
    recipe = small(tiny_dataset).set({"phases.0.epochs": 10, "phases.1": {"trainable": "everything", "epochs": 5}})
    assert [phase.epochs for phase in with_epochs(recipe, 6).phases] == [4, 2]
    assert [phase.epochs for phase in with_epochs(recipe, 2).phases] == [1, 1]
    with pytest.raises(RecipeError, match="one for each phase"):
        with_epochs(recipe, 1)


# The table


def test_a_policy_that_destroys_labels_is_worse_and_the_difference_is_paired(made, store, workspace):
    study = made()
    for member in study.members:
        lost = range(20, 50) if member.varies["policy"] == "light" else range(0)
        end(store, member.run, [*range(2 * member.varies["seed"]), *lost])
    table = table_of(workspace, study)
    assert (table.planned, table.counted) == (6, 6)
    [pair] = table.pairs
    assert (pair.first, pair.second, pair.seeds) == ("none", "light", (0, 1, 2))
    assert pair.differences == pytest.approx((-0.5, -0.5, -0.5)), "what both have in common cancels"
    assert pair.gap.mean == pytest.approx(-0.5)
    assert pair.verdict == "worse"
    assert table.verdict == pair.sentence
    assert "light is worse than none, by 50.0 points of accuracy" in pair.sentence
    first, second = (line.figures[0] for line in table.policies)
    assert first.values == pytest.approx((1.0, 58 / 60, 56 / 60))
    assert second.mean == pytest.approx(first.mean - 0.5)
    assert first.std == pytest.approx(2 / 60)
    assert [(one.label, round(one.gap.mean, 3)) for one in pair.per_class] == [("a", -0.5), ("b", -0.5)]
    assert pair.per_class[0].gap.images == 30


def test_equal_policies_give_no_evidence_and_say_what_could_have_gone_unnoticed(made, store, workspace):
    study = made()
    for member in study.members:
        end(store, member.run, range(member.varies["seed"]))
    [pair] = table_of(workspace, study).pairs
    assert pair.verdict == "no evidence"
    assert pair.sentence.startswith("No evidence of a difference between light and none: they are equal on average")
    assert "could well have gone unnoticed" in pair.sentence


def test_only_seeds_that_finished_with_both_are_compared(made, store, workspace):
    study = made(seeds=(0, 1, 2, 3))
    runs = [member.run for member in study.members]
    for run in runs[:5]:
        end(store, run, range(3))
    table = table_of(workspace, study)
    assert (table.counted, table.pairs[0].seeds, table.pairs[0].gap, table.pairs[0].verdict) == (5, (0, 1), None, "")
    assert "No verdict yet: 3 seeds have to finish" in table.verdict
    for run in runs[5:]:
        end(store, run, range(3))
    store.delete(runs[0])
    table = table_of(workspace, study)
    assert table.pairs[0].seeds == (1, 2, 3)
    assert table.policies[0].figures[0].values[0] is None
    assert table.runs[0].sentence == "Its run was deleted."
    store.get(runs[7]).paths.predictions("validation").unlink()
    table = table_of(workspace, study)
    assert table.counted == 6
    assert "cannot be read" in table.runs[-1].sentence


def test_of_three_policies_every_pair_is_compared_with_wider_intervals(made, store, workspace):
    study = made({**POLICIES, "heavy": AugmentChoice(policy="heavy")})
    wrong = {"none": range(4), "light": range(2, 6), "heavy": range(40)}
    for member in study.members:
        end(store, member.run, wrong[member.varies["policy"]])
    table = table_of(workspace, study)
    assert [(pair.first, pair.second, pair.verdict) for pair in table.pairs] == [
        ("none", "light", "no evidence"),
        ("none", "heavy", "worse"),
        ("light", "heavy", "worse"),
    ]
    assert table.verdict.startswith("none is better than heavy; light is better than heavy; for the other pairs")
    assert "all 3 hold together" in table.caution
    assert "flatters all policies alike" in table.caution
    alone = made()
    for member in alone.members:
        end(store, member.run, wrong[member.varies["policy"]])
    [pair] = table_of(workspace, alone).pairs
    assert np.ptp(table.pairs[0].gap.interval) > np.ptp(pair.gap.interval)


def test_the_best_of_three_is_named(made):
    better = duel.Gap("a", "b", (), (), object(), "better", "", ())
    pairs = [better, replace(better, second="c"), replace(better, first="b", second="c", verdict="worse")]
    assert overall(["a", "b", "c"], pairs) == "b is better than all others."
    even = [replace(pair, verdict="no evidence") for pair in pairs]
    assert "No evidence" in overall(["a", "b", "c"], even)


def test_variants_that_all_seeds_share_are_a_caution(made, workspace):
    shared = {label: choice.model_copy(update={"seed": 0}) for label, choice in POLICIES.items()}
    assert "all seeds share" in table_of(workspace, made(shared)).caution
    assert "all seeds share" not in table_of(workspace, made()).caution


def test_before_three_seeds_there_are_no_words_but_that():
    assert "No verdict yet" in in_words("a", "b", None, "accuracy")


def test_a_duel_trains_to_its_verdict(made, workspace):
    study = made({"none": POLICIES["none"], "same": POLICIES["none"]})
    submit(InlineExecutor(workspace), study)
    table = table_of(workspace, study)
    assert table.counted == 6, [line.sentence for line in table.runs]
    assert table.pairs[0].differences == (0.0, 0.0, 0.0), "same split, weights, order and pictures: the same run"
    assert table.pairs[0].verdict == "no evidence"


def mask_table(hits, side=100):
    """A table of masks of 2 classes: in each image so many of 50 foreground pixels are found, and none is invented."""
    confusion = np.array([[[side - 50, 0], [50 - found, found]] for found in hits])
    n = len(hits)
    ids = tuple(f"{row:06d}" for row in range(n))
    sizes, outlines = np.full((n, 2), 10), np.full((n, 2, 2), np.nan)
    return MaskTable(("background", "polyp"), ids, ids, sizes, confusion, outlines, "validation", "epoch 1")


def test_of_masks_dice_decides_and_its_parts_add_up_to_the_report(workspace, store):
    dataset = kept_shapes(workspace)
    recipe = SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS)
    told = {label: choice.model_dump(mode="json") for label, choice in POLICIES.items()}
    study = StudyStore(workspace).get(duel.make(str(workspace.root), recipe.to_json(), dataset.id, told, [0, 1, 2]))
    generator = np.random.default_rng(0)
    for member in study.members:
        found = generator.integers(30, 50, 24) - 15 * (member.varies["policy"] == "light")
        table, run = mask_table(found), store.get(member.run)
        table.write(run.paths.predictions("validation"))
        write_json(run.paths.results("validation"), evaluate_masks(table).to_json())
        write_status(run.paths, replace(run.status, state=RunState.FINISHED, best={"loss": 0.1}))
    table = table_of(workspace, study)
    [pair] = table.pairs
    assert (table.score, table.class_figure, pair.verdict) == ("mean Dice", "Dice", "worse")
    dice = [line.figures[0].values for line in table.policies]
    assert pair.differences == pytest.approx(np.subtract(dice[1], dice[0]))
    assert [one.label for one in pair.per_class] == ["background", "polyp"]
    assert pair.per_class[1].gap.mean == pytest.approx(pair.gap.mean)


def test_a_verdict_before_the_last_run_is_said_to_be_preliminary(made, store, workspace):
    study = made(seeds=(0, 1, 2, 3))
    for member in study.members[:6]:
        end(store, member.run, range(3))
    assert "6 of 8 runs" in table_of(workspace, study).caution
    for member in study.members[6:]:
        end(store, member.run, range(3))
    assert "of 8 runs" not in table_of(workspace, study).caution


def test_answers_to_other_images_are_not_compared(made, store, workspace):
    study = made(seeds=(0, 1, 2, 3))
    for member in study.members:
        end(store, member.run, range(3))
    path = store.get(study.members[-1].run).paths.predictions("validation")
    table = PredictionTable.read(path)
    replace(table, ids=tuple(f"1{id[1:]}" for id in table.ids)).write(path)
    table = table_of(workspace, study)
    assert table.pairs[0].seeds == (0, 1, 2)
    assert "other images" in table.runs[-1].sentence
