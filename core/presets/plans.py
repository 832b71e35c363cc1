"""Ready-made plans: which part of a network learns when, as phases for any recipe.

Rates go together: a head that starts at random bears ten times the rate at which layers that know something may move
without forgetting it, and the deeper a plan reaches into the network, the more it has to lose. So a plan asks for the
head's rate alone and takes the others from it.

Batch norms stay still in every phase that unfreezes some. With 170 images and a rate of nothing, norms that measured
each batch took lite0 under a trained head from an accuracy of 0.97 to 0.43: that has to be made good before anything is
won.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.knobs import FloatKnob, IntKnob, Knob, check_values, find
from core.recipe import Phase

LEARNED = 0.1  # the rate of layers that know something, as a share of a new head's


@dataclass(frozen=True)
class Plan:
    """One way to divide a training run into phases."""

    name: str
    label: str
    sentence: str
    rates: str  # how its learning rates are chosen, for people
    knobs: tuple[Knob, ...]
    build: Callable[[dict[str, Any]], tuple[Phase, ...]]

    def phases(self, values: dict[str, Any] | None = None) -> tuple[Phase, ...]:
        """The phases for these knob values; a knob left out keeps its default.

        Raises RecipeError, about `plan`, for a name nobody knows and for a value out of bounds.
        """
        return self.build(check_values(self.knobs, values or {}, "plan"))


def _phase(name: str, trainable: str, epochs: int, rate: float) -> Phase:
    phase = {"name": name, "trainable": trainable, "epochs": epochs, "learning_rate": float(f"{rate:.3g}")}
    return Phase(**phase) if trainable == "head" else Phase(**phase, norms="still")


def _head_only(values: dict[str, Any]) -> tuple[Phase, ...]:
    return (_phase("head", "head", values["epochs"], values["rate"]),)


def _head_then_share(values: dict[str, Any]) -> tuple[Phase, ...]:
    share = values["share"]
    part = "everything" if share == 100 else f"last {share}%"
    return (
        _phase("head", "head", values["head_epochs"], values["rate"]),
        _phase(part.replace("%", " %"), part, values["epochs"], values["rate"] * LEARNED),
    )


def _progressive(values: dict[str, Any]) -> tuple[Phase, ...]:
    parts = [f"last {2**step} block{'s' * (step > 0)}" for step in range(values["stages"])] + ["everything"]
    later = (
        _phase(part, part, values["epochs"], values["rate"] * LEARNED / 2**number) for number, part in enumerate(parts)
    )
    return (_phase("head", "head", values["head_epochs"], values["rate"]), *later)


def _rounds(values: dict[str, Any]) -> tuple[Phase, ...]:
    kinds = (("frozen", "head", 1.0), ("unfrozen", "everything", LEARNED))
    return tuple(
        _phase(f"round {number}, {word}", trainable, 1, values["rate"] * share)
        for number in range(1, values["rounds"] + 1)
        for word, trainable, share in kinds
    )


def _everything(values: dict[str, Any]) -> tuple[Phase, ...]:
    return (_phase("everything", "everything", values["epochs"], values["rate"]),)


def _epochs(name: str, label: str, default: int) -> IntKnob:
    return IntKnob(name, label, default, 1, 1000, 1, "epochs")


_RATE = FloatKnob("rate", "learning rate of the head", 3e-3, 1e-6, 1.0, 1e-4)
_HEAD_EPOCHS = _epochs("head_epochs", "head alone for", 10)

PLANS: tuple[Plan, ...] = (
    Plan(
        "head",
        "Head only",
        "The network stays as it is and only a new last part learns: seconds, and hard to spoil.",
        "A head that starts at random has nothing to forget and bears a high rate.",
        (_epochs("epochs", "for", 20), _RATE),
        _head_only,
    ),
    Plan(
        "head-then-share",
        "Head, then the last part",
        "First the new head, then the last share of the layers with it, which hold what is most particular to the "
        "pictures the network learned from.",
        "The second phase goes at a tenth of the head's rate, so that what is learned bends and does not break.",
        (
            _HEAD_EPOCHS,
            IntKnob("share", "then the last", 40, 1, 100, 1, "% of the layers"),
            _epochs("epochs", "for", 10),
            _RATE,
        ),
        _head_then_share,
    ),
    Plan(
        "progressive",
        "Progressive unfreezing",
        "The head, then the last block, the last 2, the last 4 and so on, and at last everything: each part moves "
        "only once what comes after it makes sense.",
        "The last block starts at a tenth of the head's rate, and each phase that reaches deeper goes at half the rate "
        "of the one before.",
        (
            IntKnob("stages", "phases of blocks", 3, 1, 4, help="3: the last 1, 2 and 4 blocks, as most networks have"),
            IntKnob("head_epochs", "head alone for", 5, 1, 1000, 1, "epochs"),
            _epochs("epochs", "each later phase for", 3),
            _RATE,
        ),
        _progressive,
    ),
    Plan(
        "rounds",
        "Alternating rounds",
        "One epoch of the head alone and one of everything, again and again.",
        "The frozen epochs go at the head's rate and the unfrozen ones at a tenth of it.",
        (IntKnob("rounds", "rounds", 4, 1, 32), _RATE),
        _rounds,
    ),
    Plan(
        "everything",
        "Everything",
        "Every layer moves from the first step: slower, and better for many pictures unlike those it learned from.",
        "A tenth of what a head alone would bear, since all that is learned is at stake.",
        (
            _epochs("epochs", "for", 5),
            FloatKnob("rate", "learning rate", 3e-4, 1e-6, 1.0, 1e-4),
        ),
        _everything,
    ),
)


def plan(name: str) -> Plan:
    """The plan of that name. Raises RecipeError listing the names there are."""
    return find(PLANS, name, "plan")
