from core.figures.instant import head_curves


def epochs(*losses):
    best = min(losses)
    return [
        {"epoch": place, "validation": {"loss": loss, "accuracy": 1 - loss}, "best": loss == best}
        for place, loss in enumerate(losses, start=1)
    ]


def test_both_heads_are_drawn_with_the_epoch_that_counts():
    figure = head_curves(epochs(0.9, 0.5, 0.7), epochs(0.8, 0.4), "loss", names=("old", "new"))
    assert [trace.name for trace in figure.data if trace.showlegend is None] == ["old", "new"]
    old, ring, new, _ = figure.data
    assert list(old.x), list(old.y) == ([1, 2, 3], [0.9, 0.5, 0.7])
    assert (list(ring.x), list(ring.y)) == ([2], [0.5])
    assert list(new.y) == [0.8, 0.4]


def test_a_solved_head_is_a_level_line_beside_epochs():
    figure = head_curves(epochs(0.9, 0.5, 0.7), epochs(0.3), "accuracy")
    level = figure.data[-1]
    assert (list(level.x), list(level.y)) == ([0, 3], [0.7, 0.7])
    assert level.mode == "lines"


def test_alone_a_head_is_drawn_as_it_is():
    assert list(head_curves(epochs(0.3), None, "loss").data[0].x) == [1]
