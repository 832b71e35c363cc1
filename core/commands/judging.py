"""Commands that ask a trained model: evaluate and predict."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from core.commands.shared import Command, Progress, bounds, number
from core.commands.training import run_arguments
from core.errors import FoveaError, ImageError, InputError
from core.runs.store import Run, RunStore
from core.workspace import Workspace, insist_on_file, insist_on_folder


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    run_arguments(parser)
    parser.add_argument(
        "--split",
        default="validation",
        choices=["validation", "test"],
        help="test is sealed: opening it is written down in the run",
    )


def _evaluate(arguments: argparse.Namespace, workspace: Workspace) -> dict:
    from core.evaluate.evaluation import evaluate_run

    RunStore(workspace).get(arguments.id)
    return evaluate_run(str(workspace.root), arguments.id, arguments.split, opened_by="command line").to_json()


def _show_evaluation(answer: dict) -> Iterator[str]:
    if answer.get("task") == "segmentation":
        yield from _show_masks(answer)
        return
    low, high = answer["interval"]
    yield f"accuracy {answer['accuracy']:.3f} [{low:.3f}, {high:.3f}] on {answer['n']} {answer['split']} images"
    yield f"macro F1 {number(answer['macro_f1'])}{bounds(answer['macro_f1_interval'])}"
    yield f"{'class':<24}{'precision':>22}{'recall':>22}{'F1':>22}{'images':>8}"
    for row in answer["per_class"]:
        yield f"{row['label']:<24}{_figures(row, 'precision', 'recall', 'f1')}{row['support']:>8}"


def _show_masks(answer: dict) -> Iterator[str]:
    over = "classes without background" if answer["background"] is not None else "classes"
    yield f"{answer['n']} {answer['split']} images at their own size; means of the {over}"
    for name, means in (("pooled over pixels", answer), ("mean over images", answer["over_images"])):
        figures = (
            f"{label} {number(means[key])}{bounds(means[f'{key}_interval'])}"
            for label, key in (("Dice", "mean_dice"), ("IoU", "mean_iou"))
        )
        yield f"{name}: " + ", ".join(figures)
    yield f"{'class':<24}{'Dice':>22}{'IoU':>22}{'precision':>22}{'recall':>22}{'outline':>22}{'images':>8}"
    for row in answer["per_class"]:
        outline = "–" if row["boundary"] is None else f"{row['boundary']:.1f} px"
        if row["boundary_interval"]:
            outline += " [{:.1f}, {:.1f}]".format(*row["boundary_interval"])
        yield f"{row['label']:<24}{_figures(row, 'dice', 'iou', 'precision', 'recall')}{outline:>22}{row['images']:>8}"


def _figures(row: dict, *names: str) -> str:
    """Figures of a class, each with its interval."""
    return "".join(f"{number(row[name]) + bounds(row[f'{name}_interval']):>22}" for name in names)


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    run_arguments(parser)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write the answers there: predictions.csv, masks")
    masks = parser.add_argument_group("for masks")
    masks.add_argument("--tiles", action="store_true", help="see a large picture in windows of the training size")
    masks.add_argument("--views", action="store_true", help="see every picture from all eight sides")
    masks.add_argument("--submission", type=Path, metavar="FILE", help="also write run lengths, as Kaggle takes them")


def _predict(arguments: argparse.Namespace, workspace: Workspace) -> list[dict]:
    from core.predict.files import write_table
    from core.predict.predictor import predict

    run = RunStore(workspace).get(arguments.id)
    if arguments.out:
        insist_on_folder(arguments.out)
    pictures = [(str(path), _bytes(path)) for path in arguments.images]
    if run.recipe.task == "segmentation":
        return _predict_masks(arguments, run, pictures)
    if arguments.tiles or arguments.views or arguments.submission:
        raise InputError("--tiles, --views and --submission are for masks", found="a run that names whole pictures")
    answers = [
        {"image": row.name, "label": row.label, "probabilities": row.probabilities, "error": row.error}
        for row in predict(str(run.paths.folder), pictures)
    ]
    if arguments.out:
        write_table(arguments.out, answers, shares="probabilities", prefix="p")
    return answers


def _predict_masks(arguments: argparse.Namespace, run: Run, pictures: list[tuple[str, bytes]]) -> list[dict]:
    from core.predict.files import mask_files, write_mask, write_submission, write_table
    from core.predict.predictor import predict
    from core.predict.submission import insist_on_names

    files = mask_files(arguments.out, arguments.images) if arguments.out else [None] * len(pictures)
    if arguments.submission:
        insist_on_names([name for name, _ in pictures])
        insist_on_file(arguments.submission)
    answers, masks, told = [], [], Progress("pictures")
    for picture, file in zip(pictures, files, strict=True):
        (row,) = predict(str(run.paths.folder), [picture], tiles=arguments.tiles, views=arguments.views)
        written = write_mask(file, row) if file else {"mask": None, "uncertainty": None}
        seen = {"tiles": row.tiles, "views": row.views}
        answers.append({"image": row.name, **written, "areas": row.areas, **seen, "error": row.error})
        masks += [(row.name, row.mask)] if arguments.submission and row.mask else []
        told(len(answers), len(pictures))
    if arguments.out:
        write_table(arguments.out, answers, shares="areas", prefix="area")
    if arguments.submission:
        write_submission(arguments.submission, masks, run.facts.classes)
    return answers


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read", found=(error.strerror or "an error").lower()) from None


def _unreadable(answer: list[dict]) -> FoveaError | None:
    bad = [row for row in answer if row["error"]]
    others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return ImageError(bad[0]["error"].removesuffix(".") + others) if bad else None


def _show_predictions(answer: list[dict]) -> Iterator[str]:
    for row in answer:
        if row.get("label") is not None:
            yield f"{row['image']}: {row['label']} ({row['probabilities'][row['label']]:.1%})"
        if row.get("areas"):
            areas = ", ".join(f"{label} {share:.1%}" for label, share in row["areas"].items())
            yield f"{row['image']}: {areas}" + (f" -> {row['mask']}" if row["mask"] else "")


COMMANDS = (
    Command("evaluate", "report on a split", _evaluate_arguments, _evaluate, _show_evaluation),
    Command(
        "predict", "name pictures, or find their masks", _predict_arguments, _predict, _show_predictions, _unreadable
    ),
)
