//! `wasi:io/poll`. Invariant: polling costs the host no more than the list that the guest holds in its own memory, up to
//! a limit.

use std::time::{Duration, Instant};

use lithe::{Error, ErrorKind, Result};
use lithe_component::{Linker, Resource, ResourceTable};

use rustix::time::ClockId;

use crate::p2::{P2, Readiness, View, Wait, failed, interface};

/// Pollables that one call may wait for.
pub const MAX_POLLABLES: usize = 16_384;

/// Something that guests can wait for.
pub trait Subscribe: Send + 'static {
    /// Whether it is ready now, and what to wait for if not.
    fn readiness(&mut self) -> Readiness;
}

/// `wasi:io/poll.pollable`
pub struct Pollable(Source);

enum Source {
    Until(Instant),
    /// A time of the guest's monotonic clock, in nanoseconds.
    Clock(u64),
    Of {
        rep: u32,
        ask: fn(&mut ResourceTable, u32) -> Result<Readiness>,
    },
}

fn ask<S: Subscribe>(table: &mut ResourceTable, rep: u32) -> Result<Readiness> {
    Ok(table.at_mut(&Resource::<S>::new(rep))?.readiness())
}

/// A pollable for something in the table, as its child.
pub fn subscribe<S: Subscribe>(
    table: &mut ResourceTable,
    parent: &Resource<S>,
) -> Result<Resource<Pollable>> {
    let source = Source::Of { rep: parent.rep(), ask: ask::<S> };
    table.push_child(Pollable(source), parent)
}

/// A pollable that is ready from a time on.
pub fn subscribe_until(table: &mut ResourceTable, at: Instant) -> Result<Resource<Pollable>> {
    table.push(Pollable(Source::Until(at)))
}

/// A pollable that is ready from a time of the guest's monotonic clock on, in nanoseconds.
pub fn subscribe_clock(table: &mut ResourceTable, at: u64) -> Result<Resource<Pollable>> {
    table.push(Pollable(Source::Clock(at)))
}

/// What a pollable is waiting for.
enum Asked {
    Ready,
    Wait(Wait),
    /// That a clock moves, which does so only when the guest has nothing else to wait for.
    Skip(Duration),
}

fn ask_pollable(p2: &mut P2, pollable: &Resource<Pollable>) -> Result<Asked> {
    let readiness = match p2.table.at(pollable)?.0 {
        Source::Until(at) if at <= Instant::now() => Readiness::Ready,
        Source::Until(at) => Readiness::Wait(Wait::Until(at)),
        Source::Clock(at) => {
            let left = at.saturating_sub(p2.ctx.source.times().of(ClockId::Monotonic));
            let left = Duration::from_nanos(left);
            match Instant::now().checked_add(left) {
                _ if left.is_zero() => Readiness::Ready,
                _ if p2.ctx.source.is_seeded() => return Ok(Asked::Skip(left)),
                Some(at) => Readiness::Wait(Wait::Until(at)),
                None => Readiness::Wait(Wait::Never),
            }
        }
        Source::Of { rep, ask } => ask(&mut p2.table, rep)?,
    };
    Ok(match readiness {
        Readiness::Ready => Asked::Ready,
        Readiness::Wait(wait) => Asked::Wait(wait),
    })
}

/// Waits until one of these is ready; the positions of those that are.
fn poll(p2: &mut P2, list: &[Resource<Pollable>]) -> Result<Vec<u32>> {
    loop {
        let (mut ready, mut waits, mut skip) = (Vec::new(), Vec::new(), None);
        for (pollable, i) in list.iter().zip(0u32..) {
            match ask_pollable(p2, pollable)? {
                Asked::Ready => ready.push(i),
                Asked::Wait(wait) => waits.push(wait),
                Asked::Skip(time) => {
                    skip = Some(skip.map_or(time, |skip: Duration| skip.min(time)))
                }
            }
        }
        match skip {
            _ if !ready.is_empty() => return Ok(ready),
            Some(time) => {
                p2.ctx.deadline.remaining().map_err(failed)?;
                p2.ctx.source.skip(time);
            }
            None => p2.wait(&waits)?,
        }
    }
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut interface = linker.instance(&interface("io/poll"));
    interface.resource::<Pollable>("pollable", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Resource::<Pollable>::new(rep)).map(drop)
    })?;
    interface.func("[method]pollable.ready", |mut cx, (this,): (Resource<Pollable>,)| {
        Ok(matches!(ask_pollable(cx.data_mut().p2(), &this)?, Asked::Ready))
    })?;
    interface.func("[method]pollable.block", |mut cx, (this,): (Resource<Pollable>,)| {
        poll(cx.data_mut().p2(), &[this]).map(drop)
    })?;
    interface.func("poll", |mut cx, (list,): (Vec<Resource<Pollable>>,)| {
        if list.is_empty() {
            return Err(Error::host("poll: the list of pollables is empty"));
        }
        if list.len() > MAX_POLLABLES {
            let words = format!("poll: {} pollables; {MAX_POLLABLES} are the most", list.len());
            return Err(Error::new(ErrorKind::Limit, words));
        }
        poll(cx.data_mut().p2(), &list)
    })?;
    Ok(())
}
