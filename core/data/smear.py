"""Draw one blood cell among red cells, as a camera on a microscope sees it in a stained smear.

Stains absorb light, so they are added up as optical densities and turned into colour once, at the end (Beer-Lambert:
colour = background * exp(-density)); overlapping red cells darken each other, as they do on glass. Lengths are in
micrometres: the field is always as wide, and more pixels only show it sharper. The cells are cartoons with the features
that a student is taught to look for: size, shape of the nucleus, its share of the cell, cytoplasm, granules.
"""

from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
from PIL import Image, ImageFilter

FIELD = 22.0  # micrometres, the width of the image
MASK_CLASSES = ("background", "cytoplasm", "nucleus")

Range = tuple[float, float]


def _density(red: int, green: int, blue: int) -> np.ndarray:
    """The optical density (3,) of a stain that turns white into this colour."""
    return -np.log(np.array([red, green, blue], np.float32) / 255)


HAEMOGLOBIN = _density(226, 158, 150)
EOSIN = _density(238, 178, 190)  # pink, stains cytoplasm
AZURE = _density(152, 172, 222)  # blue, stains young cytoplasm
CHROMATIN = _density(104, 56, 146)  # purple, stains nuclei
ORANGE = _density(232, 140, 104)  # the granules of eosinophils
VIOLET = _density(84, 44, 130)  # the granules of basophils


@dataclass(frozen=True)
class CellType:
    """What one kind of cell looks like; each range is drawn from evenly, anew for every cell."""

    name: str
    alike: str  # the kind it is mistaken for; a hard set mixes the two
    diameter: Range  # micrometres
    outline: float  # unevenness of the outline, micrometres
    lobes: Range  # how many lobes make the nucleus
    lobe: Range  # radius of a lobe, as a share of the cell's
    arc: Range  # degrees from the first lobe to the last, seen from the middle of the cell
    reach: Range  # distance of the lobes from the middle, as a share of the cell's radius
    nucleus: Range  # density of the chromatin
    clumps: float  # how uneven the chromatin is
    pink: Range  # density of the cytoplasm's eosin
    blue: Range  # density of the cytoplasm's azure
    dust: float = 0.0  # fine purple granules
    orange: float = 0.0  # coarse orange granules
    violet: float = 0.0  # coarse dark granules, also over the nucleus
    vacuoles: float = 0.0  # how much of the cytoplasm is bubbles


CELLS = (
    CellType(
        name="neutrophil", alike="eosinophil", diameter=(11.5, 13.5), outline=0.35,
        lobes=(3, 5), lobe=(0.23, 0.29), arc=(210, 290), reach=(0.46, 0.56), nucleus=(0.95, 1.25), clumps=0.30,
        pink=(0.45, 0.80), blue=(0.05, 0.25), dust=0.45,
    ),
    CellType(
        name="lymphocyte", alike="monocyte", diameter=(8.5, 11.0), outline=0.22,
        lobes=(1, 1), lobe=(0.76, 0.86), arc=(0, 20), reach=(0.02, 0.12), nucleus=(1.05, 1.35), clumps=0.38,
        pink=(0.00, 0.15), blue=(0.70, 1.10), dust=0.03,
    ),
    CellType(
        name="monocyte", alike="immature granulocyte", diameter=(13.5, 16.5), outline=0.55,
        lobes=(5, 6), lobe=(0.31, 0.40), arc=(120, 225), reach=(0.38, 0.48), nucleus=(0.72, 0.98), clumps=0.22,
        pink=(0.20, 0.40), blue=(0.50, 0.80), dust=0.14, vacuoles=0.5,
    ),
    CellType(
        name="eosinophil", alike="neutrophil", diameter=(12.0, 14.0), outline=0.35,
        lobes=(2, 2), lobe=(0.36, 0.42), arc=(100, 150), reach=(0.44, 0.52), nucleus=(0.90, 1.15), clumps=0.26,
        pink=(0.40, 0.70), blue=(0.00, 0.15), orange=0.95,
    ),
    CellType(
        name="basophil", alike="lymphocyte", diameter=(10.5, 12.5), outline=0.35,
        lobes=(2, 3), lobe=(0.40, 0.50), arc=(90, 180), reach=(0.26, 0.36), nucleus=(0.75, 1.00), clumps=0.15,
        pink=(0.35, 0.60), blue=(0.20, 0.45), violet=0.8,
    ),
    CellType(
        name="platelet", alike="platelet", diameter=(2.6, 4.2), outline=0.40,
        lobes=(1, 2), lobe=(0.40, 0.55), arc=(20, 90), reach=(0.05, 0.25), nucleus=(0.40, 0.65), clumps=0.50,
        pink=(0.35, 0.60), blue=(0.40, 0.70), dust=0.60,
    ),
    CellType(
        name="erythroblast", alike="lymphocyte", diameter=(8.5, 10.5), outline=0.22,
        lobes=(1, 1), lobe=(0.50, 0.60), arc=(0, 20), reach=(0.05, 0.20), nucleus=(1.35, 1.65), clumps=0.22,
        pink=(0.75, 1.15), blue=(0.35, 0.70),
    ),
    CellType(
        name="immature granulocyte", alike="monocyte", diameter=(13.5, 16.0), outline=0.35,
        lobes=(2, 3), lobe=(0.50, 0.58), arc=(30, 80), reach=(0.24, 0.34), nucleus=(0.75, 1.00), clumps=0.18,
        pink=(0.35, 0.60), blue=(0.30, 0.55), dust=0.80,
    ),
)  # fmt: skip


def cell_type(name: str) -> CellType:
    """The row of this name."""
    return next(row for row in CELLS if row.name == name)


def draw_cell(kind: CellType, size: int, difficulty: float, seed: int) -> Image.Image:
    """One field of a smear with a cell of this kind near its middle, RGB, `size` x `size` pixels.

    `difficulty` from 0 to 1 mixes the cell's features with those of the kind it is mistaken for (at 1 by up to a half),
    and makes stain, focus and noise less steady. The same arguments draw the same pixels.
    """
    return draw_masked_cell(kind, size, difficulty, seed)[0]


def draw_masked_cell(kind: CellType, size: int, difficulty: float, seed: int) -> tuple[Image.Image, np.ndarray]:
    """What `draw_cell` draws, and where the cell is: uint8 (size, size) of indices of MASK_CLASSES.

    Red cells and platelets that lie about belong to the background.
    """
    rng = np.random.default_rng(seed)
    look = _mixed(kind, cell_type(kind.alike), difficulty * rng.uniform(0, 0.55))
    field = _Field(size, rng)
    radius = rng.uniform(*look.diameter) / 2
    middle = rng.uniform(-1.4, 1.4, 2)
    density = _red_cells(field, rng, middle, radius)
    for _ in range(rng.poisson(0.7)):  # platelets lie about in every smear
        spot = rng.uniform(-FIELD / 2, FIELD / 2, 2)
        if np.hypot(*(spot - middle)) > radius + 2:
            density, _ = _cell(field, rng, density, cell_type("platelet"), spot, rng.uniform(1.1, 1.6))
    density, mask = _cell(field, rng, density, look, middle, radius)
    return _photograph(density, rng, difficulty), mask


def redraw_outlines(mask: np.ndarray, amount: float, seed: int) -> np.ndarray:
    """The mask as a hasty person would draw it: shifted, with ragged outlines; by up to `amount` of 1.5 micrometres."""
    if not amount:
        return mask
    field = _Field(len(mask), np.random.default_rng(seed))
    reach = 1.5 * amount / field.pixel
    rows, columns = (
        np.arange(field.size).reshape(shape)
        + reach * (0.5 * np.random.default_rng(seed + 1 + place).normal() + field.noise(2.5))
        for place, shape in enumerate([(-1, 1), (1, -1)])
    )
    return mask[tuple(np.clip(np.rint(part), 0, field.size - 1).astype(int) for part in (rows, columns))]


def _mixed(one: CellType, other: CellType, share: float) -> CellType:
    """The look of `one` with a share of `other` in every number."""

    def mix(a: float | Range, b: float | Range) -> float | Range:
        if isinstance(a, tuple):
            return tuple(low + (high - low) * share for low, high in zip(a, b, strict=True))
        return a + (b - a) * share

    numbers = [field.name for field in fields(CellType) if field.name not in ("name", "alike")]
    return replace(one, **{name: mix(getattr(one, name), getattr(other, name)) for name in numbers})


class _Field:
    """The pixel grid in micrometres, and smooth noise on it."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.pixel = FIELD / size
        self.edge = max(0.35, self.pixel)  # the width over which a border fades
        axis = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5) * np.float32(FIELD)
        self.x, self.y = axis[None, :], axis[:, None]
        self._rng = rng

    def noise(self, grain: float) -> np.ndarray:
        """Smooth noise (size, size) around 0, mostly within -1..1, with patches about `grain` micrometres wide."""
        cells = max(2, min(self.size, round(FIELD / grain)))
        coarse = self._rng.standard_normal((cells, cells), np.float32) * np.float32(0.6)
        return np.asarray(Image.fromarray(coarse).resize((self.size, self.size), Image.Resampling.BICUBIC))

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """1 where a signed distance (micrometres, negative inside) is inside, fading to 0 over the width of an edge."""
        return np.clip(0.5 - distance / self.edge, 0, 1)

    def grains(self, spacing: float, radius: float) -> np.ndarray:
        """Round grains (size, size) in 0..1, about `spacing` micrometres apart."""
        chance = min(1.0, (self.pixel / spacing) ** 2)
        points = (self._rng.random((self.size, self.size), np.float32) < chance) * np.uint8(255)
        spread = max(0.5, radius / self.pixel)
        soft = np.asarray(Image.fromarray(points).filter(ImageFilter.GaussianBlur(spread)), np.float32)
        return np.clip(soft * np.float32(2 * np.pi * spread**2 / 255 * 0.8), 0, 1)


def _red_cells(field: _Field, rng: np.random.Generator, middle: np.ndarray, radius: float) -> np.ndarray:
    """The density (size, size, 3) of red cells that lie around a free disc."""
    thickness = np.zeros((field.size, field.size), np.float32)
    placed: list[tuple[float, float, float]] = []
    crowd = rng.integers(5, 17)
    for x, y, r in rng.uniform((-14, -14, 3.3), (14, 14, 3.95), (60, 3)):
        apart = all((x - u) ** 2 + (y - v) ** 2 > (0.88 * (r + s)) ** 2 for u, v, s in placed)
        if apart and np.hypot(x - middle[0], y - middle[1]) > radius + 0.85 * r and len(placed) < crowd:
            placed.append((x, y, r))
    for x, y, r in placed:
        reach = 1.25 * r  # only the pixels that the disc can touch
        left, right, top, bottom = (
            int(np.clip((at + FIELD / 2) / field.pixel, 0, field.size))
            for at in (x - reach, x + reach, y - reach, y + reach)
        )
        if left >= right or top >= bottom:
            continue
        turn, squeeze, pallor = rng.uniform(0, np.pi), rng.uniform(0, 0.12), rng.uniform(0.35, 0.75)
        u, v = field.x[:, left:right] - np.float32(x), field.y[top:bottom] - np.float32(y)
        along = (u * np.float32(np.cos(turn)) + v * np.float32(np.sin(turn))) * np.float32(1 + squeeze)
        across = (v * np.float32(np.cos(turn)) - u * np.float32(np.sin(turn))) * np.float32(1 - squeeze)
        out = along**2 + across**2
        disc = field.inside(np.sqrt(out) - np.float32(r))
        hollow = np.float32(pallor) * np.exp(out * np.float32(-1 / (0.5 * r) ** 2))
        thickness[top:bottom, left:right] += disc * (1 - hollow) * np.float32(rng.uniform(0.85, 1.1))
    return thickness[:, :, None] * HAEMOGLOBIN


def _cell(
    field: _Field,
    rng: np.random.Generator,
    below: np.ndarray,
    look: CellType,
    middle: np.ndarray,
    radius: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The density with a cell laid into it (what was there is pushed away), and the cell as indices of MASK_CLASSES."""
    x = field.x - np.float32(middle[0]) + np.float32(look.outline) * field.noise(5.5)
    y = field.y - np.float32(middle[1]) + np.float32(look.outline) * field.noise(5.5)
    out = np.sqrt(x**2 + y**2) - np.float32(radius)
    body = field.inside(out)
    core = _nucleus(field, rng, look, x, y, radius)
    nucleus = field.inside(core)
    plasma = body * (1 - nucleus)

    thick = 1 + np.float32(0.18) * field.noise(2.0) + np.float32(0.35) * np.exp(-((out / np.float32(0.5)) ** 2))
    if look.vacuoles > 0.05:
        bubbles = np.clip(field.grains(3.0, 0.55) * 1.4, 0, 1)
        thick = thick * (1 - np.float32(0.7 * look.vacuoles) * bubbles)
    stain = np.float32(rng.uniform(*look.pink)) * EOSIN + np.float32(rng.uniform(*look.blue)) * AZURE
    density = below * (1 - body)[:, :, None] + (thick * body)[:, :, None] * stain

    clumped = 1 + np.float32(look.clumps) * (field.noise(1.3) + np.float32(0.5) * field.noise(0.7))
    chromatin = nucleus * np.clip(clumped, 0.45, 1.5) * np.float32(rng.uniform(*look.nucleus))
    density += chromatin[:, :, None] * CHROMATIN
    if look.dust > 0.01:
        density += (np.float32(0.55 * look.dust) * plasma * field.grains(0.75, 0.18))[:, :, None] * CHROMATIN
    if look.orange > 0.01:
        coarse = np.float32(look.orange) * (plasma + np.float32(0.10) * nucleus) * field.grains(0.85, 0.27)
        density += coarse[:, :, None] * ORANGE
    if look.violet > 0.01:
        uneven = np.clip(1 + field.noise(2.5), 0.3, 1.6)
        coarse = np.float32(look.violet) * body * uneven * field.grains(1.0, 0.27)
        density += coarse[:, :, None] * VIOLET
    return density, np.where(core < 0, 2, np.where(out < 0, 1, 0)).astype(np.uint8)


def _nucleus(
    field: _Field, rng: np.random.Generator, look: CellType, x: np.ndarray, y: np.ndarray, radius: float
) -> np.ndarray:
    """The signed distance (micrometres, negative inside) to a nucleus: lobes along an arc, joined by strands."""
    count = round(rng.uniform(look.lobes[0] - 0.49, look.lobes[1] + 0.49))
    arc, reach = np.radians(rng.uniform(*look.arc)), rng.uniform(*look.reach) * radius
    bends = np.linspace(-arc / 2, arc / 2, count) if count > 1 else np.zeros(1)
    if 1 < count < 5:
        bends = bends + rng.uniform(-0.14, 0.14, count)
    angles = bends + rng.uniform(0, 2 * np.pi)
    away = reach * rng.uniform(0.88, 1.12, count)
    lobes = radius * rng.uniform(*look.lobe, count) * rng.uniform(0.92, 1.08, count)
    points = np.stack([away * np.cos(angles), away * np.sin(angles)], 1).astype(np.float32)
    wobble = np.float32(0.05 * radius)
    x, y = x + wobble * field.noise(2.8), y + wobble * field.noise(2.8)
    soft = np.float32(0.055 * radius)  # how widely lobes that touch melt into each other
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    for (u, v), lobe in zip(points, lobes.astype(np.float32), strict=True):
        total += np.exp((lobe - np.sqrt((x - u) ** 2 + (y - v) ** 2)) / soft)
    strand = np.float32(0.07 * radius)
    for (u, v), (s, t) in pairwise(points):
        length = (s - u) ** 2 + (t - v) ** 2 + np.float32(1e-6)
        along = np.clip(((x - u) * (s - u) + (y - v) * (t - v)) / length, 0, 1)
        total += np.exp((strand - np.sqrt((x - u - along * (s - u)) ** 2 + (y - v - along * (t - v)) ** 2)) / soft)
    return -soft * np.log(total + np.float32(1e-30))


def _photograph(density: np.ndarray, rng: np.random.Generator, difficulty: float) -> Image.Image:
    """The field as a camera sees it: staining, light, focus and noise differ from slide to slide."""
    size = density.shape[0]
    unsteady = 0.07 + 0.09 * difficulty
    density = density * np.exp(rng.normal(0, unsteady, 3)).astype(np.float32) * np.float32(rng.uniform(0.88, 1.14))
    paper = np.array([250, 242, 236], np.float32) * np.exp(rng.normal(0, 0.16 * unsteady, 3)).astype(np.float32)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    slope = rng.normal(0, 0.025, 2).astype(np.float32)
    light = 1 + slope[0] * axis[None, :] + slope[1] * axis[:, None]
    colour = np.exp(-density) * (paper * np.float32(rng.uniform(0.93, 1.0))) * light[:, :, None]
    sharp = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))
    focus = rng.uniform(0.1, 0.3 + 0.5 * difficulty) / (FIELD / size)  # micrometres of blur, in pixels
    blurred = np.asarray(sharp.filter(ImageFilter.GaussianBlur(focus)), np.float32)
    noise = rng.standard_normal((size, size), np.float32) * np.float32(rng.uniform(1.5, 3 + 4 * difficulty))
    return Image.fromarray(np.clip(blurred + noise[:, :, None] + np.float32(0.5), 0, 255).astype(np.uint8))
