#!/bin/sh
# Random modules of Binaryen's generator (wasm-opt -ttf, version 132: `npm install binaryen@132`) for peers.py.
#
#     fuzz/ttf/ttf.sh COUNT FIRST_SEED FOLDER
#     fuzz/peers.py --folder FOLDER --lithe 'target/release/lithe run -W threads,wide-arithmetic,max-heap-size=64M'
#
# Writes FOLDER/SEED.wasm for seeds from FIRST_SEED up until COUNT modules were kept: those that use garbage collection
# or exceptions and that Wasmtime accepts. A seed always gives the same module. FOLDER/refused.txt says which seeds were
# left out and why, FOLDER/features.txt how many of the modules hold each instruction and how often.
# WASM_OPT and WASMTIME name the two programs; WASMTIME=none skips that check. EXTRA is appended to wasm-opt's options:
# EXTRA=--enable-threads gives shared memories and atomics. PASSES= (empty) keeps the generator's legacy exceptions,
# which Wasmtime refuses; by default they are translated to try_table.
#
# `modules` holds some small ones, chosen so that together they hold most instructions; `expected.txt` is what they print
# in Wasmtime (peers.py --expected), which a test of the crate `lithe` compares.
set -eu
[ $# -eq 3 ] || { echo "usage: ttf.sh COUNT FIRST_SEED FOLDER" >&2; exit 2; }
count=$1 seed=$2 folder=$3
wasm_opt=${WASM_OPT:-wasm-opt} wasmtime=${WASMTIME:-wasmtime} passes=${PASSES---translate-to-exnref}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Left out: what Lithe refuses by name, what Wasmtime lacks, and threads, because the generator then makes its memory
# shared and emits waits without a notifier.
features="-all --disable-strings --disable-custom-descriptors --disable-shared-everything --disable-stack-switching
    --disable-fp16 --disable-threads --disable-acquire-release-atomics --disable-relaxed-atomics
    --disable-compact-imports --disable-multibyte ${EXTRA:-}"

kept=0
: > "$folder/refused.txt"
: > "$work/counts"
while [ "$kept" -lt "$count" ]; do
    # The seed decides the length (500 to 13 499 bytes) and, as a key, the bytes of the generator's input. Every third
    # module is optimized, which turns casts and branches into forms that the generator itself does not emit.
    length=$((500 + seed * 7919 % 13000))
    [ $((seed % 3)) -eq 0 ] && level=-O2 || level=
    head -c "$length" /dev/zero | openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass "pass:$seed" > "$work/input"
    if ! timeout 60 "$wasm_opt" "$work/input" -ttf $features $level $passes --print -o "$work/module.wasm" \
        > "$work/text" 2> "$work/error"
    then
        echo "$seed generator: $(tail -n 1 "$work/error")" >> "$folder/refused.txt"
    elif ! grep -q -e '(struct\.' -e '(array\.' -e '(ref\.i31' -e '(try' -e '(throw' -e '(ref\.cast' -e '(ref\.test' \
        "$work/text"
    then
        echo "$seed neither GC nor exceptions" >> "$folder/refused.txt"
    elif [ "$wasmtime" != none ] && ! timeout 60 "$wasmtime" compile -W all-proposals -o "$work/module.cwasm" \
        "$work/module.wasm" 2> "$work/error"
    then
        echo "$seed wasmtime: $(sed '/Stack backtrace/,$d' "$work/error" | tr -s '\n ' ' ')" >> "$folder/refused.txt"
    else
        mv "$work/module.wasm" "$folder/$seed.wasm"
        kept=$((kept + 1))
        sed 's/"[^"]*"//g' "$work/text" | grep -oE '\([a-z][a-z0-9_]*(\.[a-z0-9_]+)*' | tr -d '(' | sort | uniq -c \
            >> "$work/counts"
    fi
    seed=$((seed + 1))
done
awk '{ modules[$2]++; times[$2] += $1 } END { for (name in times) print modules[name], times[name], name }' \
    "$work/counts" | sort -k 1,1nr -k 2,2nr > "$folder/features.txt"
echo "$kept modules kept, $(wc -l < "$folder/refused.txt") refused"
