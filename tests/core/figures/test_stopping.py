"""The figure of where training should have stopped."""

from core.figures.stopping import stopping

FOUND = {"stop": 4, "stop_interval": [3, 6], "last_epoch": 10, "kept_epoch": 9}


def entries(epochs):
    return [
        {
            "kind": "epoch",
            "phase": 0,
            "epoch": k,
            "train": {"loss": 1 / k},
            "validation": {"loss": abs(k - 4) / 10 + 0.3},
        }
        for k in range(1, epochs + 1)
    ]


def test_the_stop_its_interval_and_the_epochs_after_it_are_marked():
    figure = stopping(entries(10), FOUND, identity="run")
    spans = [(shape.x0, shape.x1) for shape in figure.layout.shapes if shape.type == "rect"]
    assert spans == [(4, 10), (2.5, 6.5)]
    assert [note.text for note in figure.layout.annotations] == ["stop: epoch 4", "kept: epoch 9"]
    validation = next(trace for trace in figure.data if trace.name == "validation")
    assert min(validation.y) == validation.y[3] == 0.3


def test_weights_kept_at_the_stop_are_not_named_twice():
    figure = stopping(entries(10), FOUND | {"kept_epoch": 4})
    assert [note.text for note in figure.layout.annotations] == ["stop: epoch 4"]
