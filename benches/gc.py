#!/usr/bin/env python3
"""Compares garbage collection in Lithe with that of V8 over the programs in benches/gc.

    benches/gc.py --rounds 5 LITHE NODE

LITHE and NODE are the two commands; Node 22 or later knows WebAssembly's garbage collection (npm's package `node` holds
one). In every round each engine runs each program once, one right after the other. Printed are medians of CPU time (user
and system, all threads) and of wall time of whole processes, the ratio of the former, allocation rates, and the longest
pauses with a live heap of 100 MB: half structs of 24 bytes in linked lists, half arrays of up to 4 KB. Checksums must
agree.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent / "gc"
# Program, argument, and objects allocated where that is the point.
PROGRAMS = [("trees", "18", None), ("alloc", "50000000", 50_000_000)]
LIVE = ["100", "10000000"]


def run(argv, env=None):
    """Runs once; returns CPU seconds, wall seconds, standard output and standard error."""
    start = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    out, err = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"gc.py: {' '.join(argv)} ended with exit code {child.returncode}\n{err.decode()}")
    wall = time.monotonic() - start
    return usage.ru_utime + usage.ru_stime, wall, out.decode(), err.decode()


def main():
    parser = argparse.ArgumentParser(description="Garbage collection beside V8.")
    parser.add_argument("lithe")
    parser.add_argument("node")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    once = {**os.environ, "REPEAT": "1"}
    node = [options.node, str(FOLDER / "run.mjs")]
    failed = False
    for program, argument, count in PROGRAMS:
        times = {"Lithe": [], "V8": []}
        for _ in range(options.rounds):
            ours = run([options.lithe, "run", "--invoke", "run", str(FOLDER / f"{program}.wasm"), argument])
            theirs = run([*node, program, argument], once)
            times["Lithe"].append(ours[:2])
            times["V8"].append(theirs[:2])
            checksum = re.search(r"checksum (-?\d+)", theirs[2])
            if not checksum or checksum[1] != ours[2].strip():
                print(f"{program}: the checksums differ: {ours[2].strip()} and {theirs[2].strip()}")
                failed = True
        median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in times.items()}
        for name, (cpu, wall) in median.items():
            rate = f", {count / cpu / 1e6:.0f} million objects a second" if count else ""
            print(f"{program} {argument:<9} {name:<6} CPU {cpu:6.3f} s, wall {wall:6.3f} s{rate}")
        ratios = [ours[0] / theirs[0] for ours, theirs in zip(times["Lithe"], times["V8"])]
        print(f"{program} {argument:<9} Lithe/V8 {statistics.median(ratios):.2f} (CPU, median of {options.rounds} rounds)")
    for export, order in [("ordered", "in order"), ("run", "scattered")]:
        longest = []
        for _ in range(options.rounds):
            _, _, _, stats = run([options.lithe, "run", "--stats", "--format", "json", "--invoke", export,
                                  str(FOLDER / "live.wasm"), *LIVE])
            heap = json.loads(stats)["stats"]["heap"]
            longest.append(heap["longest_pause_seconds"] * 1e3)
        each = " ".join(f"{pause:.1f}" for pause in longest)
        print(f"Lithe full collection, lists {order}: longest pause ms {min(longest):.1f} at best, "
              f"{statistics.median(longest):.1f} median ({each}), {heap['live_bytes'] / 1e6:.0f} MB live")
    print(run([*node, "live", *LIVE])[2].strip())
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
