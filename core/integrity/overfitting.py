"""Was there too much training? Where it should have stopped, and what the epochs after that cost, beyond wavering."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from core.data.health.finding import Finding
from core.evaluate.masks import MaskTable
from core.integrity.run_report import Looked
from core.integrity.run_subject import Entry, Judged, Table, image_dice
from core.integrity.subject import number_of
from core.metrics.turning import FEWEST, Turning, turning

SURE = 0.01  # so rarely may chance make a course seem to turn before a word is said; every run is looked at
LITTLE = 0.03  # of the lowest loss: a rise smaller than that costs nothing that anybody would notice
FEWEST_CHANGED = 6  # images that have to change sides all one way before it is more than chance (McNemar's exact test)
Z = 1.96


@dataclass(frozen=True)
class Stretch:
    """The epochs of one phase, with what each measured."""

    name: str
    epochs: tuple[int, ...]  # from 1, over all phases
    loss: np.ndarray  # of validation
    learned: np.ndarray  # the loss of training
    score: np.ndarray  # of validation
    seconds: np.ndarray


def overfitted(judged: Judged) -> Looked:
    """A validation loss that rose, beyond wavering, while the training loss went on falling."""
    stretches = [one for one in _stretches(judged) if len(one.epochs) >= FEWEST]
    if not stretches:
        longest = max((len(one.epochs) for one in _stretches(judged)), default=0)
        return Looked(
            unknown=f"{number_of(longest, 'epoch', 'epochs')} in a row are too few to tell a turn from wavering; "
            f"{FEWEST} are needed."
        )
    findings, told = [], []
    spread = _of_images(judged.validation)
    for stretch in stretches:
        turn = turning(stretch.loss)
        if turn is None:
            continue
        of_phase = f" in {stretch.name}" if len(stretches) > 1 else ""
        if not _holds(turn, stretch, spread):
            told.append(_not_beyond(turn, spread, of_phase))
        elif _change(stretch.learned, turn) >= 0:
            told.append(
                f"the validation loss{of_phase} rises from epoch {stretch.epochs[turn.place]} on, but so does the "
                "training loss: that is a rate too high, and not over-fitting"
            )
        else:
            findings.append(_finding(judged, stretch, turn, spread, of_phase))
    sentence = "; ".join(told)
    return Looked(tuple(findings), "" if findings or not told else f"{sentence[0].upper()}{sentence[1:]}.")


def _holds(turn: Turning, stretch: Stretch, spread: float) -> bool:
    """Whether the rise is more than the wavering of epochs and the choice of these images can bring, and matters."""
    lowest = float(stretch.loss[turn.before[0] : turn.before[1] + 1].mean())
    low, _ = _widened(turn, spread)
    return turn.p <= SURE and low > 0 and turn.loss >= LITTLE * lowest


def _not_beyond(turn: Turning, spread: float, of_phase: str) -> str:
    """Why a rise is none, in words."""
    low, high = _widened(turn, spread)
    if turn.p > SURE:
        return (
            f"the validation loss{of_phase} does not rise beyond wavering (chance makes {turn.p:.0%} of courses "
            "that only fall seem to turn as clearly)"
        )
    if low > 0:
        return f"the validation loss{of_phase} rises by next to nothing, {turn.loss:.3f}"
    return (
        f"the validation loss{of_phase} rises by {turn.loss:.3f}, but other images might show nothing of it "
        f"(95 % interval {low:+.3f} to {high:+.3f})"
    )


def _widened(turn: Turning, spread: float) -> tuple[float, float]:
    """The interval of the rise, for other images too. How much images differ in it nobody wrote down; where each loses
    in proportion to what it loses anyhow, they differ as their losses do."""
    by_images = Z * turn.loss * spread
    below, above = turn.loss - turn.interval.low, turn.interval.high - turn.loss
    return turn.loss - sqrt(below**2 + by_images**2), turn.loss + sqrt(above**2 + by_images**2)


def _of_images(table: Table | None) -> float:
    """The standard error of the mean loss as a share of it, from how much images differ; of masks one less the Dice
    stands for the loss. Nothing where there is no table."""
    if table is None:
        return 0.0
    if isinstance(table, MaskTable):
        losses = 1 - image_dice(table)
        losses = losses[losses == losses]
    else:
        sure = table.probabilities[np.arange(len(table)), table.truth].astype(np.float64)
        losses = -np.log(np.clip(sure, 1e-7, 1))
    if len(losses) < 2 or losses.mean() <= 0:
        return 0.0
    return float(losses.std(ddof=1) / sqrt(len(losses)) / losses.mean())


def _finding(judged: Judged, stretch: Stretch, turn: Turning, spread: float, of_phase: str) -> Finding:
    low, high = _widened(turn, spread)
    stop, first, last = (stretch.epochs[place] for place in (turn.place, *turn.places))
    lowest = float(stretch.loss[turn.before[0] : turn.before[1] + 1].mean())
    extra, seconds = stretch.epochs[-1] - stop, float(stretch.seconds[turn.place + 1 :].sum())
    fell, fell_low, fell_high, sure = _lost(judged, stretch, turn)
    kept = int(judged.run.status.best.get("epoch") or 0)
    carries = stretch.epochs[0] <= kept <= stretch.epochs[-1] and kept > last
    word, points = judged.score_words, f"95 % interval {-100 * fell_high:+.1f} to {-100 * fell_low:+.1f}"
    if sure:
        between = f"95 % interval {100 * fell_low:.1f} to {100 * fell_high:.1f}"
        answers = f"The {word} fell by {100 * fell:.1f} points ({between})."
    elif fell_high < 0:
        answers = (
            f"The {word} still rose by {-100 * fell:.1f} points ({points}): surer and worse calibrated, not worse."
        )
    else:
        answers = f"The {word} did not change beyond chance ({-100 * fell:+.1f} points, {points})."
    which = (
        f"The weights that are kept, of epoch {kept}, come from after the turn and carry it."
        if carries
        else f"The weights that are kept, of epoch {kept}, are from before it or from the turn: it cost time alone."
    )
    about = f"epoch {stop}" if first == last else f"epoch {stop} (95 %: {first} to {last})"
    return Finding(
        "overfitted",
        "warning" if sure or carries else "note",
        f"By its validation loss training{of_phase} should have stopped at about {about}: the {extra:,} epochs after "
        f"it raised the loss from {lowest:.3f} by {turn.loss:.3f} (95 % interval {low:.3f} to {high:.3f}), while "
        f"the training loss fell on. {answers}",
        f"{which} Those epochs took {seconds:.0f} s. Stop early (patience in the recipe), vary the images more, or "
        "learn with a lower rate or more weight decay. Chance makes a course that only falls seem to turn like this in "
        f"fewer than one of {round(1 / SURE)} runs.",
        figures={
            "stop": stop,
            "stop_interval": [first, last],
            "last_epoch": stretch.epochs[-1],
            "extra_epochs": extra,
            "loss_before": lowest,
            "loss_rise": turn.loss,
            "loss_interval": [low, high],
            "score_lost": fell,
            "score_interval": [fell_low, fell_high],
            "kept_epoch": kept,
            "kept_after": carries,
            "seconds": seconds,
            "p": turn.p,
        },
    )


def _lost(judged: Judged, stretch: Stretch, turn: Turning) -> tuple[float, float, float, bool]:
    """By how much the score fell from the turn to the end, its 95 % interval, and whether that is beyond chance.

    Epochs waver, which second differences tell; and of n images at least so many changed sides as the share that was
    lost says, which brings that much chance of its own.
    """
    fell = -_change(stretch.score, turn)
    bends = stretch.score[1:-1] - (stretch.score[:-2] + stretch.score[2:]) / 2
    waver = float(np.sqrt(np.mean(bends[turn.before[0] :] ** 2) / 1.5)) if len(bends) > turn.before[0] else 0.0
    one, other = (last - first + 1 for first, last in (turn.before, turn.after))
    n = judged.run.facts.samples.get("validation", 0)
    of_epochs, of_images = waver**2 * (1 / one + 1 / other), abs(fell) / n if n else 0.0
    half = Z * sqrt(of_epochs + of_images)
    sure = fell - half > 0 and (judged.masks or fell * n >= FEWEST_CHANGED)
    return fell, fell - half, fell + half, sure


def _change(values: np.ndarray, turn: Turning) -> float:
    """From the lowest stretch of the loss to the end."""
    (one, two), (three, four) = turn.before, turn.after
    return float(values[three : four + 1].mean() - values[one : two + 1].mean())


def _stretches(judged: Judged) -> list[Stretch]:
    """The epochs by phases: where another part of the network begins to learn, a rise of the loss is none."""
    by_phase: dict[int, list[Entry]] = {}
    for entry in judged.epochs:
        if all((entry.get(part) or {}).get("loss") is not None for part in ("train", "validation")):
            by_phase.setdefault(entry.get("phase", 0), []).append(entry)
    return [_stretch(judged, phase, entries) for phase, entries in by_phase.items()]


def _stretch(judged: Judged, phase: int, entries: Sequence[Entry]) -> Stretch:
    def of(read: Any) -> np.ndarray:
        return np.array([read(entry) for entry in entries], np.float64)

    return Stretch(
        name=f"the phase {judged.phases.get(phase, phase + 1)}",
        epochs=tuple(int(entry["epoch"]) for entry in entries),
        loss=of(lambda entry: entry["validation"]["loss"]),
        learned=of(lambda entry: entry["train"]["loss"]),
        score=of(lambda entry: entry["validation"].get(judged.score, np.nan)),
        seconds=of(lambda entry: entry.get("seconds") or 0.0),
    )
