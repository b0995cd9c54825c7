//! [`Trace`]: a call as one line of the host-call log.
//!
//! Made by the command before the call, because the paths it shows are the guest's to change.

use std::borrow::Cow;
use std::fmt;

use super::{Function, Kind, ParamType};
use crate::{Errno, GuestMemory};

/// Longest part of a path that is shown.
const MAX_SHOWN: u32 = 256;

/// Shows `function` with its arguments: `path_open(fd=3, dirflags=0x1, path="a.txt", ...)`.
#[derive(Debug)]
pub struct Trace<'a> {
    /// The function called.
    pub function: &'a Function,
    /// Its arguments, as given to [`call`](super::call).
    pub args: &'a [u64],
    /// The memory that paths are read from.
    pub memory: &'a GuestMemory<'a>,
}

impl Trace<'_> {
    /// The path at `ptr`, as far as it is shown.
    fn path(&self, ptr: u64, len: u64) -> Result<Cow<'_, [u8]>, Errno> {
        let len = (len as u32).min(MAX_SHOWN);
        self.memory.text(ptr as u32, len, len as usize)
    }
}

impl fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        for (index, (param, &arg)) in self.function.params.iter().zip(self.args).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}=", param.name)?;
            let value = if param.kind.ty() == ParamType::I32 { arg & 0xffff_ffff } else { arg };
            match param.kind {
                Kind::Fd => write!(f, "{}", value as i32)?,
                Kind::Len | Kind::Number | Kind::Wide => write!(f, "{value}")?,
                Kind::Delta => write!(f, "{}", value as i64)?,
                Kind::Ptr | Kind::Flags | Kind::Rights => write!(f, "{value:#x}")?,
                Kind::Path => {
                    let len = self.args.get(index + 1).copied().unwrap_or(0);
                    match self.path(value, len) {
                        Ok(path) => write!(f, "\"{}\"", path.escape_ascii())?,
                        Err(_) => write!(f, "{value:#x}")?,
                    }
                }
            }
        }
        f.write_str(")")
    }
}
