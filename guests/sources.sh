#!/bin/sh
# Fetches the C sources that build.sh and benches/programs/build.sh compile: they come out of the crates named here into
# guests/out/sources/vendor, and nothing of them is committed. Does nothing when they are there already.
set -eu
cd "$(dirname "$0")"
mkdir -p out/sources
cat > out/sources/Cargo.toml.new <<'Y'
[package]
name = "sources"
version = "0.0.0"
edition = "2024"
[lib]
path = "lib.rs"
[dependencies]
libsqlite3-sys = "=0.39.1"
lua-src = "=551.1.0"
lz4-sys = "=1.11.1"
rquickjs-sys = "=0.14.0"
zstd-sys = "=2.1.2"
[workspace]
Y
cd out/sources
if [ -d vendor ] && cmp -s Cargo.toml.new Cargo.toml; then
    rm Cargo.toml.new
else
    rm -rf vendor Cargo.lock
    mv Cargo.toml.new Cargo.toml
    : > lib.rs
    # A folder that is there is a complete one.
    cargo vendor --quiet vendor.new > /dev/null
    mv vendor.new vendor
fi
