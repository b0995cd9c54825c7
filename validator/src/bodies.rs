//! Validation of all bodies, on several threads when there is enough code to pay for them. Invariant: the
//! reported error is the one with the lowest offset, however many threads looked.

use alloc::vec::Vec;

use wasmparser::{FuncToValidate, FuncValidatorAllocations, FunctionBody, ValidatorResources};

use crate::Error;

type Func<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

/// Bytes of code from which a second thread is worth starting.
#[cfg(feature = "std")]
const PARALLEL_BYTES: usize = 1 << 20;

pub(crate) fn validate(funcs: Vec<Func<'_>>) -> Result<(), Error> {
    #[cfg(feature = "std")]
    {
        let bytes: usize = funcs.iter().map(|(_, body)| body.as_bytes().len()).sum();
        if bytes >= PARALLEL_BYTES {
            let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
            return parallel(funcs, threads);
        }
    }
    sequence(funcs)
}

fn sequence<'a>(funcs: impl IntoIterator<Item = Func<'a>>) -> Result<(), Error> {
    let mut allocations = FuncValidatorAllocations::default();
    for (func, body) in funcs {
        let index = func.index;
        let mut validator = func.into_validator(allocations);
        validator.validate(&body).map_err(|error| Error::new(&error, Some(index)))?;
        allocations = validator.into_allocations();
    }
    Ok(())
}

/// Threads take runs of functions from a shared list until it is empty.
#[cfg(feature = "std")]
fn parallel(funcs: Vec<Func<'_>>, threads: usize) -> Result<(), Error> {
    use std::sync::{Mutex, PoisonError};

    const RUN: usize = 64;
    let queue = Mutex::new(funcs.into_iter());
    let work = || {
        let mut first: Option<Error> = None;
        loop {
            let mut rest = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let run: Vec<Func<'_>> = rest.by_ref().take(RUN).collect();
            drop(rest);
            if run.is_empty() {
                return first;
            }
            if let Err(error) = sequence(run) {
                first = lowest(first, Some(error));
            }
        }
    };
    let first = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut first = work();
        for other in others {
            match other.join() {
                Ok(error) => first = lowest(first, error),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        first
    });
    first.map_or(Ok(()), Err)
}

#[cfg(feature = "std")]
fn lowest(a: Option<Error>, b: Option<Error>) -> Option<Error> {
    match (a, b) {
        (Some(a), Some(b)) if b.offset() < a.offset() => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}
