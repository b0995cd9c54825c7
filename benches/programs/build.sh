#!/bin/sh
# Builds what native.py measures into benches/programs/out: the five programs and the kernels for WASI (out/NAME.wasm)
# and for this machine (out/native/NAME), both with clang 19 -O2 from the same sources with the same switches.
#
#     benches/programs/build.sh [NAME...]     all of the programs or these; native.py calls it when something is missing
#
# Needs Debian's clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32. The C libraries come out of crates
# (guests/sources.sh). -ffp-contract=off: no fused multiply-add, which WebAssembly does not have.
set -eu
cd "$(dirname "$0")"
only=" $* "
../../guests/sources.sh
vendor=../../guests/out/sources/vendor
lua=$vendor/lua-src/lua-5.4.9
lz4=$vendor/lz4-sys/liblz4/lib
quickjs=$vendor/rquickjs-sys/quickjs
sqlite=$vendor/libsqlite3-sys/sqlite3
zstd=$vendor/zstd-sys/zstd/lib
mkdir -p out/native

# build NAME FLAGS -- LIBRARY_SOURCES: the driver is NAME.c; libraries are compiled without warnings, drivers with all.
build() {
    name=$1 flags=
    shift
    while [ "$1" != -- ]; do flags="$flags $1"; shift; done
    shift
    case $only in
    "  " | *" $name "*) ;;
    *) return 0 ;;
    esac
    common="-O2 -ffp-contract=off -DNDEBUG -D_GNU_SOURCE $flags"
    for side in wasm native; do
        objects=out/$side-$name
        rm -rf "$objects"
        mkdir "$objects"
        target=
        if [ $side = wasm ]; then target=--target=wasm32-wasi; fi
        clang-19 $target -std=gnu23 -Wall -Wextra -Werror $common -c "$name.c" -o "$objects/driver.o"
        for source in "$@"; do
            clang-19 $target -std=gnu11 -w $common -c "$source" -o "$objects/$(basename "$source" .c).o" &
            running=$((${running:-0} + 1))
            if [ $((running % 2)) = 0 ]; then wait; fi
        done
        wait
        if [ $side = wasm ]; then
            clang-19 $target -O2 -Wl,--strip-all -Wl,-z,stack-size=1048576 -o "out/$name.wasm" "$objects"/*.o \
                -lwasi-emulated-process-clocks
            chmod 644 "out/$name.wasm"
        else
            clang-19 -O2 -o "out/native/$name" "$objects"/*.o -lm
        fi
        rm -r "$objects"
    done
    echo "built $name: $(wc -c < "out/$name.wasm") bytes"
}

wasi="-D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS"
build lua $wasi -I../../guests/lua/shim -I$lua -include ../../guests/lua/host.h -- \
    $(ls $lua/l*.c | grep -v -e '/lua\.c$' -e '/luac\.c$')
build lz4 -I$lz4 -- $lz4/lz4.c $lz4/lz4hc.c
build quickjs -I$quickjs -- $quickjs/quickjs.c $quickjs/dtoa.c $quickjs/libregexp.c $quickjs/libunicode.c
build sqlite $wasi -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL -DLONGDOUBLE_TYPE=double \
    '-DSQLITE_DEFAULT_UNIX_VFS="unix-dotfile"' -I$sqlite -- $sqlite/sqlite3.c
build zstd -DZSTD_DISABLE_ASM -DXXH_NAMESPACE=ZSTD_ -I$zstd -- \
    $zstd/common/*.c $zstd/compress/*.c $zstd/decompress/*.c

CC=clang-19 ../kernels/build.sh native "$PWD/out/native"
for name in merge product; do
    clang-19 -O2 -std=gnu11 -Wall -Wextra -Werror -ffp-contract=off -fno-builtin -o "out/native/$name" \
        "../kernels/memory64/$name.c"
done
echo "built the kernels for this machine"
