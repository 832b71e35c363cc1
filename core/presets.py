"""Presets: named starting points for a recipe. Each holds only what differs from the default, with the reason."""

from dataclasses import dataclass
from typing import Any

from core.knobs import find
from core.recipe import Recipe


@dataclass(frozen=True)
class Setting:
    """One field that a preset sets, by its path in the recipe, and why."""

    path: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Preset:
    """A starting point a person can pick by name."""

    name: str
    label: str
    task: str
    summary: str
    settings: tuple[Setting, ...] = ()

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the default recipe: {path: value}, as `Recipe.set` takes it."""
        return {setting.path: setting.value for setting in self.settings}

    @property
    def reasons(self) -> dict[str, str]:
        """Why each of them differs: {path: one sentence}."""
        return {setting.path: setting.reason for setting in self.settings}

    @property
    def model(self) -> str:
        """The network it trains."""
        return self.recipe().model.network

    def recipe(self) -> Recipe:
        """The whole recipe; it still lacks its dataset."""
        return Recipe.parse({"task": self.task, "preset": self.name}).set(self.changes)


PRESETS = (
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
    ),
)
DEFAULT = PRESETS[0].name
DEFAULTS = {"classification": DEFAULT, "segmentation": "unet"}  # what a run of each task starts from unless told


def preset(name: str) -> Preset:
    """The preset of that name. Raises RecipeError listing the names there are."""
    return find(PRESETS, name, "preset")


def presets_for(task: str) -> tuple[Preset, ...]:
    """The presets of one task, the first of them the one to start with."""
    return tuple(row for row in PRESETS if row.task == task)
