"""Are planted wrong labels found, and is clean data left in peace?

    python -m benchmarks.wrong_labels [--data FOLDER] [--images 400] [--seeds 3]

In each drawn set, and in a folder of class folders, 5 and 10 % of the labels are replaced by those of other classes
drawn at random, as a revision of the dataset. Then labels are ranked by how likely they are wrong, as the health check
ranks them. What counts is the share of the planted ones among the first one and a half times as many. Before that, the
data are looked at as they are: what the check would tell of them is told here, since it has to be looked at by eye.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.dataset import Change, Dataset
from core.data.demo import make_demo
from core.data.incoming import SplitRule, keep
from core.data.library import Library
from core.data.revisions import restore, revise
from core.integrity.embedding import embed
from core.integrity.labels import SURE, label_findings, ranked
from core.integrity.outliers import outlier_findings
from core.workspace import Workspace

SHARES = (0.05, 0.10)
LOOKED_AT = 1.5  # times as many as were planted
AIM = 0.7  # of the planted ones are to be among them


def planted(workspace: Workspace, dataset: Dataset, share: float, seed: int) -> tuple[Dataset, set[str]]:
    """A revision of a dataset with a share of its labels wrong, and the ids of these."""
    newest = Library(workspace).get(dataset.id)
    if newest.fingerprint != dataset.fingerprint:
        newest = restore(newest, dataset.revision)
    draw = np.random.default_rng(seed)
    samples = [dataset.samples[row] for row in draw.permutation(len(dataset.samples))]
    meant: dict[str, list[str]] = defaultdict(list)
    for sample in samples[: round(share * len(samples))]:
        meant[draw.choice([name for name in dataset.classes if name != dataset.classes[sample.label]])].append(
            sample.id
        )
    changes = [Change("relabel", tuple(ids), str(name), "planted") for name, ids in meant.items()]
    return revise(newest, changes), {id for ids in meant.values() for id in ids}


def as_it_is(workspace: Workspace, dataset: Dataset) -> None:
    """What the check tells of a dataset in which nothing was planted."""
    began = time.monotonic()
    embedding = embed(str(workspace.root), dataset.reference)
    findings = (*label_findings(dataset, embedding), *outlier_findings(dataset, embedding))
    told = "; ".join(f"{finding.message} {', '.join(finding.files[:5])}" for finding in findings)
    share, low, high = embedding.noise
    print(f"   as it is ({time.monotonic() - began:.0f} s): {told or 'nothing is told'}")
    print(f"      estimated share of wrong labels {share:.1%} [{low:.1%}, {high:.1%}]", flush=True)


def found(workspace: Workspace, dataset: Dataset, share: float, seeds: int) -> list[float]:
    """The share of planted labels among the first 1.5 times as many, for each seed."""
    rates, told, right, estimates = [], 0, 0, []
    for seed in range(seeds):
        revision, wrong = planted(workspace, dataset, share, seed)
        embedding = embed(str(workspace.root), revision.reference)
        first = ranked(embedding)[: round(LOOKED_AT * len(wrong))]
        rates.append(sum(embedding.ids[row] in wrong for row in first) / len(wrong))
        sure = (
            {str(id) for id in embedding.ids[embedding.wrong >= SURE]} if label_findings(revision, embedding) else set()
        )
        told, right = told + len(sure), right + len(sure & wrong)
        estimates.append(float(embedding.noise[0]))
    name = f"{share:.0%} wrong: found among the first {LOOKED_AT:g} times as many"
    bench.line(name, rates, "of them", goal=f"at least {AIM:g}")
    precision = right / told if told else 0.0
    print(
        f"      told as likely wrong: {told} in all, {precision:.0%} of them rightly; "
        f"estimated shares {', '.join(f'{one:.1%}' for one in estimates)}",
        flush=True,
    )
    return rates


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="class folders, besides what is drawn")
    parser.add_argument("--images", type=int, default=400, help="drawn images of each set (400)")
    parser.add_argument("--seeds", type=int, default=3, help="how often labels are planted (3)")
    return parser.parse_args()


def main() -> None:
    arguments, verdict = options(), Verdict()
    bench.headline("Planted wrong labels: how many are found among those ranked first")
    with bench.bench_workspace() as workspace:
        sets = {
            f"{name}, {arguments.images} drawn images": keep(
                workspace, make_demo(workspace, name, {"images": arguments.images}).id, rule=SplitRule()
            )
            for name in ("blood-smear", "digits")
        }
        if arguments.data:
            sets[arguments.data.name] = bench.folder_dataset(workspace, arguments.data, seed=0)
        for name, dataset in sets.items():
            print(f"   -- {name}: {len(dataset.samples):,} images, {len(dataset.classes)} classes", flush=True)
            as_it_is(workspace, dataset)
            for share in SHARES:
                rates = found(workspace, dataset, share, arguments.seeds)
                verdict.at_least(f"{share:.0%} wrong labels in {name}", rates, AIM, unit="of them")
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
