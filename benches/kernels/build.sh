#!/bin/sh
# Rebuilds the committed .wasm kernels (Debian packages clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 wabt),
# and with the argument `native DIR` builds the same sources for this machine with gcc.
# -ffp-contract=off: a fused multiply-add would give other floating-point results than WebAssembly has.
set -eu
cd "$(dirname "$0")"
kernels="fib intloop sieve matmul sha256 crc sort vm memops nbody mix words"
flags="-O2 -std=gnu11 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno"
if [ "${1:-}" = native ]; then
    mkdir -p "$2"
    for k in $kernels; do gcc $flags -o "$2/$k" "$k.c"; done
else
    for k in $kernels; do clang-19 --target=wasm32-wasi $flags -Wl,--strip-all -o "$k.wasm" "$k.c"; done
    wat2wasm empty.wat -o empty.wasm
    chmod 644 ./*.wasm
fi
