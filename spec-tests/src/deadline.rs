//! Stops a script whose guest never returns, so a wrong branch shows up as a failure with a line instead of
//! a run that hangs. The script runner holds one for each script.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use lithe::InterruptHandle;

/// How often a guest is interrupted after its script's time is over: a request made between two calls stops
/// the next one, and one request stops one call.
const AGAIN: Duration = Duration::from_millis(100);

/// Interrupts the store of a script when the script takes too long. Dropping it ends the watch.
pub(crate) struct Deadline {
    _running: Sender<()>,
}

impl Deadline {
    /// Watches a store from now on, from a thread of its own.
    pub(crate) fn new(time: Duration, handle: InterruptHandle) -> io::Result<Deadline> {
        let (sender, receiver) = channel();
        let watch = move || {
            let mut wait = time;
            while receiver.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                handle.interrupt();
                wait = AGAIN;
            }
        };
        thread::Builder::new().name("deadline".into()).spawn(watch)?;
        Ok(Deadline { _running: sender })
    }
}
