"""The backbones a page offers: what each one is, costs and knows. Any other timm name trains too.

The figures are those of timm's model without its ImageNet classifier; a test reads them from timm again. Importing this
file imports neither torch nor timm.
"""

from dataclasses import dataclass

from core.knobs import find

# What learning from an image in every layer costs, in passes of that image through the backbone (measured with lite0 at
# 224 px: 51 images/s inference, 11 images/s training per core).
PASSES_PER_STEP = 4.5

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class BackboneRow:
    """One backbone, by its timm name."""

    name: str
    label: str
    sentence: str
    parameters: int  # weights of the backbone alone, without a head
    gmacs: float  # billions of multiply-adds in convolutions and matrix products, for one image of image_size
    features: int  # numbers it makes of an image, which the head reads
    image_size: int  # pixels, square, that its weights were trained with; others work
    source: str  # where its pretrained weights are published, on the Hugging Face hub
    licence: str = "apache-2.0"  # of the weights
    mean: tuple[float, float, float] = _IMAGENET[0]  # of the pixels in [0, 1] it was trained with: red, green, blue
    std: tuple[float, float, float] = _IMAGENET[1]

    @property
    def megabytes(self) -> float:
        """Size of the backbone's weights as 32-bit numbers, in millions of bytes."""
        return round(self.parameters * 4 / 1e6, 1)

    @property
    def tag(self) -> str:
        """Which training made the weights, in timm's words."""
        return self.source.partition(".")[2]


BACKBONES: tuple[BackboneRow, ...] = (
    BackboneRow(
        name="tf_efficientnet_lite0",
        label="EfficientNet-Lite0",
        sentence="Small, quick on a CPU, and its ImageNet weights come with Fovea: the one to start with.",
        parameters=3_371_008,
        gmacs=0.384,
        features=1280,
        image_size=224,
        source="timm/tf_efficientnet_lite0.in1k",
        mean=_HALF[0],
        std=_HALF[1],
    ),
    BackboneRow(
        name="mobilenetv3_small_100",
        label="MobileNetV3-Small",
        sentence="The quickest here, made for phones; gives up some accuracy for it.",
        parameters=1_517_856,
        gmacs=0.055,
        features=1024,
        image_size=224,
        source="timm/mobilenetv3_small_100.lamb_in1k",
    ),
    BackboneRow(
        name="mobilenetv2_100",
        label="MobileNetV2",
        sentence="A small network of 2018 that many course reports use.",
        parameters=2_223_872,
        gmacs=0.299,
        features=1280,
        image_size=224,
        source="timm/mobilenetv2_100.ra_in1k",
    ),
    BackboneRow(
        name="resnet18",
        label="ResNet-18",
        sentence="The plain residual network: easy to explain, a fair baseline.",
        parameters=11_176_512,
        gmacs=1.814,
        features=512,
        image_size=224,
        source="timm/resnet18.a1_in1k",
    ),
    BackboneRow(
        name="resnet34",
        label="ResNet-34",
        sentence="ResNet-18 with twice the depth.",
        parameters=21_284_672,
        gmacs=3.663,
        features=512,
        image_size=224,
        source="timm/resnet34.a1_in1k",
    ),
    BackboneRow(
        name="resnet50",
        label="ResNet-50",
        sentence="The reference most papers compare with.",
        parameters=23_508_032,
        gmacs=4.087,
        features=2048,
        image_size=224,
        source="timm/resnet50.a1_in1k",
    ),
    BackboneRow(
        name="densenet169",
        label="DenseNet-169",
        sentence="Every layer reads all earlier ones: few weights, much memory while training.",
        parameters=12_484_480,
        gmacs=3.358,
        features=1664,
        image_size=224,
        source="timm/densenet169.tv_in1k",
    ),
    BackboneRow(
        name="tf_efficientnet_b3",
        label="EfficientNet-B3",
        sentence="Accurate for its size at 300 pixels; slow to train without a GPU.",
        parameters=10_696_232,
        gmacs=1.826,
        features=1536,
        image_size=300,
        source="timm/tf_efficientnet_b3.ns_jft_in1k",
    ),
    BackboneRow(
        name="tf_efficientnetv2_b3",
        label="EfficientNetV2-B3",
        sentence="The second EfficientNet: quicker to train than B3 and as accurate.",
        parameters=12_821_406,
        gmacs=1.907,
        features=1536,
        image_size=240,
        source="timm/tf_efficientnetv2_b3.in21k_ft_in1k",
        mean=_HALF[0],
        std=_HALF[1],
    ),
    BackboneRow(
        name="tf_efficientnetv2_s",
        label="EfficientNetV2-S",
        sentence="A step up from B3 that wants a GPU.",
        parameters=20_177_488,
        gmacs=5.306,
        features=1280,
        image_size=300,
        source="timm/tf_efficientnetv2_s.in21k_ft_in1k",
        mean=_HALF[0],
        std=_HALF[1],
    ),
    BackboneRow(
        name="convnext_tiny",
        label="ConvNeXt-Tiny",
        sentence="A convolutional network with the lessons of transformers; strong features, wants a GPU.",
        parameters=27_820_128,
        gmacs=4.455,
        features=768,
        image_size=224,
        source="timm/convnext_tiny.in12k_ft_in1k",
    ),
    BackboneRow(
        name="convnext_xlarge",
        label="ConvNeXt-XLarge",
        sentence="A hundred times lite0's weights: for a GPU with much memory.",
        parameters=348_147_968,
        gmacs=60.919,
        features=2048,
        image_size=224,
        source="timm/convnext_xlarge.fb_in22k_ft_in1k",
    ),
    BackboneRow(
        name="vit_small_patch16_224",
        label="Vision transformer, small",
        sentence="Reads an image as 16-pixel patches; needs its pretrained weights more than the others do.",
        parameters=21_665_664,
        gmacs=4.598,
        features=384,
        image_size=224,
        source="timm/vit_small_patch16_224.augreg_in21k_ft_in1k",
        mean=_HALF[0],
        std=_HALF[1],
    ),
)


def find_row(name: str) -> BackboneRow | None:
    """The row of a timm name, or None for one that stands in no row (it can be trained all the same)."""
    return next((row for row in BACKBONES if row.name == name), None)


def backbone(name: str) -> BackboneRow:
    """The row of a timm name. Raises RecipeError listing the names when there is none."""
    return find(BACKBONES, name, "model.backbone")
