//! What the fuzz targets share. The targets are thin; see `run.sh` for how they are built and started.
//!
//! ```text
//! fuzz_targets/decode  any bytes -> parse, validate, translate, instantiate; memory is limited
//! fuzz_targets/run     smith -> both dispatch back ends and native code, with and without fuel, collecting
//!                      always or when it is time to -> the same observations
//! src/bin/soak         the same without coverage; counts what was reached
//! src/bin/smith        smith -> files for `peers.py`, which asks another engine
//! ```

pub mod compare;
mod host;
pub mod reach;
mod seen;
pub mod smith;
