#!/usr/bin/env bash
# Builds a fuzz target with the nightly compiler, without cargo-fuzz, and runs it.
#
#     fuzz/run.sh TARGET [SECONDS]   decode or run, 60 seconds; prints executions and executions per second
#     fuzz/run.sh TARGET FILE        once, on one input
#     fuzz/run.sh TARGET minimize    makes the corpus again from what it and the last runs found, small
#
# What runs find goes to fuzz/target/found/TARGET, what crashes to fuzz/artifacts/TARGET. SANITIZER=none is faster
# and sees less; FUZZ_RUSTFLAGS adds flags, such as `--cfg lithe_fault` and `--cfg lithe_fault_gc`: faults of the
# interpreter that `run` must find, and `--cfg lithe_fault_native`, one of native code.
set -euo pipefail
cd "$(dirname "$0")"

target=${1:?usage: fuzz/run.sh decode|run [SECONDS|FILE|minimize]}
what=${2:-60}
case $target in
    decode) longest=1200 ;;
    run) longest=2048 ;;
    *) echo "run.sh: there is no target $target, only decode and run" >&2; exit 2 ;;
esac
corpus_bytes=190000 corpus_files=400

flags=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    --cfg fuzzing
)
[ "${SANITIZER:-address}" = none ] || flags+=("-Zsanitizer=${SANITIZER:-address}")
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
# With --target, build scripts are compiled without the flags.
RUSTFLAGS="${flags[*]} ${FUZZ_RUSTFLAGS:-}" cargo +nightly build --release --target "$host" --bin "$target"
build=${CARGO_TARGET_DIR:-target}
binary=$build/$host/release/$target
found=$build/found/$target artifacts=artifacts/$target corpus=corpus/$target
mkdir -p "$found" "$artifacts" "$corpus"
options=(-max_len=$longest -len_control=0 -timeout=25 -rss_limit_mb=2500 -artifact_prefix="$artifacts/")

if [ -f "$what" ]; then
    exec "$binary" "${options[@]}" "$what"
elif [ "$what" = minimize ]; then
    all=$(mktemp -d)
    trap 'rm -rf "$all"' EXIT
    "$binary" "${options[@]}" -use_counters=0 -set_cover_merge=1 "$all" "$corpus" "$found" 2>&1 | tail -1
    rm -f "$corpus"/*
    # They were written in the order of how much they add.
    total=0 count=0
    while read -r size file; do
        total=$((total + size)) count=$((count + 1))
        [ $total -le $corpus_bytes ] && [ $count -le $corpus_files ] || break
        mv "$all/$file" "$corpus/"
    done < <(find "$all" -type f -printf '%T@ %s %f\n' | sort -n | cut -d' ' -f2-)
    echo "$(find "$corpus" -type f | wc -l) inputs, $(cat "$corpus"/* | wc -c) bytes"
else
    "$binary" "${options[@]}" -max_total_time="$what" -print_final_stats=1 "$found" "$corpus" 2>&1 |
        awk '/^stat::number_of_executed_units/ { n = $2 }
             /^stat::average_exec_per_sec/ { rate = $2 }
             /^#/ && !/INITED|DONE/ { next }
             { print }
             END { print n " executions, " rate " per second" }'
fi
