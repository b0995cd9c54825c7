#!/usr/bin/env python3
"""Compares Lithe with another engine on generated modules.

    fuzz/peers.py --count 500 --seed 1 --lithe 'target/release/lithe run' --peer 'wasmtime run -W custom-page-sizes'

`smith` (cargo build --release --manifest-path fuzz/Cargo.toml --bin smith) writes the modules; both engines call every
function that takes and gives numbers and vectors, each in a process of its own, with arguments drawn from the seed.
Printed values, exit code, trap and the function that trapped must be equal; not the offset, since Wasmtime may report a
load at the operator that uses it. A call is left out when either engine reaches the limit of fuel or stack, which they
need not share. Exit code 1: some call differed; 2: nothing was compared.
"""
import argparse
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile

# Small enough to end soon; the same for both engines.
LIMITS = ["-W", "fuel=200000,max-memory-size=1048576,max-table-elements=1000"]
# Where engines may stop at different moments.
FINITE = ("all fuel consumed", "call stack exhausted")
EDGES = {
    "i32": ["0", "1", "-1", "2147483647", "-2147483648", "65535", "65536"],
    "i64": ["0", "1", "-1", "9223372036854775807", "-9223372036854775808", "4294967296"],
    "f32": ["0", "-0", "1.5", "-1", "inf", "-inf", "1e-45", "4294967296", "2147483648"],
    "f64": ["0", "-0", "1.5", "-1", "inf", "-inf", "5e-324", "9223372036854775808", "4294967295.5"],
}
SMITH = pathlib.Path(__file__).resolve().parent / "target/release/smith"


def call(engine, name, path, args):
    """What a call comes to: exit code, printed values, trap, and the innermost frame's function."""
    argv = shlex.split(engine) + LIMITS + [f"--invoke={name}", str(path), *args]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    except OSError as error:
        sys.exit(f"peers.py: cannot start {argv[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return ("did not end in 30 s",)
    errors = done.stderr.decode(errors="replace")
    trap = re.search(r"wasm trap: (.*)", errors)
    frame = re.search(r"0: +0x[0-9a-f]+ - .*wasm function (\d+)", errors)
    if done.returncode not in (0, 134) or (done.returncode and not trap):
        return (done.returncode, errors.strip().splitlines()[:3])
    # Wasmtime has the same words for a table access and an indirect call out of bounds.
    words = trap and trap[1].removeprefix("undefined element: ")
    return (done.returncode, done.stdout.decode(errors="replace"), words, frame and frame[1])


def main():
    parser = argparse.ArgumentParser(description="Compares Lithe with another engine on generated modules.")
    parser.add_argument("--count", type=int, default=100, help="modules (100)")
    parser.add_argument("--seed", type=int, default=1, help="the first module's number (1)")
    parser.add_argument("--lithe", default="lithe run", metavar="COMMAND")
    parser.add_argument("--peer", default="wasmtime run -W custom-page-sizes", metavar="COMMAND")
    parser.add_argument("--smith", default=SMITH, help="the program that makes modules")
    options = parser.parse_args()
    same = limited = different = 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run([options.smith, str(options.count), str(options.seed), folder], check=True)
        except OSError as error:
            sys.exit(f"peers.py: cannot start {options.smith}: {error.strerror}; build it first, or see --smith")
        for number in range(options.seed, options.seed + options.count):
            path = pathlib.Path(folder) / f"{number}.wasm"
            draw = random.Random(number)
            for line in path.with_suffix(".txt").read_bytes().decode().split("\n")[:-1]:
                name, types = line.split("\t")
                args = [draw.choice(EDGES[ty]) for ty in types.split()]
                ours, theirs = (call(engine, name, path, args) for engine in (options.lithe, options.peer))
                if any(word in str(result) for result in (ours, theirs) for word in FINITE):
                    limited += 1
                elif ours == theirs:
                    same += 1
                else:
                    different += 1
                    print(f"DIFFERENT module {number}, function {name!r}, arguments {args}\n  lithe {ours}\n  peer  {theirs}")
    print(f"{same} calls equal, {different} different, {limited} left out at a limit")
    sys.exit(1 if different else 0 if same else 2)


if __name__ == "__main__":
    main()
