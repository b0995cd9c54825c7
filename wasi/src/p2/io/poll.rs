//! `wasi:io/poll`. Invariant: polling costs the host no more than the list that the guest holds in its own memory, up to
//! a limit.

use std::time::Instant;

use lithe::{Error, ErrorKind, Result};
use lithe_component::{Linker, Resource, ResourceTable};

use crate::p2::{Readiness, View, Wait, interface};

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
    Of { rep: u32, ask: fn(&mut ResourceTable, u32) -> Result<Readiness> },
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

fn readiness(table: &mut ResourceTable, pollable: &Resource<Pollable>) -> Result<Readiness> {
    match table.at(pollable)?.0 {
        Source::Until(at) if at <= Instant::now() => Ok(Readiness::Ready),
        Source::Until(at) => Ok(Readiness::Wait(Wait::Until(at))),
        Source::Of { rep, ask } => ask(table, rep),
    }
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut poll = linker.instance(&interface("io/poll"));
    poll.resource::<Pollable>("pollable", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Resource::<Pollable>::new(rep)).map(drop)
    })?;
    poll.func("[method]pollable.ready", |mut cx, (this,): (Resource<Pollable>,)| {
        let ready = readiness(&mut cx.data_mut().p2().table, &this)?;
        Ok(matches!(ready, Readiness::Ready))
    })?;
    poll.func("[method]pollable.block", |mut cx, (this,): (Resource<Pollable>,)| {
        cx.data_mut().p2().block(|p2| {
            Ok(match readiness(&mut p2.table, &this)? {
                Readiness::Ready => Ok(()),
                Readiness::Wait(wait) => Err(wait),
            })
        })
    })?;
    poll.func("poll", |mut cx, (list,): (Vec<Resource<Pollable>>,)| {
        if list.is_empty() {
            return Err(Error::host("poll: the list of pollables is empty"));
        }
        if list.len() > MAX_POLLABLES {
            let words = format!("poll: {} pollables; {MAX_POLLABLES} are the most", list.len());
            return Err(Error::new(ErrorKind::Limit, words));
        }
        let p2 = cx.data_mut().p2();
        loop {
            let (mut ready, mut waits) = (Vec::new(), Vec::with_capacity(list.len()));
            for (pollable, i) in list.iter().zip(0u32..) {
                match readiness(&mut p2.table, pollable)? {
                    Readiness::Ready => ready.push(i),
                    Readiness::Wait(wait) => waits.push(wait),
                }
            }
            if !ready.is_empty() {
                return Ok(ready);
            }
            p2.wait(&waits)?;
        }
    })?;
    Ok(())
}
