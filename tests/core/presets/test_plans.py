"""Ready-made plans: the phases they make, and that any network can follow them."""

import pytest
import torch

from core.errors import RecipeError
from core.models.catalog import BACKBONES
from core.models.classifiers import build_classifier
from core.presets.plans import PLANS, plan
from core.recipe import ModelChoice, Recipe
from core.train.freezing import freeze

ROWS = pytest.mark.parametrize("row", PLANS, ids=lambda row: row.name)


def told(name, **values):
    return [(phase.trainable, phase.epochs, phase.learning_rate) for phase in plan(name).phases(values)]


@ROWS
def test_a_plan_makes_phases_that_a_recipe_takes_each_with_a_name_of_its_own(row):
    phases = row.phases()
    data = [phase.model_dump(mode="json") for phase in phases]
    assert Recipe().set({"phases": data}).phases == phases
    assert len({phase.name for phase in phases}) == len(phases)
    assert row.sentence.endswith(".")
    assert row.rates.endswith(".")


@ROWS
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_plan_makes_phases_at_both_ends_of_its_knobs(row, end):
    phases = row.phases({knob.name: getattr(knob, end) for knob in row.knobs})
    Recipe().set({"phases": [phase.model_dump(mode="json") for phase in phases]})


def test_the_plans_are_those_of_the_reports():
    assert told("head") == [("head", 20, 3e-3)]
    assert told("head-then-share") == [("head", 10, 3e-3), ("last 40%", 10, 3e-4)]
    assert told("head-then-share", share=100, head_epochs=15, epochs=35, rate=1e-3) == [
        ("head", 15, 1e-3),
        ("everything", 35, 1e-4),
    ]
    assert told("progressive") == [
        ("head", 5, 3e-3),
        ("last 1 block", 3, 3e-4),
        ("last 2 blocks", 3, 1.5e-4),
        ("last 4 blocks", 3, 7.5e-5),
        ("everything", 3, 3.75e-5),
    ]
    assert told("rounds", rounds=2) == [("head", 1, 3e-3), ("everything", 1, 3e-4)] * 2
    assert told("everything") == [("everything", 5, 3e-4)]


@ROWS
def test_no_rate_is_higher_than_the_head_s(row):
    rates = [phase.learning_rate for phase in row.phases()]
    assert max(rates) == rates[0]


@ROWS
def test_norms_stay_still_wherever_some_are_unfrozen(row):
    assert {phase.norms for phase in row.phases() if phase.trainable != "head"} <= {"still"}


@pytest.mark.parametrize("backbone", [row.name for row in BACKBONES])
def test_every_network_of_the_page_can_follow_every_plan(backbone):
    with torch.device("meta"):
        model = build_classifier(ModelChoice(backbone=backbone, weights="random"), 3)
    for row in PLANS:
        free = [freeze(model.backbone, model.head, phase.trainable).trainable for phase in row.phases()]
        assert min(free) > 0
        if row.name == "progressive":
            assert free == sorted(set(free)), "each phase reaches deeper than the one before"


def test_an_unknown_plan_knob_or_value_is_refused():
    with pytest.raises(RecipeError, match="plan: found 'gradual', expected one of head, head-then-share, progressive"):
        plan("gradual")
    with pytest.raises(RecipeError, match=r"plan\.share: found 140, expected a whole number from 1 to 100"):
        plan("head-then-share").phases({"share": 140})
    with pytest.raises(RecipeError, match=r"plan\.blocks: found a name nobody knows"):
        plan("progressive").phases({"blocks": 2})
