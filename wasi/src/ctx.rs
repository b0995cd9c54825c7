//! [`Ctx`]: the state of one guest's view of the system.
//!
//! Made from [`Grants`], passed to every function of [`p1`](crate::p1). Invariant: it holds open
//! exactly what was granted and what the guest opened since; a grant of nothing makes no system
//! call.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};

use crate::descriptor::{Descriptor, Grant};
use crate::grants::DirGrant;
use crate::path::Resolver;
use crate::source::Source;
use crate::table::Table;
use crate::wait::Deadline;
use crate::{Denials, Errno, Error, ErrorKind, Grants, NetPolicy, listen};

/// One guest's arguments, environment and open descriptors.
#[derive(Debug)]
pub struct Ctx {
    pub(crate) args: Arc<[Vec<u8>]>,
    /// `KEY=VALUE` strings.
    pub(crate) env: Arc<[Vec<u8>]>,
    pub(crate) table: Arc<Table>,
    pub(crate) deadline: Deadline,
    pub(crate) resolver: Resolver,
    pub(crate) source: Arc<Source>,
    pub(crate) sealed: Arc<Sealed>,
    net: Arc<NetPolicy>,
    config: Arc<[(String, String)]>,
}

impl Ctx {
    /// Opens what `grants` describes.
    pub fn new(grants: Grants) -> Result<Ctx, Error> {
        let mut env = grants.env;
        let table = Table::new(grants.max_descriptors);
        let insert = |descriptor| {
            table.insert(descriptor).map(drop).map_err(|_: Errno| {
                let limit = grants.max_descriptors;
                let sentence = format!(
                    "the grants need more than the {limit} descriptors that the guest may have; \
                     raise that limit"
                );
                Error::new(ErrorKind::Limit, sentence)
            })
        };
        insert(Descriptor::stdin(&grants.stdin))?;
        insert(Descriptor::stdout(&grants.stdout))?;
        insert(Descriptor::stderr(&grants.stderr))?;
        if grants.listen_fds {
            for socket in listen::passed()? {
                insert(Descriptor::listener(socket))?;
            }
            for key in ["LISTEN_FDS", "LISTEN_FDNAMES"] {
                if let Some(value) = std::env::var_os(key) {
                    env.push((key.as_bytes().to_vec(), value.as_bytes().to_vec()));
                }
            }
        }
        for listener in &grants.listeners {
            insert(Descriptor::listener(listen::open(listener)?))?;
        }
        for dir in grants.dirs {
            insert(Descriptor::preopen(open_root(dir)?))?;
        }
        Ok(Ctx {
            args: grants.args.into_iter().map(argument).collect::<Result<_, _>>()?,
            env: env.into_iter().map(variable).collect::<Result<_, _>>()?,
            table: Arc::new(table),
            deadline: Deadline::default(),
            resolver: if grants.walk { Resolver::Walk } else { Resolver::Kernel },
            source: Arc::new(Source::new(grants.seed)),
            sealed: Arc::default(),
            net: Arc::new(grants.net),
            config: grants.config.into(),
        })
    }

    /// The same context for another thread of the guest: what one opens, the other has open too. A call
    /// that waits in one of them does not hold up calls in the other.
    pub fn share(&self) -> Ctx {
        Ctx {
            args: self.args.clone(),
            env: self.env.clone(),
            table: self.table.clone(),
            deadline: self.deadline,
            resolver: self.resolver,
            source: self.source.clone(),
            sealed: self.sealed.clone(),
            net: self.net.clone(),
            config: self.config.clone(),
        }
    }

    /// What the guest may do on the network. Whoever opens sockets or makes requests for it must ask.
    pub fn net(&self) -> &Arc<NetPolicy> {
        &self.net
    }

    /// The variables of the guest's configuration.
    pub fn config(&self) -> &[(String, String)] {
        &self.config
    }

    /// What was denied so far.
    pub fn denials(&self) -> &Denials {
        self.net.denials()
    }

    /// Refuses from now on to open these files for writing, whatever was granted: they are given by device and number,
    /// as `stat` tells them. For files that are mapped, such as native code.
    pub fn seal(&mut self, files: impl IntoIterator<Item = (u64, u64)>) {
        self.sealed = Arc::new(Sealed(self.sealed.0.iter().copied().chain(files).collect()));
    }

    /// Limits how long calls may wait: those that would wait past `deadline` end in
    /// [`Stop::Deadline`](crate::Stop::Deadline).
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = Deadline(deadline);
    }
}

/// Files that no guest may write, by device and number.
#[derive(Debug, Default)]
pub(crate) struct Sealed(Vec<(u64, u64)>);

impl Sealed {
    /// Whether a file may be opened for writing. What can be executed and has no permission to be written stays as it
    /// is even when the host's user is root, who needs no permission: caches of native code consist of such files.
    pub fn permits(&self, stat: &Stat) -> Result<(), Errno> {
        let mode = stat.st_mode;
        let file = FileType::from_raw_mode(mode) == FileType::RegularFile;
        if file && mode & 0o222 == 0 && mode & 0o100 != 0 {
            return Err(Errno::Acces);
        }
        match self.0.contains(&(stat.st_dev, stat.st_ino)) {
            true => Err(Errno::Perm),
            false => Ok(()),
        }
    }
}

fn open_root(dir: DirGrant) -> Result<Grant, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, &dir.host, flags, Mode::empty()) {
        Ok(root) => Ok(Grant { root, host: dir.host, guest: dir.guest, access: dir.access }),
        Err(error) => {
            let sentence = format!(
                "cannot open the directory {:?} to grant it: {error}; grant one that exists",
                dir.host
            );
            Err(Error::new(ErrorKind::Directory, sentence))
        }
    }
}

fn argument(argument: Vec<u8>) -> Result<Vec<u8>, Error> {
    without_nul("argument", argument)
}

fn variable((key, value): (Vec<u8>, Vec<u8>)) -> Result<Vec<u8>, Error> {
    if key.is_empty() || key.contains(&b'=') {
        let key = OsStr::from_bytes(&key);
        let sentence = format!(
            "{key:?} cannot name an environment variable; use a name without '=' that is not empty"
        );
        return Err(Error::new(ErrorKind::Text, sentence));
    }
    let mut text = key;
    text.push(b'=');
    text.extend_from_slice(&value);
    without_nul("environment variable", text)
}

fn without_nul(what: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    if !bytes.contains(&0) {
        return Ok(bytes);
    }
    let text = OsStr::from_bytes(&bytes);
    let sentence = format!("the {what} {text:?} contains a NUL byte; remove it");
    Err(Error::new(ErrorKind::Text, sentence))
}
