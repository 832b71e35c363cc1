"""Made-up answers of two ways of training, in worlds where chance comes from elsewhere."""

import numpy as np

WORLDS = {
    "luck of seeds": {"of_seeds": 0.4, "of_images": 0.2, "of_each": 0.3},
    "luck of images": {"of_seeds": 0.05, "of_images": 0.6, "of_each": 0.3},
    "noise": {"of_seeds": 0.05, "of_images": 0.05, "of_each": 0.6},
    "all of it": {"of_seeds": 0.2, "of_images": 0.4, "of_each": 0.4},
    "nearly all right": {"easy": 4.0, "of_seeds": 0.02},
}


def answers(
    generator: np.random.Generator,
    seeds: int,
    images: int,
    *,
    gain: float = 0.0,
    of_seeds: float = 0.2,
    of_images: float = 0.3,
    of_each: float = 0.4,
    easy: float = 1.5,
) -> np.ndarray:
    """Differences (S, N) of right or wrong answers between two ways of training; `gain` makes the second one better.

    How easy an image is, which images suit a way, how lucky a seed is and what else is left are all drawn anew, normal
    with these deviations beside the 2 of how easy images are. Without a gain the two ways are equally good.
    """
    ease = generator.normal(easy, 2.0, images)

    def right(shift: float) -> np.ndarray:
        suits = generator.normal(0, of_images, images)
        luck = generator.normal(0, of_seeds, (seeds, 1))
        return ease + shift + suits + luck + generator.normal(0, of_each, (seeds, images)) > 0

    return right(gain).astype(float) - right(0.0).astype(float)
