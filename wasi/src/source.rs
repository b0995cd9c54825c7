//! [`Source`]: where a guest's times and random bytes come from, the host or a seed.
//!
//! A seeded source makes runs repeat: its clocks begin at a fixed time and move only when a guest reads them or
//! waits for them, and waiting for them takes no time. Invariant: what it gives depends on the seed and on the
//! guest's own calls alone.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::Errno as HostErrno;
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::Failure;
use crate::wait::Deadline;

const NANOS: u64 = 1_000_000_000;
/// When the wall clock of a seeded source begins: 2000-01-01T00:00:00Z, in nanoseconds since 1970.
const EPOCH: u64 = 946_684_800 * NANOS;
/// Nanoseconds by which reading a seeded clock moves it, so that a guest that waits by reading gets on.
const TICK: u64 = 1_000;

/// Where times and random bytes come from.
#[derive(Debug)]
pub(crate) struct Source {
    origin: Origin,
    secret: OnceLock<[u8; 16]>,
}

#[derive(Debug)]
enum Origin {
    /// The host's clocks and its kernel's random numbers.
    Host,
    /// A seed.
    Seeded(Mutex<Seeded>),
}

/// The state of a seeded source.
#[derive(Debug)]
struct Seeded {
    /// Nanoseconds since the clocks began.
    elapsed: u64,
    /// The state of the generator of random numbers.
    random: u64,
}

/// The clocks that can be waited for, read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    monotonic: u64,
    realtime: u64,
}

impl Times {
    pub fn of(self, clock: ClockId) -> u64 {
        if clock == ClockId::Realtime { self.realtime } else { self.monotonic }
    }
}

impl Source {
    pub fn new(seed: Option<u64>) -> Source {
        let origin = match seed {
            None => Origin::Host,
            Some(random) => Origin::Seeded(Mutex::new(Seeded { elapsed: 0, random })),
        };
        Source { origin, secret: OnceLock::new() }
    }

    /// The current time of a clock in nanoseconds.
    pub fn now(&self, clock: ClockId) -> u64 {
        match &self.origin {
            Origin::Host => nanoseconds(clock_gettime(clock)),
            Origin::Seeded(seeded) => {
                let mut seeded = lock(seeded);
                seeded.elapsed = seeded.elapsed.saturating_add(TICK);
                seeded.time(clock)
            }
        }
    }

    /// The clocks that can be waited for.
    pub fn times(&self) -> Times {
        let at = |clock| match &self.origin {
            Origin::Host => nanoseconds(clock_gettime(clock)),
            Origin::Seeded(seeded) => lock(seeded).time(clock),
        };
        Times { monotonic: at(ClockId::Monotonic), realtime: at(ClockId::Realtime) }
    }

    /// The resolution of a clock in nanoseconds.
    pub fn resolution(&self, clock: ClockId) -> u64 {
        match &self.origin {
            Origin::Host => nanoseconds(clock_getres(clock)),
            Origin::Seeded(_) => TICK,
        }
    }

    /// Whether the clocks move only when the guest reads them or waits for them.
    pub fn is_seeded(&self) -> bool {
        matches!(self.origin, Origin::Seeded(_))
    }

    /// Moves seeded clocks on.
    pub fn skip(&self, time: Duration) {
        if let Origin::Seeded(seeded) = &self.origin {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            let mut seeded = lock(seeded);
            seeded.elapsed = seeded.elapsed.saturating_add(nanos);
        }
    }

    /// Random bytes of the guest's own, the same as long as it runs.
    pub fn secret(&self) -> Result<[u8; 16], Failure> {
        if let Some(secret) = self.secret.get() {
            return Ok(*secret);
        }
        let mut secret = [0; 16];
        self.fill(&mut secret, Deadline::default())?;
        Ok(*self.secret.get_or_init(|| secret))
    }

    /// Fills a piece of memory with random bytes.
    pub fn fill(&self, piece: &mut [u8], deadline: Deadline) -> Result<(), Failure> {
        match &self.origin {
            Origin::Host => {
                let mut filled = 0;
                while filled < piece.len() {
                    deadline.remaining()?;
                    match getrandom(&mut piece[filled..], GetRandomFlags::empty()) {
                        Ok(count) => filled += count,
                        Err(HostErrno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Origin::Seeded(seeded) => {
                deadline.remaining()?;
                let mut seeded = lock(seeded);
                for chunk in piece.chunks_mut(8) {
                    chunk.copy_from_slice(&seeded.next().to_le_bytes()[..chunk.len()]);
                }
            }
        }
        Ok(())
    }
}

impl Seeded {
    fn time(&self, clock: ClockId) -> u64 {
        let start = if clock == ClockId::Realtime { EPOCH } else { 0 };
        start.saturating_add(self.elapsed)
    }

    /// The next number of the SplitMix64 generator.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

fn lock(seeded: &Mutex<Seeded>) -> MutexGuard<'_, Seeded> {
    seeded.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nanoseconds since the epoch; earlier times are 0, later ones than 64 bits hold the maximum.
pub(crate) fn nanoseconds(time: Timespec) -> u64 {
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)) else {
        return 0;
    };
    seconds.saturating_mul(NANOS).saturating_add(nanos)
}
