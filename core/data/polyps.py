"""Draw the inside of a bowel with polyps, as the camera of an endoscope sees it, and the mask that a doctor would draw.

The wall is a height field with folds and domes. The lamp sits beside the lens, so what faces the camera is bright, what
turns away is dark, the lumen swallows the light, and the wet surface throws highlights. Lengths are in half widths of
the picture (it reaches from -1 to 1). The polyps are cartoons of the two kinds that the NICE classification tells apart
(Hewett et al. 2012, https://doi.org/10.1053/j.gastro.2012.05.006): neoplastic ones are browner than the wall with a
winding tubular surface, hyperplastic ones are as pale as the wall or paler, with fine dots.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

CLASSES = ("background", "neoplastic", "non-neoplastic")
COLOURS = ((0, 0, 0), (255, 0, 0), (0, 255, 0))  # of the classes in a mask, as BKAI-IGH NeoPolyp has them

Range = tuple[float, float]


@dataclass(frozen=True)
class PolypKind:
    """What one kind of polyp looks like; each range is drawn from evenly, anew for every polyp."""

    radius: Range  # half widths of the picture
    height: Range  # of the dome, as a share of its radius
    stretch: Range  # how much longer than wide
    ragged: float  # unevenness of the outline, as a share of the radius
    red: Range  # its colour as a multiple of the wall's
    green: Range
    blue: Range
    tubes: Range  # depth of the winding pattern
    dots: Range  # strength of the pale dots


NEOPLASTIC = PolypKind(
    radius=(0.20, 0.44), height=(0.40, 0.80), stretch=(1.0, 1.5), ragged=0.16,
    red=(0.80, 0.96), green=(0.52, 0.70), blue=(0.55, 0.75), tubes=(0.55, 0.95), dots=(0.0, 0.1),
)  # fmt: skip
NON_NEOPLASTIC = PolypKind(
    radius=(0.15, 0.31), height=(0.25, 0.55), stretch=(1.0, 1.25), ragged=0.07,
    red=(1.00, 1.10), green=(1.12, 1.36), blue=(1.14, 1.42), tubes=(0.0, 0.1), dots=(0.55, 0.95),
)  # fmt: skip
_KINDS = {1: NEOPLASTIC, 2: NON_NEOPLASTIC}


def draw_polyps(kinds: tuple[int, ...], size: int, difficulty: float, seed: int) -> tuple[Image.Image, np.ndarray]:
    """One picture (RGB, size x size) with a polyp for each of `kinds` (1 or 2, indices of CLASSES), and its mask.

    The mask is uint8 (size, size) of class indices. `difficulty` from 0 to 1 makes the kinds more alike and flatter and
    the picture less steady. The same arguments draw the same pixels.
    """
    rng = np.random.default_rng(seed)
    scene = _Scene(size, rng)
    for kind in kinds:
        scene.grow(kind, difficulty)
    return scene.photograph(difficulty)


class _Scene:
    """The wall as height (size, size) and colour (size, size, 3), and which polyp covers what."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.rng = size, rng
        self.pixel = 2 / size
        axis = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(self.pixel) - 1
        self.x, self.y = axis[None, :], axis[:, None]
        self.lamp = rng.uniform(-0.4, 0.4, 2).astype(np.float32)  # how far it is beside the lens, right and down
        self.mask = np.zeros((size, size), np.uint8)
        self.lumen = rng.uniform(-0.55, 0.55, 2).astype(np.float32)
        squeeze = np.float32(rng.uniform(0.75, 1.35))
        away_x, away_y = self.x - self.lumen[0], (self.y - self.lumen[1]) * squeeze
        bent_x, bent_y = away_x + np.float32(0.10) * self.noise(3), away_y + np.float32(0.10) * self.noise(3)
        self.away = np.sqrt(bent_x**2 + bent_y**2) + np.float32(1e-3)
        angle = np.arctan2(bent_y, bent_x)
        self.height = np.float32(0.05) * self.noise(3) + np.float32(0.012) * self.noise(9)
        self.gloom = np.ones((size, size), np.float32)
        self._fold(angle)
        self.colour = self._mucosa()
        self.shine = np.ones((size, size), np.float32)

    def noise(self, cells: int) -> np.ndarray:
        """Smooth noise (size, size) around 0, mostly within -1..1, with about `cells` patches across the picture."""
        cells = min(cells, self.size)
        coarse = self.rng.standard_normal((cells + 1, cells + 1), np.float32) * np.float32(0.6)
        return np.asarray(Image.fromarray(coarse).resize((self.size, self.size), Image.Resampling.BICUBIC))

    def _fold(self, angle: np.ndarray) -> None:
        """Raise folds: arcs around the lumen, each with a shadow on the side of the lumen."""
        wander = np.float32(0.05) * self.noise(5)
        for ring in range(int(self.rng.integers(2, 5))):
            at = 0.34 * 1.55**ring * self.rng.uniform(0.9, 1.1)
            corners = self.rng.integers(2, 4)
            phase = self.rng.uniform(0, 2 * np.pi)
            radius = at * (1 + 0.10 * np.cos(corners * angle + phase)) + wander
            reach = np.clip(0.75 + 0.6 * np.cos(angle - self.rng.uniform(0, 2 * np.pi)), 0.05, 1)
            width = 0.055 + 0.05 * at
            off = (self.away - radius) / width
            self.height += (np.float32(0.09 + 0.06 * at) * reach * np.exp(-(off**2))).astype(np.float32)
            self.gloom *= (1 - 0.38 * reach * np.exp(-(((off + 1.9) / 1.2) ** 2))).astype(np.float32)

    def _mucosa(self) -> np.ndarray:
        """The wall's own colour: pink to orange, patchy, with vessels that branch."""
        base = np.array([0.86, 0.45, 0.36], np.float32) * np.exp(self.rng.normal(0, [0.04, 0.10, 0.12])).astype(
            np.float32
        )
        patchy = 1 + np.float32(0.07) * self.noise(4)[:, :, None] * np.array([0.4, 1, 1], np.float32)
        colour = base * patchy
        strength = self.rng.uniform(0.15, 0.5)
        for cells, thin in ((5, 0.045), (9, 0.05)):
            course = np.abs(self.noise(cells) + np.float32(0.35) * self.noise(2 * cells))
            vessels = np.exp(-((course / np.float32(thin)) ** 2)) * np.clip(0.5 + self.noise(3), 0, 1)
            colour = colour * (
                1 - np.float32(strength) * vessels[:, :, None] * np.array([0.12, 0.42, 0.38], np.float32)
            )
        return colour

    def grow(self, kind: int, difficulty: float) -> None:
        """Raise a polyp where there is room for it."""
        rng, look, other = self.rng, _KINDS[kind], _KINDS[3 - kind]
        share = difficulty * rng.uniform(0.0, 0.45)

        def draw(name: str) -> float:
            (low, high), (less, more) = getattr(look, name), getattr(other, name)
            return rng.uniform(low + (less - low) * share, high + (more - high) * share)

        radius, stretch = draw("radius"), draw("stretch")
        middle = self._room(radius)
        turn = rng.uniform(0, np.pi)
        u, v = self.x - np.float32(middle[0]), self.y - np.float32(middle[1])
        along = (u * np.cos(turn) + v * np.sin(turn)) / (radius * np.sqrt(stretch))
        across = (v * np.cos(turn) - u * np.sin(turn)) / (radius / np.sqrt(stretch))
        ragged = look.ragged * (1 + 0.5 * difficulty)
        out = np.sqrt(along**2 + across**2) * (1 + ragged * self.noise(7)) + 0.35 * ragged * self.noise(14)
        out = np.maximum(out, 0).astype(np.float32)

        fade = np.float32(self.pixel / radius)
        inside = np.clip(0.5 + (1 - out) / (2 * fade), 0, 1)[:, :, None]
        dome = 1 - np.minimum(out, 1) ** np.float32(rng.uniform(2.0, 3.2))
        tall = np.float32(draw("height") * radius * (1 - 0.35 * difficulty))
        self.height = self.height * (1 - np.float32(0.85) * inside[:, :, 0]) + tall * dome
        behind = -(u * self.lamp[0] + v * self.lamp[1]) / (np.hypot(u, v) * np.hypot(*self.lamp) + np.float32(1e-6))
        cast = np.clip(0.35 + 0.65 * behind, 0.08, 1) * np.exp(-(((out - 1) / np.float32(0.22)) ** 2)) * (out > 1)
        self.gloom *= (1 - np.float32(0.5 * (1 - 0.4 * difficulty)) * cast).astype(np.float32)
        self.gloom = np.maximum(self.gloom, np.float32(0.92) * inside[:, :, 0])

        tint = np.array([draw("red"), draw("green"), draw("blue")], np.float32)
        tint = 1 + (tint - 1) * np.float32(1 - 0.35 * difficulty)
        own = self.colour.mean((0, 1)) * tint * (1 + np.float32(0.05) * self.noise(5)[:, :, None])
        tubes, dots = draw("tubes") * (1 - 0.3 * difficulty), draw("dots") * (1 - 0.3 * difficulty)
        cells = max(8, round(2 / radius * 3.2))
        winding = self.noise(cells) + np.float32(0.4) * self.noise(2 * cells)
        ridges = np.exp(-((winding / np.float32(0.16)) ** 2))  # lines where the noise crosses 0: they wind and branch
        own = own * (1 - np.float32(tubes) * ridges[:, :, None] * np.array([0.22, 0.36, 0.34], np.float32))
        self.height += np.float32(-0.014 * tubes) * ridges * inside[:, :, 0]
        spots = np.clip(self.noise(max(12, round(2 / radius * 4.5))) * 2.2 - 0.9, 0, 1)
        own = own * (1 + np.float32(dots) * spots[:, :, None] * np.array([0.10, 0.24, 0.26], np.float32))
        self.colour = self.colour * (1 - inside) + own * inside
        self.mask[out < 1] = kind

    def _room(self, radius: float) -> np.ndarray:
        """A place off the lumen where a polyp of this radius covers little of the ones that are there."""
        best, least = np.zeros(2), np.inf
        for _ in range(12):
            place = self.rng.uniform(-0.78, 0.78, 2)
            near = np.hypot(self.x - place[0], self.y - place[1]) < 1.15 * radius
            covered = (self.mask[near] > 0).mean() if near.any() else 1.0
            cost = 3 * covered + max(0.0, 0.45 - np.hypot(*(place - self.lumen))) + max(0.0, np.hypot(*place) - 0.8)
            if cost < least:
                best, least = place, cost
        return best

    def photograph(self, difficulty: float) -> tuple[Image.Image, np.ndarray]:
        """The scene as a picture: lamp, highlights, frame, focus and noise; and its mask, nothing outside the frame."""
        rng, size = self.rng, self.size
        light = _unit(self.lamp[0] - 0.55 * self.x, self.lamp[1] - 0.55 * self.y, np.float32(1))
        normal = _unit(*(-part for part in self._slope(self.height)), np.float32(1))
        facing = np.clip(sum(n * w for n, w in zip(normal, light, strict=True)), 0, 1)
        deep = np.clip((self.away - 0.05) / 0.75, 0, 1)
        falloff = np.float32(0.10) + np.float32(0.90) * (deep * deep * (3 - 2 * deep))
        falloff = np.maximum(falloff, np.where(self.mask > 0, np.float32(0.55), 0))  # a polyp stands out of the depth
        lit = (np.float32(0.16) + np.float32(0.95) * facing**1.4) * falloff * self.gloom
        colour = self.colour * lit[:, :, None] * np.float32(rng.uniform(0.95, 1.15))

        wet = self.height + np.float32(0.012) * self.noise(16) + np.float32(0.004) * self.noise(40)
        rough = _unit(*(-part for part in self._slope(wet)), np.float32(1))
        half = _unit(light[0], light[1], light[2] + 1)
        glint = np.clip(sum(n * w for n, w in zip(rough, half, strict=True)), 0, 1) ** 110
        patches = np.clip(0.25 + self.noise(6), 0, 1)
        gloss = np.clip((glint * falloff * patches - 0.34) * 5, 0, 1)
        colour = colour + (np.float32(0.95) - colour) * gloss[:, :, None]

        warmth = np.exp(rng.normal(0, 0.035 + 0.05 * difficulty, 3)).astype(np.float32)
        frame = self._frame()
        colour = np.clip(colour * warmth, 0, 1) ** np.float32(0.86) * frame[:, :, None]
        sharp = Image.fromarray((colour * 255).astype(np.uint8))
        focus = rng.uniform(0.15, 0.5 + 0.7 * difficulty) * size / 128
        blurred = np.asarray(sharp.filter(ImageFilter.GaussianBlur(focus)), np.float32)
        grain = rng.standard_normal((size, size, 3), np.float32) * np.float32(rng.uniform(1.0, 2.5 + 4 * difficulty))
        picture = Image.fromarray(np.clip(blurred + grain * (0.3 + frame[:, :, None]) + 0.5, 0, 255).astype(np.uint8))
        return picture, np.where(frame > 0.5, self.mask, 0).astype(np.uint8)

    def _slope(self, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        down, right = np.gradient(height, np.float32(self.pixel))
        return right, down

    def _frame(self) -> np.ndarray:
        """The window of the endoscope, 1 inside and 0 in the corners that it cuts off."""
        cut = self.rng.choice([1.28, 1.36, 1.5, 2.2])
        edge = np.float32(2 * self.pixel)
        corner = np.clip((cut - (np.abs(self.x) + np.abs(self.y))) / edge, 0, 1)
        rim = np.clip((0.985 - np.maximum(np.abs(self.x), np.abs(self.y))) / edge, 0, 1)
        dim = 1 - np.float32(0.32) * np.clip(np.sqrt(self.x**2 + self.y**2) - 0.55, 0, 1) ** 1.5
        return (corner * rim * dim).astype(np.float32)


def _unit(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A field of vectors at length 1."""
    length = np.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length
