//! The process and its luck: `proc_exit`, `proc_raise`, `sched_yield` and `random_get`.
//!
//! Invariant: random bytes go straight into guest memory, in pieces between which the deadline is
//! looked at, so that their number costs the host neither memory nor time beyond its limit.

use rustix::io::Errno as HostErrno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::{Failure, take};
use crate::{Ctx, Errno, GuestMemory};

pub(super) fn proc_exit(
    _ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [code] = take(args)?;
    Err(Failure::Exit(code.u32() as i32))
}

/// Signals do not exist in this environment; libc raises them within the guest.
pub(super) fn proc_raise(
    _ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [_signal] = take(args)?;
    Err(Errno::Notsup.into())
}

pub(super) fn sched_yield(
    _ctx: &mut Ctx,
    _memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [] = take(args)?;
    rustix::thread::sched_yield();
    Ok(())
}

pub(super) fn random_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [buffer, len] = take(args)?;
    memory.fill(buffer.u32(), len.u32(), |piece| {
        let mut filled = 0;
        while filled < piece.len() {
            ctx.deadline.remaining()?;
            match getrandom(&mut piece[filled..], GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(HostErrno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    })
}
