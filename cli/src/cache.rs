//! The cache of native code: a folder of the user's with artifacts, and with notes of which module a file holds. Called
//! by `load`, `compile` and `cached`. A cache that cannot be used is never an error, only slower.
//!
//! ```text
//! NAME.lithe   an artifact; NAME is a hash of the engine's configuration and of the module
//! NAME.key     a note: [ magic: 8 ][ what was asked: 32 ][ hash of the module: 32 ]; NAME begins what was asked, which is
//!              a hash of the engine's configuration, and of a file's identity or of a text
//! .NAME.tmp    being written
//! ```
//!
//! Invariant: what is taken from the folder was made by this user's Lithe. The folder and its files belong to the user,
//! nobody else can write them, and the mode of a file is one that no guest can give to a file that it wrote, not even a
//! guest that was granted the folder: it may remove files and rename them, so what a file says about itself counts,
//! not its name.

use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lithe::{Artifact, Engine};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;
use rustix::time::ClockId;

/// Bytes that the cache has at most, unless told otherwise.
pub const DEFAULT_BYTES: u64 = 1 << 30;

/// The mode of files. Guests cannot set modes, what they create cannot be executed, and WASI opens no file for writing
/// that its owner may not write, whoever the user is.
const SEALED: RawMode = 0o500;
const ARTIFACT: &str = ".lithe";
const NOTE: &str = ".key";
const UNFINISHED: &str = ".tmp";
const MAGIC: &[u8; 8] = b"lithekey";

/// A file whose times are older was not changed since without their telling.
const SETTLED: u64 = 2;
/// The time of last use is as precise as this.
const HOUR: Duration = Duration::from_secs(3600);

/// The cache, for one configuration of the engine.
pub struct Cache {
    path: PathBuf,
    /// Nothing before the first artifact is stored.
    folder: Option<OwnedFd>,
    key: [u8; 32],
    max: u64,
}

/// An artifact that this user's Lithe made.
pub struct Entry {
    file: File,
    id: (u64, u64),
    used: SystemTime,
}

impl Entry {
    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its device and number.
    pub fn id(&self) -> (u64, u64) {
        self.id
    }
}

/// A file that is being written, under another name than it will have: so it is there completely or not at all.
struct Draft<'f> {
    folder: &'f OwnedFd,
    /// Empty when the file has its name.
    name: String,
    file: File,
}

impl Draft<'_> {
    fn publish(mut self, name: &str) -> bool {
        let done = rustix::fs::renameat(self.folder, &self.name, self.folder, name).is_ok();
        if done {
            self.name.clear();
        }
        done
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            let _ = rustix::fs::unlinkat(self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// What there is in the cache.
pub struct Contents {
    pub path: PathBuf,
    pub artifacts: usize,
    pub bytes: u64,
}

struct Listed {
    name: String,
    bytes: u64,
    used: SystemTime,
}

/// What tells a file apart from all others and from its own earlier contents.
pub fn identity(stat: &Stat) -> [u8; 64] {
    let words = [
        stat.st_dev,
        stat.st_ino,
        stat.st_size as u64,
        stat.st_mtime as u64,
        stat.st_mtime_nsec,
        stat.st_ctime as u64,
        stat.st_ctime_nsec,
        u64::from(stat.st_mode),
    ];
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

/// Whether later changes of a file show in its times, which are not as precise as they look.
pub fn is_settled(stat: &Stat) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    u64::try_from(stat.st_ctime).is_ok_and(|changed| changed + SETTLED < now)
}

impl Cache {
    /// The user's cache, or a sentence about why there is none.
    pub fn open(max: u64) -> Result<Cache, String> {
        let path = path()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match rustix::fs::openat(CWD, &path, flags, Mode::empty()) {
            Ok(folder) => Some(folder),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(format!("`{}` cannot be opened: {error}", path.display())),
        };
        if let Some(folder) = &folder {
            check(folder, &path)?;
        }
        Ok(Cache { path, folder, key: [0; 32], max })
    }

    /// The cache with code for this engine, made by this program.
    pub fn of(mut self, engine: &Engine) -> Cache {
        let mut text = engine.artifact_key().to_vec();
        // Two builds of one version may compile differently.
        if let Ok(program) = rustix::fs::stat("/proc/self/exe") {
            text.extend(identity(&program));
        }
        self.key = Artifact::hash(&text);
        self
    }

    /// What a file or text is asked for by.
    pub fn question(&self, what: &[u8]) -> [u8; 32] {
        Artifact::hash(&[&self.key, what].concat())
    }

    /// The hash of the module that was noted for a question.
    pub fn answer(&self, question: &[u8; 32]) -> Option<[u8; 32]> {
        let mut file = self.sealed(&name(question, NOTE))?.file;
        let mut note = [0; 73];
        let read = file.read(&mut note).ok()?;
        let (magic, rest) = note[..read].split_first_chunk()?;
        let (asked, rest) = rest.split_first_chunk::<32>()?;
        let answer = rest.try_into().ok()?;
        (magic == MAGIC && asked == question).then_some(answer)
    }

    /// Notes the hash of a module for a question.
    pub fn note(&mut self, question: &[u8; 32], module: &[u8; 32]) {
        let note = [&MAGIC[..], question, module].concat();
        if let Some(mut draft) = self.prepare().draft()
            && draft.file.write_all(&note).is_ok()
        {
            draft.publish(&name(question, NOTE));
        }
    }

    /// The artifact of the module with this hash. Whoever loads it compares the hash in it.
    pub fn find(&self, module: &[u8; 32]) -> Option<Entry> {
        let entry = self.sealed(&name(&self.question(module), ARTIFACT))?;
        let unsure = outlived_a_crash(entry.used);
        if unsure {
            let mut bytes = Vec::new();
            (&entry.file).read_to_end(&mut bytes).ok()?;
            Artifact::new(bytes).and_then(|artifact| artifact.verify()).ok()?;
        }
        if unsure || entry.used.elapsed().is_ok_and(|ago| ago > HOUR) {
            // When this fails, what is lost is only the order in which artifacts go, or the next look takes as long.
            let _ = entry.file.set_modified(SystemTime::now());
        }
        Some(entry)
    }

    /// Stores the artifact of the module with this hash, which `make` writes. `None` when the cache cannot take it.
    pub fn store(
        &mut self,
        module: &[u8; 32],
        make: impl FnOnce(&mut File) -> lithe::Result<()>,
    ) -> lithe::Result<Option<Entry>> {
        let name = name(&self.question(module), ARTIFACT);
        let cache = self.prepare();
        let Some(mut draft) = cache.draft() else { return Ok(None) };
        make(&mut draft.file)?;
        let fits = draft.file.metadata().is_ok_and(|metadata| metadata.len() <= cache.max);
        let stored = fits && draft.publish(&name);
        cache.shrink();
        Ok(stored.then(|| cache.sealed(&name)).flatten())
    }

    /// A complete file of the cache.
    fn sealed(&self, name: &str) -> Option<Entry> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.folder.as_ref()?, name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        let ours = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_uid == rustix::process::geteuid().as_raw()
            && stat.st_mode & 0o7777 == SEALED;
        ours.then(|| Entry { file: file.into(), id: (stat.st_dev, stat.st_ino), used: used(&stat) })
    }

    /// Makes the folder where there is none.
    fn prepare(&mut self) -> &Cache {
        if self.folder.is_none() {
            self.folder = create(&self.path);
        }
        self
    }

    /// A new file; `None` when there cannot be one.
    fn draft(&self) -> Option<Draft<'_>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = self.folder.as_ref()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".{}-{number}{UNFINISHED}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        // From the start, so that no guest opens it for writing meanwhile.
        let mode = Mode::from_raw_mode(SEALED);
        let file = rustix::fs::openat(folder, &name, flags, mode).ok()?;
        Some(Draft { folder, name, file: file.into() })
    }

    /// Everything in the folder that the cache made.
    fn list(&self) -> Vec<Listed> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let Ok(entries) = Dir::read_from(folder) else { return Vec::new() };
        let listed = |name: &str| {
            let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            Some(Listed { name: name.into(), bytes: stat.st_size as u64, used: used(&stat) })
        };
        let ours =
            |name: &str| [ARTIFACT, NOTE, UNFINISHED].iter().any(|suffix| name.ends_with(suffix));
        let names = entries.flatten();
        let names = names.filter_map(|entry| entry.file_name().to_str().map(String::from).ok());
        names.filter(|name| ours(name)).filter_map(|name| listed(&name)).collect()
    }

    fn remove(&self, name: &str) {
        if let Some(folder) = &self.folder {
            let _ = rustix::fs::unlinkat(folder, name, AtFlags::empty());
        }
    }

    /// Removes what was not used for the longest time until the rest is small enough, and what was never finished.
    fn shrink(&self) {
        let mut all = self.list();
        let old = |listed: &Listed| listed.used.elapsed().is_ok_and(|ago| ago > HOUR);
        all.retain(|listed| {
            let left = listed.name.ends_with(UNFINISHED) && old(listed);
            if left {
                self.remove(&listed.name);
            }
            !left
        });
        let mut bytes: u64 = all.iter().map(|listed| listed.bytes).sum();
        all.sort_by_key(|listed| listed.used);
        for listed in &all {
            if bytes <= self.max {
                break;
            }
            self.remove(&listed.name);
            bytes -= listed.bytes;
        }
    }

    /// What there is.
    pub fn contents(&self) -> Contents {
        let all = self.list();
        Contents {
            path: self.path.clone(),
            artifacts: all.iter().filter(|listed| listed.name.ends_with(ARTIFACT)).count(),
            bytes: all.iter().map(|listed| listed.bytes).sum(),
        }
    }

    /// Removes everything. Code that runs stays where it runs.
    pub fn clear(&self) {
        self.list().iter().for_each(|listed| self.remove(&listed.name));
    }
}

/// Whether a file is as old as the last start of the system, or older: when the system crashed before, the file may have
/// its length but not its contents, since nobody waits for the disk when files are written.
fn outlived_a_crash(used: SystemTime) -> bool {
    let up = rustix::time::clock_gettime(ClockId::Boottime);
    let up = Duration::from_secs(u64::try_from(up.tv_sec).unwrap_or(0));
    let now = SystemTime::now();
    // A time to come is one of a clock that was set back since.
    now.checked_sub(up).is_none_or(|start| used <= start) || used > now
}

/// When a file was used or made.
fn used(stat: &Stat) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0))
}

/// The name of a file: half of a hash is enough to tell files apart, and the file has the rest.
fn name(hash: &[u8; 32], suffix: &str) -> String {
    let digits = hash[..16].iter().map(|byte| format!("{byte:02x}"));
    digits.chain([suffix.into()]).collect()
}

/// Where the cache is.
fn path() -> Result<PathBuf, String> {
    let variable =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let parent = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let parent = parent.ok_or("neither XDG_CACHE_HOME nor HOME is an absolute path")?;
    Ok(parent.join("lithe"))
}

/// Refuses a folder that others might have written to.
fn check(folder: &OwnedFd, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let stat = rustix::fs::fstat(folder).map_err(|error| format!("`{shown}`: {error}"))?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(format!("`{shown}` belongs to another user"));
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(format!("others may write to `{shown}`; `chmod 700` makes it usable"));
    }
    Ok(())
}

/// Makes the folder, unless its place belongs to another user.
fn create(path: &Path) -> Option<OwnedFd> {
    let private = |recursive| {
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(recursive);
        builder
    };
    let parent = path.parent()?;
    private(true).create(parent).ok()?;
    let owner = rustix::fs::stat(parent).ok()?.st_uid;
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return None;
    }
    // Another process may have been faster.
    let _ = private(false).create(path);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?;
    check(&folder, path).ok()?;
    Some(folder)
}
