#!/bin/sh
# Builds the components of out/ and, in ../out/native, the native builds of the commands. BUILD.md describes them; they
# are committed, so only who changes a source needs this.
#
#     guests/components/build.sh
#
# Needs root, debootstrap, cargo and 2 GB: Rust for WebAssembly comes from Debian forky, in a chroot that is made in
# ../out/forky (FORKY=folder for another one), and the linker of components and wac from their crates.
set -eu
cd "$(dirname "$0")"
guests=$(realpath ..)
out=$guests/out/components
mkdir -p "$out" ../out/native
forky=${FORKY:-$guests/out/forky}

in_forky() { # COMMAND...: the folder guests is /guests in there, and the linker and wac are on the PATH
    cp /etc/resolv.conf "$forky/etc/"
    cp /etc/ssl/certs/ca-certificates.crt "$forky/etc/ssl/certs/"
    mkdir -p "$forky/guests"
    FORKY=$forky GUESTS=$guests unshare --mount bash -c '
        mount --rbind /proc "$FORKY/proc"; mount --rbind /dev "$FORKY/dev"; mount --bind "$GUESTS" "$FORKY/guests"
        exec chroot "$FORKY" env HOME=/ PATH=/usr/lib/llvm-22/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin "$@"' x "$@"
}

if [ ! -x "$forky/usr/bin/wasm-tools" ]; then
    mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
    [ -d "$forky" ] || debootstrap --variant=minbase --include=ca-certificates forky "$forky" "$mirror" sid
    in_forky apt-get -o Acquire::Check-Valid-Until=false update
    in_forky apt-get install -y --no-install-recommends rustc cargo libstd-rust-dev-wasm32 lld-22 wasm-tools
fi
for tool in wasm-component-ld@0.5.31 wac-cli@0.12.0; do
    [ -f "$out/tools/.$tool" ] && continue
    # wac's default features are for registries of components.
    CARGO_TARGET_DIR=$out/tools/target cargo install --quiet --locked --no-default-features --root "$out/tools" "$tool"
    touch "$out/tools/.$tool"
done
cp "$out/tools/bin/wasm-component-ld" "$out/tools/bin/wac" "$forky/usr/local/bin/"

# The commands are for wasm32-wasip2. The libraries do without the standard library, hence the other target, whose
# compiler support has memcpy and its kin. pair/user's import is satisfied by pair/counters' export.
in_forky sh -euc '
    cd /guests/components
    export CARGO_TARGET_DIR=/guests/out/components/target CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld
    export CARGO_TARGET_WASM32_WASIP2_LINKER=wasm-component-ld
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-component-ld
    build() { cargo build --quiet --locked --release --target "$@"; }
    build wasm32-wasip2 -p hello-p2 -p cp-p2 -p net
    build wasm32-wasip1 -p cp-p2
    build wasm32-unknown-unknown -p http-hello -p kv-plugin -p counters -p user
    cargo run --quiet --locked --release -p adapter > ../out/components/adapter.wasm

    made=../out/components/target
    for name in hello-p2 cp-p2 tcp-p2 udp-p2 dns-p2; do cp $made/wasm32-wasip2/release/$name.wasm out; done
    cp $made/wasm32-wasip1/release/cp-p2.wasm out/cp-p1.wasm
    made=$made/wasm32-unknown-unknown/release
    cp $made/http_hello.wasm out/http-hello.wasm
    cp $made/kv_plugin.wasm out/kv-plugin.wasm
    wac plug $made/user.wasm --plug $made/counters.wasm -o out/pair.wasm
    wasm-tools component new ../files/files.wasm -o out/files-adapter.wasm \
        --adapt wasi_snapshot_preview1=../out/components/adapter.wasm
    wit=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -path "*/wasip2-2.0.1+wasi-0.2.12/wit" -print -quit)
    cargo run --quiet --locked --release -p forward -- "$wit" wasi:io wasi:cli wasi:clocks wasi:random \
        wasi:filesystem wasi:config wasi:logging > out/forward.wasm
    cargo run --quiet --locked --release -p forward -- "$wit" wasi:http wasi:io > out/forward-http.wasm
    for component in out/*.wasm; do
        wasm-tools strip --all $component -o $component
        wasm-tools validate $component
        chmod 644 $component
    done'

CARGO_TARGET_DIR=$out/native cargo build --quiet --locked --release -p hello-p2 -p cp-p2 -p net
for name in hello-p2 cp-p2 tcp-p2 udp-p2 dns-p2; do cp "$out/native/release/$name" ../out/native/; done

scratch=$(mktemp -d)
printf 'some text\nof two lines\n' | env -i "HELLO_WORD=zwei ü" OTHER=x \
    "$guests/out/native/hello-p2" all "$scratch" a 'b c' ü > out/hello-p2.expected
rm -r "$scratch"
ls -l out
