"""What a model says about one picture. Apart from the predictor, so that a page can hold it without torch."""

from dataclasses import dataclass, field

SHOWN_SIDE = 1600  # pixels; the long side of a picture that is only to be looked at is at most this


@dataclass(frozen=True)
class Answer:
    """What a classifier says about one picture, or why it says nothing."""

    name: str  # of the picture, as it was given
    label: str | None = None  # the most probable class; None when the picture could not be read
    probabilities: dict[str, float] = field(default_factory=dict)  # by class, in the model's order; they sum to 1
    thumbnail: bytes = b""  # JPEG: the square of pixels that the model was shown
    error: str | None = None  # one sentence
    milliseconds: float = 0.0  # from the file's bytes to the answer


@dataclass(frozen=True)
class MaskAnswer:
    """The mask that a segmentation network finds in one picture, or why it finds none."""

    name: str  # of the picture, as it was given
    width: int = 0  # of the picture, upright, in pixels; 0 when it could not be read
    height: int = 0
    mask: bytes = b""  # 8-bit grey PNG, width x height: the index of the most probable class at each pixel
    areas: dict[str, float] = field(default_factory=dict)  # share of the pixels by class, in the model's order; sum 1
    picture: bytes = b""  # JPEG to be looked at, long side at most SHOWN_SIDE
    # 8-bit grey PNG in the size of `picture`: the share of the views, 0 to 255 for 0 to 1, whose answer is another than
    # that of their mean; None when the picture was seen from one side only.
    uncertainty: bytes | None = None
    views: int = 1  # sides from which every tile was seen
    tiles: int = 1  # windows that the picture was seen in; 1: as a whole
    learned: tuple[int, int] = (0, 0)  # median width and height of the training pictures: how large a tile is
    error: str | None = None  # one sentence
    milliseconds: float = 0.0  # from the file's bytes to the answer


@dataclass(frozen=True)
class Explanation:
    """Where a network looked for a class (Grad-CAM), or why that cannot be said.

    Of a classifier `picture` and `heat` are the square that the network sees, and `found` says whether the class is the
    most probable one.
    """

    name: str  # of the picture, as it was given
    label: str  # the class that is explained
    picture: bytes = b""  # JPEG to be looked at, long side at most SHOWN_SIDE
    heat: bytes = b""  # 8-bit grey PNG in the size of `picture`: 0 to 255 for nothing to the most there is in it
    found: bool = True  # whether any pixel was predicted as this class; if none was, all pixels are explained
    warm: bool = True  # whether anything in the feature map speaks for the class; if not, `heat` is all zero
    stages: tuple[str, ...] = ()  # feature maps that can be asked, from fine to coarse, by their size: "8 x 8"
    stage: int = 0  # which of them was
    error: str | None = None  # one sentence
    milliseconds: float = 0.0


@dataclass(frozen=True)
class Travel:
    """What a network says about one picture after each epoch that can be gone back to, or why that cannot be said.

    Everything lies over the square that the network sees.
    """

    name: str  # of the picture, as it was given
    classes: tuple[str, ...] = ()
    label: str = ""  # the class that the heat speaks for; "" for masks
    epochs: tuple[int, ...] = ()  # 0: before the first
    best: int = 0  # the epoch whose weights are the run's best
    # For each epoch the probability of each class; of a mask the share of the pixels that each class has.
    shares: tuple[tuple[float, ...], ...] = ()
    maps: tuple[
        bytes, ...
    ] = ()  # for each epoch an 8-bit grey PNG: heat as in Explanation, of a mask its class indices
    picture: bytes = b""  # JPEG
    error: str | None = None  # one sentence
    milliseconds: float = 0.0  # from the file's bytes to the last answer

    def at(self, epoch: int) -> int:
        """The place of the last epoch that is no later than this one; the first where all are later."""
        return max((place for place, one in enumerate(self.epochs) if one <= epoch), default=0)
