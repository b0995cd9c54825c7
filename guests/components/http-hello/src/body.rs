//! Bodies in pieces: however long they are, the guest holds one piece.

use alloc::format;
use alloc::string::String;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, ResponseOutparam, Trailers,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::{start, start_with};

const PIECE: u64 = 64 << 10;

/// Writes all of it, as fast as the host has room.
pub fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(bytes.len().min(room));
        stream.write(now)?;
        bytes = later;
    }
    Ok(())
}

/// Copies to the end of the source.
fn copy(from: &InputStream, to: &OutputStream, splice: bool) -> Result<(), StreamError> {
    loop {
        let step = if splice {
            to.blocking_splice(from, PIECE).map(|_| ())
        } else {
            match from.blocking_read(PIECE) {
                Ok(piece) => write(to, &piece),
                Err(StreamError::Closed) => return to.blocking_flush(),
                Err(failed) => Err(failed),
            }
        };
        match step {
            Ok(()) => {}
            // A splice ends when either side is at its end; if it was the reader, the flush fails as well.
            Err(StreamError::Closed) if splice => return to.blocking_flush(),
            Err(failed) => return Err(failed),
        }
    }
}

/// Copies a whole body and finishes both, trailers included.
pub fn forward(
    from: IncomingBody,
    body: OutgoingBody,
    to: OutputStream,
    splice: bool,
) -> Result<(), String> {
    let stream = from.stream().map_err(|()| "the body was taken already")?;
    copy(&stream, &to, splice).map_err(|failed| format!("{failed:?}"))?;
    drop(stream);
    drop(to);
    OutgoingBody::finish(body, trailers(from)?).map_err(|code| format!("{code:?}"))
}

/// The trailers after a body that was read to its end.
fn trailers(body: IncomingBody) -> Result<Option<Trailers>, String> {
    let trailers = IncomingBody::finish(body);
    loop {
        match trailers.get() {
            Some(Ok(Ok(trailers))) => return Ok(trailers),
            Some(Ok(Err(code))) => return Err(format!("{code:?}")),
            Some(Err(())) => return Err("the trailers were taken already".into()),
            None => trailers.subscribe().block(),
        }
    }
}

/// Answers with the request's body, its type and its trailers, if it announced them.
pub fn echo(request: IncomingRequest, out: ResponseOutparam, splice: bool) {
    let fields = Fields::new();
    // Servers send only those trailers that the head announces.
    for name in ["content-type", "trailer"] {
        for value in request.headers().get(name) {
            fields.append(name, &value).unwrap();
        }
    }
    let from = request.consume().unwrap();
    let (body, to) = start_with(out, 200, fields);
    // The client is gone, or sent less than it announced: the answer stays unfinished.
    let _ = forward(from, body, to, splice);
}

/// A body of so many bytes: 63 letters and a newline, again and again.
pub fn big(out: ResponseOutparam, bytes: u64) {
    let length = format!("{bytes}");
    let (body, to) =
        start(out, 200, &[("content-type", "text/plain"), ("content-length", &length)]);
    let mut piece = [0; PIECE as usize];
    for (i, byte) in piece.iter_mut().enumerate() {
        *byte = if i % 64 == 63 { b'\n' } else { b'A' + (i % 64 % 26) as u8 };
    }
    let mut left = bytes;
    while left > 0 {
        let now = left.min(PIECE);
        if write(&to, &piece[..now as usize]).is_err() {
            return;
        }
        left -= now;
    }
    if to.blocking_flush().is_ok() {
        drop(to);
        let _ = OutgoingBody::finish(body, None);
    }
}
