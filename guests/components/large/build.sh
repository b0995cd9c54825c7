#!/bin/sh
# Builds the two HTTP handlers that are too large to be committed: js-http.wasm (13 MB, JavaScript in StarlingMonkey) and
# py-http.wasm (19 MB, CPython), in ../../out/components or the folder that OUT names. Neither needs root.
#
#     guests/components/large/build.sh
#
# Needs cargo, node, npm, python3 with venv; a minute. `wasmtime serve -S cli` serves both.
set -eu
cd "$(dirname "$0")"
out=$(realpath -m "${OUT:-../../out/components}")
tools=$(realpath -m ../../out/components/large)
mkdir -p "$out" "$tools"

# The interfaces are those of the crate wasip2.
wit=$(cargo metadata --manifest-path ../Cargo.toml --locked --format-version 1 |
    python3 -c 'import json, sys, os
print(*[os.path.dirname(p["manifest_path"]) + "/wit/deps" for p in json.load(sys.stdin)["packages"] if p["name"] == "wasip2"])')
for name in js py; do
    rm -rf "$tools/wit-$name"
    mkdir "$tools/wit-$name"
    cp -r "$wit" world.wit "$tools/wit-$name/"
done
# This engine exports the handler of that version alone.
sed -i 's/0\.2\.12/0.2.10/g' "$tools"/wit-js/world.wit "$tools"/wit-js/deps/*.wit

# Not again over what is there: npm then leaves out some of the packages for one platform only.
[ -d "$tools/node_modules" ] ||
    npm install --silent --no-save --prefix "$tools" @bytecodealliance/componentize-js@0.23.0
cp handler.js make.mjs "$tools/"
(cd "$tools" && node make.mjs handler.js wit-js handler "$out/js-http.wasm")

[ -x "$tools/python/bin/componentize-py" ] ||
    { python3 -m venv "$tools/python" && "$tools/python/bin/pip" install --quiet componentize-py==0.25.1; }
# All of the folder of the program gets into the component.
mkdir -p "$tools/app"
cp app.py "$tools/app/"
"$tools/python/bin/componentize-py" --quiet -d "$tools/wit-py" -w handler \
    componentize app -p "$tools/app" -o "$out/py-http.wasm"
ls -l "$out"/*-http.wasm
