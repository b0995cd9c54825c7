//! Writes the module that gives preview 1 to commands on top of WASI 0.2 to standard output; build.sh asks for it.

use std::io::{self, Write};
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER;

fn main() -> io::Result<()> {
    io::stdout().write_all(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)
}
