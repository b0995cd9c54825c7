#!/bin/sh
# Builds SQLite, Lua, zstd and the file exerciser for WASI (guests/out/NAME.wasm) and for this machine
# (guests/out/native/NAME), from the same sources with the same switches; compare.sh runs both and compares.
# Needs Debian's clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 and gcc. The C sources come out of crates
# (sources.sh); nothing of them is committed. files/files.wasm is committed and rebuilt here.
set -eu
cd "$(dirname "$0")"
mkdir -p out/native
./sources.sh
sqlite=out/sources/vendor/libsqlite3-sys/sqlite3
lua=out/sources/vendor/lua-src/lua-5.4.9
zstd=out/sources/vendor/zstd-sys/zstd/lib

# build NAME FLAGS -- SOURCES: both builds; WASI_LIBS are linked into the WebAssembly one only.
build() {
    name=$1 flags=
    shift
    while [ "$1" != -- ]; do flags="$flags $1"; shift; done
    shift
    # -ffp-contract=off: no fused multiply-add, which WebAssembly does not have.
    common="-O2 -std=gnu11 -ffp-contract=off -DNDEBUG $flags"
    clang-19 --target=wasm32-wasi $common -Wl,--strip-all -Wl,-z,stack-size=1048576 \
        -o "out/$name.wasm" "$@" ${WASI_LIBS:-} &
    gcc $common -o "out/native/$name" "$@" -lm
    wait $!
    chmod 644 "out/$name.wasm"
    echo "built $name: $(wc -c < "out/$name.wasm") bytes"
}

strict="-Wall -Wextra -Werror"
build files $strict -- files/files.c
cp out/files.wasm files/files.wasm
chmod 644 files/files.wasm

WASI_LIBS="-lwasi-emulated-process-clocks"
build lua -w -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -Ilua/shim -I$lua -include lua/host.h -- lua/driver.c \
    $(ls $lua/l*.c | grep -v -e '/lua\.c$' -e '/luac\.c$')

WASI_LIBS="-lwasi-emulated-process-clocks"
# The dot-file locks are SQLite's own choice for WASI; the native build makes the same one.
build sqlite -w -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -DSQLITE_THREADSAFE=0 \
    -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL -DSQLITE_ENABLE_FTS5 -DLONGDOUBLE_TYPE=double \
    '-DSQLITE_DEFAULT_UNIX_VFS="unix-dotfile"' -I$sqlite -- sqlite/driver.c $sqlite/sqlite3.c

WASI_LIBS=
build zstd -w -DZSTD_DISABLE_ASM -DXXH_NAMESPACE=ZSTD_ -I$zstd -- zstd/driver.c $zstd/common/*.c $zstd/compress/*.c \
    $zstd/decompress/*.c
