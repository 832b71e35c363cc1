"""Does the page stay quick when a class watches, and does training mind? Browsers follow one live run.

    python -m benchmarks.watchers [--pairs 5] [--watchers 10] [--seconds 20] [--images 200] [--size 96]

A watcher speaks the browser's side of Streamlit's protocol: it opens the Train page and, whenever the page has asked to
be refreshed, asks for that fragment. A tick is the time from asking until the server has said that it is done. The run
trains all the time, while for so many seconds nobody watches, one browser does, or ten do, each first in turn; images
learned from are read off the run's journal. The browsers stand for people at other machines, so they go last for the
processor; what they take of it all the same counts against the page.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Sequence
from statistics import median, quantiles

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks import bench
from benchmarks.judge import Verdict
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.store import RunStore
from tests.browser.server import serving

BATCH = 16
ENDLESS = {
    "batch_size": BATCH,
    "phases.0": {"name": "everything", "trainable": "everything", "epochs": 1000, "learning_rate": 1e-4},
}
ONE, MANY = 0.95, 0.85  # of the rate that nobody watches


async def watch(address: str, page: str, query: str, seconds: float) -> list[float]:
    """Seconds per tick of one browser that watches for `seconds`."""
    ticks: list[float] = []
    async with connect(address.replace("http", "ws") + "/_stcore/stream", max_size=None) as socket:
        await ask(socket, ClientState(page_name=page, query_string=query))
        opened = await until_done(socket)
        script = next(message.new_session.page_script_hash for message in opened if message.HasField("new_session"))
        refresh = [message.auto_rerun for message in opened if message.HasField("auto_rerun")]
        assert refresh, f"the {page} page does not refresh itself while a run is live"
        until = time.monotonic() + seconds
        due = {fragment.fragment_id: (time.monotonic() + fragment.interval, fragment.interval) for fragment in refresh}
        while time.monotonic() < until:
            fragment, (at, interval) = min(due.items(), key=lambda item: item[1])
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            asked = time.monotonic()
            state = ClientState(page_script_hash=script, query_string=query, fragment_id=fragment, is_auto_rerun=True)
            await ask(socket, state)
            await until_done(socket)
            due[fragment] = (time.monotonic() + interval, interval)
            ticks.append(time.monotonic() - asked)
    return ticks


async def ask(socket: ClientConnection, state: ClientState) -> None:
    """Ask for a run of the script, as a browser does."""
    await socket.send(BackMsg(rerun_script=state).SerializeToString())


async def until_done(socket: ClientConnection) -> list[ForwardMsg]:
    """All that the server says until its script, or fragment, has come to its end."""
    heard = []
    while True:
        message = ForwardMsg.FromString(await asyncio.wait_for(socket.recv(), timeout=60))
        heard.append(message)
        if message.HasField("script_finished") and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return heard


async def _all(watchers: int, one: Callable) -> list[list[float]]:
    return await asyncio.gather(*(one() for _ in range(watchers)))


def learned(entries: Sequence[dict], images: int, between: tuple[float, float]) -> float:
    """Training images per second between two times, of a run that learns from so many at each epoch."""
    steps = [entry for entry in entries if entry["kind"] == "step"]
    times = [entry["time"] for entry in steps]
    counts = [(entry["epoch"] - 1) * images + min(images, entry["step"] * BATCH) for entry in steps]
    start, end = np.interp(between, times, counts)
    return float(end - start) / (between[1] - between[0])


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=5, images=200, size=96)
    parser.add_argument("--watchers", type=int, default=10, help="how many are many (10)")
    parser.add_argument("--seconds", type=float, default=20, help="of each look at the rate (20)")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    bench.headline(f"Nobody, one browser and {arguments.watchers} watch a live run")
    crowds = {"nobody": 0, "one": 1, "many": arguments.watchers}
    rates: dict[str, list[float]] = {crowd: [] for crowd in crowds}
    ticks: dict[str, list[float]] = {crowd: [] for crowd in crowds}
    with bench.bench_workspace() as workspace:
        dataset = bench.demo_dataset(workspace, images=arguments.images)
        store, training = RunStore(workspace), len(dataset.of("train"))
        run_id = store.create(Recipe(dataset=dataset.id).set(ENDLESS | {"image_size": arguments.size}), dataset)
        LocalExecutor(workspace).submit(run_id)
        while not any(entry["kind"] == "epoch" for entry in bench.journal(store, run_id)):
            if store.status(run_id).state.is_finished:
                raise RuntimeError(store.status(run_id).sentence)
            time.sleep(0.2)
        with serving(workspace.root) as address:
            if hasattr(os, "setpriority"):
                os.setpriority(os.PRIO_PROCESS, 0, 19)
            query = f"dataset={dataset.id}&run={run_id}"
            asyncio.run(watch(address, "train", query, 3))  # whoever comes first waits for the server's imports
            windows = []
            for number in range(arguments.pairs):
                for crowd in bench.turns(list(crowds), number):
                    began = time.time()
                    if crowds[crowd]:
                        watchers = _all(crowds[crowd], lambda: watch(address, "train", query, arguments.seconds))
                        ticks[crowd] += [tick for row in asyncio.run(watchers) for tick in row]
                    else:
                        time.sleep(arguments.seconds)
                    windows.append((crowd, (began, time.time())))
            time.sleep(1)  # until the last step of the last window is told
        told = bench.journal(store, run_id)
    for crowd, between in windows:
        rates[crowd].append(learned(told, training, between))
    verdict = Verdict()
    for crowd in ("one", "many"):
        if not ticks[crowd]:
            verdict.missed.append(f"{crowd}: the page was not refreshed within {arguments.seconds:g} s")
            continue
        bench.line(f"{crowd}: tick, median", [1000 * median(ticks[crowd])], "ms", goal="under 100 ms")
        bench.line(f"{crowd}: tick, 95th percentile", [1000 * quantiles(ticks[crowd], n=20)[-1]], "ms")
    bench.line("nobody watches: learning", rates["nobody"], "images/s")
    for crowd, aim in (("one", ONE), ("many", MANY)):
        ratios = [watched / alone for watched, alone in zip(rates[crowd], rates["nobody"], strict=True)]
        bench.line(f"{crowd}: rate / rate that nobody watches", ratios, "x", goal=f"{aim} or more")
        verdict.at_least(f"Learning while {crowd} watch{'es' * (crowd == 'one')}", ratios, aim)
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
