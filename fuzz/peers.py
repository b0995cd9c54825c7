#!/usr/bin/env python3
"""Compares Lithe with another engine on generated modules.

    fuzz/peers.py --count 500 --seed 1
    fuzz/peers.py --folder FOLDER          modules that ttf/ttf.sh made

Without --folder, `smith` (cargo build --release --manifest-path fuzz/Cargo.toml --bin smith) writes the modules; both
engines call every function that takes numbers, each in a process of its own, with arguments drawn from the seed. With
it they call each export that ends in `_invoker`, and the imports are those of ttf/support.wat, which prints each call
of them. Printed lines, trap or exception, and the function it came from must be equal; not the offset, since Wasmtime
may report a load at the operator that uses it. A call is left out when an engine reaches the limit of fuel, stack or
heap, which they need not share. Exit code 1: some call differed; 2: nothing was compared.
"""
import argparse
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SMITH = HERE / "target/release/smith"
LITHE = "lithe run -W threads,wide-arithmetic,max-heap-size=64M"
PEER = "wasmtime run -W " + ",".join(
    ("gc exceptions function-references tail-call threads shared-memory wide-arithmetic custom-page-sizes "
     "relaxed-simd-deterministic").split()
)
# Small enough to end soon; the same for both engines. Wasmtime's limit of memory is also that of its heap.
LIMITS = {
    "smith": "fuel=200000,max-memory-size=1048576,max-table-elements=1000",
    "ttf": "fuel=20000000,max-memory-size=67108864,max-table-elements=1000",
}
# Where engines may stop at different moments.
FINITE = ("all fuel consumed", "call stack exhausted", "GC heap out of memory", "allocation size too large")
EDGES = {
    "i32": ["0", "1", "-1", "2147483647", "-2147483648", "65535", "65536"],
    "i64": ["0", "1", "-1", "9223372036854775807", "-9223372036854775808", "4294967296"],
    "f32": ["0", "-0", "1.5", "-1", "inf", "-inf", "1e-45", "4294967296", "2147483648"],
    "f64": ["0", "-0", "1.5", "-1", "inf", "-inf", "5e-324", "9223372036854775808", "4294967295.5"],
}


def call(engine, flags, name, path, args):
    """What a call comes to: printed lines, trap or exception, and the innermost frame's function."""
    argv = shlex.split(engine) + flags + [f"--invoke={name}", str(path), *args]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except OSError as error:
        sys.exit(f"peers.py: cannot start {argv[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return ("did not end in 60 s",)
    errors = done.stderr.decode(errors="replace")
    end = re.search(r"wasm trap: (.*)|(thrown Wasm exception)|(GC heap out of memory)", errors)
    frame = re.search(r"^ *0: +(?:0x[0-9a-f]+ - )?.*<wasm function (\d+)>", errors, re.M)
    if done.returncode and not end:
        return (done.returncode, errors.strip().splitlines()[:3])
    # Wasmtime has the same words for a table access and an indirect call out of bounds.
    words = end and (end[1] or end[2] or end[3]).removeprefix("undefined element: ")
    return (done.stdout.decode(errors="replace"), words, frame and frame[1])


def smith_calls(options, folder):
    """Modules of `smith`, with the functions to call and their arguments."""
    try:
        subprocess.run([options.smith, str(options.count), str(options.seed), folder], check=True)
    except OSError as error:
        sys.exit(f"peers.py: cannot start {options.smith}: {error.strerror}; build it first, or see --smith")
    for number in range(options.seed, options.seed + options.count):
        path = pathlib.Path(folder) / f"{number}.wasm"
        draw = random.Random(number)
        for line in path.with_suffix(".txt").read_bytes().decode().split("\n")[:-1]:
            name, types = line.split("\t")
            yield path, name, [draw.choice(EDGES[ty]) for ty in types.split()]


def ttf_calls(options):
    """Modules of Binaryen's generator, with their own exports that call its functions."""
    for path in sorted(pathlib.Path(options.folder).glob("*.wasm")):
        for name in exports(path.read_bytes()):
            if name.endswith("_invoker"):
                yield path, name, []


def exports(module):
    """The names of a module's exports."""
    def number(at):
        value, shift = 0, 0
        while True:
            value |= (module[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if module[at - 1] < 128:
                return value, at

    names, at = [], 8
    while at < len(module):
        section, (size, start) = module[at], number(at + 1)
        at = start + size
        if section != 7:
            continue
        count, place = number(start)
        for _ in range(count):
            length, place = number(place)
            names.append(module[place:place + length].decode())
            _, place = number(place + length + 1)
    return names


def text(result):
    """A result as it stands in a file of expected ones."""
    lines, words, _ = result
    return lines + f"= {words or 'returned'}\n"


def main():
    parser = argparse.ArgumentParser(description="Compares Lithe with another engine on generated modules.")
    parser.add_argument("--folder", metavar="FOLDER", help="modules that ttf/ttf.sh made, instead of smith's")
    parser.add_argument("--count", type=int, default=100, help="modules of smith's (100)")
    parser.add_argument("--seed", type=int, default=1, help="the first of smith's modules' number (1)")
    parser.add_argument("--lithe", metavar="COMMAND", action="append", help=f"may be repeated; {LITHE}")
    parser.add_argument("--peer", default=PEER, metavar="COMMAND", help=PEER)
    parser.add_argument("--expected", metavar="FILE", help="a file to write what the peer printed to")
    parser.add_argument("--smith", default=SMITH, help="the program that makes modules")
    options = parser.parse_args()
    same = limited = different = 0
    modules, ends, expected = set(), {}, []
    with tempfile.TemporaryDirectory() as folder:
        if options.folder:
            flags = ["-W", LIMITS["ttf"], "--preload", f"fuzzing-support={HERE / 'ttf/support.wat'}",
                     "--preload", f"__fuzz_import={HERE / 'ttf/externs.wat'}"]
            calls = ttf_calls(options)
        else:
            flags, calls = ["-W", LIMITS["smith"]], smith_calls(options, folder)
        for path, name, args in calls:
            modules.add(path)
            theirs = call(options.peer, flags, name, path, args)
            if not any(word in str(theirs) for word in FINITE):
                expected.append(f"# {path.name} {name}\n{text(theirs)}")
            for engine in options.lithe or [LITHE]:
                ours = call(engine, flags, name, path, args)
                if any(word in str(result) for result in (ours, theirs) for word in FINITE):
                    limited += 1
                elif ours == theirs:
                    same += 1
                    end = theirs[1] or "returned"
                    ends[end] = ends.get(end, 0) + 1
                else:
                    different += 1
                    print(f"DIFFERENT {path.name}, function {name!r}, arguments {args}\n"
                          f"  {engine}\n    {ours}\n  {options.peer}\n    {theirs}", flush=True)
    if options.expected:
        pathlib.Path(options.expected).write_text("".join(expected))
    for end, count in sorted(ends.items(), key=lambda item: -item[1]):
        print(f"{count:>8} {end}")
    print(f"{len(modules)} modules: {same} calls equal, {different} different, {limited} left out at a limit")
    sys.exit(1 if different else 0 if same else 2)


if __name__ == "__main__":
    main()
