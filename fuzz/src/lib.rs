//! What the fuzz targets share. The targets are thin; see `run.sh` for how they are built and started.
//!
//! ```text
//! fuzz_targets/decode  any bytes -> parse, validate, translate, instantiate; memory is limited
//! fuzz_targets/run     smith -> both dispatch back ends, with and without fuel -> the same observations
//! src/bin/smith        smith -> files for `peers.py`, which asks another engine
//! ```

pub mod compare;
pub mod smith;
