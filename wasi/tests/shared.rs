//! The tests of the sibling files once more, by guests whose memory is shared: every byte of theirs is
//! copied, and nothing else may differ.

#![allow(
    clippy::duplicate_mod,
    reason = "each of the files below has the common module, as when it is alone"
)]

#[path = "dirs.rs"]
mod dirs;
#[path = "files.rs"]
mod files;
