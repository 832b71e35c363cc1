"""Zips of a run: what it has learned with what must be known about it, or all it takes to train it again."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save, save_file

from core.data.dataset import Dataset
from core.evaluate.current import digest_of
from core.predict.export.card import escaped, model_card, without_places
from core.predict.export.folder import packed, table
from core.predict.export.networks import network_facts
from core.predict.export.script import SCRIPT, START, TABLE, Script, packages, refusal, script_of
from core.predict.export.source import gather
from core.predict.export.writing import one_line, written
from core.runs.store import Run
from core.train.checkpoint import Trained
from core.workspace import replacing

Report = Callable[[int, int, str], None]

WEIGHTS, RECIPE, CLASSES, CARD, USE, README = (
    "model.safetensors",
    "recipe.json",
    "classes.json",
    "MODEL_CARD.md",
    "use.py",
    "README.md",
)


def write_model_zip(file: Path, run: Run, trained: Trained) -> list[str]:
    """Write weights, recipe, class map, model card, and how to load them; gives the names of what is inside.

    Raises InputError when a file that loads the model cannot be written for it, StorageError when the disk is full.
    """
    weights = {name: one.contiguous() for name, one in trained.model.state_dict().items()}
    recipe = without_places(trained.recipe)
    facts = trained.facts | {"recipe": recipe.model_dump(mode="json")}
    use = _use(trained, run.name)
    _insist_on_fit(use, weights)
    texts = {
        README: _readme(escaped(trained.recipe.model.network), digest_of(run.paths.best)),
        CARD: model_card(run, trained.facts["epoch"]),
        CLASSES: json.dumps({str(place): name for place, name in enumerate(trained.classes)}, indent=2),
        RECIPE: recipe.to_json(),
        USE: use.text,
    }
    with replacing(file) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        with archive.open(WEIGHTS, "w", force_zip64=True) as target:
            target.write(save(weights, metadata={"facts": json.dumps(facts)}))
    return [*texts, WEIGHTS]


def write_script_zip(file: Path, run: Run, dataset: Dataset, cache: Path, report: Report | None = None) -> list[str]:
    """Write the script with the pictures, the table and the weights that it reads; gives the names of its parts.

    Raises what `script_of` raises, InputError when the script would see other pictures than Fovea did, StorageError
    when the disk is full.
    """
    script = script_of(run, dataset, cache)
    files = list(packed(dataset))
    with replacing(file) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(SCRIPT, script.text, zipfile.ZIP_DEFLATED)
        archive.writestr(TABLE, table(dataset), zipfile.ZIP_DEFLATED)
        if script.start:
            with archive.open(START, "w", force_zip64=True) as target:
                target.write(save(script.start))
        for number, one in enumerate(files):
            if report is not None:
                report(number, len(files), "packing pictures")
            archive.write(one.source, one.name)
    return [SCRIPT, TABLE, *([START] if script.start else []), f"{len(files):,} pictures and masks"]


def write_script(file: Path, run: Run, dataset: Dataset, cache: Path) -> list[str]:
    """Write the script alone, and beside it the weights that it starts from where there are such; gives their names."""
    script = script_of(run, dataset, cache)
    with replacing(file) as temporary:
        temporary.write_text(script.text, encoding="utf-8")
    if not script.start:
        return [file.name]
    with replacing(file.with_name(START)) as temporary:
        save_file(script.start, temporary)
    return [file.name, START]


def _use(trained: Trained, name: str) -> Script:
    """A file that builds the network, loads its weights and answers pictures."""
    recipe = trained.recipe
    masks = recipe.task == "segmentation"
    loading = gather([("core.data.loading", "fit_image")])
    facts = {
        "title": f"{one_line(name)}: {'a mask for each picture' if masks else 'a class for each picture'}",
        "packages": " ".join(packages(masks)),
        "classes": repr(trained.classes),
        "size": recipe.image_size,
        "fit": repr(recipe.fit),
        "masks": masks,
        "loading": loading.text,
        **network_facts(recipe, trained.model, len(trained.classes)),
    }
    return Script(written("use.py.jinja", facts, [loading]), {})


def _insist_on_fit(use: Script, weights: dict[str, torch.Tensor]) -> None:
    """Raise InputError when the network of the file is not the one that the weights are of."""
    with torch.device("meta"):
        wanted = use.module(Path()).Network().state_dict()
    if {name: one.shape for name, one in wanted.items()} != {name: one.shape for name, one in weights.items()}:
        raise refusal("a network that timm or SMP builds otherwise", "one that they build by name")


def _readme(name: str, digest: str) -> str:
    return f"""\
# A model trained with Fovea

- `{WEIGHTS}`: the weights of the best epoch (SHA-256 of Fovea's own file begins with `{digest}`); its header holds the
  facts: recipe, classes, epoch and figures.
- `{USE}`: loads them without Fovea and answers pictures: `python {USE} picture.jpg`.
- `{CLASSES}`: which number is which class.
- `{RECIPE}`: every choice of the run, as Fovea takes it.
- `{CARD}`: what it learned from, how good it is and what it is not for.

The network is {name}. In Python:

    from use import load_model, answer

    model = load_model()
    probabilities = answer(model, "picture.jpg")

In Fovea: start a run from this model with `--set model.weights={WEIGHTS}` and the same network.
"""
