"""Every measurement, one after the other, the shortest first; then what each of them found.

    python -m benchmarks [--small]

With `--small` each one runs at a size that only shows that it works. Ends with a code that is not zero where an aim was
missed, accuracies differ by more than chance, or a measurement broke off.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass

from benchmarks.bench import ROOT
from benchmarks.judge import ACCURACIES_DIFFER, AIM_MISSED

_FINDINGS = {0: "fine", AIM_MISSED: "an aim is missed", ACCURACIES_DIFFER: "accuracies differ by more than chance"}


@dataclass(frozen=True)
class Measurement:
    """One file of this folder."""

    name: str
    small: str = "--pairs 1 --images 60 --size 64"  # words that make it short


MEASUREMENTS = (
    Measurement("gpu", "--cpu --seconds 20"),
    Measurement("planted_duplicates", "--seeds 1 --images 60"),
    Measurement("lab_knob", "--pairs 3 --images 60 --size 64"),
    Measurement("comparisons", "--repeats 20 --networks 20"),
    Measurement("autopsies", "--trials 5"),
    Measurement("wrong_labels", "--images 240 --seeds 1"),
    Measurement("first_step"),
    Measurement("importing", "--pairs 1 --images 300 --size 64"),
    Measurement("health_check", "--pairs 1 --images 300 --size 64"),
    Measurement("loop_overhead"),
    Measurement("frozen_features", ""),
    Measurement("precision"),
    Measurement("instant_heads"),
    Measurement("first_model"),
    Measurement("watchers", "--pairs 1 --images 60 --size 64 --watchers 2 --seconds 8"),
    Measurement("many_images", "--pairs 1 --images 4000 --size 32 --seconds 6"),
    Measurement("many_runs", "--few 100 --times 3 --visits 3"),
    Measurement("segmentation", "--epochs 1"),
    Measurement("coverage", "--repeats 2 --sizes 50"),
    Measurement("duels", "--repeats 20 --runs 10 --images 60 --size 64"),
    Measurement("fine_tuning", "--pairs 1 --images 60 --size 64 --epochs 1"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only show that each of them works")
    parser.add_argument("--only", nargs="+", choices=[row.name for row in MEASUREMENTS], help="some of them")
    arguments = parser.parse_args()
    found = []
    for row in MEASUREMENTS:
        if row.name in (arguments.only or [row.name]):
            words = row.small.split() if arguments.small else []
            began = time.monotonic()
            code = subprocess.run([sys.executable, "-m", f"benchmarks.{row.name}", *words], cwd=ROOT).returncode
            found.append((row.name, code, time.monotonic() - began))
    print("\n== All measurements")
    for name, code, seconds in found:
        print(f"   {name:<18} {_FINDINGS.get(code, 'it broke off'):<40} {seconds / 60:5.1f} min")
    sys.exit(max((abs(code) for _, code, _ in found), default=0))


if __name__ == "__main__":
    main()
