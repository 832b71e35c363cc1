"""Which epoch is the best so far: whose weights are kept."""

from core.recipe import Recipe


def is_better(recipe: Recipe, one: dict[str, float], other: dict[str, float] | None) -> bool:
    """Whether `one` is the better validation than `other`, or the first.

    By the score of the recipe's task, and at equal score by the lower loss; or, where the recipe chooses by loss, the
    other way round.
    """
    if other is None:
        return True
    ranks = [(metrics[recipe.score], -metrics["loss"]) for metrics in (one, other)]
    if recipe.best_by == "loss":
        ranks = [rank[::-1] for rank in ranks]
    return ranks[0] > ranks[1]
