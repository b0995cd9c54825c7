#!/usr/bin/env python3
"""Compares reading and writing files in pieces: the component cp-p2 under several runtimes, and its native build.

    benches/files.py --rounds 5 native=guests/out/native/cp-p2 \\
        lithe='target/release/lithe --engine native --dir {dir} guests/components/out/cp-p2.wasm' \\
        wasmtime='wasmtime run --dir {dir} guests/components/out/cp-p2.wasm'

Each engine is NAME=COMMAND; {dir} is replaced by a folder of its own in the file system of --folder. Every engine writes
and reads --size in pieces of 4 KB and of 64 KB, one right after the other in every round. The program measures its own
time. A figure is the median over the rounds of the ratio to the first engine. Checksums must agree.
"""
import argparse
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile


def run(command, folder, words):
    argv = shlex.split(command.replace("{dir}", str(folder))) + words
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit(f"files.py: {shlex.join(argv)} ended with {done.returncode}: {done.stderr}")
    return float(re.search(r"([0-9.]+)", done.stderr)[1]), done.stdout


def main():
    parser = argparse.ArgumentParser(description="Interleaved comparison of file I/O.")
    parser.add_argument("engines", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="256m")
    parser.add_argument("--folder", default="/dev/shm", help="where the files are; in memory by default")
    options = parser.parse_args()
    engines = dict(engine.split("=", 1) for engine in options.engines)
    first = next(iter(engines))
    times = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file = str(pathlib.Path(folder) / "data")
        for _ in range(options.rounds):
            for piece in ["4k", "64k"]:
                for what, words in [("write", [options.size, piece]), ("read", [piece])]:
                    lines = set()
                    for name, command in engines.items():
                        if what == "write":
                            pathlib.Path(file).unlink(missing_ok=True)
                        took, line = run(command, folder, [what, file, *words])
                        times.setdefault((what, piece), {}).setdefault(name, []).append(took)
                        lines.add(line)
                    if len(lines) != 1:
                        sys.exit(f"files.py: engines print different lines: {lines}")
    print(f"{options.size} in {options.folder}, {options.rounds} rounds, ratios to {first}")
    for (what, piece), rows in times.items():
        ratio = lambda name: statistics.median(a / b for a, b in zip(rows[name], rows[first]))
        cells = [f"{name} {statistics.median(rows[name]):7.1f} ms {ratio(name):5.2f}" for name in rows]
        print(f"{what:<5} {piece:>3}   " + "   ".join(cells))


if __name__ == "__main__":
    main()
