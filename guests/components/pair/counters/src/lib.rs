//! The half of a composed pair that has a resource: named counters.
#![no_std]

extern crate alloc;
use bare as _;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};

wit_bindgen::generate!({ path: "../wit", world: "provider" });

use exports::example::pair::counters::{
    Counter, CounterBorrow, Guest, GuestCounter, Problem, Reading,
};

export!(Provider);

struct Provider;

static LIVE: AtomicU32 = AtomicU32::new(0);
static DROPPED: AtomicU32 = AtomicU32::new(0);

struct State(RefCell<Reading>);

impl State {
    fn with(name: String, value: u64) -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        State(RefCell::new(Reading { name, value }))
    }
}

/// The resource's destructor.
impl Drop for State {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

impl Guest for Provider {
    type Counter = State;

    fn total(counters: Vec<CounterBorrow<'_>>) -> u64 {
        counters
            .iter()
            .fold(0, |sum, counter| sum.saturating_add(counter.get::<State>().0.borrow().value))
    }

    fn live() -> (u32, u32) {
        (LIVE.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed))
    }
}

impl GuestCounter for State {
    fn new(name: String) -> Self {
        State::with(name, 0)
    }

    fn add(&self, amount: u64) -> Result<u64, Problem> {
        let mut reading = self.0.borrow_mut();
        if reading.name.is_empty() {
            return Err(Problem::EmptyName);
        }
        reading.value =
            reading.value.checked_add(amount).ok_or(Problem::Overflow(reading.value))?;
        Ok(reading.value)
    }

    fn reading(&self) -> Reading {
        self.0.borrow().clone()
    }

    fn merge(one: Counter, other: Counter) -> Result<Counter, Problem> {
        let (one, other) = (one.into_inner::<State>(), other.into_inner::<State>());
        let (one, other) = (one.0.borrow(), other.0.borrow());
        let value = one.value.checked_add(other.value).ok_or(Problem::Overflow(one.value))?;
        let name = [&one.name[..], "+", &other.name].concat();
        Ok(Counter::new(State::with(name, value)))
    }
}
