//! `poll_oneoff`: waiting for clocks and descriptors.
//!
//! Invariant: the memory used is bounded by [`MAX_SUBSCRIPTIONS`] whatever the guest asks for, a
//! subscription that cannot be waited for is an event with an error, and nothing is read from the
//! descriptors that are waited for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::SeekFrom;
use rustix::io::{Errno as HostErrno, ioctl_fionread};
use rustix::time::ClockId;

use super::clock::{clock, now};
use super::{Failure, take};
use crate::descriptor::{Class, Descriptor, Host, Object, lock};
use crate::rights::Rights;
use crate::wait::timespec;
use crate::{Ctx, Errno, GuestMemory};

/// Most subscriptions of one call; more are `inval`, as for `poll`.
pub const MAX_SUBSCRIPTIONS: u32 = 1 << 14;

const SUBSCRIPTION_SIZE: u32 = 48;
const EVENT_SIZE: u32 = 32;

/// Longest sleep before a wall clock that may have been set is looked at again.
const WALL_CLOCK_CHECK: Duration = Duration::from_secs(1);

const ABSTIME: u16 = 1;
const HANGUP: u16 = 1;

/// The kinds of events, with their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Clock = 0,
    FdRead = 1,
    FdWrite = 2,
}

/// What a guest subscribed to.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    userdata: u64,
    kind: Kind,
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// A time of a host clock.
    Time { clock: ClockId, at: u64 },
    /// The host descriptor of a guest descriptor, by its place in the list that is polled.
    Polled(usize),
    /// Already an event.
    Ready(Outcome),
}

/// The part of an event that depends on what happened.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    error: Errno,
    nbytes: u64,
    flags: u16,
}

impl Outcome {
    const OK: Outcome = Outcome { error: Errno::Success, nbytes: 0, flags: 0 };

    fn error(error: Errno) -> Outcome {
        Outcome { error, ..Outcome::OK }
    }
}

pub(super) fn poll_oneoff(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [subscriptions, events, count, nevents] = take(args)?;
    let (input, output, count) = (subscriptions.u32(), events.u32(), count.u32());
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval.into());
    }
    memory.check_array(input, count, SUBSCRIPTION_SIZE)?;
    memory.check_array(output, count, EVENT_SIZE)?;
    memory.check_array(nevents.u32(), 1, 4)?;
    // A guest's descriptors stay open while one of its threads waits for them.
    let mut waiter = Waiter { ctx, polled: Vec::new(), places: HashMap::new() };
    let subscriptions = (0..count)
        .map(|index| waiter.subscription(memory, input + index * SUBSCRIPTION_SIZE))
        .collect::<Result<Vec<_>, _>>()?;
    let outcomes = waiter.wait(&subscriptions)?;
    for (index, (subscription, outcome)) in (0..).zip(&outcomes) {
        write_event(memory, output + index * EVENT_SIZE, subscription, outcome)?;
    }
    Ok(memory.write_u32(nevents.u32(), outcomes.len() as u32)?)
}

fn write_event(
    memory: &mut GuestMemory<'_>,
    ptr: u32,
    subscription: &Subscription,
    outcome: &Outcome,
) -> Result<(), Errno> {
    let mut bytes = [0; EVENT_SIZE as usize];
    bytes[..8].copy_from_slice(&subscription.userdata.to_le_bytes());
    bytes[8..10].copy_from_slice(&(outcome.error as u16).to_le_bytes());
    bytes[10] = subscription.kind as u8;
    bytes[16..24].copy_from_slice(&outcome.nbytes.to_le_bytes());
    bytes[24..26].copy_from_slice(&outcome.flags.to_le_bytes());
    memory.write(ptr, &bytes)
}

/// Collects what must be polled; a descriptor subscribed to several times is polled once.
struct Waiter<'c> {
    ctx: &'c Ctx,
    polled: Vec<(Arc<Descriptor>, PollFlags)>,
    /// The place in `polled` of each guest descriptor.
    places: HashMap<u32, usize>,
}

impl Waiter<'_> {
    /// Reads the subscription at `ptr`.
    fn subscription(&mut self, memory: &GuestMemory<'_>, ptr: u32) -> Result<Subscription, Errno> {
        let kind = match memory.read_u8(ptr + 8)? {
            0 => Kind::Clock,
            1 => Kind::FdRead,
            2 => Kind::FdWrite,
            _ => return Err(Errno::Inval),
        };
        let target = match kind {
            Kind::Clock => time(memory, ptr + 16)?,
            _ => self.descriptor(memory.read_u32(ptr + 16)?, kind),
        };
        Ok(Subscription { userdata: memory.read_u64(ptr)?, kind, target })
    }

    fn descriptor(&mut self, fd: u32, kind: Kind) -> Target {
        let descriptor = match self.ctx.table.get(fd) {
            Ok(descriptor) => descriptor,
            Err(error) => return Target::Ready(Outcome::error(error)),
        };
        if let Err(error) = check_rights(&descriptor, kind) {
            return Target::Ready(Outcome::error(error));
        }
        match &descriptor.object {
            Object::Host(host) if host.class() == Class::File => {
                let nbytes = if kind == Kind::FdRead { bytes_left(host) } else { 1 };
                return Target::Ready(Outcome { nbytes, ..Outcome::OK });
            }
            Object::Host(_) | Object::Listener(_) => {}
            Object::Bytes { bytes, read } => {
                let nbytes = (bytes.len() - *lock(read)) as u64;
                return Target::Ready(Outcome { nbytes, ..Outcome::OK });
            }
            Object::Dir(_) | Object::Pipe(_) | Object::Null => return Target::Ready(Outcome::OK),
        }
        let place = *self.places.entry(fd).or_insert_with(|| {
            self.polled.push((descriptor, PollFlags::empty()));
            self.polled.len() - 1
        });
        self.polled[place].1 |= match kind {
            Kind::FdWrite => PollFlags::OUT,
            _ => PollFlags::IN | PollFlags::RDHUP,
        };
        Target::Polled(place)
    }

    /// Waits until at least one subscription has an outcome.
    fn wait(
        &self,
        subscriptions: &[Subscription],
    ) -> Result<Vec<(Subscription, Outcome)>, Failure> {
        let mut fds: Vec<PollFd<'_>> = self
            .polled
            .iter()
            .filter_map(|(polled, flags)| {
                Some(PollFd::from_borrowed_fd(polled.waitable()?, *flags))
            })
            .collect();
        let at_once = subscriptions.iter().any(|s| matches!(s.target, Target::Ready(_)));
        loop {
            let timeout = if at_once { Some(Duration::ZERO) } else { self.timeout(subscriptions)? };
            match poll(&mut fds, timeout.map(timespec).as_ref()) {
                Err(HostErrno::INTR) => continue,
                result => result?,
            };
            let times = Times::now();
            let outcomes: Vec<_> = subscriptions
                .iter()
                .filter_map(|s| Some((*s, self.outcome(s, &fds, times)?)))
                .collect();
            if !outcomes.is_empty() {
                return Ok(outcomes);
            }
        }
    }

    /// How long to sleep until a clock or the deadline may have something to say.
    fn timeout(&self, subscriptions: &[Subscription]) -> Result<Option<Duration>, Failure> {
        let mut timeout = self.ctx.deadline.remaining()?;
        let times = Times::now();
        for subscription in subscriptions {
            let Target::Time { clock, at } = subscription.target else { continue };
            let mut sleep = Duration::from_nanos(at.saturating_sub(times.of(clock)));
            if clock == ClockId::Realtime {
                sleep = sleep.min(WALL_CLOCK_CHECK);
            }
            timeout = Some(timeout.map_or(sleep, |timeout| timeout.min(sleep)));
        }
        Ok(timeout)
    }

    /// What has happened to a subscription, if anything.
    fn outcome(
        &self,
        subscription: &Subscription,
        fds: &[PollFd<'_>],
        times: Times,
    ) -> Option<Outcome> {
        let place = match subscription.target {
            Target::Ready(outcome) => return Some(outcome),
            Target::Time { clock, at } => return (times.of(clock) >= at).then_some(Outcome::OK),
            Target::Polled(place) => place,
        };
        let happened = fds[place].revents();
        let failed = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        let reads = subscription.kind == Kind::FdRead;
        let wanted = if reads { PollFlags::IN | PollFlags::RDHUP } else { PollFlags::OUT };
        if !happened.intersects(wanted | failed) {
            return None;
        }
        if happened.contains(PollFlags::NVAL) {
            return Some(Outcome::error(Errno::Badf));
        }
        let left = || ioctl_fionread(self.polled[place].0.waitable()?).ok();
        let nbytes = if reads { left().unwrap_or(0) } else { 1 };
        // The peer's end of a half-closed connection counts once everything has been read.
        let hangup = happened.intersects(PollFlags::HUP | PollFlags::ERR)
            || reads && nbytes == 0 && happened.contains(PollFlags::RDHUP);
        Some(Outcome { error: Errno::Success, nbytes, flags: if hangup { HANGUP } else { 0 } })
    }
}

/// The clocks that can be waited for, read together.
#[derive(Clone, Copy)]
struct Times {
    monotonic: u64,
    realtime: u64,
}

impl Times {
    fn now() -> Times {
        Times { monotonic: now(ClockId::Monotonic), realtime: now(ClockId::Realtime) }
    }

    fn of(self, clock: ClockId) -> u64 {
        if clock == ClockId::Realtime { self.realtime } else { self.monotonic }
    }
}

/// Reads the clock subscription at `ptr`.
fn time(memory: &GuestMemory<'_>, ptr: u32) -> Result<Target, Errno> {
    let timeout = memory.read_u64(ptr + 8)?;
    let absolute = match memory.read_u16(ptr + 24)? {
        0 => false,
        ABSTIME => true,
        _ => return Err(Errno::Inval),
    };
    Ok(match clock(memory.read_u32(ptr)?) {
        Ok(clock @ (ClockId::Realtime | ClockId::Monotonic)) if absolute => {
            Target::Time { clock, at: timeout }
        }
        // Setting the wall clock does not change how long a relative sleep takes.
        Ok(ClockId::Realtime | ClockId::Monotonic) => Target::Time {
            clock: ClockId::Monotonic,
            at: now(ClockId::Monotonic).saturating_add(timeout),
        },
        _ => Target::Ready(Outcome::error(Errno::Inval)),
    })
}

/// Waiting needs the right to wait and the right to do what is waited for.
fn check_rights(descriptor: &Descriptor, kind: Kind) -> Result<(), Errno> {
    let access = if kind == Kind::FdRead { Rights::FD_READ } else { Rights::FD_WRITE };
    let is_dir = matches!(descriptor.object, Object::Dir(_));
    if !is_dir && !descriptor.state().base.contains(access) {
        return Err(Errno::Badf);
    }
    if is_dir { Ok(()) } else { descriptor.require(Rights::POLL_FD_READWRITE) }
}

/// Bytes between the position and the end of a file.
fn bytes_left(host: &Host) -> u64 {
    let size = rustix::fs::fstat(host).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
    size.saturating_sub(rustix::fs::seek(host, SeekFrom::Current(0)).unwrap_or(size))
}
