//! Clocks: `clock_res_get` and `clock_time_get`.
//!
//! [`now`] also serves `poll_oneoff`. Invariant: times are nanoseconds in 64 bits, cut at both ends
//! instead of wrapping.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

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

/// The current time of a clock.
pub(super) fn now(clock: ClockId) -> u64 {
    nanoseconds(clock_gettime(clock))
}

/// Nanoseconds since the epoch; earlier times are 0, later ones than 64 bits hold the maximum.
pub(super) fn nanoseconds(time: Timespec) -> u64 {
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)) else {
        return 0;
    };
    seconds.saturating_mul(NANOS).saturating_add(nanos)
}

/// The time that lies `nanoseconds` behind the epoch.
pub(super) fn timespec(nanoseconds: u64) -> Timespec {
    // 2^64 nanoseconds are fewer than 2^35 seconds.
    Timespec { tv_sec: (nanoseconds / NANOS) as i64, tv_nsec: (nanoseconds % NANOS) as i64 }
}

pub(super) fn clock_res_get(
    _ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [id, resolution] = take(args)?;
    let time = nanoseconds(clock_getres(clock(id.u32())?));
    Ok(memory.write_u64(resolution.u32(), time)?)
}

pub(super) fn clock_time_get(
    _ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [id, _precision, time] = take(args)?;
    let now = now(clock(id.u32())?);
    Ok(memory.write_u64(time.u32(), now)?)
}
