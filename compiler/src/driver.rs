//! All functions of a module, by several threads, to an artifact. [`compile`] is the crate's way in. Invariant: the
//! bytes that it makes do not depend on how many threads there were.

use std::{
    any::Any,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use cranelift_codegen::{
    Context, ir,
    isa::{TargetFrontendConfig, TargetIsa},
};

use crate::{
    Error, ErrorKind,
    function::{self, Compiled},
    queue::Queue,
};

/// A context that compiled a body of so many bytes is not used again: it would keep the memory to the end.
const LARGE: usize = 1 << 15;
/// A thread is worth its start for so many bytes of bodies.
const WORTH_A_THREAD: usize = 1 << 14;

/// The functions of a text, by number.
pub(crate) trait Functions: Sync {
    /// Memory that a thread uses for one function after the other.
    type Buffers: Default;

    /// How many there are.
    fn count(&self) -> usize;

    /// The size of a function's body in the module, 0 for functions that have none.
    fn size(&self, number: usize) -> usize;

    /// The function's index in the module.
    fn index(&self, number: usize) -> Option<u32>;

    /// Translates a function into `out`, which is empty.
    fn translate(
        &self,
        number: usize,
        frontend: TargetFrontendConfig,
        buffers: &mut Self::Buffers,
        out: &mut ir::Function,
    ) -> Result<(), Error>;
}

/// What hears how far compilation is: bytes of bodies that are done, and of all. Threads call it.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Compiles all functions, by number. Large ones come first, so that no thread is left alone with one in the end.
pub(crate) fn compile_functions<F: Functions>(
    functions: &F,
    isa: &dyn TargetIsa,
    threads: Option<NonZero<usize>>,
    progress: Option<Progress<'_>>,
) -> Result<Vec<Compiled>, Error> {
    let sizes = || (0..functions.count()).map(|number| functions.size(number));
    let total = sizes().sum();
    let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let threads = threads.min(total / WORTH_A_THREAD + 1);
    let queue = Queue::new(sizes(), threads);
    let work = Work { functions, isa, queue, done: AtomicUsize::new(0), total, progress };
    let results = Mutex::new(Vec::new());
    let run = |first| {
        let done = work.run(first);
        results.lock().unwrap_or_else(|poison| poison.into_inner()).push(done);
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system has no thread left, fewer do the work.
            let _ = thread::Builder::new().spawn_scoped(scope, || run(false));
        }
        run(true);
    });
    collect(results.into_inner().unwrap_or_else(|poison| poison.into_inner()), functions)
}

/// What a thread has done: functions with their numbers, and the function that it failed on.
type Done = (Vec<(usize, Compiled)>, Option<(usize, Error)>);

fn collect<F: Functions>(results: Vec<Done>, functions: &F) -> Result<Vec<Compiled>, Error> {
    let mut all: Vec<Option<Compiled>> = Vec::new();
    all.resize_with(functions.count(), || None);
    let mut first: Option<(usize, Error)> = None;
    for (compiled, error) in results {
        for (number, compiled) in compiled {
            all[number] = Some(compiled);
        }
        if let Some(error) = error
            && first.as_ref().is_none_or(|first| error.0 < first.0)
        {
            first = Some(error);
        }
    }
    if let Some((number, error)) = first {
        return Err(error.in_func(functions.index(number)));
    }
    let missing = || Error::new(ErrorKind::Internal, "a function was not compiled");
    all.into_iter().collect::<Option<Vec<_>>>().ok_or_else(missing)
}

struct Work<'a, F> {
    functions: &'a F,
    isa: &'a dyn TargetIsa,
    queue: Queue,
    done: AtomicUsize,
    total: usize,
    progress: Option<Progress<'a>>,
}

impl<F: Functions> Work<'_, F> {
    /// What each thread does until nothing is left or one has failed.
    fn run(&self, first: bool) -> Done {
        let mut compiled = Vec::new();
        let mut context = Context::new();
        let mut buffers = F::Buffers::default();
        while let Some(number) = self.queue.take(first) {
            // A panic of the code generator is a bug of it, and none of whoever embeds Lithe.
            let one = || self.one(number, &mut context, &mut buffers);
            let result = catch_unwind(AssertUnwindSafe(one))
                .unwrap_or_else(|payload| Err(panicked(&*payload)));
            match result {
                Ok(one) => compiled.push((number, one)),
                Err(error) => {
                    self.queue.stop();
                    return (compiled, Some((number, error)));
                }
            }
            let size = self.functions.size(number);
            match size < LARGE {
                true => context.clear(),
                false => (context, buffers) = (Context::new(), F::Buffers::default()),
            }
            let done = self.done.fetch_add(size, Ordering::Relaxed) + size;
            if let Some(progress) = self.progress {
                progress(done, self.total);
            }
        }
        (compiled, None)
    }

    fn one(
        &self,
        number: usize,
        context: &mut Context,
        buffers: &mut F::Buffers,
    ) -> Result<Compiled, Error> {
        let frontend = self.isa.frontend_config();
        self.functions.translate(number, frontend, buffers, &mut context.func)?;
        function::compile(context, self.isa)
    }
}

fn panicked(payload: &(dyn Any + Send)) -> Error {
    let message = payload.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| payload.downcast_ref::<&str>().copied());
    let message = message.unwrap_or("for no reason that it gives");
    Error::new(ErrorKind::Internal, format!("the code generator stopped: {message}"))
}
