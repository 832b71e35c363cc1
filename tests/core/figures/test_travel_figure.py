from core.figures.travel import MOST_LINES, lines_of, shares_over_epochs


def test_every_class_has_a_line_and_the_epoch_a_mark():
    shares = [(0.5, 0.5), (0.9, 0.1), (0.2, 0.8)]
    figure = shares_over_epochs([0, 1, 4], shares, ["cat", "<b>dog"], 4, title="probability")
    assert [list(line.y) for line in figure.data] == [[0.5, 0.9, 0.2], [0.5, 0.1, 0.8]]
    assert [list(line.x) for line in figure.data] == [[0, 1, 4]] * 2
    assert figure.data[1].name == "&lt;b&gt;dog", "names are text"
    assert figure.layout.shapes[0].x0 == 4
    assert len({line.marker.symbol for line in figure.data}) == 2, "not by colour alone"


def test_of_many_classes_those_are_drawn_that_ever_mattered_and_the_background_is_not():
    shares = [[0.01 * index for index in range(10)], [0.0] * 9 + [0.5]]
    assert lines_of(shares) == list(range(10 - MOST_LINES, 10))
    assert 9 not in lines_of(shares, hidden=9)
    assert lines_of([]) == []
