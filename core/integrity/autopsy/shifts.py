"""Answers that are some rows off: all offsets at once, by correlation, and offsets that begin at some row."""

import math
from collections.abc import Iterator

import numpy as np

from core.integrity.autopsy.agreement import Agreement
from core.integrity.autopsy.claims import Claim, pairs_at

KEPT = 12  # offsets that are weighed in full, of all
SLIPS = 8  # rows by which answers may be off from some row on
BATCHES = (4, 8, 16, 24, 32, 48, 64, 100, 128, 256, 512)  # usual sizes


def offset_scores(truth: np.ndarray, predicted: np.ndarray, model: Agreement) -> np.ndarray:
    """A quick score (D,) of every cyclic offset d at which answer i would belong to row (i + d) of the truth, in nats.

    D is the longer of the two lengths; classes count as if they were all alike. What a hit is worth depends on its
    class, so the correlations of all classes are added up with these weights, by fast Fourier transform.
    """
    size = max(len(truth), len(predicted))
    hit, miss = model.worth()
    spectra = np.zeros((len(miss), size // 2 + 1), complex)
    for label in np.unique(predicted):
        both = np.fft.rfft(truth == label, size) * np.fft.rfft(predicted == label, size).conj()
        spectra += hit[:, label, None] * both
    gains = np.fft.irfft(spectra, size)  # (G, D)
    return model.over_mu(gains.T + min(len(truth), len(predicted)) * miss)


def shift_claims(truth: np.ndarray, predicted: np.ndarray, model: Agreement) -> Iterator[Claim]:
    """The offsets that explain the answers best, each with what it is worth beforehand.

    Small offsets and batch sizes are likelier than others. Rows that stand over at one end are lost, or come back at
    the other end, as numpy.roll and an endless generator do.
    """
    size, number = max(len(truth), len(predicted)), len(predicted)
    scores = offset_scores(truth, predicted, model)
    offsets = np.arange(size)
    offsets[offsets > size // 2] -= size
    prior = _prior(offsets, size)
    total = scores + prior
    total[offsets == 0] = -np.inf
    first = np.argsort(-total, kind="stable")[:KEPT]
    for place in first[np.isfinite(total[first])]:
        offset = int(offsets[place])
        lost = pairs_at(len(truth), number, offset, cyclic=False)
        rest = math.log(0.5)
        if len(lost[0]):
            yield Claim("shifted", *lost, prior[place] + rest, {"shift": offset, "cyclic": False})
        if len(lost[0]) < number:
            around = pairs_at(len(truth), number, offset, cyclic=True)
            yield Claim("shifted", *around, prior[place] + rest, {"shift": offset, "cyclic": True})


def _prior(offsets: np.ndarray, size: int) -> np.ndarray:
    """Log probabilities of offsets: a third each for all alike, for small ones, and for batch sizes."""
    near = 1.0 / np.maximum(1, np.abs(offsets))
    near[offsets == 0] = 0
    batch = np.isin(np.abs(offsets), BATCHES).astype(float)
    parts = [np.full(size, 1 / size), near / max(near.sum(), 1e-12), batch / max(batch.sum(), 1e-12)]
    return np.log(np.mean(parts, axis=0) + 1e-300)


def slip_claims(truth: np.ndarray, predicted: np.ndarray, model: Agreement) -> Iterator[Claim]:
    """Answers that are in place up to some row and some rows off from there on, as after an image that was left out.

    Where the lengths differ by a little, the offset is that difference.
    """
    apart = len(truth) - len(predicted)
    offsets = [apart] if apart else [*range(1, SLIPS + 1), *range(-SLIPS, 0)]
    if abs(apart) > SLIPS or len(predicted) < 2 * SLIPS:
        return
    before = _gains(truth, predicted, 0, model)
    best: tuple[float, int, int] | None = None
    for offset in offsets:
        after = _gains(truth, predicted, offset, model)
        sums = np.concatenate([[0.0], before.cumsum()]) + np.concatenate([after[::-1].cumsum()[::-1], [0.0]])
        place = int(sums[1:-1].argmax()) + 1
        if best is None or sums[place] > best[0]:
            best = float(sums[place]), place, offset
    _, place, offset = best
    places = np.arange(len(predicted))
    rows = np.where(places < place, places, places + offset)
    inside = (rows >= 0) & (rows < len(truth))
    prior = -math.log(len(predicted)) - math.log(len(offsets))
    yield Claim("shifted", rows[inside], places[inside], prior, {"shift": offset, "from": place})


def _gains(truth: np.ndarray, predicted: np.ndarray, offset: int, model: Agreement, mu: float = 0.7) -> np.ndarray:
    """What each answer gains (M,) if it belongs `offset` rows further down, relative to independence."""
    rows = np.arange(len(predicted)) + offset
    inside = (rows >= 0) & (rows < len(truth))
    hit = inside & (truth[np.clip(rows, 0, len(truth) - 1)] == predicted)
    return np.where(hit, np.log1p(mu / model.shares[predicted] - mu), np.where(inside, np.log1p(-mu), 0.0))
