//! What a folder looks like, for tests that nothing beneath it changes. Those of hostile guests use it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Everything about a tree that an operation could change, except access times.
pub fn snapshot(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(path) = pending.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let mut text = format!(
            "ino {} mode {:o} nlink {} size {} mtime {}.{}",
            meta.ino(),
            meta.mode(),
            meta.nlink(),
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec()
        );
        if meta.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if meta.is_symlink() {
            write!(text, " -> {:?}", std::fs::read_link(&path).unwrap()).unwrap();
        } else {
            write!(text, " {:?}", std::fs::read(&path).unwrap()).unwrap();
        }
        all.insert(path, text);
    }
    all
}
