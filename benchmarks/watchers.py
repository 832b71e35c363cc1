"""Does the page stay quick when a class watches? Ten browsers follow one live run; how long does each tick take?

    python -m benchmarks.watchers [--watchers 10] [--seconds 30]

A watcher speaks the browser's side of Streamlit's protocol: it opens the Train page and, whenever the page has asked to
be refreshed, asks for that fragment. A tick is the time from asking until the server has said that it is done.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from statistics import median, quantiles

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks import bench
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.store import RunStore
from tests.browser.server import serving

ENDLESS = {
    "image_size": 96,
    "batch_size": 16,
    "phases.0": {"name": "everything", "trainable": "everything", "epochs": 1000, "learning_rate": 1e-4},
}


async def watch(address: str, page: str, query: str, seconds: float) -> list[float]:
    """Seconds per tick of one browser that watches for `seconds`."""
    ticks: list[float] = []
    async with connect(address.replace("http", "ws") + "/_stcore/stream", max_size=None) as socket:
        await _ask(socket, ClientState(page_name=page, query_string=query))
        opened = await _until_done(socket)
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
            await _ask(socket, state)
            await _until_done(socket)
            due[fragment] = (time.monotonic() + interval, interval)
            ticks.append(time.monotonic() - asked)
    return ticks


async def _ask(socket: ClientConnection, state: ClientState) -> None:
    await socket.send(BackMsg(rerun_script=state).SerializeToString())


async def _until_done(socket: ClientConnection) -> list[ForwardMsg]:
    """All that the server says until its script, or fragment, has come to its end."""
    heard = []
    while True:
        message = ForwardMsg.FromString(await asyncio.wait_for(socket.recv(), timeout=60))
        heard.append(message)
        if message.HasField("script_finished") and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return heard


async def _all(watchers: int, one: Callable) -> list[list[float]]:
    return await asyncio.gather(*(one() for _ in range(watchers)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    bench.headline(f"{arguments.watchers} browsers watch a live run")
    with bench.bench_workspace() as workspace:
        dataset = bench.demo_dataset(workspace, images=200)
        store = RunStore(workspace)
        run_id = store.create(Recipe(dataset=dataset.id).set(ENDLESS), dataset)
        LocalExecutor(workspace).submit(run_id)
        while not any(entry["kind"] == "epoch" for entry in bench.journal(store, run_id)):
            time.sleep(0.2)
        with serving(workspace.root) as address:
            query = f"dataset={dataset.id}&run={run_id}"
            asyncio.run(watch(address, "train", query, 3))  # whoever comes first waits for the server's imports
            ticks = asyncio.run(
                _all(arguments.watchers, lambda: watch(address, "train", query, arguments.seconds))
            )
        every = [tick for row in ticks for tick in row]
        bench.line("tick, median", [1000 * median(every)], "ms", goal="under 100 ms")
        bench.line("tick, 95th percentile", [1000 * quantiles(every, n=20)[-1]], "ms")
        bench.line("ticks served", [len(every) / arguments.seconds], "a second")


if __name__ == "__main__":
    main()
