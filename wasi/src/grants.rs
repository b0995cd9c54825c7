//! [`Grants`]: the one description of what a guest may do, and how it is shown to people.
//!
//! The command fills it from its flags, embedders from code; [`Ctx::new`](crate::Ctx::new) turns it
//! into open descriptors. Invariant: a new `Grants` allows nothing, and describing costs no system
//! call; only `Ctx::new` opens what was granted.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Denials, HttpRule, Input, NetPolicy, NetRule, Output};

/// Descriptors a guest may have open at once, the standard streams and preopens included.
pub const DEFAULT_MAX_DESCRIPTORS: u32 = 8192;

/// What a guest may do beneath a granted directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look and read. Nothing is created, truncated, written, linked, renamed, removed or touched.
    ReadOnly,
    /// Everything that the user running the host may do.
    ReadWrite,
}

/// What a guest may do. Nothing by default.
///
/// ```
/// use lithe_wasi::{Access, Grants};
///
/// let grants = Grants::new().arg("prog").env("LANG", "C").dir(".", "/", Access::ReadOnly);
/// assert!(grants.to_string().contains("read-only"));
/// ```
#[derive(Clone, Debug)]
pub struct Grants {
    pub(crate) args: Vec<Vec<u8>>,
    pub(crate) env: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) listen_fds: bool,
    pub(crate) listeners: Vec<Listen>,
    pub(crate) dirs: Vec<DirGrant>,
    pub(crate) max_descriptors: u32,
    pub(crate) threads: usize,
    pub(crate) walk: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) net: NetPolicy,
    pub(crate) config: Vec<(String, String)>,
}

/// A directory and the name the guest knows it by.
#[derive(Clone, Debug)]
pub(crate) struct DirGrant {
    pub host: PathBuf,
    pub guest: Vec<u8>,
    pub access: Access,
}

/// A TCP socket that the guest may accept connections from.
#[derive(Clone, Debug)]
pub(crate) enum Listen {
    Bind(SocketAddr),
    Bound(Arc<TcpListener>),
}

impl Default for Grants {
    fn default() -> Grants {
        Grants {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Input::Null,
            stdout: Output::Null,
            stderr: Output::Null,
            listen_fds: false,
            listeners: Vec::new(),
            dirs: Vec::new(),
            max_descriptors: DEFAULT_MAX_DESCRIPTORS,
            threads: 0,
            walk: false,
            seed: None,
            net: NetPolicy::new(),
            config: Vec::new(),
        }
    }
}

impl Grants {
    /// Nothing at all: no arguments, no environment, null streams, no files, no sockets.
    pub fn new() -> Grants {
        Grants::default()
    }

    /// Appends an argument; the first one is the program's name.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Grants {
        self.args.push(arg.into().into_vec());
        self
    }

    /// Appends several arguments.
    pub fn args<A: Into<OsString>>(self, args: impl IntoIterator<Item = A>) -> Grants {
        args.into_iter().fold(self, Grants::arg)
    }

    /// Sets an environment variable, replacing an earlier value.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Grants {
        let (key, value) = (key.into().into_vec(), value.into().into_vec());
        match self.env.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => self.env.push((key, value)),
        }
        self
    }

    /// Grants the directory `host` under the name `guest`.
    pub fn dir(
        mut self,
        host: impl Into<PathBuf>,
        guest: impl Into<OsString>,
        access: Access,
    ) -> Grants {
        let (host, guest) = (host.into(), guest.into().into_vec());
        self.dirs.push(DirGrant { host, guest, access });
        self
    }

    /// Sets standard input.
    pub fn stdin(mut self, input: Input) -> Grants {
        self.stdin = input;
        self
    }

    /// Sets standard output.
    pub fn stdout(mut self, output: Output) -> Grants {
        self.stdout = output;
        self
    }

    /// Sets standard error.
    pub fn stderr(mut self, output: Output) -> Grants {
        self.stderr = output;
        self
    }

    /// Passes on the three standard streams of this process.
    pub fn inherit_stdio(self) -> Grants {
        self.stdin(Input::Inherit).stdout(Output::Inherit).stderr(Output::Inherit)
    }

    /// Binds a TCP listener and hands it to the guest (`-S tcplisten=ADDR`).
    ///
    /// Listeners get the first descriptors after the standard streams, directories follow.
    pub fn tcp_listen(mut self, address: SocketAddr) -> Grants {
        self.listeners.push(Listen::Bind(address));
        self
    }

    /// Hands an already bound TCP listener to the guest; it is made non-blocking.
    pub fn tcp_listener(mut self, listener: TcpListener) -> Grants {
        self.listeners.push(Listen::Bound(Arc::new(listener)));
        self
    }

    /// Hands over the sockets that a service manager passed to this process (`-S listenfd`).
    ///
    /// They come before all other listeners, and the guest receives `LISTEN_FDS` and
    /// `LISTEN_FDNAMES`.
    pub fn listen_fds(mut self) -> Grants {
        self.listen_fds = true;
        self
    }

    /// Limits how many descriptors the guest may have open, by default [`DEFAULT_MAX_DESCRIPTORS`].
    pub fn max_descriptors(mut self, limit: u32) -> Grants {
        self.max_descriptors = limit;
        self
    }

    /// Gives the guest clocks and random bytes that depend on `seed` and on its own calls alone, so that runs
    /// repeat. The clocks begin at 2000-01-01T00:00:00Z; waiting for them takes no time.
    pub fn seed(mut self, seed: u64) -> Grants {
        self.seed = Some(seed);
        self
    }

    /// Shows that the guest may start threads, as many at a time. Starting them is the host's part: each uses
    /// what [`Ctx::share`](crate::Ctx::share) gives.
    pub fn threads(mut self, limit: usize) -> Grants {
        self.threads = limit;
        self
    }

    /// Grants what a rule says about the network.
    ///
    /// ```
    /// # use lithe_wasi::Grants;
    /// let grants = Grants::new().net("tcp:db.example.com:5432".parse()?).http("api.example.com".parse()?);
    /// assert!(grants.to_string().contains("tcp:db.example.com:5432"));
    /// # Ok::<(), lithe_wasi::Error>(())
    /// ```
    pub fn net(mut self, rule: NetRule) -> Grants {
        self.net = self.net.allow(rule);
        self
    }

    /// Grants outgoing HTTP requests to a host.
    pub fn http(mut self, rule: HttpRule) -> Grants {
        self.net = self.net.allow_http(rule);
        self
    }

    /// Replaces all that was granted about the network. What it denies goes to its own list.
    pub fn network(mut self, policy: NetPolicy) -> Grants {
        self.net = policy;
        self
    }

    /// Gives the guest a value of its configuration (`wasi:config`), replacing an earlier one.
    pub fn config_var(mut self, key: impl Into<String>, value: impl Into<String>) -> Grants {
        let (key, value) = (key.into(), value.into());
        match self.config.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => self.config.push((key, value)),
        }
        self
    }

    /// Notes what is denied in a list that is there already, such as that of a program before.
    pub fn note_denials_in(mut self, denials: &Denials) -> Grants {
        self.net = self.net.note_denials_in(denials);
        self
    }

    /// What will be denied to guests with these grants; clones of them have the same list.
    pub fn denials(&self) -> Denials {
        self.net.denials().clone()
    }

    /// Resolves paths component by component even where the kernel could do it.
    ///
    /// This is what happens on kernels without `openat2`; the switch lets tests exercise it.
    pub fn resolve_by_component(mut self) -> Grants {
        self.walk = true;
        self
    }
}

/// The table that `--show-grants` prints; values of variables stay out of it.
impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |what: &str, detail: String| writeln!(f, "{what:<9} {detail}");
        row("args", list(self.args.iter().map(Vec::as_slice)))?;
        row("env", list(self.env.iter().map(|(key, _)| key.as_slice())))?;
        row("stdin", self.stdin.describe())?;
        row("stdout", self.stdout.describe())?;
        row("stderr", self.stderr.describe())?;
        if self.listen_fds {
            row("listen", "the sockets passed by the service manager".to_owned())?;
        }
        for listen in &self.listeners {
            row("listen", listen.describe())?;
        }
        for dir in &self.dirs {
            let access = match dir.access {
                Access::ReadOnly => "read-only ",
                Access::ReadWrite => "read-write",
            };
            let guest = OsStr::from_bytes(&dir.guest);
            row("dir", format!("{access} {:?} as {guest:?}", dir.host))?;
        }
        if let Some(seed) = self.seed {
            row("clocks", format!("from the seed {seed}, as are random bytes"))?;
        }
        if self.dirs.is_empty() {
            row("dir", "none".to_owned())?;
        }
        for (what, rule) in self.net.rows() {
            row(what, rule)?;
        }
        if !self.config.is_empty() {
            row("var", list(self.config.iter().map(|(key, _)| key.as_bytes())))?;
        }
        if self.threads > 0 {
            row("threads", format!("at most {} at a time besides the first one", self.threads))?;
        }
        Ok(())
    }
}

impl Input {
    fn describe(&self) -> String {
        match self {
            Input::Null => "null".to_owned(),
            Input::Inherit => "inherited".to_owned(),
            Input::Bytes(bytes) => format!("{} bytes in memory", bytes.len()),
        }
    }
}

impl Output {
    fn describe(&self) -> String {
        match self {
            Output::Null => "null",
            Output::Inherit => "inherited",
            Output::Pipe(_) => "a buffer in memory",
        }
        .to_owned()
    }
}

impl Listen {
    fn describe(&self) -> String {
        match self {
            Listen::Bind(address) => format!("tcp {address}"),
            Listen::Bound(listener) => match listener.local_addr() {
                Ok(address) => format!("tcp {address}"),
                Err(_) => "tcp socket of the host".to_owned(),
            },
        }
    }
}

fn list<'a>(items: impl Iterator<Item = &'a [u8]>) -> String {
    let items: Vec<String> = items.map(|item| format!("{:?}", OsStr::from_bytes(item))).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(" ") }
}
