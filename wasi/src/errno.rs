//! [`Errno`]: the 77 error numbers of preview 1 and their host counterparts, in one table.
//!
//! Every WASI function answers with one of these; `From<rustix::io::Errno>` is the only place where
//! a host error becomes a guest error. Invariant: the numbers are those of the preview 1 witx.

use std::fmt;

macro_rules! errnos {
    ($($name:ident = $number:literal, $spelling:literal, $text:literal $(, $host:ident)?;)*) => {
        /// An error number of `wasi_snapshot_preview1`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Errno {
            $(#[doc = $text] $name = $number,)*
        }

        impl Errno {
            /// Every error number, in numeric order.
            pub const ALL: &[Errno] = &[$(Errno::$name),*];

            /// The spelling of the specification, for example `noent`.
            pub fn name(self) -> &'static str {
                match self { $(Errno::$name => $spelling,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Errno::$name => $text,)* }
            }
        }

        impl From<rustix::io::Errno> for Errno {
            fn from(host: rustix::io::Errno) -> Errno {
                match host {
                    $($(rustix::io::Errno::$host => Errno::$name,)?)*
                    _ => Errno::Io,
                }
            }
        }
    };
}

errnos! {
    Success = 0, "success", "no error";
    TooBig = 1, "2big", "argument list too long", TOOBIG;
    Acces = 2, "acces", "permission denied", ACCESS;
    Addrinuse = 3, "addrinuse", "address in use", ADDRINUSE;
    Addrnotavail = 4, "addrnotavail", "address not available", ADDRNOTAVAIL;
    Afnosupport = 5, "afnosupport", "address family not supported", AFNOSUPPORT;
    Again = 6, "again", "the operation would block", AGAIN;
    Already = 7, "already", "connection already in progress", ALREADY;
    Badf = 8, "badf", "bad file descriptor", BADF;
    Badmsg = 9, "badmsg", "bad message", BADMSG;
    Busy = 10, "busy", "device or resource busy", BUSY;
    Canceled = 11, "canceled", "operation canceled", CANCELED;
    Child = 12, "child", "no child processes", CHILD;
    Connaborted = 13, "connaborted", "connection aborted", CONNABORTED;
    Connrefused = 14, "connrefused", "connection refused", CONNREFUSED;
    Connreset = 15, "connreset", "connection reset", CONNRESET;
    Deadlk = 16, "deadlk", "resource deadlock would occur", DEADLK;
    Destaddrreq = 17, "destaddrreq", "destination address required", DESTADDRREQ;
    Dom = 18, "dom", "argument out of the domain of the function", DOM;
    Dquot = 19, "dquot", "disk quota exceeded", DQUOT;
    Exist = 20, "exist", "file exists", EXIST;
    Fault = 21, "fault", "bad address", FAULT;
    Fbig = 22, "fbig", "file too large", FBIG;
    Hostunreach = 23, "hostunreach", "host is unreachable", HOSTUNREACH;
    Idrm = 24, "idrm", "identifier removed", IDRM;
    Ilseq = 25, "ilseq", "illegal byte sequence", ILSEQ;
    Inprogress = 26, "inprogress", "operation in progress", INPROGRESS;
    Intr = 27, "intr", "interrupted function", INTR;
    Inval = 28, "inval", "invalid argument", INVAL;
    Io = 29, "io", "input or output error", IO;
    Isconn = 30, "isconn", "socket is connected", ISCONN;
    Isdir = 31, "isdir", "is a directory", ISDIR;
    Loop = 32, "loop", "too many levels of symbolic links", LOOP;
    Mfile = 33, "mfile", "too many open descriptors", MFILE;
    Mlink = 34, "mlink", "too many links", MLINK;
    Msgsize = 35, "msgsize", "message too large", MSGSIZE;
    Multihop = 36, "multihop", "multihop attempted", MULTIHOP;
    Nametoolong = 37, "nametoolong", "file name too long", NAMETOOLONG;
    Netdown = 38, "netdown", "network is down", NETDOWN;
    Netreset = 39, "netreset", "connection aborted by the network", NETRESET;
    Netunreach = 40, "netunreach", "network unreachable", NETUNREACH;
    Nfile = 41, "nfile", "too many files open in the system", NFILE;
    Nobufs = 42, "nobufs", "no buffer space available", NOBUFS;
    Nodev = 43, "nodev", "no such device", NODEV;
    Noent = 44, "noent", "no such file or directory", NOENT;
    Noexec = 45, "noexec", "executable file format error", NOEXEC;
    Nolck = 46, "nolck", "no locks available", NOLCK;
    Nolink = 47, "nolink", "link has been severed", NOLINK;
    Nomem = 48, "nomem", "not enough space", NOMEM;
    Nomsg = 49, "nomsg", "no message of the desired type", NOMSG;
    Noprotoopt = 50, "noprotoopt", "protocol not available", NOPROTOOPT;
    Nospc = 51, "nospc", "no space left on the device", NOSPC;
    Nosys = 52, "nosys", "function not supported", NOSYS;
    Notconn = 53, "notconn", "the socket is not connected", NOTCONN;
    Notdir = 54, "notdir", "not a directory", NOTDIR;
    Notempty = 55, "notempty", "directory not empty", NOTEMPTY;
    Notrecoverable = 56, "notrecoverable", "state not recoverable", NOTRECOVERABLE;
    Notsock = 57, "notsock", "not a socket", NOTSOCK;
    Notsup = 58, "notsup", "not supported", OPNOTSUPP;
    Notty = 59, "notty", "inappropriate control operation", NOTTY;
    Nxio = 60, "nxio", "no such device or address", NXIO;
    Overflow = 61, "overflow", "value too large for its type", OVERFLOW;
    Ownerdead = 62, "ownerdead", "previous owner died", OWNERDEAD;
    Perm = 63, "perm", "operation not permitted", PERM;
    Pipe = 64, "pipe", "broken pipe", PIPE;
    Proto = 65, "proto", "protocol error", PROTO;
    Protonosupport = 66, "protonosupport", "protocol not supported", PROTONOSUPPORT;
    Prototype = 67, "prototype", "protocol of the wrong type for the socket", PROTOTYPE;
    Range = 68, "range", "result too large", RANGE;
    Rofs = 69, "rofs", "read-only file system", ROFS;
    Spipe = 70, "spipe", "invalid seek", SPIPE;
    Srch = 71, "srch", "no such process", SRCH;
    Stale = 72, "stale", "stale file handle", STALE;
    Timedout = 73, "timedout", "connection timed out", TIMEDOUT;
    Txtbsy = 74, "txtbsy", "text file busy", TXTBSY;
    Xdev = 75, "xdev", "cross-device link", XDEV;
    Notcapable = 76, "notcapable", "capabilities insufficient";
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn numbers_are_dense_and_complete() {
        assert_eq!(Errno::ALL.len(), 77);
        for (number, errno) in Errno::ALL.iter().enumerate() {
            assert_eq!(*errno as usize, number, "{errno:?}");
        }
    }

    #[test]
    fn host_errors_translate() {
        assert_eq!(Errno::from(rustix::io::Errno::NOENT), Errno::Noent);
        assert_eq!(Errno::from(rustix::io::Errno::NOTSUP), Errno::Notsup);
        assert_eq!(Errno::from(rustix::io::Errno::HWPOISON), Errno::Io);
    }
}
