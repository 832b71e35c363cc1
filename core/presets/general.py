"""The plain ways to train, for any data of a task."""

from core.presets.row import Preset, Setting

GENERAL = (
    Preset(
        name="frozen-head",
        label="Head on a frozen backbone",
        task="classification",
        summary="The network looks at every picture once and stays as it is; only a new last layer learns.",
    ),
    Preset(
        name="fine-tune",
        label="Fine-tune everything",
        task="classification",
        summary="Every layer moves a little, from the first step: slower, and better for many unusual pictures.",
        settings=(
            Setting(
                "phases.0",
                {"name": "everything", "trainable": "everything", "epochs": 5, "learning_rate": 3e-4},
                "At a head's rate learned layers break, so a tenth of it; five passes, as each one is slow.",
            ),
            Setting("batch_size", 16, "A CPU with small caches trains 16 pictures at a time faster than 32."),
            Setting("schedule.warmup", 0.1, "The head starts random; its first gradients should not shake the rest."),
        ),
    ),
    Preset(
        name="head-then-everything",
        label="Head first, then everything",
        task="classification",
        summary="First the new last layer on the frozen network, then all layers at a low rate: the steady way.",
        settings=(
            Setting(
                "phases.0.epochs",
                10,
                "The head only has to be good enough that the second phase does not start from random answers.",
            ),
            Setting(
                "phases.1",
                {"name": "everything", "trainable": "everything", "epochs": 5, "learning_rate": 1e-4},
                "Under a trained head the learned features bend less (https://arxiv.org/abs/2202.10054).",
            ),
            Setting("batch_size", 16, "A CPU with small caches trains 16 pictures at a time faster than 32."),
        ),
    ),
    Preset(
        name="unet",
        label="U-Net",
        task="segmentation",
        summary="A U-Net on an encoder that knows ImageNet; every layer learns from the first step.",
        settings=(
            Setting(
                "phases.0.epochs",
                20,
                "Over 210 pictures of blood cells the outlines still got better after twelve passes.",
            ),
            Setting(
                "augment.policy",
                "any-way-up",
                "Most pictures with masks come from a microscope, an endoscope or from above; choose light for others.",
            ),
        ),
    ),
    Preset(
        name="unet-frozen-encoder",
        label="U-Net on a frozen encoder",
        task="segmentation",
        summary="The encoder stays as it is and only the decoder learns: quicker steps, and safer with few pictures.",
        settings=(
            Setting(
                "phases.0",
                {"name": "decoder", "trainable": "head", "epochs": 12, "learning_rate": 2e-3},
                "The decoder starts at random and nothing learned can break, so the rate is twice as high.",
            ),
        ),
    ),
)
