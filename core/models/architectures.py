"""The segmentation networks a page offers: decoders (architectures) and the encoders they stand on.

Names are those of segmentation_models_pytorch (SMP). Any other encoder of SMP, and "tu-" with any timm name, trains
too. Importing this file imports neither torch nor SMP; tests read the figures from the libraries again.
"""

from dataclasses import dataclass
from typing import Literal

from core.knobs import find
from core.recipe import SegmenterChoice

TIMM_PREFIX = "tu-"  # how SMP marks an encoder that is a timm model

# What an encoder makes of an image: maps of a half down to a 32nd of its side; the same without the first, in SMP's own
# way; or one grid of patches.
Kind = Literal["stages", "mix transformer", "patches"]


@dataclass(frozen=True)
class ArchitectureRow:
    """One way of turning an encoder's maps into a class for every pixel."""

    name: str  # as SMP's `create_model` takes it
    label: str
    sentence: str
    source: str  # the paper
    decoder_gmacs: float  # billions of multiply-adds of the decoder on the first encoder below, at 224 pixels
    encoder_factor: float = 1.0  # what that encoder costs in it, in passes: dilated maps cost more, unread ones nothing
    kinds: tuple[Kind, ...] = ("stages", "mix transformer")  # of encoders of this list it can stand on
    smallest: int = 32  # pixels, the side below which it cannot work; smaller images are padded

    def takes(self, encoder: "EncoderRow") -> bool:
        """Whether it can stand on this encoder."""
        return encoder.kind in self.kinds and (self.name != "dpt" or encoder.name.startswith(TIMM_PREFIX))


ARCHITECTURES: tuple[ArchitectureRow, ...] = (
    ArchitectureRow(
        "unet",
        "U-Net",
        "Climbs back to full size step by step, looking at the encoder's map of each size: the one to start with.",
        "https://arxiv.org/abs/1505.04597",
        decoder_gmacs=1.857,
    ),
    ArchitectureRow(
        "unetplusplus",
        "U-Net++",
        "A U-Net whose steps are joined by more, nested steps: finer, and slower.",
        "https://arxiv.org/abs/1807.10165",
        decoder_gmacs=2.733,
        kinds=("stages",),
    ),
    ArchitectureRow(
        "manet",
        "MA-Net",
        "A U-Net that weighs places and channels against each other (attention): many weights with wide encoders.",
        "https://ieeexplore.ieee.org/document/9201310",
        decoder_gmacs=1.701,
    ),
    ArchitectureRow(
        "linknet",
        "LinkNet",
        "A U-Net that adds maps instead of laying them side by side: light and quick.",
        "https://arxiv.org/abs/1707.03718",
        decoder_gmacs=0.033,
        kinds=("stages",),
    ),
    ArchitectureRow(
        "fpn",
        "FPN",
        "A feature pyramid: maps of all sizes are brought to a quarter of the image and summed, then enlarged.",
        "https://arxiv.org/abs/1612.03144",
        decoder_gmacs=1.527,
    ),
    ArchitectureRow(
        "pspnet",
        "PSPNet",
        "Summarises an eighth-size map over coarse grids: quick, for large things, poor at fine outlines.",
        "https://arxiv.org/abs/1612.01105",
        decoder_gmacs=0.043,
        encoder_factor=0.31,
    ),
    ArchitectureRow(
        "pan",
        "PAN",
        "A pyramid with attention on the coarsest map; needs images of 128 pixels or more.",
        "https://arxiv.org/abs/1805.10180",
        decoder_gmacs=0.043,
        encoder_factor=1.87,
        smallest=128,
    ),
    ArchitectureRow(
        "deeplabv3",
        "DeepLabV3",
        "Keeps the map at an eighth of the image and looks around with widely spaced (dilated) filters: costly.",
        "https://arxiv.org/abs/1706.05587",
        decoder_gmacs=2.518,
        encoder_factor=6.49,
    ),
    ArchitectureRow(
        "deeplabv3plus",
        "DeepLabV3+",
        "DeepLabV3 at a sixteenth, with a finer map joined in for the outlines.",
        "https://arxiv.org/abs/1802.02611",
        decoder_gmacs=0.402,
        encoder_factor=1.87,
    ),
    ArchitectureRow(
        "upernet",
        "UPerNet",
        "A feature pyramid over a pooled summary of the whole picture; the usual partner of transformers.",
        "https://arxiv.org/abs/1807.10221",
        decoder_gmacs=10.018,
    ),
    ArchitectureRow(
        "segformer",
        "SegFormer",
        "The lightest decoder: maps of all sizes are enlarged, laid side by side and mixed pixel by pixel.",
        "https://arxiv.org/abs/2105.15203",
        decoder_gmacs=1.118,
    ),
    ArchitectureRow(
        "dpt",
        "DPT",
        "Makes maps of several sizes out of a vision transformer's patches; many weights.",
        "https://arxiv.org/abs/2103.13413",
        decoder_gmacs=27.378,
        kinds=("patches", "stages"),
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
    parameters: int  # weights of the encoder as the first architecture that takes it uses them
    gmacs: float  # billions of multiply-adds in convolutions and matrix products, for one image of 224 pixels
    source: str  # where its pretrained weights are published, on the Hugging Face hub
    licence: str  # of the weights
    kind: Kind = "stages"

    @property
    def megabytes(self) -> float:
        """Size of the encoder's weights as 32-bit numbers, in millions of bytes."""
        return round(self.parameters * 4 / 1e6, 1)


_TORCHVISION, _NVIDIA = "bsd-3-clause", "NVIDIA source code licence: no commercial use"

ENCODERS: tuple[EncoderRow, ...] = (
    EncoderRow(
        name="tu-tf_efficientnet_lite0",
        label="EfficientNet-Lite0",
        sentence="Small, quick on a CPU, and its ImageNet weights come with Fovea: the one to start with.",
        parameters=2_958_848,
        gmacs=0.364,
        source="timm/tf_efficientnet_lite0.in1k",
        licence="apache-2.0",
    ),
    EncoderRow(
        name="resnet34",
        label="ResNet-34",
        sentence="The encoder most course reports use: plain, steady, about twice the time of Lite0.",
        parameters=21_284_672,
        gmacs=3.663,
        source="smp-hub/resnet34.imagenet",
        licence=_TORCHVISION,
    ),
    EncoderRow(
        name="resnet18",
        label="ResNet-18",
        sentence="ResNet-34 with half the depth.",
        parameters=11_176_512,
        gmacs=1.814,
        source="smp-hub/resnet18.imagenet",
        licence=_TORCHVISION,
    ),
    EncoderRow(
        name="resnet50",
        label="ResNet-50",
        sentence="The reference most papers compare with; its wide maps make decoders costly.",
        parameters=23_508_032,
        gmacs=4.087,
        source="smp-hub/resnet50.imagenet",
        licence=_TORCHVISION,
    ),
    EncoderRow(
        name="efficientnet-b0",
        label="EfficientNet-B0",
        sentence="The smallest EfficientNet: Lite0 with attention to channels.",
        parameters=3_595_388,
        gmacs=0.364,
        source="smp-hub/efficientnet-b0.imagenet",
        licence="apache-2.0",
    ),
    EncoderRow(
        name="efficientnet-b1",
        label="EfficientNet-B1",
        sentence="A little deeper than B0.",
        parameters=6_101_024,
        gmacs=0.548,
        source="smp-hub/efficientnet-b1.imagenet",
        licence="apache-2.0",
    ),
    EncoderRow(
        name="efficientnet-b2",
        label="EfficientNet-B2",
        sentence="A little wider than B1.",
        parameters=7_202_562,
        gmacs=0.633,
        source="smp-hub/efficientnet-b2.imagenet",
        licence="apache-2.0",
    ),
    EncoderRow(
        name="efficientnet-b3",
        label="EfficientNet-B3",
        sentence="Accurate for its size; slow to train without a GPU.",
        parameters=10_103_336,
        gmacs=0.932,
        source="smp-hub/efficientnet-b3.imagenet",
        licence="apache-2.0",
    ),
    EncoderRow(
        name="mobilenet_v2",
        label="MobileNetV2",
        sentence="A small network of 2018, made for phones.",
        parameters=2_223_872,
        gmacs=0.299,
        source="smp-hub/mobilenet_v2.imagenet",
        licence=_TORCHVISION,
    ),
    EncoderRow(
        name="tu-convnext_tiny",
        label="ConvNeXt-Tiny",
        sentence="A convolutional network with the lessons of transformers; strong features, wants a GPU.",
        parameters=27_818_592,
        gmacs=4.455,
        source="timm/convnext_tiny.in12k_ft_in1k",
        licence="apache-2.0",
    ),
    EncoderRow(
        name="mit_b0",
        label="Mix transformer B0",
        sentence="The small transformer that SegFormer was made with.",
        parameters=3_319_392,
        gmacs=0.452,
        source="smp-hub/mit_b0.imagenet",
        licence=_NVIDIA,
        kind="mix transformer",
    ),
    EncoderRow(
        name="mit_b2",
        label="Mix transformer B2",
        sentence="A middle-sized one of the same kind; wants a GPU.",
        parameters=24_196_288,
        gmacs=3.271,
        source="smp-hub/mit_b2.imagenet",
        licence=_NVIDIA,
        kind="mix transformer",
    ),
    EncoderRow(
        name="tu-vit_small_patch16_224",
        label="Vision transformer, small",
        sentence="Reads an image as 16-pixel patches, for DPT alone; without pretrained weights it learns little.",
        parameters=21_664_896,
        gmacs=4.598,
        source="timm/vit_small_patch16_224.augreg_in21k_ft_in1k",
        licence="apache-2.0",
        kind="patches",
    ),
)


def find_encoder(name: str) -> EncoderRow | None:
    """The row of an encoder, or None for one that stands in no row (it can be trained all the same)."""
    return next((row for row in ENCODERS if row.name == name), None)


def encoders_for(name: str) -> tuple[EncoderRow, ...]:
    """The encoders of the list that an architecture can stand on. Raises RecipeError when there is no such one."""
    return tuple(row for row in ENCODERS if architecture(name).takes(row))


def network_label(choice: SegmenterChoice) -> str:
    """What people call a network, as in "U-Net on EfficientNet-Lite0"; by their names what stands in no row."""
    labels = {row.name: row.label for row in (*ARCHITECTURES, *ENCODERS)}
    return " on ".join(labels.get(name, name) for name in (choice.architecture, choice.encoder))
