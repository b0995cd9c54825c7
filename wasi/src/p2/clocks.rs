//! `wasi:clocks`. Invariant: sums of times end at the last one that can be told, and the time zone of the host stays its
//! own.

use lithe::Result;
use lithe_component::{Linker, record};
use rustix::time::ClockId;

use crate::p2::io::subscribe_clock;
use crate::p2::{View, interface};

pub(crate) const NANOS: u64 = 1_000_000_000;

record! {
    /// `wasi:clocks/wall-clock.datetime`
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Datetime { "seconds" seconds: u64, "nanoseconds" nanoseconds: u32 }
}

record! {
    /// `wasi:clocks/timezone.timezone-display`
    struct TimezoneDisplay {
        "utc-offset" utc_offset: i32,
        "name" name: String,
        "in-daylight-saving-time" in_daylight_saving_time: bool,
    }
}

impl Datetime {
    fn from_nanoseconds(nanoseconds: u64) -> Datetime {
        Datetime { seconds: nanoseconds / NANOS, nanoseconds: (nanoseconds % NANOS) as u32 }
    }
}

/// Defines the interfaces of `wasi:clocks`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut monotonic = linker.instance(&interface("clocks/monotonic-clock"));
    monotonic
        .func("now", |mut cx, (): ()| Ok(cx.data_mut().p2().ctx.source.now(ClockId::Monotonic)))?;
    monotonic.func("resolution", |mut cx, (): ()| {
        Ok(cx.data_mut().p2().ctx.source.resolution(ClockId::Monotonic))
    })?;
    monotonic.func("subscribe-instant", |mut cx, (when,): (u64,)| {
        subscribe_clock(&mut cx.data_mut().p2().table, when)
    })?;
    monotonic.func("subscribe-duration", |mut cx, (when,): (u64,)| {
        let p2 = cx.data_mut().p2();
        let now = p2.ctx.source.times().of(ClockId::Monotonic);
        subscribe_clock(&mut p2.table, now.saturating_add(when))
    })?;

    let mut wall = linker.instance(&interface("clocks/wall-clock"));
    wall.func("now", |mut cx, (): ()| {
        let now = cx.data_mut().p2().ctx.source.now(ClockId::Realtime);
        Ok(Datetime::from_nanoseconds(now))
    })?;
    wall.func("resolution", |mut cx, (): ()| {
        let resolution = cx.data_mut().p2().ctx.source.resolution(ClockId::Realtime);
        Ok(Datetime::from_nanoseconds(resolution))
    })?;

    let mut timezone = linker.instance(&interface("clocks/timezone"));
    timezone.func("display", |_, (_,): (Datetime,)| {
        let name = "UTC".to_owned();
        Ok(TimezoneDisplay { utc_offset: 0, name, in_daylight_saving_time: false })
    })?;
    timezone.func("utc-offset", |_, (_,): (Datetime,)| Ok(0i32))?;
    Ok(())
}
