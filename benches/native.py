#!/usr/bin/env python3
"""Compares native code: Lithe's, Wasmtime's, and clang -O2's of the same sources, in one interleaved run.

    benches/native.py --rounds 7                     speed: CPU time over the five programs and the kernels
    benches/native.py --fuel                         what `--fuel` costs, in Lithe and in Wasmtime
    benches/native.py --timeout-overhead             what `--timeout` costs
    benches/native.py --compile                      CPU time, peak memory and text size of compiling
    benches/native.py --start                        wall time of whole processes, from artifacts and from warm caches

In every round every peer runs every program once, one right after the other and each round beginning with another peer,
so that whatever else the machine does hits all alike. Seconds are user and system time of the process. A ratio is that
of the medians over the rounds; the one in brackets is that of the minima. Speed is measured with modules compiled
beforehand (`compile`, then `run --allow-precompiled`), fuel and timeout with code caches that a first run filled, in
a folder of this run's own. Every run's output is compared; exit code 1: something failed or differed.

--lithe and --also take a command with flags that are given to `compile` and `run` alike, so that two builds or two
settings can be compared: --also checks='target/release/lithe --traps checks'. What is missing of benches/programs/out
is built first (build.sh); `--compile` wants esbuild's module, which guests/compare.sh fetches.
"""
import argparse
import json
import math
import os
import pathlib
import shlex
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

BENCHES = pathlib.Path(__file__).resolve().parent
KERNELS = BENCHES / "kernels"
OUT = BENCHES / "programs" / "out"
ESBUILD = BENCHES.parent / "guests/out/esbuild/node_modules/@esbuild/wasi-preview1/esbuild.wasm"
REAL = ["sqlite", "lua", "quickjs", "zstd", "lz4"]
# Repeat counts that keep the native build busy for 0.2 to 0.5 s.
REPEATS = {
    "sqlite": 4, "lua": 4, "quickjs": 5, "zstd": 2, "lz4": 3,
    "callvm": 600, "recursion": 280, "sha256": 2200, "matmul": 250, "matmul_simd": 2000, "nbody": 2000, "vm": 300,
    "sort": 120, "merge32": 110, "merge64": 110, "product32": 400, "product64": 400,
}
# The most that Lithe's time may be of Wasmtime's.
BARS = {"callvm": 0.6, "recursion": 0.85, "merge64": 0.8, "product64": 0.8}
GEOMEAN_BAR = 0.95
MUCH_FUEL, LONG = str(10**15), "3600s"
MEGABYTE = 1e6


def die(message):
    sys.exit(f"native.py: {message}")


class Program:
    """A module, its native build and the arguments that make it work for a while."""

    def __init__(self, name, repeats):
        pair = name[-2:] in ("32", "64") and name[:-2] in ("merge", "product")
        folder = OUT if name in REAL else KERNELS / "memory64" if pair else KERNELS
        self.name = name
        self.wasm = str(folder / f"{name}.wasm")
        self.native = str(OUT / "native" / (name[:-2] if pair else name))
        # The pair has no WASI: it is called by its export's name.
        self.flags = ["--invoke", "run"] if pair else []
        self.arguments = [str(repeats)]


class Native:
    """The same source, compiled for this machine."""

    name = "native"

    def prepare(self, program, folder):
        pass

    def argv(self, program, flags=()):
        return [program.native, *program.arguments]


class Engine:
    """A runtime with `compile` and `run`; `precompiled` says whether it runs artifacts or the modules themselves."""

    def __init__(self, name, command, run_flags, precompiled, suffix):
        words = shlex.split(command)
        path = shutil.which(words[0])
        if not path:
            die(f"there is no program {words[0]} (--lithe and --wasmtime say where they are)")
        self.name, self.path, self.flags = name, os.path.abspath(path), words[1:]
        self.run_flags, self.precompiled, self.suffix = run_flags, precompiled, suffix
        self.artifacts = {}

    def compile_argv(self, wasm, output, *flags):
        return [self.path, "compile", *self.flags, *flags, wasm, "-o", output]

    def prepare(self, program, folder, *flags):
        if self.precompiled:
            artifact = os.path.join(folder, f"{program.name}-{self.name}-{len(self.artifacts)}{self.suffix}")
            run(self.compile_argv(program.wasm, artifact, *flags))
            self.artifacts[program.name, bool(flags)] = artifact

    def argv(self, program, flags=(), special=False):
        """`special`: with the artifact that was compiled with flags of its own."""
        artifact = self.artifacts.get((program.name, special))
        how = ["--allow-precompiled"] if artifact else self.run_flags
        file = artifact or program.wasm
        return [self.path, "run", *self.flags, *how, *flags, *program.flags, file, *program.arguments]


def run(argv):
    """Runs once; returns (CPU seconds, peak bytes, standard output)."""
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        except OSError as error:
            die(f"cannot start {argv[0]}: {error.strerror}")
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.stdout.close()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            errors.seek(0)
            sys.stderr.write(errors.read().decode(errors="replace"))
            die(f"{shlex.join(argv)} ended with exit code {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output.decode(errors="replace").strip()


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def interleaved(programs, variants, rounds, warm=False):
    """CPU seconds of every variant (name -> function from program to argument vector) over every program, and the
    differences in what they printed. With `warm` a first round is not counted."""
    seconds = {p.name: {v: [] for v in variants} for p in programs}
    expected, different = {}, []
    names = list(variants)
    for number in range(-1 if warm else 0, rounds):
        for program in programs:
            start = number % len(names)
            for name in names[start:] + names[:start]:
                progress(f"round {max(number, 0) + 1} of {rounds}: {program.name}, {name}")
                cpu, _, output = run(variants[name](program))
                # The pairs are one program each: all four builds must agree.
                first = expected.setdefault(program.native, (output, name))
                if output != first[0]:
                    different.append(f"{program.name}: {name} printed '{output}', {first[1]} '{first[0]}'")
                if number >= 0:
                    seconds[program.name][name].append(cpu)
    progress("")
    return seconds, list(dict.fromkeys(different))


def ratios(times, base):
    """Ratio of the medians and of the minima."""
    return statistics.median(times) / max(statistics.median(base), 1e-6), min(times) / max(min(base), 1e-6)


def geomean(values):
    return math.exp(statistics.mean(math.log(max(v, 1e-6)) for v in values))


def both(pair):
    return f"{pair[0]:.2f} ({pair[1]:.2f})"


def table(header, rows):
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]


def speed(options, peers, programs, folder):
    for program in programs:
        for peer in peers:
            progress(f"{peer.name} compiles {program.name}")
            peer.prepare(program, folder)
    seconds, different = interleaved(programs, {p.name: p.argv for p in peers}, options.rounds)
    names = [p.name for p in peers]
    lithes = [n for n in names if n not in ("wasmtime", "native")]
    compared = [(n, "native") for n in names if n != "native" and "native" in names]
    compared += [(n, "wasmtime") for n in lithes if "wasmtime" in names]
    compared += [(n, lithes[0]) for n in lithes[1:]]
    figures = {
        p: {
            "seconds": {n: {"median": statistics.median(t), "minimum": min(t)} for n, t in times.items()},
            "ratios": {f"{a} / {b}": ratios(times[a], times[b]) for a, b in compared},
        }
        for p, times in seconds.items()
    }
    real = [p for p in figures if p in REAL]
    means = {}
    for key in [f"{a} / {b}" for a, b in compared]:
        if len(real) == len(REAL):
            means[key] = [geomean(figures[p]["ratios"][key][i] for p in real) for i in (0, 1)]
    pairs = {
        name: {n: ratios(seconds[f"{name}64"][n], seconds[f"{name}32"][n]) for n in names if n != "native"}
        for name in ("merge", "product")
        if f"{name}32" in seconds and f"{name}64" in seconds
    }
    lines = table(
        ["program", *(f"{n} s" for n in names), *(f"{a} / {b}" for a, b in compared), "bar"],
        [
            [p, *(f"{f['seconds'][n]['median']:.3f}" for n in names), *map(both, f["ratios"].values()), BARS.get(p, "")]
            for p, f in figures.items()
        ],
    )
    if means:
        cells = [f"**{both(m)}**" for m in means.values()]
        lines.append(f"| **geomean of the five programs** {'| ' * len(names)}| {' | '.join(cells)} | {GEOMEAN_BAR} |")
    if pairs:
        engines = [n for n in names if n != "native"]
        lines += ["", *table(["time with a 64-bit memory / 32-bit memory", *engines],
                             [[name, *(both(r[n]) for n in engines)] for name, r in pairs.items()])]
    return {"programs": figures, "geomean": means, "memory64": pairs}, lines, different


def overhead(options, peers, programs, folder):
    """What a flag costs each engine, with code from warm caches (Lithe: or from artifacts, --artifact-flags)."""
    plain = {"wasmtime": ["-C", "cache=y"]}
    if options.fuel:
        label, bar = "fuel", 1.12
        given, wasmtime = ["--fuel", MUCH_FUEL], ["-W", f"fuel={MUCH_FUEL}"]
    else:
        label, bar = "timeout", 1.01
        given, wasmtime = ["--timeout", LONG], ["-W", f"timeout={LONG}"]
    engines = [p for p in peers if p.name != "native"]
    variants = {}
    for engine in engines:
        base = plain.get(engine.name, [])
        more = wasmtime if engine.name == "wasmtime" else given
        if engine.precompiled:
            for program in programs:
                progress(f"{engine.name} compiles {program.name}")
                engine.prepare(program, folder)
                engine.prepare(program, folder, *shlex.split(options.artifact_flags))
        variants[engine.name] = lambda program, e=engine, f=base: e.argv(program, f)
        variants[f"{engine.name} {label}"] = lambda program, e=engine, f=base + more: e.argv(program, f, e.precompiled)
    seconds, different = interleaved(programs, variants, options.rounds, warm=True)
    names = [e.name for e in engines]
    figures = {p: {n: ratios(t[f"{n} {label}"], t[n]) for n in names} for p, t in seconds.items()}
    rows = [[p, *(c for n in names for c in (f"{statistics.median(seconds[p][n]):.3f}", both(f[n])))]
            for p, f in figures.items()]
    result = {"ratios": figures, "geomean": {}}
    for title, chosen in (("the five programs", REAL), ("all programs", list(figures))):
        if all(p in figures for p in chosen):
            means = {n: [geomean(figures[p][n][i] for p in chosen) for i in (0, 1)] for n in names}
            result["geomean"][title] = means
            rows.append([f"**geomean of {title}**", *(c for n in names for c in ("", f"**{both(means[n])}**"))])
    header = ["program", *(c for n in names for c in (f"{n} s", f"with {label} / without"))]
    return result, [*table(header, rows), "", f"Bar for Lithe: {bar}."], different


def text_size(path):
    """Bytes of code: of an artifact of Lithe, or of the sections `.text` and `.text.*` of a 64-bit little-endian ELF
    file; nothing if it is neither."""
    data = pathlib.Path(path).read_bytes()
    if data[:8] == b"\0lithe\r\n":
        # runtime/src/artifact.rs: ranges of the parts follow 112 bytes, the text is the sixth.
        return struct.unpack_from("<QQ", data, 112 + 16 * 5)[1]
    if data[:6] != b"\x7fELF\x02\x01":
        return None
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    if count == 0 and offset:
        (count,) = struct.unpack_from("<Q", data, offset + 0x20)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * size) for i in range(count)]
    if names == 0xFFFF:
        names = sections[0][6]
    total = 0
    for section in sections:
        start = sections[names][4] + section[0]
        name = data[start:data.index(b"\0", start)]
        if name == b".text" or name.startswith(b".text."):
            total += section[5]
    return total


def compiling(options, peers, programs, folder):
    del programs
    modules = {"esbuild": ESBUILD, "sqlite": OUT / "sqlite.wasm"}
    if not ESBUILD.is_file():
        die("esbuild's module is missing; guests/compare.sh LITHE fetches it")
    engines = [p for p in peers if p.name != "native"]
    chosen = [m for m in modules if not options.only or m in options.only]
    measured = {(m, e.name): [] for m in chosen for e in engines}
    artifacts = {}
    for number in range(options.rounds):
        for module in chosen:
            start = number % len(engines)
            for engine in engines[start:] + engines[:start]:
                progress(f"round {number + 1} of {options.rounds}: {engine.name} compiles {module}")
                output = os.path.join(folder, f"{module}-{engine.name}{engine.suffix}")
                begin = time.perf_counter()
                cpu, peak, _ = run(engine.compile_argv(str(modules[module]), output))
                measured[module, engine.name].append((cpu, peak, time.perf_counter() - begin))
                artifacts[module, engine.name] = output
    progress("")
    result, rows = {}, []
    for module in chosen:
        size = modules[module].stat().st_size
        for engine in engines:
            runs = measured[module, engine.name]
            artifact = artifacts[module, engine.name]
            text = text_size(artifact)
            if text is None:
                die(f"{engine.name} writes neither an artifact nor an ELF file")
            figure = {
                "wasm bytes": size,
                "CPU seconds": statistics.median(r[0] for r in runs),
                "CPU seconds, minimum": min(r[0] for r in runs),
                "wall seconds": statistics.median(r[2] for r in runs),
                "peak bytes": statistics.median(r[1] for r in runs),
                "text bytes": text,
                "artifact bytes": os.path.getsize(artifact),
            }
            result.setdefault(module, {})[engine.name] = figure
            rows.append([
                f"{module} ({size / MEGABYTE:.1f} MB)", engine.name,
                f"{figure['CPU seconds']:.2f} ({figure['CPU seconds, minimum']:.2f})",
                f"{figure['CPU seconds'] / size * MEGABYTE:.3f}", f"{figure['wall seconds']:.2f}",
                f"{figure['peak bytes'] / MEGABYTE:.0f}", f"{text / MEGABYTE:.2f}",
                f"{figure['artifact bytes'] / MEGABYTE:.2f}",
            ])
    header = ["module", "engine", "CPU s (minimum)", "CPU s per MB", "wall s", "peak MB", "text MB", "artifact MB"]
    lines = table(header, rows)
    names = [e.name for e in engines if e.name != "wasmtime"]
    if "wasmtime" in [e.name for e in engines] and names:
        kinds = {"CPU seconds": 1.0, "peak bytes": 0.5, "text bytes": 0.95}
        cells = [[f"{m}: {n} / wasmtime", *(f"{result[m][n][k] / result[m]['wasmtime'][k]:.2f}" for k in kinds)]
                 for m in chosen for n in names]
        lines += ["", *table(["ratio", *kinds], [*cells, ["bar", *kinds.values()]])]
    return {"modules": result}, lines, []


def wall(argv, null):
    """Wall milliseconds from the spawn to the end of the wait, with standard input and output closed off."""
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1)]
    begin = time.perf_counter_ns()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    end = time.perf_counter_ns()
    if code := os.waitstatus_to_exitcode(status):
        die(f"{shlex.join(argv)} ended with exit code {code}")
    return (end - begin) / 1e6


def starting(options, peers, programs, folder):
    del programs
    hello, sqlite = Program("hello", 0), Program("sqlite", 0)
    commands = {}
    for peer in peers:
        if peer.name == "native":
            commands["hello", "native"] = peer.argv(hello)
            commands["sqlite 0", "native"] = peer.argv(sqlite)
            continue
        cache = ["-C", "cache=y"] if peer.name == "wasmtime" else []
        commands["sqlite.wasm 0, warm cache", peer.name] = peer.argv(sqlite, cache)
        for program, label in ((hello, "hello"), (sqlite, "sqlite 0")):
            peer.prepare(program, folder)
            commands[f"{label}, {'artifact' if peer.precompiled else 'module'}", peer.name] = peer.argv(program)
    outputs, different = {}, []
    for (what, name), argv in commands.items():
        for _ in range(3):
            _, _, output = run(argv)
        program = what.split()[0].removesuffix(".wasm").rstrip(",")
        if outputs.setdefault(program, output) != output:
            different.append(f"{what}: {name} printed '{output}', expected '{outputs[program]}'")
    times = {key: [] for key in commands}
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(options.rounds):
        progress(f"round {number + 1} of {options.rounds}")
        for key, argv in commands.items():
            times[key].append(wall(argv, null))
    os.close(null)
    progress("")
    rows = [{"what": w, "peer": n, "minimum ms": min(t), "median ms": statistics.median(t)}
            for (w, n), t in sorted(times.items())]
    lines = table(["what", "peer", "minimum ms", "median ms"],
                  [[r["what"], r["peer"], f"{r['minimum ms']:.2f}", f"{r['median ms']:.2f}"] for r in rows])
    return {"processes": rows}, lines, different


def arguments():
    parser = argparse.ArgumentParser(description="Native code of Lithe, Wasmtime and clang, in one interleaved run.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--fuel", action="store_true", help="measure what --fuel costs")
    mode.add_argument("--timeout-overhead", action="store_true", help="measure what --timeout costs")
    mode.add_argument("--compile", action="store_true", help="measure compiling")
    mode.add_argument("--start", action="store_true", help="measure the start of whole processes")
    parser.add_argument("--lithe", default=str(BENCHES.parent / "target/release/lithe"), metavar="COMMAND")
    parser.add_argument("--wasmtime", default="wasmtime", metavar="COMMAND")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=COMMAND", help="a further Lithe")
    parser.add_argument("--engine", default="native", help="Lithe's engine; others than native run modules")
    parser.add_argument("--artifact-flags", metavar="FLAGS",
                        help="--fuel, --timeout-overhead: use artifacts instead of Lithe's cache, compiled without"
                             " flags and, for the limited runs, with these")
    parser.add_argument("--peers", default="lithe,wasmtime,native", help="which of lithe, wasmtime and native")
    parser.add_argument("--only", help="only these programs, separated by commas; `real` is the five programs")
    parser.add_argument("--rounds", type=int, help="7 by default; 100 for --start, 3 for --compile")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to try things out")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = 100 if options.start else 3 if options.compile else 7
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.only:
        options.only = [n for word in options.only.split(",") for n in (REAL if word == "real" else [word])]
        known = [*REPEATS, *(["esbuild"] if options.compile else [])]
        if unknown := [n for n in options.only if n not in known]:
            parser.error(f"no program named {unknown[0]}; there are {', '.join(known)}")
    options.peers = options.peers.split(",")
    if unknown := [p for p in options.peers if p not in ("lithe", "wasmtime", "native")]:
        parser.error(f"no peer named {unknown[0]}")
    options.lithes = {"lithe": options.lithe} if "lithe" in options.peers else {}
    for also in options.also:
        name, equals, command = also.partition("=")
        if not equals or not command or name in ("wasmtime", "native", *options.lithes):
            parser.error(f"'{also}' is not a new NAME=COMMAND")
        options.lithes[name] = command
    return options


def main():
    options = arguments()
    # Fuel and timeout take code from caches, because artifacts may be compiled with or without them.
    precompiled = not (options.fuel or options.timeout_overhead)
    artifacts = options.engine == "native" and (precompiled or options.artifact_flags is not None)
    peers = [Engine(n, c, ["--engine", options.engine], artifacts, ".lithe") for n, c in options.lithes.items()]
    if "wasmtime" in options.peers:
        peers.append(Engine("wasmtime", options.wasmtime, [], precompiled, ".cwasm"))
    if "native" in options.peers:
        peers.append(Native())
    names = options.only or list(REPEATS)
    programs = [Program(n, max(1, r // 10) if options.quick else r) for n, r in REPEATS.items() if n in names]
    if not all(os.path.exists(f) for p in programs for f in (p.wasm, p.native)):
        subprocess.run([str(BENCHES / "programs" / "build.sh")], check=True, stdout=sys.stderr)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        # Code caches of this run's own.
        os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
        measure = (compiling if options.compile else starting if options.start
                   else overhead if options.fuel or options.timeout_overhead else speed)
        result, lines, different = measure(options, peers, programs, folder)
    if options.format == "json":
        print(json.dumps({"rounds": options.rounds, **result, "different": different}, indent=2))
    else:
        print("\n".join(lines))
    for message in different:
        print(f"DIFFERENT {message}", file=sys.stdout if options.format == "table" else sys.stderr)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
