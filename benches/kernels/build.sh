#!/bin/sh
# Rebuilds the committed .wasm kernels (Debian packages clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 wabt),
# and with the argument `native DIR` builds the same sources (but memory64/) for this machine with $CC (gcc).
# -ffp-contract=off: a fused multiply-add would give other floating-point results than WebAssembly has.
set -eu
cd "$(dirname "$0")"
kernels="fib intloop sieve matmul sha256 crc sort vm memops nbody mix words recursion callvm matmul_simd hello"
pairs="merge product"
flags="-O2 -std=gnu11 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno"
if [ "${1:-}" = native ]; then
    mkdir -p "$2"
    for k in $kernels; do ${CC:-gcc} $flags -o "$2/$k" "$k.c"; done
else
    for k in $kernels; do
        case $k in
        hello) continue ;;
        *_simd) features=-msimd128 ;;
        *) features= ;;
        esac
        clang-19 --target=wasm32-wasi $flags $features -Wl,--strip-all -o "$k.wasm" "$k.c"
    done
    for k in empty hello; do wat2wasm "$k.wat" -o "$k.wasm"; done
    for k in $pairs; do
        for bits in 32 64; do
            clang-19 --target=wasm$bits $flags -fno-builtin -nostdlib -Wl,--no-entry -Wl,--strip-all \
                -o "memory64/$k$bits.wasm" "memory64/$k.c"
        done
    done
    chmod 644 ./*.wasm memory64/*.wasm
fi
