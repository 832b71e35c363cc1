"""The augmentations: transforms as rows with knobs, and policies as lists of them. Torch is imported only to build one.

Every transform keeps the size of the image. Those that move pixels are given as coordinate maps and done together in
one resampling (see `core.augment.warp`); places that fall outside the image show its mirror image, never black corners.
A mask goes wherever the pixels of its image go. What changes only how they look leaves it alone: also erasing, since
what lies under the grey rectangle is still there to be told from what is around it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.knobs import FloatKnob, IntKnob, Knob, check_values, find
from core.recipe import AugmentChoice, TransformChoice

if TYPE_CHECKING:
    from torchvision.transforms import v2

Values = dict[str, Any]

FAMILIES = ("Place and size", "Light", "Colour", "Sharpness", "Parts hidden", "Automatic")  # in the order of a page

_TORCHVISION = "https://docs.pytorch.org/vision/stable/transforms.html"


@dataclass(frozen=True)
class TransformRow:
    """One transform a policy can use."""

    name: str
    label: str
    sentence: str
    knobs: tuple[Knob, ...]
    build: Callable[[Values], "v2.Transform"]
    family: str  # one of FAMILIES
    source: str = _TORCHVISION
    caution: str = ""  # when it can change what an image is; empty where it hardly can
    moves: bool = False  # pixels change places, and the mask goes with them
    mask_safe: bool = True  # it may be used where images have masks

    @property
    def label_safe(self) -> bool:
        """Whether it hardly ever changes which class an image is of; where it may, `caution` says when."""
        return not self.caution


@dataclass(frozen=True)
class Policy:
    """A named list of transforms, done in this order."""

    name: str
    label: str
    sentence: str
    rows: tuple[TransformChoice, ...]


def _h_flip(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.RandomHorizontalFlip(p=1.0)


def _v_flip(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.RandomVerticalFlip(p=1.0)


def _quarter_turn(values: Values) -> "v2.Transform":
    from core.augment.warp import QuarterTurn

    return QuarterTurn()


def _rotation(values: Values) -> "v2.Transform":
    from core.augment.warp import Rotation

    return Rotation(values["degrees"])


def _zoom(values: Values) -> "v2.Transform":
    from core.augment.warp import Zoom

    return Zoom(values["smallest"], values["largest"])


def _shift(values: Values) -> "v2.Transform":
    from core.augment.warp import Shift

    return Shift(values["share"])


def _shear(values: Values) -> "v2.Transform":
    from core.augment.warp import Shear

    return Shear(values["degrees"])


def _crop(values: Values) -> "v2.Transform":
    from core.augment.warp import Crop

    return Crop(values["area"], values["stretch"])


def _jitter(knob: str) -> Callable[[Values], "v2.Transform"]:
    def build(values: Values) -> "v2.Transform":
        from torchvision.transforms import v2

        return v2.ColorJitter(**{knob: values["strength"]})

    return build


def _gamma(values: Values) -> "v2.Transform":
    from core.augment.tone import Gamma

    return Gamma(values["lowest"], values["highest"])


def _channel_shift(values: Values) -> "v2.Transform":
    from core.augment.tone import ChannelShift

    return ChannelShift(values["steps"])


def _grayscale(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.Grayscale(num_output_channels=3)


def _blur(values: Values) -> "v2.Transform":
    from core.augment.tone import Blur

    return Blur(values["largest"])


def _noise(values: Values) -> "v2.Transform":
    from core.augment.tone import Noise

    return Noise(values["strength"])


def _erasing(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.RandomErasing(p=1.0, scale=(0.02, values["area"]), ratio=(0.4, 2.5), value=127)


def _strength(default: float, high: float, help: str) -> tuple[Knob, ...]:
    return (FloatKnob("strength", "strength", default, 0.0, high, 0.01, help=help),)


TRANSFORMS: tuple[TransformRow, ...] = (
    TransformRow(
        "h-flip",
        "Mirror left and right",
        "Swaps left and right.",
        (),
        _h_flip,
        family="Place and size",
        caution="Not for digits, text, or sides of the body.",
        moves=True,
    ),
    TransformRow(
        "v-flip",
        "Mirror top and bottom",
        "Turns the image upside down as a mirror does; natural under a microscope or from above.",
        (),
        _v_flip,
        family="Place and size",
        caution="Not for photographs with a sky and a ground, digits, or text.",
        moves=True,
    ),
    TransformRow(
        "quarter-turn",
        "Quarter turns",
        "Turns by 90, 180 or 270 degrees without losing a pixel; natural under a microscope or from above.",
        (),
        _quarter_turn,
        family="Place and size",
        caution="Not for photographs with a sky and a ground, digits, or text.",
        moves=True,
    ),
    TransformRow(
        "rotation",
        "Rotation",
        "Turns by a random angle, to either side.",
        (FloatKnob("degrees", "largest angle", 15.0, 0.0, 180.0, 1.0, "degrees"),),
        _rotation,
        family="Place and size",
        caution="Large angles turn a 6 into a 9.",
        moves=True,
    ),
    TransformRow(
        "zoom",
        "Zoom",
        "Makes what is shown larger or smaller about the centre.",
        (
            FloatKnob("smallest", "smallest factor", 0.9, 0.3, 1.0, 0.05, help="below 1 the image shrinks"),
            FloatKnob("largest", "largest factor", 1.1, 1.0, 3.0, 0.05, help="above 1 it grows"),
        ),
        _zoom,
        family="Place and size",
        caution="Not where size tells the classes apart.",
        moves=True,
    ),
    TransformRow(
        "shift",
        "Shift",
        "Moves the image sideways and up or down.",
        (FloatKnob("share", "largest shift", 0.08, 0.0, 0.5, 0.01, "of the side"),),
        _shift,
        family="Place and size",
        caution="Large shifts can push the very thing to be seen out of the image.",
        moves=True,
    ),
    TransformRow(
        "shear",
        "Shear",
        "Slants the image, as when it is seen at an angle.",
        (FloatKnob("degrees", "largest angle", 8.0, 0.0, 45.0, 1.0, "degrees"),),
        _shear,
        family="Place and size",
        moves=True,
    ),
    TransformRow(
        "random-crop",
        "Random resized crop",
        "Cuts out a random part and enlarges it to the whole image.",
        (
            FloatKnob("area", "smallest area kept", 0.6, 0.08, 1.0, 0.02, "of the image"),
            FloatKnob("stretch", "largest stretch", 1.2, 1.0, 2.0, 0.05, help="how far the part may be from a square"),
        ),
        _crop,
        family="Place and size",
        source="Szegedy et al. 2014, https://arxiv.org/abs/1409.4842",
        caution="Small areas can cut away the very thing to be seen.",
        moves=True,
    ),
    TransformRow(
        "brightness",
        "Brightness",
        "Makes the image lighter or darker.",
        _strength(0.2, 0.9, "0.2: from 20 % darker to 20 % lighter"),
        _jitter("brightness"),
        family="Light",
    ),
    TransformRow(
        "contrast",
        "Contrast",
        "Brings light and dark closer together or further apart.",
        _strength(0.2, 0.9, "0.2: from 20 % less to 20 % more"),
        _jitter("contrast"),
        family="Light",
    ),
    TransformRow(
        "saturation",
        "Saturation",
        "Makes colours paler or stronger, as stains and cameras do.",
        _strength(0.2, 1.0, "0.2: from 20 % less to 20 % more"),
        _jitter("saturation"),
        family="Colour",
    ),
    TransformRow(
        "hue",
        "Hue",
        "Turns all colours around the colour circle.",
        _strength(0.03, 0.5, "share of the circle: 0.5 reaches the opposite colour"),
        _jitter("hue"),
        family="Colour",
        caution="Not where colour tells the classes apart: ripeness, stains.",
    ),
    TransformRow(
        "gamma",
        "Gamma",
        "Lightens or darkens the middle tones and leaves black and white as they are.",
        (
            FloatKnob("lowest", "lowest gamma", 0.7, 0.3, 1.0, 0.05, help="below 1 the image gets lighter"),
            FloatKnob("highest", "highest gamma", 1.4, 1.0, 3.0, 0.05, help="above 1 it gets darker"),
        ),
        _gamma,
        family="Light",
    ),
    TransformRow(
        "channel-shift",
        "Colour cast",
        "Adds a little to, or takes it from, red, green and blue on their own, as another lamp would.",
        (IntKnob("steps", "largest shift", 10, 0, 100, 1, "of 255"),),
        _channel_shift,
        family="Colour",
        caution="Not where colour tells the classes apart: ripeness, stains.",
    ),
    TransformRow(
        "grayscale",
        "Grayscale",
        "Takes the colours away, so that shape has to be used.",
        (),
        _grayscale,
        family="Colour",
        caution="Not where colour tells the classes apart: ripeness, stains.",
    ),
    TransformRow(
        "blur",
        "Blur",
        "Puts the image out of focus.",
        (FloatKnob("largest", "largest blur", 0.01, 0.0, 0.05, 0.005, "of the side", "standard deviation"),),
        _blur,
        family="Sharpness",
        caution="Not where fine grain tells the classes apart.",
    ),
    TransformRow(
        "noise",
        "Noise",
        "Adds grain, as a camera does in little light.",
        _strength(0.05, 0.3, "standard deviation, as a share of white"),
        _noise,
        family="Sharpness",
        caution="Not where fine grain tells the classes apart.",
    ),
    TransformRow(
        "erasing",
        "Erasing",
        "Covers a random rectangle with grey, so that no single part is relied on.",
        (FloatKnob("area", "largest area", 0.15, 0.02, 0.5, 0.01, "of the image"),),
        _erasing,
        family="Parts hidden",
        source="Zhong et al. 2017, https://arxiv.org/abs/1708.04896",
        caution="Large areas can cover the very thing to be seen.",
    ),
)


def _use(name: str, probability: float, **values: float) -> TransformChoice:
    return TransformChoice(name=name, probability=probability, values=values)


POLICIES: tuple[Policy, ...] = (
    Policy("none", "None", "Every image as it is, at every epoch.", ()),
    Policy(
        "light",
        "Light",
        "Mirroring and slight changes of place, size and light, which hardly any image minds.",
        (
            _use("h-flip", 0.5),
            _use("zoom", 1.0, smallest=0.9, largest=1.1),
            _use("shift", 1.0, share=0.05),
            _use("brightness", 0.5, strength=0.15),
        ),
    ),
    Policy(
        "any-way-up",
        "Any way up",
        "Light, and also mirrored top to bottom and by quarter turns: for pictures from a microscope, an endoscope or "
        "from above, which have no upper side.",
        (
            _use("h-flip", 0.5),
            _use("v-flip", 0.5),
            _use("quarter-turn", 0.5),
            _use("zoom", 1.0, smallest=0.9, largest=1.1),
            _use("shift", 1.0, share=0.05),
            _use("brightness", 0.5, strength=0.15),
        ),
    ),
    Policy(
        "moderate",
        "Moderate",
        "Also turns a little and varies contrast and colour: for a few hundred images a class.",
        (
            _use("h-flip", 0.5),
            _use("rotation", 0.8, degrees=15.0),
            _use("zoom", 1.0, smallest=0.85, largest=1.2),
            _use("shift", 1.0, share=0.08),
            _use("brightness", 0.7, strength=0.2),
            _use("contrast", 0.5, strength=0.2),
            _use("saturation", 0.5, strength=0.2),
        ),
    ),
    Policy(
        "heavy",
        "Heavy",
        "Strong crops, turns, slants, colour, blur and covered parts: for few images and long training.",
        (
            _use("h-flip", 0.5),
            _use("rotation", 0.8, degrees=30.0),
            _use("shear", 0.5, degrees=10.0),
            _use("random-crop", 1.0, area=0.5, stretch=1.25),
            _use("brightness", 0.8, strength=0.35),
            _use("contrast", 0.8, strength=0.35),
            _use("saturation", 0.8, strength=0.35),
            _use("hue", 0.5, strength=0.03),
            _use("blur", 0.2, largest=0.01),
            _use("erasing", 0.25, area=0.15),
        ),
    ),
)


def transform(name: str, field: str = "augment.rows") -> TransformRow:
    """The row of a transform. Raises RecipeError, about `field`, listing the names when there is none."""
    return find(TRANSFORMS, name, field)


def policy(name: str) -> Policy:
    """The policy of this name. Raises RecipeError listing the names when there is none."""
    return find(POLICIES, name, "augment.policy", also=("or rows of its own",))


def resolve(choice: AugmentChoice) -> tuple[TransformChoice, ...]:
    """The rows a choice stands for, each with a checked value for every knob, so that they say all there is to say.

    Its own rows where it has some, else those of its policy. Raises RecipeError for an unknown policy, transform or
    knob and for a value out of bounds.
    """
    rows = policy(choice.policy).rows if choice.rows is None else choice.rows
    return tuple(_checked(row, f"augment.rows.{number}") for number, row in enumerate(rows))


def views(choice: AugmentChoice) -> int:
    """How many variants of a training image a frozen backbone looks at: one where the policy can change nothing."""
    return choice.views if any(row.probability > 0 for row in resolve(choice)) else 1


def _checked(row: TransformChoice, field: str) -> TransformChoice:
    knobs = transform(row.name, f"{field}.name").knobs
    return row.model_copy(update={"values": check_values(knobs, row.values, f"{field}.values")})
