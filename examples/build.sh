#!/bin/sh
# Rebuilds the committed examples (Debian packages clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32).
# trap.wasm keeps its name section and its DWARF, with paths relative to this folder.
set -eu
cd "$(dirname "$0")"
cc="clang-19 --target=wasm32-wasi -std=gnu11 -Wall -Wextra -Werror"
$cc -O2 -Wl,--strip-all -o primes.wasm primes.c
$cc -Og -g -ffile-prefix-map="$PWD"=. -fdebug-compilation-dir=. -o trap.wasm trap.c
chmod 644 primes.wasm trap.wasm
