"""Do the lists stay quick when a year of courses has left its runs behind? The Runs and the Compare page, at 1,000 runs
and at ten times as many.

    python -m benchmarks.many_runs [--few 1000] [--times 10] [--visits 20]

Two servers stand side by side, one over each workspace; a visitor opens a page of either in turn. A visit speaks the
browser's side of Streamlit's protocol: it opens a new session and takes the time from asking for the page until the
server has said that all of it was sent. Visits to one page are more than a second apart, so that none of them lives on
a list that another one has just read. Runs are folders written down as training leaves them; two were really trained
and evaluated, so that the Compare page has something to compare.
"""

import argparse
import asyncio
import json
import time
from dataclasses import replace
from itertools import cycle
from statistics import median

import numpy as np
from streamlit.proto.ClientState_pb2 import ClientState
from websockets.asyncio.client import connect

from benchmarks import bench
from benchmarks.judge import Verdict
from benchmarks.watchers import ask, until_done
from core.data.dataset import Dataset
from core.evaluate.evaluation import evaluate_run
from core.executors.inline import InlineExecutor
from core.presets import presets_for
from core.recipe import Recipe
from core.runs.labels import Change
from core.runs.run import RunPaths, RunState, read_status, write_status
from core.runs.store import RunStore
from core.workspace import Workspace, write_text
from tests.browser.server import serving

AIM, GROWTH = 200.0, 1.5  # milliseconds; how much more ten times as many runs may cost
PAUSE = 1.2  # seconds between visits to one page: a list is kept for one
EPOCHS = 20
PAGES = ("runs", "compare")
TINY = {"model.backbone": "test_efficientnet", "model.weights": "random", "image_size": 32, "phases.0.epochs": 2}


def write_runs(store: RunStore, dataset: Dataset, number: int, seed: int = 0) -> None:
    """So many finished runs of a few recipes, each with its own score, curve, and sometimes a name and tags."""
    draw = np.random.default_rng(seed)
    recipes = [row.recipe().set({"dataset": dataset.id}) for row in presets_for(dataset.task)]
    made: dict[str, dict[str, str]] = {}
    for recipe in recipes:
        run_id = store.create(recipe, dataset)
        made[recipe.preset] = _texts(store.paths(run_id))
        store.delete(run_id)
    texts = cycle(made.values())
    for place in range(number):
        paths, status = RunPaths(store.workspace.runs / f"run-{place:06d}"), None
        paths.folder.mkdir(parents=True)
        for name, text in next(texts).items():
            (paths.folder / name).write_text(text)
        facts = json.loads(paths.facts.read_text())
        write_text(paths.facts, json.dumps(facts | {"created": facts["created"] - 60.0 * place}))
        curve = np.sort(draw.uniform(0.3, 0.99, EPOCHS)).round(4).tolist()
        entries = [
            {"kind": "epoch", "epoch": epoch + 1, "training": {"loss": 1 - score}, "validation": {"accuracy": score}}
            for epoch, score in enumerate(curve)
        ]
        paths.epochs.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        status = replace(
            read_status(paths),
            state=RunState.FINISHED,
            sentence=RunState.FINISHED.sentence,
            best={"accuracy": curve[-1], "epoch": EPOCHS},
            interval=(curve[-1] - 0.05, min(1.0, curve[-1] + 0.05)),
            epochs_done=EPOCHS,
            epochs=EPOCHS,
            seconds=40.0,
        )
        write_status(paths, status)
    named = [f"run-{place:06d}" for place in range(0, number, 10)]
    for start, run_id in enumerate(named):
        change = Change(name=f"Try {start}", tags=("course", f"week {start % 12}"), note="as in the lecture")
        store.label([run_id], change)


def _texts(paths: RunPaths) -> dict[str, str]:
    """The small files of a run."""
    return {path.name: path.read_text() for path in (paths.recipe, paths.facts, paths.split, paths.state)}


def trained(workspace: Workspace, dataset: Dataset) -> list[str]:
    """Two runs that really have answers to compare."""
    store, made = RunStore(workspace), []
    for seed in (0, 1):
        run_id = store.create(Recipe(dataset=dataset.id).set(TINY | {"seed": seed}), dataset)
        InlineExecutor(workspace).submit(run_id)
        evaluate_run(str(workspace.root), run_id, "validation", "benchmark")
        made.append(run_id)
    return made


async def visit(address: str, page: str, query: str) -> tuple[float, int]:
    """Open a page in a new session: seconds until all of it was sent, and how many bytes that were."""
    async with connect(address.replace("http", "ws") + "/_stcore/stream", max_size=None) as socket:
        asked = time.monotonic()
        await ask(socket, ClientState(page_name=page, query_string=query))
        heard = await until_done(socket)
        took = time.monotonic() - asked
    failed = [message for message in heard if message.delta.new_element.HasField("exception")]
    assert not failed, f"the {page} page failed: {failed[0].delta.new_element.exception.message}"
    return took, sum(message.ByteSize() for message in heard)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=1000, help="runs of the smaller workspace (1000)")
    parser.add_argument("--times", type=int, default=10, help="how many times as many the other one has (10)")
    parser.add_argument("--visits", type=int, default=20, help="to each page of either (20)")
    parser.add_argument("--images", type=int, default=120, help="drawn images that the real runs learn from (120)")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    few, many = arguments.few, arguments.few * arguments.times
    bench.headline(f"Opening the Runs and the Compare page with {few:,} and {many:,} runs")
    verdict = Verdict()
    pages = [page for page in PAGES if (bench.ROOT / "pages" / f"{page}.py").exists()]
    with bench.bench_workspace() as small, bench.bench_workspace() as large:
        queries, first = {}, {}
        for workspace, number in ((small, few), (large, many)):
            dataset = bench.demo_dataset(workspace, images=arguments.images)
            pair = trained(workspace, dataset)
            write_runs(RunStore(workspace), dataset, number - len(pair))
            queries[workspace] = f"dataset={dataset.id}&run={pair[0]}&compare={','.join(pair)}"
            began = time.monotonic()
            assert len(RunStore(workspace).list()) == number
            first[workspace] = time.monotonic() - began
        bench.line(f"reading {many:,} run folders for the first time", [first[large]], "s")
        with serving(small.root) as one, serving(large.root) as other:
            addresses = {small: one, large: other}
            for page in pages:
                took: dict[Workspace, list[float]] = {small: [], large: []}
                sent: dict[Workspace, int] = {}
                for workspace, address in addresses.items():  # whoever comes first waits for the server's imports
                    asyncio.run(visit(address, page, queries[workspace]))
                for number in range(arguments.visits):
                    for place in bench.turns(["small", "large"], number):
                        workspace = small if place == "small" else large
                        time.sleep(PAUSE)
                        seconds, sent[workspace] = asyncio.run(visit(addresses[workspace], page, queries[workspace]))
                        took[workspace].append(1000 * seconds)
                for workspace, number in ((small, few), (large, many)):
                    bench.line(f"{page}, {number:,} runs", took[workspace], "ms", goal=f"{AIM:g} ms or less")
                    bench.line(f"{page}, {number:,} runs: sent", [sent[workspace] / 1000], "kB")
                growth = median(took[large]) / median(took[small])
                bench.line(f"{page}: {many:,} / {few:,}", [growth], "x", goal=f"{GROWTH} or less")
                verdict.at_most(f"{page} with {few:,} runs", took[small], AIM, unit="ms")
                verdict.at_most(f"{page}: what {many:,} runs cost", [growth], GROWTH)
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
