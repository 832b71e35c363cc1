"""How phases and the learning rate show in the curves; the curves themselves are tested in `test_figures.py`."""

from core.figures.curves import MOST_NAMED, loss_curves, rate_curve


def journal(phases, epochs=1):
    entries, number = [], 0
    for phase in range(phases):
        entries.append({"kind": "phase", "phase": phase, "name": f"round {phase}"})
        for _ in range(epochs):
            number += 1
            facts = {"phase": phase, "epoch": number, "learning_rate": 10.0**-phase}
            entries.append({"kind": "step", "step": 5, "steps": 10, "loss": 1.0, **facts})
            split = {"loss": 1.0, "accuracy": 0.5}
            entries.append({"kind": "epoch", "train": split, "validation": split, **facts})
    return entries


def test_the_learning_rate_is_drawn_at_its_steps_over_all_phases():
    [line] = rate_curve(journal(2)).data

    assert list(zip(line.x, line.y, strict=True)) == [(0.5, 1.0), (1, 1.0), (1.5, 0.1), (2, 0.1)]


def test_the_curve_of_rates_needs_no_entry():
    assert len(rate_curve([]).data[0].x) == 0


def test_every_border_between_phases_is_a_line_with_the_name_of_the_phase_that_begins():
    figure = loss_curves(journal(3, epochs=2))

    assert [line.x0 for line in figure.layout.shapes] == [2, 4]
    assert [note.text for note in figure.layout.annotations] == ["round 1", "round 2"]


def test_many_borders_are_lines_only():
    figure = loss_curves(journal(MOST_NAMED + 2))

    assert len(figure.layout.shapes) == MOST_NAMED + 1
    assert not figure.layout.annotations
