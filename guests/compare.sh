#!/bin/sh
# Runs real programs in Lithe and natively and compares: standard output, standard error, exit code, and every file
# they leave behind.
#
#     guests/compare.sh LITHE_BINARY
#
# KEEP=1 keeps the two folders of a program that differs. ENGINE=native (or another) chooses the engine, and FLAGS are
# further flags of `lithe run`, such as FLAGS='--traps checks'.
# Prints `ok` or `DIFFERENT` for each program and ends with `N passed, N failed`; exit code 1 if any failed. What is
# missing in guests/out is built (build.sh) or fetched (esbuild, from npm) first.
set -u
[ $# -eq 1 ] || { echo "usage: guests/compare.sh LITHE_BINARY" >&2; exit 2; }
lithe=$(command -v "$1") || { echo "compare.sh: there is no program $1" >&2; exit 2; }
lithe=$(realpath "$lithe")
cd "$(dirname "$0")" || exit 2
guests=$PWD
esbuild_version=0.27.2

for name in files lua sqlite zstd; do
    [ -f "out/$name.wasm" ] && [ -x "out/native/$name" ] || { ./build.sh || exit 2; break; }
done
packages=$guests/out/esbuild/node_modules/@esbuild
if [ ! -f "$packages/wasi-preview1/esbuild.wasm" ]; then
    mkdir -p out/esbuild
    npm install --silent --no-save --ignore-scripts --prefix out/esbuild \
        "@esbuild/wasi-preview1@$esbuild_version" "esbuild@$esbuild_version" ||
        { echo "compare.sh: npm cannot fetch esbuild $esbuild_version; is npm installed and on line?" >&2; exit 2; }
fi
esbuild_native=$(echo "$packages"/linux-*/bin/esbuild)

work=$(mktemp -d) || exit 2
passed=0 failed=0

# compare LABEL DIR_FLAG WASM NATIVE ARGUMENTS...: runs in two copies of the folder $input, with $stdin as input.
compare() {
    label=$1 grant=$2 wasm=$3 native=$4
    shift 4
    rm -rf "$work/native" "$work/lithe"
    mkdir "$work/native" "$work/lithe"
    for side in native lithe; do
        cp -r "$input" "$work/$side/files"
        (
            cd "$work/$side/files" || exit 125
            # Neither side may see the caller's variables: some programs look at TERM, HOME or PWD.
            if [ $side = native ]; then
                env -i "$native" "$@"
            else
                # shellcheck disable=SC2086 # FLAGS are words.
                "$lithe" run ${ENGINE:+--engine "$ENGINE"} ${FLAGS:-} --dir "$grant" "$wasm" "$@"
            fi < "$stdin" > ../stdout 2> ../stderr
            echo "exit code $?" > ../exit
        )
    done
    if difference=$(diff -r "$work/native" "$work/lithe"); then
        echo "ok        $label"
        passed=$((passed + 1))
    else
        echo "DIFFERENT $label (< native, > Lithe)"
        echo "$difference" | head -n 20 | sed 's/^/    /'
        failed=$((failed + 1))
        [ -z "${KEEP:-}" ] || { kept=$(mktemp -d); cp -r "$work/." "$kept"; echo "    kept in $kept"; }
    fi
}

mkdir "$work/empty"
input=$work/empty stdin=$guests/files/files.c
compare "files: reads, writes, walks directories, reads standard input" . \
    "$guests/out/files.wasm" "$guests/out/native/files" .
stdin=/dev/null
compare "sqlite: a database with indexes, triggers, JSON and text search" . \
    "$guests/out/sqlite.wasm" "$guests/out/native/sqlite" work.db
compare "zstd: five levels, streaming to a file and back" . \
    "$guests/out/zstd.wasm" "$guests/out/native/zstd" work.zst
input=$guests/lua
compare "lua: work.lua" . "$guests/out/lua.wasm" "$guests/out/native/lua" work.lua

# esbuild is written in Go and looks for its files from the root, so the project folder is granted as the root.
esbuild=$packages/wasi-preview1/esbuild.wasm
input=$guests/esbuild/project
compare "esbuild: version" .::/ "$esbuild" "$esbuild_native" --version
compare "esbuild: bundles a TypeScript project" .::/ "$esbuild" "$esbuild_native" main.ts --bundle --format=esm \
    --target=es2019 --sourcemap --outfile=out/bundle.js --metafile=out/meta.json --log-level=warning
compare "esbuild: bundles with splitting, minified" .::/ "$esbuild" "$esbuild_native" main.ts --bundle --format=esm \
    --splitting --minify --outdir=out --log-level=warning
stdin=$guests/esbuild/project/shapes.ts
compare "esbuild: transforms standard input" .::/ "$esbuild" "$esbuild_native" --loader=ts --minify --target=es2017
echo 'const wrong: = 1' > "$work/broken.ts"
stdin=$work/broken.ts
compare "esbuild: reports a syntax error" .::/ "$esbuild" "$esbuild_native" --loader=ts --color=false

rm -rf "$work"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
