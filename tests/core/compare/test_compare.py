"""Comparisons of runs whose answers are known: what they say, and what they refuse to say."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from core.compare import compare_runs, read_comparison
from core.compare.comparison import MODELS, RECIPES, Comparison
from core.compare.stored import comparison_file
from core.data.revisions import Change, revise
from core.errors import InputError, RunError
from core.evaluate.classification import evaluate_table
from core.evaluate.current import current_result
from core.evaluate.depth import depth_of
from core.evaluate.predictions import PredictionTable
from core.metrics.paired import paired
from core.metrics.several import paired_difference
from core.runs.run import RunPaths
from core.runs.seal import open_seal
from tests.comparing import CLASSES, answered_run, fruit, store_answers
from tests.pages.mask_runs import box, evaluated_run, masked_dataset


@pytest.fixture
def data(workspace):
    return fruit(workspace)


@pytest.fixture
def compare(workspace):
    return lambda *runs, split="validation": compare_runs(str(workspace.root), [run.id for run in runs], split)


def seeds(workspace, data, share, name, number=4, generator=None, first=0, **choices):
    """Runs of one recipe with several seeds, each wrong about this share of the images, drawn anew."""
    generator = generator or np.random.default_rng(abs(hash(name)) % 1000)
    places = range(first, first + number)
    return [
        answered_run(
            workspace, data, np.flatnonzero(generator.random(120) < share), name=f"{name}, seed {seed}", seed=seed,
            **choices,
        )
        for seed in places
    ]  # fmt: skip


def test_two_runs_are_compared_by_mcnemar_and_the_verdict_is_about_these_networks(workspace, data, compare):
    light = answered_run(workspace, data, range(30), name="light")
    heavy = answered_run(workspace, data, range(8), name="heavy", augment__policy="heavy")
    found = compare(light, heavy)
    (pair,) = found.of(MODELS, "accuracy")
    assert (pair.first, pair.second, pair.value) == (light.id, heavy.id, pytest.approx(22 / 120))
    truth = np.array([sample.label for sample in data.of("validation")])
    answers = [PredictionTable.read(run.paths.predictions("validation")).predicted for run in (light, heavy)]
    assert pair.p == pytest.approx(paired(truth, *answers).p, abs=1e-12)
    assert pair.holm == pair.p, "one pair needs no correction"
    assert pair.different
    assert "heavy has 18.3 points more accuracy than light" in found.verdict
    assert "nobody can tell" in found.verdict, "one seed each says nothing about the recipes"
    assert found.question == MODELS
    assert not found.of(RECIPES, "accuracy")
    assert [(row.path, row.values) for row in found.choices] == [("augment.policy", ("light", "heavy"))]


def test_every_figure_is_compared_as_paired_difference_does(workspace, data, compare):
    one, two = answered_run(workspace, data, range(30)), answered_run(workspace, data, range(20, 40), seed=1)
    found = compare(one, two)
    tables = [PredictionTable.read(run.paths.predictions("validation")) for run in (one, two)]
    for name, _ in found.metrics:
        (pair,) = found.of(MODELS, name)
        expected = paired_difference(name, tables[0].truth, *(table.probabilities for table in tables))
        assert (pair.value, pair.p) == pytest.approx((expected.value, expected.p), abs=1e-12)
        assert pair.interval == pytest.approx(expected.interval)
        assert pair.method == expected.method


def test_several_pairs_are_corrected_for_all_of_them(workspace, data, compare):
    runs = [answered_run(workspace, data, range(wrong), name=f"run {wrong}") for wrong in (10, 16, 17, 18)]
    pairs = compare(*runs).of(MODELS, "accuracy")
    assert len(pairs) == 6
    assert paired_alone(pairs) > 0, "alone, some would be called different"
    assert [pair.holm for pair in pairs] == pytest.approx([min(1, holm) for holm in by_hand(pairs)])
    assert not any(pair.different for pair in pairs if pair.holm >= 0.05)


def paired_alone(pairs):
    return sum(pair.p < 0.05 for pair in pairs)


def by_hand(pairs):
    """Holm: the smallest p times all, the next one times one less, and never smaller than the one before."""
    order = sorted(range(len(pairs)), key=lambda place: pairs[place].p)
    adjusted, most = [0.0] * len(pairs), 0.0
    for rank, place in enumerate(order):
        most = max(most, pairs[place].p * (len(pairs) - rank))
        adjusted[place] = most
    return adjusted


def test_seeds_of_one_recipe_are_one_recipe_and_their_spread_is_called_chance(workspace, data, compare):
    runs = seeds(workspace, data, 0.2, "light")
    found = compare(*runs)
    (recipe,) = found.recipes
    assert (recipe.label, recipe.seeds) == ("light", (0, 1, 2, 3))
    assert recipe.scores[0].std == pytest.approx(
        np.std([line.scores[0].value for line in found.runs], ddof=1), abs=1e-12
    )
    assert "differ in their seed alone" in found.verdict
    assert "chance, not a choice" in found.verdict


def test_recipes_are_called_different_where_seeds_and_images_support_it(workspace, data, compare):
    light = seeds(workspace, data, 0.35, "light", generator=np.random.default_rng(0))
    heavy = seeds(workspace, data, 0.05, "heavy", generator=np.random.default_rng(1), augment__policy="heavy")
    found = compare(*light, *heavy)
    (pair,) = found.of(RECIPES, "accuracy")
    assert pair.different
    assert (pair.seeds, pair.n) == (4, 120)
    assert found.question == RECIPES
    assert "more than chance in seeds and images explains" in found.verdict
    assert {found.named(pair.first), found.named(pair.second)} == {"light", "heavy"}
    assert [line.key for line in found.ranking(RECIPES, "accuracy")] == [pair.second, pair.first]
    assert [(line.best, line.worst) for line in found.ranking(RECIPES, "accuracy")] == [(1, 1), (2, 2)]


def test_recipes_whose_seeds_scatter_as_much_as_they_differ_are_within_noise(workspace, data, compare):
    """Each network differs from each beyond chance in the images, and yet nothing can be said about the recipes."""
    light = [answered_run(workspace, data, range(wrong), name="l", seed=seed)
             for seed, wrong in enumerate((2, 30, 60))]  # fmt: skip
    heavy = [
        answered_run(workspace, data, range(wrong), name="h", seed=seed, augment__policy="heavy")
        for seed, wrong in enumerate((12, 45, 15))
    ]
    found = compare(*light, *heavy)
    assert sum(pair.different for pair in found.of(MODELS, "accuracy")) >= 8
    (pair,) = found.of(RECIPES, "accuracy")
    assert not pair.different
    assert "Within noise" in found.verdict
    assert "could well have gone unnoticed" in found.verdict


def test_recipes_with_other_seeds_are_compared_too_and_those_with_too_few_are_named(workspace, data, compare):
    light = seeds(workspace, data, 0.3, "light")
    heavy = seeds(workspace, data, 0.05, "heavy", number=3, first=7, augment__policy="heavy")
    lone = seeds(workspace, data, 0.05, "none", number=2, augment__policy="none")
    found = compare(*light, *heavy, *lone)
    (pair,) = found.of(RECIPES, "accuracy")
    assert pair.seeds == 3
    assert "One recipe was trained with fewer than 3 seeds" in found.verdict
    assert len(found.ranking(RECIPES, "accuracy")) == 2


def test_the_same_seed_twice_is_no_further_evidence(workspace, data, compare):
    again = [answered_run(workspace, data, range(10), name="light") for _ in range(4)]
    others = seeds(workspace, data, 0.2, "heavy", number=3, augment__policy="heavy")
    found = compare(*again, *others)
    assert [line.seeds for line in found.recipes] == [(0,), (0, 1, 2)]
    assert not found.of(RECIPES, "accuracy")
    assert any("repeat a recipe with the same seed" in told for told in found.cautions)
    assert "the same experiment" in compare(*again[:2]).verdict


def test_classes_are_corrected_for_one_another(workspace, data, compare):
    plums = [place for place in range(120) if place % 3 == 2]
    one = answered_run(workspace, data, [], name="knows plums")
    two = answered_run(workspace, data, plums[:20], name="does not")
    (pair,) = compare(one, two).of(MODELS, "accuracy")
    changes = {change.label: change for change in pair.per_class}
    assert list(changes) == list(CLASSES)
    assert changes["plum"].value == pytest.approx(-0.5)
    assert [change.different for change in changes.values()] == [False, False, True]
    assert all(change.n == 40 for change in changes.values())


def test_pictures_on_which_two_runs_disagree_are_told_with_what_each_says(workspace, data, compare):
    one, two = answered_run(workspace, data, range(5)), answered_run(workspace, data, range(3, 12), seed=1)
    found = compare(one, two)
    (gap,) = found.disagreements
    assert (gap.only_first, gap.only_second, gap.neither, gap.agree) == (7, 3, 0, 110)
    validation = data.of("validation")
    assert set(gap.shown["only_second"]) == {validation[place].id for place in range(3)}
    picture = found.pictures[validation[0].id]
    assert (picture.truth, picture.answers[one.id][0], picture.answers[two.id][0]) == ("apple", "pear", "apple")


# What cannot be compared


def test_runs_on_other_data_stand_beside_and_the_reason_is_said(workspace, data, compare):
    other = fruit(workspace, id="fruit-2")
    one, two = answered_run(workspace, data, range(9)), answered_run(workspace, other, range(5))
    found = compare(one, two)
    assert "other data" in found.runs[1].apart
    assert found.runs[1].scores[0].interval, "its own score still has its interval"
    assert not found.pairs
    assert "cannot be held against one another" in found.verdict


def test_runs_of_other_classes_or_another_task_stand_beside(workspace, data, compare):
    boxes = [box(1, 1, 8, 8)] * 12
    masked = evaluated_run(workspace, masked_dataset(workspace, ("background", "box"), boxes), boxes, boxes)
    run = answered_run(workspace, data, [])
    assert "another kind of question" in compare(run, masked).runs[1].apart
    fewer = answered_run(workspace, data, [])
    path = fewer.paths.predictions("validation")
    path.write_text(path.read_text().replace("plum", "quince"))
    found = compare(run, fewer)
    assert "other classes: apple, pear, quince instead of apple, pear, plum" in found.runs[1].apart


def test_classes_in_another_order_are_still_the_same_classes(workspace, data, compare):
    one, two = answered_run(workspace, data, range(5)), answered_run(workspace, data, range(5, 15), seed=1)
    table = PredictionTable.read(two.paths.predictions("validation"))
    order = [2, 0, 1]
    PredictionTable(
        classes=tuple(table.classes[place] for place in order),
        ids=table.ids[::-1],
        files=table.files[::-1],
        truth=np.argsort(order)[table.truth][::-1],
        probabilities=table.probabilities[:, order][::-1],
        split=table.split,
        checkpoint=table.checkpoint,
    ).write(two.paths.predictions("validation"))
    (pair,) = compare(one, two).of(MODELS, "accuracy")
    assert pair.value == pytest.approx(-5 / 120)


def test_runs_on_two_revisions_share_the_images_whose_labels_did_not_change(workspace, data, compare):
    one = answered_run(workspace, data, range(10), name="before")
    validation = data.of("validation")
    relabelled, left_out = validation[0], validation[1]
    changes = [Change("relabel", (relabelled.id,), "plum"), Change("exclude", (left_out.id,), "")]
    revised = revise(data, changes)
    two = answered_run(workspace, revised, range(4), name="after")
    found = compare(one, two)
    assert found.images == 118
    assert [row.values for row in found.choices if row.path == "data"] == [("Fruit, revision 1", "Fruit, revision 2")]
    told = " ".join(found.cautions)
    assert "different revisions" in told
    assert "1 are left out" in told
    assert "different labels" in told


def test_runs_judged_by_other_images_stand_beside(workspace, data, compare):
    one, two = answered_run(workspace, data, range(10)), answered_run(workspace, data, range(4), seed=1)
    table = PredictionTable.read(two.paths.predictions("validation"))
    elsewhere = tuple(f"9{id[1:]}" for id in table.ids[:100])
    replace(table, ids=elsewhere + table.ids[100:]).write(two.paths.predictions("validation"))
    assert "shares 20 of 120" in compare(one, two).runs[1].apart


def test_a_sealed_test_split_stays_sealed(workspace, data, compare):
    opened, sealed, third = (answered_run(workspace, data, range(5), seed=seed) for seed in range(3))
    for run in (opened, third):
        open_seal(run.paths, "page")
        store_answers(run, data, range(7), "test")
    found = compare(opened, sealed, third, split="test")
    assert "sealed" in found.runs[1].apart
    assert not found.runs[0].apart
    assert not sealed.paths.predictions("test").exists()
    assert not sealed.paths.seal.exists()
    assert [pair.n for pair in found.of(MODELS, "accuracy")] == [120]


def test_runs_without_weights_and_too_few_images_are_told_of(workspace, compare):
    few = fruit(workspace, 6)
    one, two = answered_run(workspace, few, [0]), answered_run(workspace, few, [1], seed=1)
    assert "share only 6 images" in compare(one, two).runs[1].apart
    two.paths.best.unlink()
    assert "no weights yet" in compare(one, two).runs[1].apart


def test_a_choice_that_is_no_comparison_is_refused(workspace, data):
    run = answered_run(workspace, data, [])
    for ids in ([], [run.id], [run.id, run.id], [f"x-{number}" for number in range(40)]):
        with pytest.raises(InputError, match="2 to 24 different ones"):
            compare_runs(str(workspace.root), ids)
    with pytest.raises(RunError, match="no such run"):
        compare_runs(str(workspace.root), [run.id, "gone-123456"])


# Masks


def test_masks_are_compared_image_by_image(workspace, compare):
    truths = [box(2, 2, 12, 8)] * 14
    data = masked_dataset(workspace, ("background", "box"), truths)
    good = evaluated_run(workspace, data, truths, [box(2, 2, 12, 8 - place % 2) for place in range(14)])
    poor = evaluated_run(workspace, data, truths, [box(2, 2, 7 + place % 3, 8) for place in range(14)])
    found = compare(good, poor)
    (pair,) = found.of(MODELS, "mean_dice")
    assert pair.value < -0.1
    assert pair.different
    assert found.class_figure == "Dice"
    assert [change.label for change in pair.per_class] == ["box"], "the background is no class to compare"
    (gap,) = found.disagreements
    assert gap.only_first == 14 - gap.agree
    assert "mean Dice" in pair.sentence
    assert "the same experiment" in found.verdict, "one recipe and one seed, however the masks came about"


def test_masks_without_any_object_say_nothing(workspace, compare):
    truths = [box(0, 0, 0, 0)] * 12
    data = masked_dataset(workspace, ("background", "box"), truths)
    found = compare(*(evaluated_run(workspace, data, truths, truths) for _ in range(2)))
    assert "do not say what the mean Dice of every run is" in found.verdict
    assert not found.of(MODELS, "mean_dice")


# What is kept


def test_a_comparison_is_kept_until_weights_or_names_change(workspace, data):
    one, two = answered_run(workspace, data, range(9)), answered_run(workspace, data, range(3), seed=1)
    ids, root = [one.id, two.id], str(workspace.root)
    assert read_comparison(root, ids) is None
    found = compare_runs(root, ids)
    assert read_comparison(root, ids[::-1]) == found
    assert Comparison.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert read_comparison(root, ids, "test") is None
    two.paths.best.write_bytes(b"other weights than before")
    assert read_comparison(root, ids) is None


def test_a_damaged_comparison_counts_as_none(workspace, data):
    ids = [answered_run(workspace, data, range(9), seed=seed).id for seed in range(2)]
    compare_runs(str(workspace.root), ids)
    for text in ("{", "[]", '{"version": 1}', '{"version": 0}'):
        comparison_file(str(workspace.root), ids).write_text(text)
        assert read_comparison(str(workspace.root), ids) is None


def test_reading_a_comparison_loads_neither_torch_nor_statistics(workspace, data):
    ids = [answered_run(workspace, data, range(9), seed=seed).id for seed in range(2)]
    compare_runs(str(workspace.root), ids)
    code = (
        "import sys; from core.compare import read_comparison; "
        f"assert read_comparison({str(workspace.root)!r}, {ids!r}); "
        "print({'torch', 'scipy', 'statsmodels', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_figures_of_a_run_are_those_of_its_report_to_the_last_digit(workspace, data, compare):
    """Also where answers name a class that no image shows, and where a class is in few images."""
    runs = [answered_run(workspace, data, wrong) for wrong in (range(30), range(20, 40))]
    tables = [PredictionTable.read(run.paths.predictions("validation")) for run in runs]
    for run, table in zip(runs, tables, strict=True):  # no plum is left, and some are still seen
        replace(table, truth=np.minimum(table.truth, 1)).write(run.paths.predictions("validation"))
    found = compare(*runs)
    for line, run in zip(found.runs, runs, strict=True):
        table = PredictionTable.read(run.paths.predictions("validation"))
        result, depth = evaluate_table(table), depth_of(table)
        told = {score.name: (score.value, score.interval) for score in line.scores}
        assert told == {
            "accuracy": (result.accuracy, result.interval),
            "macro_f1": (result.macro_f1, result.macro_f1_interval),
            "auroc": (depth.auroc, depth.auroc_interval),
        }
    assert any("No image that they share truly shows “plum”" in caution for caution in found.cautions)


def test_the_figures_of_masks_are_those_of_their_report_to_the_last_digit(workspace, compare):
    truths = [box(2, 2, 7 + place % 4, 9) for place in range(6)] + [0 * box(0, 0, 2, 2)] * 6
    data = masked_dataset(workspace, ("background", "box"), truths)
    answers = [[np.roll(truth, shift, axis=0) for truth in truths] for shift in (1, 2)]
    found = compare(*(evaluated_run(workspace, data, truths, answer) for answer in answers))
    for line in found.runs:
        result = current_result(RunPaths(workspace.runs / line.id), "validation")
        told = {score.name: (score.value, score.interval) for score in line.scores}
        assert told == {
            "mean_dice": (result.mean_dice, result.mean_dice_interval),
            "mean_iou": (result.mean_iou, result.mean_iou_interval),
        }
        assert result.mean_dice_interval is not None
    assert not any("truly shows" in caution for caution in found.cautions)
