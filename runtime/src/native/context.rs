//! The context of an instance, as `abi` describes it: the words below one address that native code has at hand.
//! Instantiation makes it. Invariant: everything that its words lead to lives as long as the store.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::{
    alloc::Layout,
    ptr::{self, NonNull},
};

use super::{builtins, text::NativeCode};
use lithe_types::limits;

use crate::{
    Func, Global, Instance, LimitError,
    abi::{self, ContextLayout},
};

/// The context of an instance.
pub(crate) struct Context {
    /// What is returned to the allocator; nothing when the bytes belong to a memory.
    _block: Option<Block>,
    /// One past the last byte: what native code has.
    at: *mut u8,
    layout: ContextLayout,
    globals: usize,
}

struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block came from the allocator with this layout, and the store is gone.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl Context {
    /// A context with these globals, everything else is null. Where a place is given, it ends there.
    ///
    /// # Safety
    /// Below the place there are as many zero bytes as the layout says, which the store owns.
    pub unsafe fn new(
        layout: ContextLayout,
        at: Option<*mut u8>,
        globals: &[Global],
    ) -> Result<Context, LimitError> {
        let refused = || LimitError::no_memory("an instance", layout.size());
        let (block, at) = match at {
            Some(at) => (None, at),
            None => {
                let memory = Layout::from_size_align(layout.size(), 16).map_err(|_| refused())?;
                // SAFETY: a context is never empty.
                let start = NonNull::new(unsafe { alloc_zeroed(memory) }).ok_or_else(refused)?;
                // SAFETY: the end of the block.
                let at = unsafe { start.as_ptr().add(layout.size()) };
                (Some(Block { start, layout: memory }), at)
            }
        };
        let context = Context { _block: block, at, layout, globals: globals.len() };
        // SAFETY: the layout has room for so many globals there.
        unsafe {
            let place = context.globals().cast::<Global>().as_ptr();
            ptr::copy_nonoverlapping(globals.as_ptr(), place, globals.len());
        }
        Ok(context)
    }

    /// The globals that the instance defines.
    pub fn globals(&self) -> NonNull<[Global]> {
        // SAFETY: the place lies within the block, which is not at the address 0.
        let first =
            unsafe { NonNull::new_unchecked(self.word::<Global>(self.layout.own_globals())) };
        NonNull::slice_from_raw_parts(first, self.globals)
    }

    /// The word at an offset that the layout gives.
    unsafe fn word<T>(&self, offset: i32) -> *mut T {
        // SAFETY: as the caller promises.
        unsafe { self.at.offset(offset as isize).cast() }
    }

    /// # Safety
    /// The offset is one of the layout's, for a word of this type.
    unsafe fn set<T>(&self, offset: i32, value: T) {
        // SAFETY: as the caller promises.
        unsafe { self.word::<T>(offset).write(value) }
    }

    /// Tells code that checks for itself where the stack ends.
    pub fn set_stack_limit(&self, limit: usize) {
        // SAFETY: every context has this word.
        unsafe { self.set(abi::STACK_LIMIT, limit) }
    }

    /// Tells an instance its context, and the context everything.
    ///
    /// # Safety
    /// The instance has the code, its lists are complete, and this context's globals are its own.
    pub unsafe fn attach(&self, instance: *mut Instance, native: &NativeCode) {
        // SAFETY: the lists of the instance are as long as those of its module, and live as long as the store. No
        // reference to its functions exists.
        unsafe {
            let module = (*instance).code.module();
            (*instance).context = self.at;
            for index in 0..module.imported_funcs {
                let func: *mut Func = *(*instance).funcs.add(index as usize);
                let record = self.layout.import(index);
                let (code, context) = match (*func).native.is_null() {
                    false => ((*func).native, (*func).context),
                    true => {
                        let stub = native.artifact().import(index);
                        (stub.map_or(ptr::null(), |stub| native.address(stub.start)), self.at)
                    }
                };
                self.set(record + abi::IMPORT_CODE, code);
                self.set(record + abi::IMPORT_CONTEXT, context);
                self.set(record + abi::IMPORT_FUNC, func);
            }
            for index in 0..module.imported_globals {
                let word = self.layout.imported_global(index);
                self.set(word, *(*instance).globals.add(index as usize));
            }
            for index in 0..module.memories.len() {
                self.set(self.layout.memory(index as u32), *(*instance).memories.add(index));
            }
            for index in 0..module.tables.len() {
                self.set(self.layout.table(index as u32), *(*instance).tables.add(index));
            }
            self.set(abi::FUNCS, (*instance).funcs);
            self.set(abi::INSTANCE, instance);
            self.set(abi::VM, (*instance).vm);
            self.set(abi::BUILTINS, builtins::SHIMS.as_ptr());
            self.set(abi::TYPES, (*instance).types);
            self.set(abi::TAGS, (*instance).tags);
            self.set(abi::SIGNAL, (*instance).signal);
            self.set(abi::WIDE_END, limits::GUARDED_WIDE_MEMORY_BYTES);
            self.set(abi::HEAP, (*(*instance).vm).heap.base);
            self.set(abi::STARTS, (*(*instance).vm).heap.starts);
            self.set_stack_limit((*(*instance).vm).native.stack_limit());
        }
    }
}
