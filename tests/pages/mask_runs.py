"""Datasets with masks and runs on them, made by hand, so that every figure on the page can be checked by eye."""

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from core.data.dataset import Dataset, Sample, fingerprint_of, save_dataset
from core.data.mask_files import mask_png
from core.evaluate.current import digest_of
from core.evaluate.masks import Levels, MaskTable, count_levels
from core.evaluate.results import write_result
from core.evaluate.segmentation import evaluate_masks
from core.metrics.segmentation import mask_confusion
from core.recipe import SegmentationRecipe
from core.runs.run import RunState, RunStatus, write_status
from core.runs.store import Run, RunStore
from core.workspace import Workspace

WIDTH, HEIGHT = 20, 10  # pixels; 200 an image


def box(left: int, top: int, right: int, bottom: int, kind: int = 1) -> np.ndarray:
    """A mask with one box of a class on background."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = kind
    return mask


def masked_dataset(
    workspace: Workspace, classes: Sequence[str], masks: Sequence[np.ndarray], *, id: str = "masked-1"
) -> Dataset:
    """Pictures with these masks, kept in `workspace`: all of them once in each split."""
    folder, samples = workspace.datasets / id, []
    for split in ("train", "validation", "test"):
        for number, mask in enumerate(masks):
            picture = np.random.default_rng(len(samples)).integers(0, 120, (*mask.shape, 3), dtype=np.uint8)
            picture[mask > 0] += 120
            files = {"files": f"{split}-{number}.png", "masks": f"{split}-{number}.png"}
            for place, name in files.items():
                (folder / place).mkdir(parents=True, exist_ok=True)
                if place == "files":
                    Image.fromarray(picture).save(folder / place / name)
                else:
                    (folder / place / name).write_bytes(mask_png(mask))
            sample = Sample(
                id=f"{len(samples):06d}",
                file=f"files/{files['files']}",
                name=f"{split}/picture {number}.png",
                label=-1,
                split=split,
                width=mask.shape[1],
                height=mask.shape[0],
                digest=hashlib.sha256((folder / "files" / files["files"]).read_bytes()).hexdigest(),
                format="PNG",
                mask=f"masks/{files['masks']}",
                pixels=tuple(int(count) for count in np.bincount(mask[mask != 255], minlength=len(classes))),
            )
            thumbnail = folder / sample.thumbnail
            thumbnail.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(thumbnail)
            samples.append(sample)
    dataset = Dataset(
        folder=folder,
        id=id,
        name="Boxes",
        task="segmentation",
        classes=tuple(classes),
        layout="mask-pairs",
        source="a test",
        created=0.0,
        fingerprint=fingerprint_of(tuple(classes), samples),
        split_rule="given",
        samples=tuple(samples),
        skipped=(),
        bytes=0,
    )
    save_dataset(dataset)
    return dataset


def evaluated_run(
    workspace: Workspace, dataset: Dataset, truths: Sequence[np.ndarray], answers: Sequence[np.ndarray]
) -> Run:
    """A finished run whose answers to the validation images are these; where it answers class 1 it is sure by 0.8."""
    store = RunStore(workspace)
    run = store.get(store.create(SegmentationRecipe(dataset=dataset.id), dataset))
    run.paths.best.write_bytes(b"weights")
    samples, k = dataset.of("validation"), len(dataset.classes)
    checkpoint = f"epoch 1, {digest_of(run.paths.best)}"
    table = MaskTable(
        classes=dataset.classes,
        ids=tuple(sample.id for sample in samples),
        files=tuple(sample.name for sample in samples),
        sizes=np.array([(sample.width, sample.height) for sample in samples]),
        confusion=np.stack([mask_confusion(*pair, k) for pair in zip(truths, answers, strict=True)]),
        outlines=np.full((len(samples), k, 2), 1.5),
        split="validation",
        checkpoint=checkpoint,
    )
    run.paths.masks("validation").mkdir()
    for sample, answer in zip(samples, answers, strict=True):
        (run.paths.masks("validation") / f"{sample.id}.png").write_bytes(mask_png(answer))
    if k == 2:
        sure = [
            count_levels(truth, np.where(answer == 1, 80, 20)) for truth, answer in zip(truths, answers, strict=True)
        ]
        Levels(np.stack(sure), checkpoint).write(run.paths.levels("validation"))
    table.write(run.paths.predictions("validation"))
    result = evaluate_masks(table)
    write_result(run.paths.results("validation"), result)
    best = {"dice": result.mean_dice or 0.0, "iou": result.mean_iou or 0.0, "loss": 0.5, "epoch": 1}
    write_status(run.paths, RunStatus(RunState.FINISHED, since=1.0, best=best, epochs_done=1, epochs=1))
    return store.get(run.id)
