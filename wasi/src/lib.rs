//! WASI preview 1 for Lithe, by hand on `rustix` and synchronous.
//!
//! ```text
//!   Grants --Ctx::new--> Ctx ----+
//!                                v
//!   guest call --> p1::call(ctx, memory, function, args) --> Errno | Stop
//!                     |                 |
//!                  path, walk      memory (checked)
//! ```
//!
//! [`Grants`] describes what a guest may do, [`Ctx`] is what it has open, [`p1::FUNCTIONS`] is what
//! it may call. Everything a guest passes is hostile until checked; see the module docs for what
//! each part guarantees.
//!
//! ```
//! use lithe_wasi::{Ctx, Errno, Grants, GuestMemory, Output, OutputPipe, p1};
//!
//! let stdout = OutputPipe::new();
//! let mut ctx = Ctx::new(Grants::new().stdout(Output::Pipe(stdout.clone())))?;
//!
//! // What a guest would have in memory: an iovec at 0 that describes the text at 16.
//! let mut bytes = vec![0; 64];
//! bytes[0..8].copy_from_slice(&[16, 0, 0, 0, 5, 0, 0, 0]);
//! bytes[16..21].copy_from_slice(b"hello");
//!
//! let fd_write = p1::function("fd_write").unwrap();
//! let result = p1::call(&mut ctx, &mut GuestMemory::new(&mut bytes), fd_write, &[1, 0, 1, 8]);
//! assert_eq!(result, Ok(Errno::Success));
//! assert_eq!(stdout.contents(), b"hello");
//! # Ok::<(), lithe_wasi::Error>(())
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(not(target_os = "linux"))]
compile_error!("lithe-wasi runs on Linux only: it resolves paths with the kernel's help");

mod ctx;
mod denials;
mod descriptor;
mod errno;
mod error;
mod grants;
mod link;
mod listen;
mod memory;
mod names;
mod net;
mod open;
pub mod p1;
pub mod p2;
mod path;
mod rights;
mod source;
mod stdio;
mod table;
mod wait;
mod walk;

pub use ctx::Ctx;
pub use denials::{Denial, Denials};
pub use errno::Errno;
pub use error::{Error, ErrorKind};
pub use grants::{Access, DEFAULT_MAX_DESCRIPTORS, Grants};
pub use link::{WasiView, add_to_linker};
pub use memory::GuestMemory;
pub use net::{Denied, HttpRule, NetPolicy, NetRule};
pub(crate) use p1::Failure;
pub use p1::Stop;
pub use path::MAX_PATH;
pub use stdio::{DEFAULT_PIPE_LIMIT, Input, Output, OutputPipe};
