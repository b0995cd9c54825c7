//! Clocks: `clock_res_get` and `clock_time_get`.
//!
//! Invariant: times are nanoseconds in 64 bits, cut at both ends
//! instead of wrapping.

use rustix::time::{ClockId, Timespec};

use super::{Failure, take};
use crate::{Ctx, Errno, GuestMemory};

const NANOS: u64 = 1_000_000_000;

/// The host clock with this preview 1 number.
pub(super) fn clock(id: u32) -> Result<ClockId, Errno> {
    match id {
        0 => Ok(ClockId::Realtime),
        1 => Ok(ClockId::Monotonic),
        2 => Ok(ClockId::ProcessCPUTime),
        3 => Ok(ClockId::ThreadCPUTime),
        _ => Err(Errno::Inval),
    }
}

/// The time that lies `nanoseconds` behind the epoch.
pub(super) fn timespec(nanoseconds: u64) -> Timespec {
    // 2^64 nanoseconds are fewer than 2^35 seconds.
    Timespec { tv_sec: (nanoseconds / NANOS) as i64, tv_nsec: (nanoseconds % NANOS) as i64 }
}

pub(super) fn clock_res_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [id, resolution] = take(args)?;
    let time = ctx.source.resolution(clock(id.u32())?);
    Ok(memory.write_u64(resolution.u32(), time)?)
}

pub(super) fn clock_time_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [id, _precision, time] = take(args)?;
    let now = ctx.source.now(clock(id.u32())?);
    Ok(memory.write_u64(time.u32(), now)?)
}
