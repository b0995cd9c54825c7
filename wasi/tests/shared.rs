//! The tests of the sibling files once more, by guests whose memory is shared: every byte of theirs is
//! copied, and nothing else may differ.

#[path = "dirs.rs"]
mod dirs;
#[path = "files.rs"]
mod files;
