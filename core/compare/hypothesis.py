"""What became of a hypothesis: the difference it speaks of, with its interval, on the images that both runs answered.

Scoring needs answers to the whole validation split, so it is done in a process of its own and stored beside the run;
`current_score` reads it without torch.
"""

from pathlib import Path

from core.compare.answers import Table, gathered, table_of, too_few
from core.errors import FoveaError, RunError
from core.evaluate.classification import evaluate_table
from core.evaluate.current import digest_of
from core.evaluate.masks import MaskTable
from core.evaluate.segmentation import evaluate_masks
from core.metrics.intervals import Interval
from core.metrics.parts import metric
from core.metrics.ranking import rankings
from core.metrics.several import paired_difference
from core.recipe import diff
from core.runs.hypothesis import Hypothesis, HypothesisScore, Verdict, read_score, write_score
from core.runs.index import touch
from core.runs.run import RunState
from core.runs.store import Run, RunStore
from core.workspace import Workspace

SPLIT = "validation"  # the test split is not opened for a guess
ENDED = (RunState.FINISHED, RunState.STOPPED)
_ONE_EACH = "It is about these trained networks: with another seed the difference may be another one."
_CHOSEN = "The validation images also chose the epoch that is kept, so that the value flatters a little."
_OPENINGS = {
    Verdict.CAME_TRUE: "It came true",
    Verdict.DID_NOT: "It did not come true",
    Verdict.NOISE: "It cannot be told from noise",
}
_RESULT_NAMES = {"mask_recall": "recall", "mask_precision": "precision"}  # metrics of which results drop the prefix


def score_hypothesis(workspace_root: str, run_id: str) -> HypothesisScore:
    """Score the hypothesis of a run that has ended, and store the score unless it cannot be judged as things are.

    Raises RunError when the run is not there, began without a hypothesis, has not ended or kept no weights.
    """
    store = RunStore(Workspace(Path(workspace_root)))
    run = store.get(run_id)
    if (known := current_score(store, run)) is not None:
        return known
    hypothesis = run.facts.hypothesis
    if hypothesis is None:
        raise RunError(f"The run {run_id} began without a hypothesis")
    if not is_due(run):
        raise RunError(f"The run {run_id} has not come to its end", found=run.status.state.value)
    try:
        table = table_of(workspace_root, run, SPLIT)
        if hypothesis.baseline:
            score = _against_run(workspace_root, store, run, table, hypothesis)
        else:
            score = _against_value(table, hypothesis)
    except FoveaError as error:
        return HypothesisScore(Verdict.UNJUDGED, str(error))
    if score.verdict is not Verdict.UNJUDGED:
        write_score(run.paths.score, score)
        touch(run.paths)  # the run list tells the verdict
    return score


def is_due(run: Run) -> bool:
    """Whether a run has come so far that its hypothesis can be scored."""
    return run.status.state in ENDED and run.paths.best.exists()


def current_score(store: RunStore, run: Run) -> HypothesisScore | None:
    """The stored score; None where there is none, or one of the two runs has other weights by now.

    What was scored against a run that was deleted since stands.
    """
    score = read_score(run.paths.score)
    if score is None or run.facts.hypothesis is None:
        return None
    sides = [(score.checkpoint, run.paths.best)]
    if run.facts.hypothesis.baseline:
        folder = store.workspace.runs / run.facts.hypothesis.baseline
        if folder.is_dir():
            sides.append((score.baseline_checkpoint, folder / run.paths.best.name))
    try:
        return score if all(told.endswith(digest_of(best)) for told, best in sides) else None
    except FileNotFoundError:
        return None


def _against_run(root: str, store: RunStore, run: Run, table: Table, hypothesis: Hypothesis) -> HypothesisScore:
    """The paired difference to the baseline, on the images that both were judged by."""
    baseline = store.get(hypothesis.baseline)
    tables = {baseline.id: table_of(root, baseline, SPLIT), run.id: table}
    common, apart = gathered([baseline, run], tables, SPLIT)
    why = apart.get(run.id) or (too_few(common) if common else "")
    if why or common is None:
        return HypothesisScore(Verdict.UNJUDGED, why)
    found = paired_difference(
        hypothesis.metric,
        common.truth,
        common.answers[baseline.id],
        common.answers[run.id],
        place=common.classes.index(hypothesis.label) if hypothesis.label else None,
        background=common.background,
    )
    if found is None:
        return HypothesisScore(Verdict.UNJUDGED, f"These images do not define the {_subject(hypothesis)}.")
    verdict = hypothesis.decide(found.interval)
    told = (
        f"the {_subject(hypothesis)} is {found.second:.3f} here and {found.first:.3f} in “{baseline.name}”, "
        f"{_points(found.value, found.interval)} on the same {found.n:,} {SPLIT} images"
    )
    return HypothesisScore(
        verdict=verdict,
        sentence=f"{_OPENINGS[verdict]}: {told}.",
        value=found.second,
        interval=_value(table, hypothesis)[1] if common.n == len(table) else None,
        against=found.first,
        difference=found.value,
        difference_interval=found.interval,
        method=found.method,
        n=found.n,
        checkpoint=table.checkpoint,
        baseline_checkpoint=tables[baseline.id].checkpoint,
        caution=f"{_choices_apart(baseline, run)} {_ONE_EACH}",
    )


def _against_value(table: Table, hypothesis: Hypothesis) -> HypothesisScore:
    """The value of this run with its interval, less the fixed one."""
    value, interval, method = _value(table, hypothesis)
    if value is None or interval is None:
        return HypothesisScore(
            Verdict.UNJUDGED, f"These images are too few to tell the {_subject(hypothesis)} with an interval."
        )
    gap = Interval(interval.low - hypothesis.threshold, interval.high - hypothesis.threshold)
    verdict = hypothesis.decide(gap)
    told = (
        f"the {_subject(hypothesis)} is {value:.3f} (95 % interval {interval.low:.3f} to {interval.high:.3f}) on "
        f"{len(table):,} {SPLIT} images, held against {hypothesis.threshold:.3g}"
    )
    return HypothesisScore(
        verdict=verdict,
        sentence=f"{_OPENINGS[verdict]}: {told}.",
        value=value,
        interval=interval,
        against=hypothesis.threshold,
        difference=value - hypothesis.threshold,
        difference_interval=gap,
        method=method,
        n=len(table),
        checkpoint=table.checkpoint,
        caution=f"{_CHOSEN} {_ONE_EACH.replace('difference', 'value')}",
    )


def _value(table: Table, hypothesis: Hypothesis) -> tuple[float | None, Interval | None, str]:
    """The metric of one run with its interval, and how that was found."""
    name = _RESULT_NAMES.get(hypothesis.metric, hypothesis.metric)
    if name == "auroc":
        found = rankings(table.truth, table.probabilities)
        return found.auroc, found.auroc_interval, "interval from what each image brings to the area"
    masks = isinstance(table, MaskTable)
    result = evaluate_masks(table) if masks else evaluate_table(table)
    row = result.per_class[table.classes.index(hypothesis.label)] if hypothesis.label else result
    interval = row.interval if name == "accuracy" else getattr(row, f"{name}_interval")
    wilsons = name in ("accuracy", "recall", "precision", "f1") and not masks
    return getattr(row, name), interval, "Wilson's interval" if wilsons else "interval from drawing images again"


def _subject(hypothesis: Hypothesis) -> str:
    label = metric(hypothesis.metric).label
    return f"{label} of “{hypothesis.label}”" if hypothesis.label else label


def _points(value: float, interval: Interval) -> str:
    low, high = (f"{100 * bound:+.1f}" for bound in interval)
    return f"a difference of {100 * value:+.1f} points (95 % interval {low} to {high})"


def _choices_apart(baseline: Run, run: Run) -> str:
    """In how many choices two recipes differ: a difference comes from all of them together."""
    meant = [one for one in diff(baseline.recipe, run.recipe) if one.path not in ("name", "preset", "seed", "dataset")]
    seeds = "" if baseline.recipe.seed == run.recipe.seed else " and in their seed"
    if not meant:
        return "The two runs differ only in their seed." if seeds else "The two runs have the same recipe and seed."
    if len(meant) == 1:
        return f"The two runs differ in one choice{seeds}."
    return f"The two runs differ in {len(meant)} choices{seeds}: which of them it was cannot be told."
