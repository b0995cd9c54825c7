#!/usr/bin/env python3
"""Compares what it costs to run an empty module: wall time, peak memory, system calls and threads.

    benches/startup.py --runs 200 lithe='target/release/lithe run' wasmi='wasmi run'

Each engine is NAME=COMMAND; the path of benches/kernels/empty.wasm is appended, or replaces {wasm} (--module takes
another one). The row `rust` is an empty Rust main, built here with the options of the workspace's release profile
and those of --rustc (for example --rustc='-C target-feature=+crt-static'): the floor that any Rust program pays.
Runs are interleaved, one of each in turn; the time goes from the spawn to the end of the wait. Peak memory is what
GNU time reports (Debian package time), because a child of Python inherits Python's own peak; system calls are those
of strace -f -c, with execve and the dynamic linker's.
"""
import argparse
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MODULE = pathlib.Path(__file__).resolve().parent / "kernels" / "empty.wasm"
# Keep in step with [profile.release] of the workspace's Cargo.toml.
RUSTC = ["rustc", "--edition=2024", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1", "-Cstrip=symbols"]
WARM_UP = 5


def wall_seconds(argv, null):
    """Runs once with standard input and output closed off; returns wall seconds."""
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1)]
    start = time.perf_counter_ns()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    end = time.perf_counter_ns()
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"startup.py: {shlex.join(argv)} ended with exit code {code}")
    return (end - start) / 1e9


def peak_kilobytes(argv):
    """Peak resident memory as GNU time sees it; the smallest of three runs."""
    runs = []
    for _ in range(3):
        done = subprocess.run(["/usr/bin/time", "-q", "-f", "%M", *argv], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        runs.append(int(done.stderr.split()[-1]))
    return min(runs)


def system_calls(argv, folder):
    """How many system calls all threads make, and how many threads or processes are started."""
    log = os.path.join(folder, "strace")
    subprocess.run(["strace", "-f", "-c", "-o", log, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    calls, started = 0, 0
    for line in pathlib.Path(log).read_text().splitlines():
        columns = line.split()
        if len(columns) < 5 or not columns[3].isdigit():
            continue
        if columns[-1] == "total":
            calls = int(columns[3])
        elif columns[-1] in ("clone", "clone3", "fork", "vfork"):
            started += int(columns[3])
    return calls, started


def main():
    parser = argparse.ArgumentParser(description="What it costs to run an empty module.")
    parser.add_argument("engines", nargs="*", metavar="NAME=COMMAND")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--module", default=str(MODULE))
    parser.add_argument("--rustc", default="", metavar="OPTIONS", help="further options for the empty Rust main")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    for tool in ("/usr/bin/time", "strace"):
        if not shutil.which(tool):
            sys.exit(f"startup.py: {tool} is missing; install the packages time and strace")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "rust.rs"
        source.write_text("fn main() {}\n")
        program = str(source.with_suffix(""))
        subprocess.run([*RUSTC, *shlex.split(options.rustc), "-o", program, str(source)], check=True)
        commands = {"rust": [program]}
        for engine in options.engines:
            name, equals, command = engine.partition("=")
            words = [w.replace("{wasm}", options.module) for w in shlex.split(command)]
            if not equals or not words or name in commands:
                parser.error(f"'{engine}' is not a new NAME=COMMAND")
            program = shutil.which(words[0])
            if not program:
                sys.exit(f"startup.py: there is no program {words[0]}")
            given = options.module in words
            commands[name] = [os.path.abspath(program), *words[1:], *([] if given else [options.module])]

        times = {name: [] for name in commands}
        null = os.open(os.devnull, os.O_RDWR)
        for turn in range(WARM_UP + options.runs):
            for name, argv in commands.items():
                seconds = wall_seconds(argv, null)
                if turn >= WARM_UP:
                    times[name].append(seconds)
        os.close(null)

        floor = statistics.median(times["rust"])
        print("| engine | min ms | median ms | median - rust ms | peak KB | system calls | threads started |")
        print("|---|---|---|---|---|---|---|")
        for name, argv in commands.items():
            middle = statistics.median(times[name])
            calls, started = system_calls(argv, folder)
            print(f"| {name} | {min(times[name]) * 1e3:.2f} | {middle * 1e3:.2f} | {(middle - floor) * 1e3:.2f} | "
                  f"{peak_kilobytes(argv)} | {calls} | {started} |")


if __name__ == "__main__":
    main()
