#!/bin/sh
# Builds threads.wasm, which is committed, from threads.c. Needs Debian's clang-19 and lld-19 and no C library.
set -eu
cd "$(dirname "$0")"
clang-19 --target=wasm32 -O2 -std=gnu11 -matomics -mbulk-memory -nostdlib -ffreestanding -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,--shared-memory -Wl,--import-memory -Wl,--export-memory -Wl,--strip-all \
    -Wl,-z,stack-size=16384 -Wl,--initial-memory=196608 -Wl,--max-memory=1048576 \
    -o threads.wasm threads.c
chmod 644 threads.wasm
