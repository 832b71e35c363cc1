import itertools
import tomllib
from pathlib import Path

import numpy as np
import pytest

from core.figures.colours import CLASS_COLOURS, class_colour, faded
from core.figures.overlay import ERROR_LEGEND

ROOT = Path(__file__).parents[3]

# Linear RGB of full dichromats, after Machado, Oliveira and Fernandes (2009), severity 1.0.
VISIONS = {
    "full": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponents = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return opponents @ np.cbrt(cones @ rgb)


def luminance(colour: str) -> float:
    return float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("vision", VISIONS)
def test_classes_can_be_told_apart_with_every_kind_of_colour_vision(vision):
    seen = [oklab(np.clip(np.array(VISIONS[vision]) @ linear(colour), 0, 1)) for colour in CLASS_COLOURS]

    def nearest(count: int) -> float:
        return min(float(np.linalg.norm(one - two)) for one, two in itertools.combinations(seen[:count], 2))

    assert nearest(8) > 0.05  # 0.02 is about the smallest difference people notice side by side
    assert nearest(len(CLASS_COLOURS)) > 0.04


@pytest.mark.parametrize("vision", VISIONS)
def test_hits_and_the_kinds_of_mistakes_can_be_told_apart_with_every_kind_of_colour_vision(vision):
    seen = [oklab(np.clip(np.array(VISIONS[vision]) @ linear(colour), 0, 1)) for _, colour, _ in ERROR_LEGEND]

    assert min(float(np.linalg.norm(one - two)) for one, two in itertools.combinations(seen, 2)) > 0.1


@pytest.mark.parametrize("colour", CLASS_COLOURS)
def test_a_class_colour_stands_out_from_both_pages(colour):
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    light, dark = (luminance(theme[mode]["backgroundColor"]) for mode in ("light", "dark"))

    assert (light + 0.05) / (luminance(colour) + 0.05) > 1.8
    assert (luminance(colour) + 0.05) / (dark + 0.05) > 1.9


def test_the_theme_uses_the_same_class_colours():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]

    assert tuple(theme["chartCategoricalColors"]) == CLASS_COLOURS


def test_there_are_colours_for_more_than_twenty_classes_and_then_they_start_again():
    assert len(set(CLASS_COLOURS)) >= 20
    assert class_colour(len(CLASS_COLOURS)) == class_colour(0)


def test_a_faded_colour_keeps_its_channels():
    assert faded("#102030", 0.5) == "rgba(16,32,48,0.5)"
