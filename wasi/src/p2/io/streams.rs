//! `wasi:io/streams`: what streams are to the interfaces that make them, and what guests do with them. Invariant: a guest
//! that writes more than it was permitted traps, and what one call moves is limited.

use std::time::Instant;

use lithe::{Error, Result};
use lithe_component::{GuestBytes, HostBytes, Linker, Resource, ResourceTable, variant};

use super::{IoError, Subscribe, subscribe};
use crate::p2::{P2, Readiness, View, Wait, failed, interface};
use crate::{Errno, Failure};

/// Bytes that one call reads at most.
pub const MAX_READ: u64 = 1 << 20;
/// Bytes that `blocking-write-and-flush` and its like take at most, as WASI says.
const MAX_BLOCKING_WRITE: u64 = 4096;
/// Zeros that are written at a time.
static ZEROS: [u8; 4096] = [0; 4096];

/// Why an operation of a stream gave nothing.
#[derive(Debug)]
pub enum StreamFailure {
    /// The stream is at its end, and stays so.
    Closed,
    /// The operation failed, and the stream is at its end.
    Failed(IoError),
    /// The guest broke a rule, or the host cannot go on.
    Trap(Error),
}

impl<E: Into<IoError>> From<E> for StreamFailure {
    fn from(error: E) -> StreamFailure {
        StreamFailure::Failed(error.into())
    }
}

impl From<Failure> for StreamFailure {
    /// Nobody reads any more what goes to a broken pipe: such a stream is closed.
    fn from(failure: Failure) -> StreamFailure {
        match failure {
            Failure::Errno(Errno::Pipe) => StreamFailure::Closed,
            Failure::Errno(errno) => StreamFailure::Failed(errno.into()),
            failure => StreamFailure::Trap(failed(failure)),
        }
    }
}

/// What operations of streams give.
pub type StreamResult<T> = std::result::Result<T, StreamFailure>;

/// A stream that guests read. No operation waits.
pub trait InputStream: Send + 'static {
    /// Reads at most so many bytes; none when there are none now.
    fn read(&mut self, max: usize) -> StreamResult<Vec<u8>>;
    /// Reads like [`InputStream::read`], where it can straight into the guest's memory.
    fn read_to_guest(&mut self, max: usize) -> StreamResult<HostBytes> {
        self.read(max).map(HostBytes::from)
    }
    /// Drops at most so many bytes.
    fn skip(&mut self, max: usize) -> StreamResult<usize> {
        self.read(max).map(|bytes| bytes.len())
    }
    /// Whether reading gives something, be it the end.
    fn readiness(&mut self) -> Readiness;
}

/// A stream that guests write. No operation waits.
pub trait OutputStream: Send + 'static {
    /// How many bytes may be written now.
    fn check_write(&mut self) -> StreamResult<usize>;
    /// Takes bytes, at most as many as [`OutputStream::check_write`] permitted.
    fn write(&mut self, bytes: &[u8]) -> StreamResult<()>;
    /// Begins to hand on what was taken. Until that is done, `check_write` permits nothing.
    fn flush(&mut self) -> StreamResult<()>;
    /// Whether `check_write` permits something, or fails.
    fn readiness(&mut self) -> Readiness;
}

/// `wasi:io/streams.input-stream`
pub struct Input(Box<dyn InputStream>);

/// `wasi:io/streams.output-stream`
pub struct Output {
    stream: Box<dyn OutputStream>,
    /// What the last `check-write` permitted, less what was written since.
    permitted: u64,
}

impl Input {
    /// A stream for a guest.
    pub fn new(stream: impl InputStream) -> Input {
        Input(Box::new(stream))
    }
}

impl Output {
    /// A stream for a guest.
    pub fn new(stream: impl OutputStream) -> Output {
        Output { stream: Box::new(stream), permitted: 0 }
    }
}

impl Subscribe for Input {
    fn readiness(&mut self) -> Readiness {
        self.0.readiness()
    }
}

impl Subscribe for Output {
    fn readiness(&mut self) -> Readiness {
        self.stream.readiness()
    }
}

variant! {
    /// `wasi:io/streams.stream-error`
    #[derive(Debug)]
    pub enum StreamError {
        "last-operation-failed" LastOperationFailed(Resource<IoError>),
        "closed" Closed,
    }
}

/// The result that a guest gets.
fn answer<T>(
    table: &mut ResourceTable,
    result: StreamResult<T>,
) -> Result<std::result::Result<T, StreamError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(StreamFailure::Closed) => Ok(Err(StreamError::Closed)),
        Err(StreamFailure::Failed(error)) => {
            Ok(Err(StreamError::LastOperationFailed(table.push(error)?)))
        }
        Err(StreamFailure::Trap(error)) => Err(error),
    }
}

type In = Resource<Input>;
type Out = Resource<Output>;

fn limited(len: u64) -> usize {
    len.min(MAX_READ) as usize
}

/// What to wait for before a stream that gave or took nothing is asked again. One that is ready by now is asked at once,
/// though not for ever: others may always be faster, and waits end with the deadline.
fn until_ready(readiness: Readiness) -> Wait {
    match readiness {
        Readiness::Ready => Wait::Until(Instant::now()),
        Readiness::Wait(wait) => wait,
    }
}

/// Reads or skips, after waiting until there is something.
fn read_blocking<R>(
    p2: &mut P2,
    this: &In,
    len: u64,
    empty: impl Fn(&R) -> bool,
    read: impl Fn(&mut dyn InputStream, usize) -> StreamResult<R>,
) -> Result<std::result::Result<R, StreamError>> {
    let result = p2.block(|p2| {
        let stream = &mut p2.table.at_mut(this)?.0;
        match read(&mut **stream, limited(len)) {
            Ok(value) if len > 0 && empty(&value) => Ok(Err(until_ready(stream.readiness()))),
            result => Ok(Ok(result)),
        }
    })?;
    answer(&mut p2.table, result)
}

fn trap(words: &str) -> StreamFailure {
    StreamFailure::Trap(Error::host(words))
}

/// What a stream is after a failure.
struct Ended;

impl OutputStream for Ended {
    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamFailure::Closed)
    }

    fn write(&mut self, _: &[u8]) -> StreamResult<()> {
        Err(StreamFailure::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamFailure::Closed)
    }

    fn readiness(&mut self) -> Readiness {
        Readiness::Ready
    }
}

impl Output {
    /// Ends the stream when an operation has failed.
    fn told<R>(&mut self, result: StreamResult<R>) -> StreamResult<R> {
        if let Err(StreamFailure::Failed(_)) = result {
            self.stream = Box::new(Ended);
        }
        result
    }

    fn check_write(&mut self) -> StreamResult<u64> {
        self.permitted = 0;
        let count = self.stream.check_write();
        self.permitted = self.told(count)? as u64;
        Ok(self.permitted)
    }

    fn write(&mut self, bytes: &[u8]) -> StreamResult<()> {
        match self.permitted.checked_sub(bytes.len() as u64) {
            Some(left) => self.permitted = left,
            None => return Err(trap("write: more bytes than check-write permitted")),
        }
        let result = self.stream.write(bytes);
        self.told(result)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.permitted = 0;
        let result = self.stream.flush();
        self.told(result)
    }
}

/// Waits until a stream takes something; how much.
fn permitted(p2: &mut P2, this: &Out) -> Result<StreamResult<u64>> {
    p2.block(|p2| {
        let output = p2.table.at_mut(this)?;
        Ok(match output.check_write() {
            Ok(0) => Err(until_ready(output.stream.readiness())),
            result => Ok(result),
        })
    })
}

/// Writes all of what `piece` gives, piece by piece, and waits until it was handed on.
fn write_blocking(
    p2: &mut P2,
    this: &Out,
    len: u64,
    mut write: impl FnMut(&mut Output, usize, usize) -> StreamResult<()>,
) -> Result<StreamResult<()>> {
    let mut done = 0;
    while done < len {
        let count = match permitted(p2, this)? {
            Ok(count) => count.min(len - done),
            Err(failure) => return Ok(Err(failure)),
        };
        let output = p2.table.at_mut(this)?;
        if let Err(failure) = write(output, done as usize, count as usize) {
            return Ok(Err(failure));
        }
        done += count;
    }
    flush_blocking(p2, this)
}

fn flush_blocking(p2: &mut P2, this: &Out) -> Result<StreamResult<()>> {
    if let Err(failure) = p2.table.at_mut(this)?.flush() {
        return Ok(Err(failure));
    }
    Ok(permitted(p2, this)?.map(drop))
}

/// Moves bytes from one stream to another without waiting.
fn splice(table: &mut ResourceTable, this: &Out, from: &In, len: u64) -> Result<StreamResult<u64>> {
    let room = match table.at_mut(this)?.check_write() {
        Ok(room) => room.min(len),
        Err(failure) => return Ok(Err(failure)),
    };
    let bytes = match table.at_mut(from)?.0.read(limited(room)) {
        Ok(bytes) => bytes,
        Err(failure) => return Ok(Err(failure)),
    };
    let count = bytes.len() as u64;
    Ok(table.at_mut(this)?.write(&bytes).map(|()| count))
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut streams = linker.instance(&interface("io/streams"));
    streams.resource::<Input>("input-stream", |mut cx, rep| {
        cx.data_mut().p2().table.remove(In::new(rep)).map(drop)
    })?;
    streams.resource::<Output>("output-stream", |mut cx, rep| {
        cx.data_mut().p2().table.remove(Out::new(rep)).map(drop)
    })?;

    streams.func("[method]input-stream.read", |mut cx, (this, len): (In, u64)| {
        let table = &mut cx.data_mut().p2().table;
        let result = table.at_mut(&this)?.0.read_to_guest(limited(len));
        answer(table, result)
    })?;
    streams.func("[method]input-stream.blocking-read", |mut cx, (this, len): (In, u64)| {
        let p2 = cx.data_mut().p2();
        let read = |stream: &mut dyn InputStream, max| stream.read_to_guest(max);
        read_blocking(p2, &this, len, HostBytes::is_empty, read)
    })?;
    streams.func("[method]input-stream.skip", |mut cx, (this, len): (In, u64)| {
        let table = &mut cx.data_mut().p2().table;
        let result = table.at_mut(&this)?.0.skip(limited(len)).map(|count| count as u64);
        answer(table, result)
    })?;
    streams.func("[method]input-stream.blocking-skip", |mut cx, (this, len): (In, u64)| {
        let p2 = cx.data_mut().p2();
        let skip = |stream: &mut dyn InputStream, max| stream.skip(max).map(|count| count as u64);
        read_blocking(p2, &this, len, |count| *count == 0, skip)
    })?;
    streams.func("[method]input-stream.subscribe", |mut cx, (this,): (In,)| {
        subscribe(&mut cx.data_mut().p2().table, &this)
    })?;

    streams.func("[method]output-stream.check-write", |mut cx, (this,): (Out,)| {
        let table = &mut cx.data_mut().p2().table;
        let result = table.at_mut(&this)?.check_write();
        answer(table, result)
    })?;
    streams.func("[method]output-stream.write", |mut cx, (this, bytes): (Out, GuestBytes)| {
        let (bytes, data) = bytes.with_data(&mut cx)?;
        let table = &mut data.p2().table;
        let result = table.at_mut(&this)?.write(bytes);
        answer(table, result)
    })?;
    streams.func(
        "[method]output-stream.blocking-write-and-flush",
        |mut cx, (this, bytes): (Out, GuestBytes)| {
            let (bytes, data) = bytes.with_data(&mut cx)?;
            if bytes.len() as u64 > MAX_BLOCKING_WRITE {
                return Err(Error::host("blocking-write-and-flush: more than 4096 bytes"));
            }
            let p2 = data.p2();
            let result = write_blocking(p2, &this, bytes.len() as u64, |output, done, count| {
                output.write(&bytes[done..done + count])
            })?;
            answer(&mut p2.table, result)
        },
    )?;
    streams.func("[method]output-stream.flush", |mut cx, (this,): (Out,)| {
        let table = &mut cx.data_mut().p2().table;
        let result = table.at_mut(&this)?.flush();
        answer(table, result)
    })?;
    streams.func("[method]output-stream.blocking-flush", |mut cx, (this,): (Out,)| {
        let p2 = cx.data_mut().p2();
        let result = flush_blocking(p2, &this)?;
        answer(&mut p2.table, result)
    })?;
    streams.func("[method]output-stream.subscribe", |mut cx, (this,): (Out,)| {
        subscribe(&mut cx.data_mut().p2().table, &this)
    })?;
    streams.func("[method]output-stream.write-zeroes", |mut cx, (this, len): (Out, u64)| {
        let table = &mut cx.data_mut().p2().table;
        let result = zeroes(table.at_mut(&this)?, len);
        answer(table, result)
    })?;
    streams.func(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        |mut cx, (this, len): (Out, u64)| {
            if len > MAX_BLOCKING_WRITE {
                return Err(Error::host("blocking-write-zeroes-and-flush: more than 4096 bytes"));
            }
            let p2 = cx.data_mut().p2();
            let write = |output: &mut Output, _, count: usize| output.write(&ZEROS[..count]);
            let result = write_blocking(p2, &this, len, write)?;
            answer(&mut p2.table, result)
        },
    )?;
    streams.func("[method]output-stream.splice", |mut cx, (this, from, len): (Out, In, u64)| {
        let table = &mut cx.data_mut().p2().table;
        let result = splice(table, &this, &from, len)?;
        answer(table, result)
    })?;
    streams.func(
        "[method]output-stream.blocking-splice",
        |mut cx, (this, from, len): (Out, In, u64)| {
            let p2 = cx.data_mut().p2();
            if len > 0 {
                if let Err(failure) = permitted(p2, &this)? {
                    return answer(&mut p2.table, Err(failure));
                }
                p2.block(|p2| {
                    Ok(match p2.table.at_mut(&from)?.0.readiness() {
                        Readiness::Ready => Ok(()),
                        Readiness::Wait(wait) => Err(wait),
                    })
                })?;
            }
            let result = splice(&mut p2.table, &this, &from, len)?;
            answer(&mut p2.table, result)
        },
    )?;
    Ok(())
}

fn zeroes(output: &mut Output, len: u64) -> StreamResult<()> {
    if len > output.permitted {
        return Err(trap("write-zeroes: more bytes than check-write permitted"));
    }
    let mut left = len;
    while left > 0 {
        let count = left.min(ZEROS.len() as u64);
        output.write(&ZEROS[..count as usize])?;
        left -= count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ctx, Grants};

    /// Is ready, and yet takes and gives nothing the first few times, as when others are faster.
    struct Contended(u32);

    impl Contended {
        fn is_lost(&mut self) -> bool {
            self.0 = self.0.saturating_sub(1);
            self.0 > 0
        }
    }

    impl OutputStream for Contended {
        fn check_write(&mut self) -> StreamResult<usize> {
            Ok(if self.is_lost() { 0 } else { 9 })
        }

        fn write(&mut self, _: &[u8]) -> StreamResult<()> {
            Ok(())
        }

        fn flush(&mut self) -> StreamResult<()> {
            Ok(())
        }

        fn readiness(&mut self) -> Readiness {
            Readiness::Ready
        }
    }

    impl InputStream for Contended {
        fn read(&mut self, _: usize) -> StreamResult<Vec<u8>> {
            Ok(if self.is_lost() { Vec::new() } else { b"x".into() })
        }

        fn readiness(&mut self) -> Readiness {
            Readiness::Ready
        }
    }

    #[test]
    fn who_waits_for_a_stream_that_others_use_gets_its_turn() {
        let mut p2 = P2::new(Ctx::new(Grants::new()).unwrap());
        let output = p2.table.push(Output::new(Contended(5))).unwrap();
        assert_eq!(permitted(&mut p2, &output).unwrap().unwrap(), 9);
        let input = p2.table.push(Input::new(Contended(5))).unwrap();
        let read = |stream: &mut dyn InputStream, max| stream.read(max);
        let got = read_blocking(&mut p2, &input, 1, Vec::is_empty, read).unwrap();
        assert_eq!(got.unwrap(), b"x");
    }
}
