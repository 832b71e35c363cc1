"""The augmentations: transforms as rows with knobs, and policies as lists of them. Torch is imported only to build one.

Every transform keeps the size of the image. Those that move pixels are given as coordinate maps and done together in
one resampling (see `core.augment.warp`); places that fall outside the image show its mirror image, never black corners.
A mask goes wherever the pixels of its image go. What changes only how they look leaves it alone: also erasing, since
what lies under the grey rectangle is still there to be told from what is around it. The automatic policies are
torchvision's own: they show grey outside the image, move no mask, and are refused where there are any.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import RecipeError
from core.knobs import FloatKnob, IntKnob, Knob, check_values, find
from core.recipe import AugmentChoice, TransformChoice

if TYPE_CHECKING:
    from torchvision.transforms import v2

Values = dict[str, Any]

FAMILIES = ("Place and size", "Light", "Colour", "Sharpness", "Parts hidden", "Automatic")  # in the order of a page

GREY = 127  # of 255, what covers an image where nothing of it is shown
BEST_JPEG = 95  # quality; above it files grow and pictures hardly change

_COLOUR_MATTERS = "Not where colour tells the classes apart: ripeness, stains."
_GRAIN_MATTERS = "Not where fine grain tells the classes apart."
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


def _affine(values: Values) -> "v2.Transform":
    from core.augment.warp import Affine

    return Affine(values["degrees"], values["zoom"], values["share"], values["shear"])


def _cut(values: Values) -> "v2.Transform":
    from core.augment.warp import Cut

    return Cut(values["side"])


def _crop(values: Values) -> "v2.Transform":
    from core.augment.warp import Crop

    return Crop(values["area"], values["stretch"])


def _perspective(values: Values) -> "v2.Transform":
    from core.augment.warp import Perspective

    return Perspective(values["share"])


def _elastic(values: Values) -> "v2.Transform":
    from core.augment.warp import Elastic

    return Elastic(values["strength"], values["bumps"])


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


def _equalise(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.RandomEqualize(p=1.0)


def _autocontrast(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.RandomAutocontrast(p=1.0)


def _blur(values: Values) -> "v2.Transform":
    from core.augment.tone import Blur

    return Blur(values["largest"])


def _noise(values: Values) -> "v2.Transform":
    from core.augment.tone import Noise

    return Noise(values["strength"])


def _sharpness(values: Values) -> "v2.Transform":
    from core.augment.tone import Sharpness

    return Sharpness(values["strength"])


def _jpeg(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.JPEG((values["lowest"], BEST_JPEG))


def _erasing(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.RandomErasing(p=1.0, scale=(0.02, values["area"]), ratio=(0.4, 2.5), value=GREY)


def _rand_augment(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.RandAugment(values["changes"], values["magnitude"], **_filled())


def _trivial_augment(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.TrivialAugmentWide(**_filled())


def _aug_mix(values: Values) -> "v2.Transform":
    from torchvision.transforms import v2

    return v2.AugMix(values["severity"], values["chains"], **_filled())


def _filled() -> Values:
    """How an automatic policy moves pixels: each mixed of its neighbours, and grey where there is no image."""
    from torchvision.transforms import InterpolationMode

    return {"interpolation": InterpolationMode.BILINEAR, "fill": GREY}


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
        "affine",
        "Affine",
        "Turns, enlarges, shifts and slants at once, each by a random amount.",
        (
            FloatKnob("degrees", "largest angle", 10.0, 0.0, 180.0, 1.0, "degrees"),
            FloatKnob("zoom", "largest zoom", 1.1, 1.0, 3.0, 0.05, "times", "as likely larger as smaller"),
            FloatKnob("share", "largest shift", 0.05, 0.0, 0.5, 0.01, "of the side"),
            FloatKnob("shear", "largest slant", 5.0, 0.0, 45.0, 1.0, "degrees"),
        ),
        _affine,
        family="Place and size",
        caution="Large angles turn a 6 into a 9; not where size tells the classes apart.",
        moves=True,
    ),
    TransformRow(
        "crop",
        "Crop",
        "Cuts a square out of a random place and enlarges it to the whole image.",
        (FloatKnob("side", "side kept", 0.875, 0.3, 1.0, 0.025, "of the side", "0.875 is 224 pixels of 256"),),
        _cut,
        family="Place and size",
        caution="Small squares can cut away the very thing to be seen.",
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
        "perspective",
        "Perspective",
        "Shows the image as if it was seen at an angle: what is near looks larger.",
        (FloatKnob("share", "largest shift of a corner", 0.08, 0.0, 0.2, 0.01, "of the side"),),
        _perspective,
        family="Place and size",
        caution="Not where exact proportions tell the classes apart.",
        moves=True,
    ),
    TransformRow(
        "elastic",
        "Elastic",
        "Bends the image smoothly, as soft tissue, cloth and handwriting do.",
        (
            FloatKnob("strength", "strength", 0.5, 0.0, 1.0, 0.05, "of the most", "at 1 it nearly folds over itself"),
            IntKnob("bumps", "bumps", 5, 2, 12, 1, "across the image", "few: the whole bends; many: it ripples"),
        ),
        _elastic,
        family="Place and size",
        source="Simard et al. 2003, https://doi.org/10.1109/ICDAR.2003.1227801",
        caution="Not where shape tells the classes apart, such as straight from bent.",
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
        "autocontrast",
        "Autocontrast",
        "Stretches each colour from the darkest to the lightest there is, as many cameras do.",
        (),
        _autocontrast,
        family="Light",
        caution="Not where light or colour tells the classes apart, such as faint from strong stains.",
    ),
    TransformRow(
        "equalise",
        "Equalise",
        "Spreads light evenly from black to white within each colour, so that faint detail stands out.",
        (),
        _equalise,
        family="Light",
        caution="Not where light or colour tells the classes apart, such as faint from strong stains.",
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
        caution=_COLOUR_MATTERS,
    ),
    TransformRow(
        "channel-shift",
        "Colour cast (RGB shift)",
        "Adds a little to, or takes it from, red, green and blue on their own, as another lamp would.",
        (IntKnob("steps", "largest shift", 10, 0, 100, 1, "of 255"),),
        _channel_shift,
        family="Colour",
        caution=_COLOUR_MATTERS,
    ),
    TransformRow(
        "grayscale",
        "Grayscale",
        "Takes the colours away, so that shape has to be used.",
        (),
        _grayscale,
        family="Colour",
        caution=_COLOUR_MATTERS,
    ),
    TransformRow(
        "blur",
        "Blur",
        "Puts the image out of focus.",
        (FloatKnob("largest", "largest blur", 0.01, 0.0, 0.05, 0.005, "of the side", "standard deviation"),),
        _blur,
        family="Sharpness",
        caution=_GRAIN_MATTERS,
    ),
    TransformRow(
        "noise",
        "Noise",
        "Adds grain, as a camera does in little light.",
        _strength(0.05, 0.3, "standard deviation, as a share of white"),
        _noise,
        family="Sharpness",
        caution=_GRAIN_MATTERS,
    ),
    TransformRow(
        "sharpness",
        "Sharpness",
        "Softens edges or makes them stand out, as lenses and cameras do.",
        _strength(0.5, 3.0, "0.5: from half as sharp to half as sharp again; from 1 on also blurred"),
        _sharpness,
        family="Sharpness",
        caution=_GRAIN_MATTERS,
    ),
    TransformRow(
        "jpeg",
        "JPEG",
        "Saves the image as a JPEG of low quality and reads it again: blocks and smeared colours.",
        (IntKnob("lowest", "lowest quality", 40, 5, BEST_JPEG, 5, "of 100", f"the best that is drawn is {BEST_JPEG}"),),
        _jpeg,
        family="Sharpness",
        caution=_GRAIN_MATTERS,
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
    TransformRow(
        "rand-augment",
        "RandAugment",
        "Draws a few of fourteen changes of place, light and colour for each image, all of one strength.",
        (
            IntKnob("changes", "changes", 2, 1, 5, 1, "for each image"),
            IntKnob("magnitude", "strength", 9, 0, 30, 1, "of 30"),
        ),
        _rand_augment,
        family="Automatic",
        source="Cubuk et al. 2019, https://arxiv.org/abs/1909.13719",
        caution="It turns, slants and changes colours: not where any of these tells the classes apart.",
        moves=True,
        mask_safe=False,
    ),
    TransformRow(
        "trivial-augment",
        "TrivialAugment",
        "Draws one change of place, light or colour for each image, of any strength: nothing to tune.",
        (),
        _trivial_augment,
        family="Automatic",
        source="Müller and Hutter 2021, https://arxiv.org/abs/2103.10158",
        caution="Its strongest changes are very strong, and any of light, colour, angle and place can be drawn.",
        moves=True,
        mask_safe=False,
    ),
    TransformRow(
        "aug-mix",
        "AugMix",
        "Varies the image along a few random chains of changes and blends the results with the image itself. Slow.",
        (
            IntKnob("severity", "strength", 3, 1, 10, 1, "of 10"),
            IntKnob("chains", "chains", 3, 1, 5, 1, "blended", "each is one to three changes; more take longer"),
        ),
        _aug_mix,
        family="Automatic",
        source="Hendrycks et al. 2019, https://arxiv.org/abs/1912.02781",
        caution="It turns, slants and changes colours: not where any of these tells the classes apart.",
        moves=True,
        mask_safe=False,
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


def insist_on_masks(rows: Iterable[TransformChoice], field: str = "augment.rows") -> None:
    """Raise RecipeError when a row that can be drawn would leave the mask of its image behind."""
    for number, choice in enumerate(rows):
        row = transform(choice.name, f"{field}.{number}.name")
        if not row.mask_safe and choice.probability > 0:
            raise RecipeError(
                f"{field}.{number}.name",
                found=f"{row.name!r}, which moves the pixels of an image and not its mask",
                expected="only transforms that move both",
                do="Take this transform out of the policy",
            )


def views(choice: AugmentChoice) -> int:
    """How many variants of a training image a frozen backbone looks at: one where the policy can change nothing."""
    return choice.views if any(row.probability > 0 for row in resolve(choice)) else 1


def _checked(row: TransformChoice, field: str) -> TransformChoice:
    knobs = transform(row.name, f"{field}.name").knobs
    return row.model_copy(update={"values": check_values(knobs, row.values, f"{field}.values")})
