#!/usr/bin/env python3
"""Compares engines by CPU time over the kernels in benches/kernels.

    benches/compare.py --rounds 5 lithe='target/release/lithe run' wasmi='wasmi run'

Each engine is NAME=COMMAND; the kernel's .wasm path is appended, or replaces {wasm}, and {kernel} is replaced by its
bare name (for native builds: native='some/folder/{kernel}'). In every round every engine runs every kernel once, one
right after the other, so that whatever else the machine does hits all of them alike. A figure is the median over the
rounds of (user + system time of this engine) / (the same of the baseline, which is the last engine unless --baseline
says otherwise). Engines that print different lines make the comparison fail. Exit code 1: a kernel failed or differed.
"""
import argparse
import math
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

KERNELS = ["fib", "intloop", "sieve", "matmul", "sha256", "crc", "sort", "vm", "memops", "nbody", "mix", "words"]
FOLDER = pathlib.Path(__file__).resolve().parent / "kernels"


def argv_of(command, kernel):
    """The argument vector that runs `kernel` with the engine's command line."""
    path = str(FOLDER / f"{kernel}.wasm")
    words = [w.replace("{kernel}", kernel).replace("{wasm}", path) for w in shlex.split(command)]
    return words if words != shlex.split(command) else words + [path]


def run(command, kernel):
    """Runs once; returns (CPU seconds, what it printed)."""
    argv = argv_of(command, kernel)
    try:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except OSError as error:
        sys.exit(f"compare.py: cannot start {argv[0]}: {error.strerror}")
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{shlex.join(argv)} ended with exit code {child.returncode}")
    return usage.ru_utime + usage.ru_stime, output.decode(errors="replace").strip()


def main():
    parser = argparse.ArgumentParser(description="Interleaved CPU-time comparison of engines over the kernels.")
    parser.add_argument("engines", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--baseline", metavar="NAME", help="the engine that counts as 1.00 (the last one)")
    parser.add_argument("--kernels", help="only these, separated by commas")
    options = parser.parse_args()
    engines = {}
    for engine in options.engines:
        name, equals, command = engine.partition("=")
        if not equals or not command or name in engines:
            parser.error(f"'{engine}' is not a new NAME=COMMAND")
        engines[name] = command
    baseline = options.baseline or list(engines)[-1]
    if baseline not in engines:
        parser.error(f"--baseline {baseline} is none of the engines")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    kernels = options.kernels.split(",") if options.kernels else KERNELS
    if unknown := [k for k in kernels if k not in KERNELS]:
        parser.error(f"no kernel named {unknown[0]}; there are {', '.join(KERNELS)}")

    seconds = {k: {e: [] for e in engines} for k in kernels}
    expected, bad = {}, []
    for round_number in range(options.rounds):
        for kernel in kernels:
            for name, command in engines.items():
                try:
                    cpu, line = run(command, kernel)
                except RuntimeError as error:
                    sys.exit(f"compare.py: {error}")
                seconds[kernel][name].append(cpu)
                if expected.setdefault(kernel, line) != line:
                    bad.append(f"{kernel}: {name} printed '{line}', {list(engines)[0]} '{expected[kernel]}'")
        if sys.stderr.isatty():
            print(f"\rround {round_number + 1} of {options.rounds}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)

    others = [e for e in engines if e != baseline]
    print("| kernel | " + f"{baseline} s | " + " | ".join(f"{e} s | {e} / {baseline}" for e in others) + " |")
    print("|---|" + "---|" * (1 + 2 * len(others)))
    logs = {e: [] for e in others}
    for kernel, times in seconds.items():
        row = [kernel, f"{statistics.median(times[baseline]):.3f}"]
        for e in others:
            ratio = statistics.median(t / max(b, 1e-6) for t, b in zip(times[e], times[baseline]))
            logs[e].append(math.log(max(ratio, 1e-6)))
            row += [f"{statistics.median(times[e]):.3f}", f"{ratio:.2f}"]
        print("| " + " | ".join(row) + " |")
    if others:
        geomeans = [f"**{math.exp(statistics.mean(logs[e])):.2f}**" for e in others]
        print("| **geomean** | | " + " | ".join(f"| {g}" for g in geomeans) + " |")
    for message in dict.fromkeys(bad):
        print(f"DIFFERENT {message}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
