"""Presets that follow course reports on real tasks, with what differs from the report and why.

What a report does not tell is ours: chosen as it is usual, and said so.
"""

from core.models.catalog import backbone
from core.presets.plans import plan
from core.presets.row import Preset, Setting


def _scaling(name: str) -> str:
    row = backbone(name)
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (row.mean, row.std))
    return (
        f"Pixels are scaled by mean {mean} and deviation {std}, as the weights that timm has ({row.tag}) ask for; the "
        "report's framework has weights of its own, and a scaling that belongs to those."
    )


def _phases(name: str, **values: float) -> list[dict]:
    return [phase.model_dump(exclude_unset=True) for phase in plan(name).phases(values)]


_NUTS = (
    Setting("model.head", "dense", "The report's head: pooling, a dense layer of 256, dropout, and one of ten."),
    Setting("model.dropout", 0.5, "The report's share."),
    Setting(
        "augment.views",
        3,
        "A fresh variant of each picture in each of the three epochs of the frozen base, as the report had.",
    ),
    Setting(
        "phases.0",
        {"name": "frozen base", "trainable": "head", "epochs": 3, "learning_rate": 1e-3},
        "The report's three epochs on a frozen base; the rate is ours.",
    ),
    Setting(
        "phases.1",
        {"name": "last 4 layers", "trainable": "last 4 layers", "epochs": 9, "learning_rate": 1e-4},
        "The report's nine epochs with the last four layers; a tenth of the rate is ours.",
    ),
    Setting("schedule.name", "exponential", "The report's decay of the learning rate; how fast is ours."),
    Setting("schedule.warmup", 0.0, "The report names none."),
)
_NUTS_PAGE = (
    "The report told ten kinds of nuts apart, with folders for training, validation and test and five pictures of each "
    "kind in the last two: three epochs of a dense head on a frozen base, then nine with the last four layers. It "
    "gave 0.94 on validation beside a bad confusion matrix, its labels and answers being in different orders. Look at "
    "the interval: of 50 pictures, 47 right can be anything from 0.84 to 0.98; and at whether the confusion matrix "
    "and the accuracy tell the same story, as here they must."
)


def _nuts_differs(name: str, last: str) -> tuple[str, ...]:
    return (
        _scaling(name),
        f"The last four layers are counted among those that have weights ({last}); Keras, whose words the report uses, "
        "counts activations too, so that its four reach less far back.",
        "Optimizer, batch size, learning rates and how fast they fall, and what the augmentation did are not told; "
        "those are ours.",
        "Augmentation is drawn once for each frozen epoch and its features are stored, which gives the same numbers "
        "sooner.",
    )


def _ladder(
    name: str,
    label: str,
    summary: str,
    backbone_name: str,
    settings: tuple[Setting, ...],
    *,
    dropout: float,
    rate: float,
) -> Preset:
    """One rung: what all three have in common, and `settings` of its own."""
    return Preset(
        name=name,
        label=label,
        task="classification",
        summary=summary,
        settings=(
            Setting("model.backbone", backbone_name, "The report's network on this rung."),
            Setting("image_size", 96, "The size of the report's pictures."),
            Setting("model.dropout", dropout, "The report used dropout; more of it the larger the network is ours."),
            Setting("loss.class_weights", "balanced", "The report's N / C_j."),
            Setting(
                "phases",
                _phases("progressive", rate=rate),
                "The report's progressive unfreezing; how many blocks at a time, for how long and how fast is ours.",
            ),
            Setting("schedule.name", "plateau", "The report's adaptive learning rate: lower when the loss stalls."),
            Setting("schedule.values.patience", 1, "Phases are of a few epochs, so one without progress is borne."),
            Setting("schedule.warmup", 0.0, "The report names none."),
            *settings,
        ),
        page=(
            "The report climbed from a small network to a very large one on 96-pixel blood cells in eight classes, "
            "with stronger augmentation and mixing on the way, and gave accuracy and macro precision, recall and F1 as "
            "mean ± std. About 2,000 bad, repeated or mislabelled pictures were taken out by hand, and which step "
            "helped was judged by eye. Look at the audit on Data before you clean; train each rung with several seeds "
            "or folds, and ask whether the next rung is better by more than the spread."
        ),
        differs=(
            _scaling(backbone_name),
            "Which augmentation, mixing and optimizer went with which network is not told; here each rung has one.",
            "Batch norms keep what they measured on ImageNet when they are unfrozen, which the report does not tell.",
            "L2 is weight decay here, which spares biases and norms; AdamW and Lion keep it apart from the gradient.",
            "Folds and the search for hyper-parameters are ways to train a recipe and no part of it: choose Folds or "
            "Search on Train.",
            "Test-time augmentation is left out: Fovea has it for masks only.",
        ),
    )


REPORTS = (
    Preset(
        name="kvasir-efficientnet-b3",
        label="Kvasir, EfficientNet-B3",
        task="classification",
        summary=(
            "Eight classes of endoscopy with EfficientNet-B3 at 300 pixels, as a course report did it for Kvasir-v2: "
            "the head first, then the last 40 % of the layers."
        ),
        settings=(
            Setting("image_size", 300, "The report's size, and the one the network was made for."),
            Setting("model.backbone", "tf_efficientnet_b3", "The report's network."),
            Setting("augment.policy", "kvasir", "The report's own list, which has no name in the catalog."),
            Setting(
                "augment.rows",
                [
                    {"name": "h-flip", "probability": 0.5},
                    {"name": "rotation"},
                    {"name": "zoom"},
                    {"name": "brightness"},
                    {"name": "contrast"},
                ],
                "The report's transforms; how strong each is and how often a picture is flipped are ours.",
            ),
            Setting("mix.mixup", 0.2, "The report's MixUp; 0.2 is usual, the report gives no number."),
            Setting(
                "phases.0",
                {"name": "head", "trainable": "head", "epochs": 15, "learning_rate": 1e-3},
                "The report's first phase.",
            ),
            Setting(
                "phases.1",
                {"name": "last 40 %", "trainable": "last 40%", "epochs": 35, "learning_rate": 1e-4},
                "The report's second phase.",
            ),
            Setting(
                "schedule.name", "plateau", "The report's ReduceLROnPlateau; how soon and how far it falls is ours."
            ),
            Setting("schedule.warmup", 0.0, "The report names none."),
            Setting(
                "early_stopping.patience",
                7,
                "The report stopped early; longer than the rate waits twice, so that a lower rate gets its chance.",
            ),
            Setting("restore_best", True, "The report restored the best weights."),
            Setting("best_by", "loss", "What Keras, whose words the report uses, restores by unless told."),
        ),
        page=(
            "The report trained the head for 15 epochs, then the last 40 % of the layers for 35, and reached 0.92 on "
            "validation. On the test split it read 0.11 and concluded that the model did not generalise; in truth "
            "predictions and labels had been put side by side in different orders. Look at validation and test on "
            "Evaluate: both come from one table of predictions that carries its labels, so they should agree within "
            "their intervals, and 0.11 of eight classes would be chance."
        ),
        differs=(
            _scaling("tf_efficientnet_b3"),
            "The last 40 % are counted among layers that have weights; Keras counts activations and paddings too, so "
            "that its 40 % begin a little elsewhere.",
            "Precision is mixed on a GPU, as in the report, and float32 on a CPU, where mixing would be slower by far.",
            "Optimizer, batch size, patience and the strengths of the augmentation are not told; those are ours.",
        ),
    ),
    _ladder(
        "blood-cells-ladder",
        "Blood cells 1 of 3: MobileNetV3",
        "The first rung of a course report's ladder: MobileNetV3-Small with light augmentation and AdamW, unfrozen "
        "step by step.",
        "mobilenetv3_small_100",
        (
            Setting("optimizer.weight_decay", 0.05, "The report used L2; how much is ours."),
            Setting("augment.views", 5, "A fresh variant of each picture in each of the five epochs of the head."),
        ),
        dropout=0.2,
        rate=1e-3,
    ),
    _ladder(
        "blood-cells-ladder-efficientnetv2",
        "Blood cells 2 of 3: EfficientNetV2",
        "The second rung of a course report's ladder: EfficientNetV2-B3 with moderate augmentation, MixUp and Ranger, "
        "unfrozen step by step.",
        "tf_efficientnetv2_b3",
        (
            Setting("augment.policy", "moderate", "The report's second strength."),
            Setting("mix.mixup", 0.2, "The report's MixUp; the number is ours."),
            Setting("optimizer.name", "ranger", "One of the report's three optimizers."),
            Setting("optimizer.weight_decay", 0.0005, "The report used L2, which Ranger mixes into the gradient."),
        ),
        dropout=0.3,
        rate=1e-3,
    ),
    _ladder(
        "blood-cells-ladder-convnext",
        "Blood cells 3 of 3: ConvNeXt",
        "The third rung of a course report's ladder: ConvNeXt-XLarge with heavy augmentation, MixUp, CutMix and Lion, "
        "unfrozen step by step. It wants a GPU with much memory.",
        "convnext_xlarge",
        (
            Setting("augment.policy", "heavy", "The report's third strength."),
            Setting("mix.mixup", 0.2, "The report's MixUp; the number is ours."),
            Setting("mix.cutmix", 1.0, "The report's CutMix; the number is ours."),
            Setting(
                "optimizer.name", "lion", "One of the report's three optimizers; its rates are a fifth of AdamW's."
            ),
            Setting("optimizer.weight_decay", 0.2, "The report used L2; Lion wants as much more as its rate is lower."),
        ),
        dropout=0.5,
        rate=2e-4,
    ),
    Preset(
        name="fruit-efficientnetv2",
        label="Fruit, EfficientNetV2",
        task="classification",
        summary=(
            "Ten kinds of fruit with EfficientNetV2, as a course report did it: rounds of one epoch of the frozen and "
            "one of the unfrozen network."
        ),
        settings=(
            Setting("model.backbone", "tf_efficientnetv2_s", "The report's network; S is ours, as no size is told."),
            Setting(
                "phases",
                _phases("rounds", rounds=8),
                "The report's rounds of one frozen and one unfrozen epoch; eight is enough to see some over-training.",
            ),
            Setting(
                "augment.views",
                16,
                "A fresh variant in each of the sixteen epochs; features are made anew in every round anyway.",
            ),
        ),
        page=(
            "The report looked for a learning rate with a finder, then trained in rounds of a frozen and an unfrozen "
            "epoch on 2,301 photographs, and asked when training should have stopped and for a case of over-training; "
            "both were read off by hand. Begin with Find a learning rate. Then look where the validation loss turns "
            "up while the training loss still falls: the epoch that is kept is marked, and what comes after it is "
            "over-training. The error rate is one minus accuracy; Evaluate shows the pairs most confused, and the best "
            "and the worst class."
        ),
        differs=(
            _scaling("tf_efficientnetv2_s"),
            "How many rounds, the size of the pictures, batch size, optimizer and augmentation are not told; those "
            "are ours.",
            "The learning rates are a start for the finder, since the report's were found for its own pictures.",
            "Batch norms keep what they measured on ImageNet when they are unfrozen, which the report does not tell.",
            "No schedule is told: the rate falls within each round, and the next one begins at its peak again.",
        ),
    ),
    Preset(
        name="neopolyp-unet",
        label="NeoPolyp U-Net, as in the report",
        task="segmentation",
        summary=(
            "Polyps in three classes with ResNet-34 at 256 pixels, as a course report did it for BKAI-IGH NeoPolyp. "
            "How long and in which batches it trained is not told; those are ours."
        ),
        settings=(
            Setting("image_size", 256, "The report's size."),
            Setting("model.encoder", "resnet34", "The report's encoder, with its ImageNet weights and normalisation."),
            Setting("augment.policy", "neopolyp", "The report's own list, which has no name in the catalog."),
            Setting(
                "augment.rows",
                [
                    {"name": "h-flip", "probability": 0.5},
                    {"name": "v-flip", "probability": 0.5},
                    {"name": "quarter-turn", "probability": 0.5},
                    {"name": "gamma", "probability": 0.2, "values": {"lowest": 0.7, "highest": 1.2}},
                    {"name": "channel-shift", "probability": 0.3, "values": {"steps": 10}},
                ],
                "The report's transforms, probabilities and strengths; its gamma of 70 to 120 is in hundredths.",
            ),
            Setting(
                "loss.values.squared",
                True,
                "The report's Dice has squares below the line; its cross-entropy is added in full.",
            ),
            Setting("optimizer.name", "adam", "The report's optimizer."),
            Setting("optimizer.weight_decay", 0.0, "The report names none, and Adam's own default is none."),
            Setting("phases.0.learning_rate", 1e-4, "The report's rate."),
            Setting("phases.0.epochs", 20, "Ours: at this rate and without a schedule twelve would stop too early."),
            Setting("schedule.name", "constant", "The report names no schedule."),
            Setting("schedule.warmup", 0.0, "Nor a warm-up."),
            Setting("best_by", "loss", "The report kept the weights of the lowest validation loss."),
        ),
        page=(
            "The report trained a U-Net on ResNet-34 to mark polyps, red for neoplastic and green for others, kept the "
            "weights of the lowest validation loss and sent run lengths to a contest. All it got back was one score. "
            "Look at Dice and IoU of each class with their intervals, at the pictures with the lowest Dice, and at "
            "whether small polyps or the rarer kind pull the mean down."
        ),
        differs=(
            "How many epochs, in which batches, is not told; those are ours.",
            "No schedule is told, so the rate stays as it is.",
            "Values between classes at the edges of a mask, which the report's JPEG masks have, are given to the "
            "nearest colour at import.",
        ),
    ),
    Preset(
        name="tree-nuts-mobilenet",
        label="Tree nuts, MobileNetV2",
        task="classification",
        summary=(
            "Ten kinds of nuts with MobileNetV2, as a course report did it: a dense head on a frozen base, then the "
            "last four layers."
        ),
        settings=(Setting("model.backbone", "mobilenetv2_100", "The report's first network."), *_NUTS),
        page=_NUTS_PAGE,
        differs=_nuts_differs("mobilenetv2_100", "two convolutions and their norms"),
    ),
    Preset(
        name="tree-nuts-densenet169",
        label="Tree nuts, DenseNet-169",
        task="classification",
        summary=(
            "Ten kinds of nuts with DenseNet-169, the other network of the same report: deeper, richer features, "
            "and slower steps."
        ),
        settings=(Setting("model.backbone", "densenet169", "The report's second network."), *_NUTS),
        page=_NUTS_PAGE,
        differs=_nuts_differs("densenet169", "the last two convolutions, the norm between them and the final norm"),
    ),
)
