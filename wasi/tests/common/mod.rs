//! A fake guest for the tests: a memory, a [`Ctx`], and one method per shape of WASI call.
//!
//! Everything goes through `p1::call`, as calls of a real guest do. Invariant: arguments live at
//! fixed places of the memory, so that tests can spoil them.

#![allow(dead_code, reason = "every test crate uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use lithe::{Config, Engine, Features, Limits, MemoryType, SharedMemory};
use lithe_wasi::{Ctx, Errno, Grants, GuestMemory, Stop, p1};

/// Where results are written.
pub const RESULT: u64 = 0x100;
/// Where a second result is written.
pub const RESULT2: u64 = 0x180;
/// Where iovecs are built.
pub const IOVECS: u64 = 0x400;
/// Where the first and second path of a call are put.
pub const PATH: [u64; 2] = [0x1000, 0x3000];
/// Where data is.
pub const DATA: u64 = 0x8000;
/// Size of the memory.
pub const MEMORY: usize = 16 << 20;

pub const READ: u64 = 1 << 1;
pub const WRITE: u64 = 1 << 6;
pub const FOLLOW: u64 = 1;

pub const CREAT: u64 = 1;
pub const DIRECTORY: u64 = 2;
pub const EXCL: u64 = 4;
pub const TRUNC: u64 = 8;

pub const APPEND: u64 = 1;
pub const NONBLOCK: u64 = 4;

pub const ATIM: u64 = 1;
pub const ATIM_NOW: u64 = 2;
pub const MTIM: u64 = 4;
pub const MTIM_NOW: u64 = 8;

/// A directory below the system's temporary one, removed at the end.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lithe-wasi-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.join(name), contents).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.join(name)).unwrap()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fdstat {
    pub filetype: u8,
    pub flags: u16,
    pub base: u64,
    pub inheriting: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filestat {
    pub dev: u64,
    pub ino: u64,
    pub filetype: u8,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirent {
    pub next: u64,
    pub ino: u64,
    pub filetype: u8,
    pub name: Vec<u8>,
}

pub struct Guest {
    pub ctx: Ctx,
    pub memory: Vec<u8>,
    /// In the tests of `shared.rs`: the memory that calls see; its contents are copied before and after.
    shared: Option<SharedMemory>,
}

/// A shared memory of `MEMORY` bytes, in the tests of `shared.rs`.
fn shared() -> Option<SharedMemory> {
    if env!("CARGO_CRATE_NAME") != "shared" {
        return None;
    }
    let engine = Engine::new(&Config::new().features(Features::WASM3.union(Features::THREADS)));
    let limits = Limits { min: MEMORY as u64, max: Some(MEMORY as u64) };
    let ty = MemoryType { limits, is64: false, shared: true, page_log2: 0 };
    Some(SharedMemory::new(&engine, ty).unwrap())
}

impl Guest {
    pub fn new(grants: Grants) -> Guest {
        Guest { ctx: Ctx::new(grants).unwrap(), memory: vec![0; MEMORY], shared: shared() }
    }

    /// Another thread of the same guest, with a memory of its own.
    pub fn thread(&self) -> Guest {
        Guest { ctx: self.ctx.share(), memory: vec![0; MEMORY], shared: shared() }
    }

    /// Whether bytes are copied, so that buffers may overlap.
    pub fn copies(&self) -> bool {
        self.shared.is_some()
    }

    pub fn try_call(&mut self, name: &str, args: &[u64]) -> Result<Errno, Stop> {
        let function = p1::function(name).unwrap_or_else(|| panic!("no function {name}"));
        let Some(shared) = &self.shared else {
            return p1::call(
                &mut self.ctx,
                &mut GuestMemory::new(&mut self.memory),
                function,
                args,
            );
        };
        shared.write(0, &self.memory).unwrap();
        let mut memory = GuestMemory::shared(shared.clone());
        let result = p1::call(&mut self.ctx, &mut memory, function, args);
        shared.read(0, &mut self.memory).unwrap();
        result
    }

    /// Calls a function that must not stop the guest.
    pub fn call(&mut self, name: &str, args: &[u64]) -> Result<(), Errno> {
        match self.try_call(name, args).unwrap() {
            Errno::Success => Ok(()),
            errno => Err(errno),
        }
    }

    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        self.memory[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    pub fn bytes(&self, at: u64, len: u64) -> &[u8] {
        &self.memory[at as usize..(at + len) as usize]
    }

    pub fn u16(&self, at: u64) -> u16 {
        u16::from_le_bytes(self.bytes(at, 2).try_into().unwrap())
    }

    pub fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().unwrap())
    }

    pub fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().unwrap())
    }

    /// Builds iovecs and returns their place and number.
    pub fn iovecs(&mut self, iovecs: &[(u64, u64)]) -> (u64, u64) {
        for (index, (ptr, len)) in iovecs.iter().enumerate() {
            let at = IOVECS + index as u64 * 8;
            self.put(at, &(*ptr as u32).to_le_bytes());
            self.put(at + 4, &(*len as u32).to_le_bytes());
        }
        (IOVECS, iovecs.len() as u64)
    }

    fn path(&mut self, place: usize, path: impl AsRef<[u8]>) -> (u64, u64) {
        let path = path.as_ref();
        self.put(PATH[place], path);
        (PATH[place], path.len() as u64)
    }

    pub fn open(
        &mut self,
        dir: u32,
        dirflags: u64,
        path: impl AsRef<[u8]>,
        oflags: u64,
        rights: u64,
        fdflags: u64,
    ) -> Result<u32, Errno> {
        let (ptr, len) = self.path(0, path);
        let dir = u64::from(dir);
        self.call(
            "path_open",
            &[dir, dirflags, ptr, len, oflags, rights, u64::MAX, fdflags, RESULT],
        )?;
        Ok(self.u32(RESULT))
    }

    pub fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.call("fd_close", &[fd.into()])
    }

    pub fn read(&mut self, fd: u32, len: u64) -> Result<Vec<u8>, Errno> {
        let (iovs, count) = self.iovecs(&[(DATA, len)]);
        self.call("fd_read", &[fd.into(), iovs, count, RESULT])?;
        Ok(self.bytes(DATA, self.u32(RESULT).into()).to_vec())
    }

    pub fn pread(&mut self, fd: u32, len: u64, offset: u64) -> Result<Vec<u8>, Errno> {
        let (iovs, count) = self.iovecs(&[(DATA, len)]);
        self.call("fd_pread", &[fd.into(), iovs, count, offset, RESULT])?;
        Ok(self.bytes(DATA, self.u32(RESULT).into()).to_vec())
    }

    pub fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
        self.put(DATA, bytes);
        let (iovs, count) = self.iovecs(&[(DATA, bytes.len() as u64)]);
        self.call("fd_write", &[fd.into(), iovs, count, RESULT])?;
        Ok(self.u32(RESULT))
    }

    pub fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Result<u32, Errno> {
        self.put(DATA, bytes);
        let (iovs, count) = self.iovecs(&[(DATA, bytes.len() as u64)]);
        self.call("fd_pwrite", &[fd.into(), iovs, count, offset, RESULT])?;
        Ok(self.u32(RESULT))
    }

    pub fn seek(&mut self, fd: u32, offset: i64, whence: u64) -> Result<u64, Errno> {
        self.call("fd_seek", &[fd.into(), offset as u64, whence, RESULT])?;
        Ok(self.u64(RESULT))
    }

    pub fn tell(&mut self, fd: u32) -> Result<u64, Errno> {
        self.call("fd_tell", &[fd.into(), RESULT])?;
        Ok(self.u64(RESULT))
    }

    pub fn fdstat(&mut self, fd: u32) -> Result<Fdstat, Errno> {
        self.call("fd_fdstat_get", &[fd.into(), RESULT])?;
        Ok(Fdstat {
            filetype: self.bytes(RESULT, 1)[0],
            flags: self.u16(RESULT + 2),
            base: self.u64(RESULT + 8),
            inheriting: self.u64(RESULT + 16),
        })
    }

    fn filestat(&self) -> Filestat {
        Filestat {
            dev: self.u64(RESULT),
            ino: self.u64(RESULT + 8),
            filetype: self.bytes(RESULT + 16, 1)[0],
            nlink: self.u64(RESULT + 24),
            size: self.u64(RESULT + 32),
            atim: self.u64(RESULT + 40),
            mtim: self.u64(RESULT + 48),
        }
    }

    pub fn fd_filestat(&mut self, fd: u32) -> Result<Filestat, Errno> {
        self.call("fd_filestat_get", &[fd.into(), RESULT])?;
        Ok(self.filestat())
    }

    pub fn path_filestat(
        &mut self,
        dir: u32,
        flags: u64,
        path: impl AsRef<[u8]>,
    ) -> Result<Filestat, Errno> {
        let (ptr, len) = self.path(0, path);
        self.call("path_filestat_get", &[dir.into(), flags, ptr, len, RESULT])?;
        Ok(self.filestat())
    }

    pub fn path_set_times(
        &mut self,
        dir: u32,
        flags: u64,
        path: impl AsRef<[u8]>,
        times: (u64, u64),
        fst_flags: u64,
    ) -> Result<(), Errno> {
        let (ptr, len) = self.path(0, path);
        let args = [dir.into(), flags, ptr, len, times.0, times.1, fst_flags];
        self.call("path_filestat_set_times", &args)
    }

    /// `path_create_directory`, `path_remove_directory` or `path_unlink_file`.
    pub fn on_path(&mut self, name: &str, dir: u32, path: impl AsRef<[u8]>) -> Result<(), Errno> {
        let (ptr, len) = self.path(0, path);
        self.call(name, &[dir.into(), ptr, len])
    }

    pub fn mkdir(&mut self, dir: u32, path: impl AsRef<[u8]>) -> Result<(), Errno> {
        self.on_path("path_create_directory", dir, path)
    }

    pub fn rmdir(&mut self, dir: u32, path: impl AsRef<[u8]>) -> Result<(), Errno> {
        self.on_path("path_remove_directory", dir, path)
    }

    pub fn unlink(&mut self, dir: u32, path: impl AsRef<[u8]>) -> Result<(), Errno> {
        self.on_path("path_unlink_file", dir, path)
    }

    pub fn link(
        &mut self,
        old: (u32, impl AsRef<[u8]>),
        flags: u64,
        new: (u32, impl AsRef<[u8]>),
    ) -> Result<(), Errno> {
        let (old_ptr, old_len) = self.path(0, old.1);
        let (new_ptr, new_len) = self.path(1, new.1);
        let args = [old.0.into(), flags, old_ptr, old_len, new.0.into(), new_ptr, new_len];
        self.call("path_link", &args)
    }

    pub fn rename(
        &mut self,
        old: (u32, impl AsRef<[u8]>),
        new: (u32, impl AsRef<[u8]>),
    ) -> Result<(), Errno> {
        let (old_ptr, old_len) = self.path(0, old.1);
        let (new_ptr, new_len) = self.path(1, new.1);
        let args = [old.0.into(), old_ptr, old_len, new.0.into(), new_ptr, new_len];
        self.call("path_rename", &args)
    }

    pub fn symlink(
        &mut self,
        target: impl AsRef<[u8]>,
        dir: u32,
        path: impl AsRef<[u8]>,
    ) -> Result<(), Errno> {
        let (target_ptr, target_len) = self.path(0, target);
        let (ptr, len) = self.path(1, path);
        self.call("path_symlink", &[target_ptr, target_len, dir.into(), ptr, len])
    }

    pub fn readlink(
        &mut self,
        dir: u32,
        path: impl AsRef<[u8]>,
        len: u64,
    ) -> Result<Vec<u8>, Errno> {
        let (ptr, path_len) = self.path(0, path);
        self.call("path_readlink", &[dir.into(), ptr, path_len, DATA, len, RESULT])?;
        Ok(self.bytes(DATA, self.u32(RESULT).into()).to_vec())
    }

    /// One `fd_readdir`: the complete entries, and whether the buffer was filled.
    pub fn readdir(
        &mut self,
        fd: u32,
        cookie: u64,
        len: u64,
    ) -> Result<(Vec<Dirent>, bool), Errno> {
        self.call("fd_readdir", &[fd.into(), DATA, len, cookie, RESULT])?;
        let used = u64::from(self.u32(RESULT));
        assert!(used <= len);
        let (mut entries, mut at) = (Vec::new(), DATA);
        while at + 24 <= DATA + used {
            let name_len = u64::from(self.u32(at + 16));
            if at + 24 + name_len > DATA + used {
                break;
            }
            entries.push(Dirent {
                next: self.u64(at),
                ino: self.u64(at + 8),
                filetype: self.bytes(at + 20, 1)[0],
                name: self.bytes(at + 24, name_len).to_vec(),
            });
            at += 24 + name_len;
        }
        Ok((entries, used == len))
    }

    /// All entries, fetched with buffers of `len` bytes.
    pub fn list(&mut self, fd: u32, len: u64) -> Result<Vec<Dirent>, Errno> {
        let (mut all, mut cookie) = (Vec::new(), 0);
        loop {
            let (entries, full) = self.readdir(fd, cookie, len)?;
            if let Some(last) = entries.last() {
                cookie = last.next;
            }
            assert!(!full || !entries.is_empty(), "no progress with {len} bytes");
            all.extend(entries);
            if !full {
                return Ok(all);
            }
        }
    }
}
