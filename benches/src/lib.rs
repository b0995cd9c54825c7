//! Benchmarks of Lithe: `cargo bench -p lithe-benches` for the engine's parts, `compare.py`, `native.py` and
//! `startup.py` for whole processes beside other engines. `README.md` beside this crate has the method and the figures.
#![forbid(unsafe_code)]
