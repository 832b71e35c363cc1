"""Are precision and threads chosen well? Fovea's own choice beside plain float32, and what else there would be.

    python -m benchmarks.precision [--pairs 5] [--images 120] [--size 160] [--environments] [--hogs 2]

Every side is Fovea's loop, in a process of its own, with the whole of lite0 learning from decoded pictures:

- `auto`: what a worker does, precision "auto" and as many threads as it may use cores;
- `plain float32`: precision "float32" and PyTorch's own number of threads; `auto` is to reach 0.95 of it anywhere;
- one thread, to see what the threads are good for on this machine at this load;
- with `--environments`, `auto` in processes whose C library (glibc) does not hand large blocks back to the system, and
  whose threads wait asleep, or spin for a shorter time, until there is work again. With `--hogs` so many processes
  keep the machine busy meanwhile, as other people's work does: threads that wait spinning then wait for each other.

On a CPU "auto" is float32 by rule. bfloat16 is tried beside it on the bare network, since some CPUs have it built in
and others take minutes for a step; so is inference. torch.compile is not offered, by rule: compiling lite0 on a CPU
took a minute for 1.16 times the speed, and training more than 100 seconds, which no class-room run earns back.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.library import Library
from core.recipe import Recipe
from core.workspace import Workspace

AIM = 0.95
ENVIRONMENTS = {  # of glibc, and of the OpenMP that comes with PyTorch
    "allocator keeps blocks": {
        "MALLOC_MMAP_THRESHOLD_": "4000000000",
        "MALLOC_TRIM_THRESHOLD_": "8000000000",
        "MALLOC_TOP_PAD_": "268435456",
    },
    "threads wait asleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    "threads spin 1,000 times": {"GOMP_SPINCOUNT": "1000"},
    "threads spin 10,000 times": {"GOMP_SPINCOUNT": "10000"},
}
HOPELESS = 10  # times slower in one small product: then the network is not tried in bfloat16


def learning(root: Path, recipe: Recipe, threads: int) -> dict[str, float]:
    """Images per second (median over the epochs but the first) and peak memory, of the loop with so many threads."""
    import torch

    from core.executors.launch import step_back
    from core.train.events import EpochEnd
    from core.train.loop import train

    step_back()
    if threads:
        torch.set_num_threads(threads)
    workspace, rates = Workspace(root), []
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("best", "best_facts", "last")}
        for event in train(recipe, Library(workspace).get(recipe.dataset), cache=workspace.cache, **files):
            if isinstance(event, EpochEnd):
                rates.append(event.images_per_second)
    return {"rate": median(rates[1:] or rates), "megabytes": _peak()}


def _peak() -> float:
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def in_bfloat16(size: int, pairs: int) -> dict[str, list[float]]:
    """Rate in bfloat16 over that in float32, of learning and of looking only, on this CPU; empty where hopeless."""
    import timm
    import torch

    small = torch.rand(256, 256)
    if _seconds(lambda: small.bfloat16() @ small.bfloat16()) > HOPELESS * _seconds(lambda: small @ small):
        return {}
    network = timm.create_model("tf_efficientnet_lite0", num_classes=10).to(memory_format=torch.channels_last)
    images = torch.randn(16, 3, size, size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)

    def learn(half: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = network.train()(images).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    @torch.inference_mode()
    def look(half: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            network.eval()(images)

    found: dict[str, list[float]] = {"learning": [], "looking only": []}
    for name, act in (("learning", learn), ("looking only", look)):
        for number in range(pairs):
            took = {half: _seconds(partial(act, half)) for half in ((True, False), (False, True))[number % 2]}
            found[name].append(took[False] / took[True])
    return found


def _seconds(act: Callable[[], object]) -> float:
    act()
    began = time.perf_counter()
    for _ in range(5):
        act()
    return time.perf_counter() - began


def side(workspace: Workspace, recipe: Recipe, threads: int, further: dict[str, str]) -> dict[str, float]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.precision", "--one", str(workspace.root), recipe.to_json()]
    touched = {name for environment in ENVIRONMENTS.values() for name in environment}
    environment = {name: value for name, value in os.environ.items() if name not in touched} | further
    done = subprocess.run([*command, str(threads)], capture_output=True, text=True, cwd=bench.ROOT, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def busy(hogs: int) -> Iterator[None]:
    """So many processes that compute, at the priority of a worker, until this is left or this process ends."""
    code = "import os\nfrom core.executors.launch import step_back\nstep_back()\nmine = os.getppid()\n"
    words = [sys.executable, "-c", code + "while os.getppid() == mine: sum(range(10**6))"]
    started = [subprocess.Popen(words, cwd=bench.ROOT) for _ in range(hogs)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=5, images=120, size=160)
    parser.add_argument("--environments", action="store_true", help="also with other settings of C library and OpenMP")
    parser.add_argument("--hogs", type=int, default=0, help="processes that keep the machine busy meanwhile (0)")
    parser.add_argument("--batch", type=int, default=16, help="images of a batch (16)")
    parser.add_argument("--one", nargs=3, metavar=("WORKSPACE", "RECIPE", "THREADS"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = options()
    if arguments.one:
        root, recipe, threads = arguments.one
        print(json.dumps(learning(Path(root), Recipe.from_json(recipe), int(threads))))
        return

    from core.machine import cores

    beside = f", beside {arguments.hogs} busy processes" if arguments.hogs else ""
    bench.headline(f"Precision and threads: training images per second{beside}")
    sides = {"auto": ("auto", cores(), {}), "plain float32": ("float32", 0, {}), "one thread": ("auto", 1, {})}
    for name, further in ENVIRONMENTS.items() if arguments.environments else ():
        sides[name] = ("auto", cores(), further)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    with bench.bench_workspace() as workspace, busy(arguments.hogs):
        dataset = bench.demo_dataset(workspace, arguments.images)
        phases = [{"name": "everything", "trainable": "everything", "epochs": 4, "learning_rate": 3e-4}]
        changes = {"image_size": arguments.size, "batch_size": arguments.batch, "phases": phases}
        recipe = Recipe(dataset=dataset.id).set(changes)
        side(workspace, recipe.set({"phases.0.epochs": 1}), 0, {})  # fills the cache of decoded pictures
        for number in range(arguments.pairs):
            for name in bench.turns(list(sides), number):
                precision, threads, further = sides[name]
                found[name].append(side(workspace, recipe.set({"precision": precision}), threads, further))
    rates = {name: [one["rate"] for one in runs] for name, runs in found.items()}
    for name, values in rates.items():
        bench.line(name, values, "images/s")
        bench.line(f"{name}: memory, at most", [one["megabytes"] for one in found[name]], "MB")
    verdict = Verdict()
    ratios = {name: _over(rates["auto"], values) for name, values in rates.items()}
    bench.line("auto / plain float32", ratios["plain float32"], "x", goal=f"{AIM} or more")
    bench.line("auto / one thread", ratios["one thread"], "x", goal=f"{AIM} or more")
    verdict.at_least("auto / plain float32", ratios["plain float32"], AIM)
    verdict.at_least("auto / one thread", ratios["one thread"], AIM)
    for name in ENVIRONMENTS if arguments.environments else ():
        bench.line(f"{name} / auto", _over(rates[name], rates["auto"]), "x")
    halves = in_bfloat16(arguments.size, arguments.pairs)
    for name, values in halves.items():
        bench.line(f"bfloat16 / float32 on this CPU, {name}", values, "x")
    if not halves:
        print(f"   bfloat16 on this CPU: more than {HOPELESS} times slower in one product, not tried further")
    bench.footer()
    verdict.end()


def _over(left: list[float], right: list[float]) -> list[float]:
    return [one / other for one, other in zip(left, right, strict=True)]


if __name__ == "__main__":
    main()
