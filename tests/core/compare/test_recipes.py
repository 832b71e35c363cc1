from core.compare.recipes import choices, each_seed_once, grouped, labels, run_labels
from tests.comparing import answered_run, fruit


def test_runs_that_differ_in_seed_and_name_share_a_recipe(workspace):
    data = fruit(workspace, 12)
    one = answered_run(workspace, data, [], name="a", seed=0)
    two = answered_run(workspace, data, [], name="b", seed=1, tracker="tensorboard")
    other = answered_run(workspace, data, [], name="c", batch_size=16)
    groups = grouped([one, two, other])
    assert [[run.id for run in group] for group in groups.values()] == [[one.id, two.id], [other.id]]
    assert [(row.path, row.values) for row in choices(groups)] == [("batch_size", (32, 16))]


def test_a_seed_that_comes_twice_counts_once(workspace):
    data = fruit(workspace, 12)
    runs = [answered_run(workspace, data, [], seed=seed) for seed in (3, 4, 3)]
    assert [run.recipe.seed for run in each_seed_once(runs)] == [3, 4]


def test_recipes_and_runs_of_one_name_are_told_apart(workspace):
    data = fruit(workspace, 12)
    runs = [answered_run(workspace, data, [], name="mine", seed=seed) for seed in (0, 1)]
    runs += [answered_run(workspace, data, [], name="mine", seed=0, batch_size=16)]
    groups = grouped(runs)
    assert list(labels(groups, choices(groups)).values()) == ["mine, batch size 32", "mine, batch size 16"]
    told = list(run_labels(runs).values())
    assert len(set(told)) == 3
    assert told[1] == "mine, seed 1"


def test_a_recipe_is_called_as_its_study_did_without_the_seed(workspace):
    data = fruit(workspace, 12)
    runs = [answered_run(workspace, data, [], name=f"fine-tuned, heavy, seed {seed}", seed=seed) for seed in (0, 1)]
    groups = grouped(runs)
    assert list(labels(groups, choices(groups)).values()) == ["fine-tuned, heavy"]
