"""What a model says about one picture. Apart from the predictor, so that a page can hold it without torch."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """What a model says about one picture, or why it says nothing."""

    name: str  # of the picture, as it was given
    label: str | None = None  # the most probable class; None when the picture could not be read
    probabilities: dict[str, float] = field(default_factory=dict)  # by class, in the model's order; they sum to 1
    thumbnail: bytes = b""  # JPEG: the square of pixels that the model was shown
    error: str | None = None  # one sentence
    milliseconds: float = 0.0  # from the file's bytes to the answer
