"""The segmentation networks a page offers: decoders (architectures) and the encoders they stand on.

Names are those of segmentation_models_pytorch (SMP). Any other encoder of SMP, and "tu-" with any timm name, trains
too. Importing this file imports neither torch nor SMP; tests read the figures from the libraries again.
"""

from dataclasses import dataclass

from core.knobs import find


@dataclass(frozen=True)
class ArchitectureRow:
    """One way of turning an encoder's maps into a class for every pixel."""

    name: str  # as SMP's `create_model` takes it
    label: str
    sentence: str
    source: str  # the paper
    smallest: int = 32  # pixels, the side below which it cannot work; smaller images are padded


ARCHITECTURES: tuple[ArchitectureRow, ...] = (
    ArchitectureRow(
        "unet",
        "U-Net",
        "Climbs back to full size step by step, looking at the encoder's map of each size: the one to start with.",
        "https://arxiv.org/abs/1505.04597",
    ),
    ArchitectureRow(
        "unetplusplus",
        "U-Net++",
        "A U-Net whose steps are joined by more, nested steps: finer, and slower.",
        "https://arxiv.org/abs/1807.10165",
    ),
    ArchitectureRow(
        "manet",
        "MA-Net",
        "A U-Net that weighs places and channels against each other (attention): many weights with wide encoders.",
        "https://ieeexplore.ieee.org/document/9201310",
    ),
    ArchitectureRow(
        "linknet",
        "LinkNet",
        "A U-Net that adds maps instead of laying them side by side: light and quick.",
        "https://arxiv.org/abs/1707.03718",
    ),
    ArchitectureRow(
        "fpn",
        "FPN",
        "A feature pyramid: maps of all sizes are brought to a quarter of the image and summed, then enlarged.",
        "https://arxiv.org/abs/1612.03144",
    ),
    ArchitectureRow(
        "pspnet",
        "PSPNet",
        "Summarises an eighth-size map over coarse grids: quick, for large things, poor at fine outlines.",
        "https://arxiv.org/abs/1612.01105",
    ),
    ArchitectureRow(
        "pan",
        "PAN",
        "A pyramid with attention on the coarsest map; needs images of 128 pixels or more.",
        "https://arxiv.org/abs/1805.10180",
        smallest=128,
    ),
    ArchitectureRow(
        "deeplabv3",
        "DeepLabV3",
        "Keeps the map at an eighth of the image and looks around with widely spaced (dilated) filters: costly.",
        "https://arxiv.org/abs/1706.05587",
    ),
    ArchitectureRow(
        "deeplabv3plus",
        "DeepLabV3+",
        "DeepLabV3 at a sixteenth, with a finer map joined in for the outlines.",
        "https://arxiv.org/abs/1802.02611",
    ),
    ArchitectureRow(
        "upernet",
        "UPerNet",
        "A feature pyramid over a pooled summary of the whole picture; the usual partner of transformers.",
        "https://arxiv.org/abs/1807.10221",
    ),
    ArchitectureRow(
        "segformer",
        "SegFormer",
        "The lightest decoder: maps of all sizes are enlarged, laid side by side and mixed pixel by pixel.",
        "https://arxiv.org/abs/2105.15203",
    ),
    ArchitectureRow(
        "dpt",
        "DPT",
        "Makes maps of several sizes out of a vision transformer's patches; many weights.",
        "https://arxiv.org/abs/2103.13413",
    ),
)


def architecture(name: str) -> ArchitectureRow:
    """The row of an architecture. Raises RecipeError listing the names when there is none."""
    return find(ARCHITECTURES, name, "model.architecture")


@dataclass(frozen=True)
class EncoderRow:
    """One encoder, by SMP's name."""

    name: str
    label: str
    sentence: str
    parameters: int  # weights of the encoder as a U-Net uses it, without the classifier it was trained with
    gmacs: float  # billions of multiply-adds in convolutions and matrix products, for one image of 224 pixels
    source: str  # where its pretrained weights are published, on the Hugging Face hub
    licence: str  # of the weights

    @property
    def megabytes(self) -> float:
        """Size of the encoder's weights as 32-bit numbers, in millions of bytes."""
        return round(self.parameters * 4 / 1e6, 1)


ENCODERS: tuple[EncoderRow, ...] = ()


def find_encoder(name: str) -> EncoderRow | None:
    """The row of an encoder, or None for one that stands in no row (it can be trained all the same)."""
    return next((row for row in ENCODERS if row.name == name), None)
