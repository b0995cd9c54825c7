#!/usr/bin/env python3
"""Compares servers of HTTP with the same component: requests a second, latencies and memory under load.

    benches/serve.py lithe='target/release/lithe serve --addr {addr} --loops 1' \\
        wasmtime='wasmtime serve --addr {addr}' --component guests/components/out/http-hello.wasm

Each server is NAME=COMMAND; {addr} is replaced by an address, and the component is appended. Servers run one at a time
on processor 0, wrk (Debian's package `wrk`) on processor 1, for --seconds each round, in turns. The answers to one
request are compared. A figure is the median over the rounds; the last line is the median of the ratios of requests a
second, first server by last. Memory is the peak resident size of the server's process.
"""
import argparse
import os
import pathlib
import re
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except OSError:
        return None


def milliseconds(text):
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit]


class Server:
    """A running server."""

    def __init__(self, command, component, path):
        address = f"127.0.0.1:{free_port()}"
        words = shlex.split(command.replace("{addr}", address)) + [component]
        self.url = f"http://{address}{path}"
        pinned = ["taskset", "-c", "0", *words]
        self.child = subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while (found := fetch(self.url)) is None:
            if self.child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"serve.py: {shlex.join(words)} does not answer")
            time.sleep(0.02)
        self.answer = found

    def load(self, connections, seconds):
        words = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", self.url]
        text = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
        rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1])
        wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        errors = re.search(r"Socket errors: (.*)", text)
        p50, p99 = (milliseconds(re.search(rf"^\s+{p}%\s+(\S+)$", text, re.M)[1]) for p in (50, 99))
        return rate, p50, p99, (wrong[0] if wrong else "") + (errors[0] if errors else "")

    def peak(self):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def stop(self):
        self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            self.child.kill()


def main():
    parser = argparse.ArgumentParser(description="Interleaved comparison of HTTP servers with the same component.")
    parser.add_argument("servers", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--component", required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    servers = dict(server.split("=", 1) for server in options.servers)
    rows = {name: [] for name in servers}
    answers = {}
    for _ in range(options.rounds):
        for name, command in servers.items():
            server = Server(command, options.component, options.path)
            answers[name] = server.answer
            server.load(options.connections, 1)
            rate, p50, p99, trouble = server.load(options.connections, options.seconds)
            rows[name].append((rate, p50, p99, server.peak()))
            server.stop()
            if trouble:
                print(f"{name}: {trouble}", file=sys.stderr)
    if len({answer for answer in answers.values()}) != 1:
        sys.exit(f"serve.py: the answers differ: {answers}")
    print(f"{options.component} {options.path}, {options.connections} connections, {options.rounds} rounds of {options.seconds} s")
    for name, figures in rows.items():
        rate, p50, p99, peak = (statistics.median(column) for column in zip(*figures))
        print(f"{name:<12} {rate:>8.0f} req/s   p50 {p50:>7.2f} ms   p99 {p99:>7.2f} ms   {peak:>6.0f} MB")
    first, last = list(rows)[0], list(rows)[-1]
    ratio = statistics.median(a[0] / b[0] for a, b in zip(rows[first], rows[last]))
    print(f"{first} / {last}: {ratio:.2f} of the requests a second")


if __name__ == "__main__":
    os.environ.pop("http_proxy", None)
    main()
