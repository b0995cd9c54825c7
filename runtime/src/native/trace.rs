//! The frames of native code, found by frame pointers. Backtraces and exceptions ask for them. Invariant: nothing
//! outside the activation's part of the guest's stack is read, whatever the frames hold.

use alloc::vec::Vec;
use core::mem;

use lithe_types::limits;

use super::{
    entry::Entry,
    text::{NativeCode, Text},
};
use crate::{Code, Instance, Shared, Store};

/// A frame of a backtrace.
pub struct Frame {
    /// The module.
    pub code: Shared<Code>,
    /// The function's index in its module.
    pub func: u32,
    /// The byte offset of the operator in the module.
    pub offset: u32,
}

/// A frame as the stack tells it.
pub(super) struct RawFrame {
    pub text: *const Text,
    /// Where the function goes on, or the instruction that failed.
    pub pc: usize,
    /// Its frame pointer.
    pub fp: usize,
    /// Whether `pc` follows a call.
    pub returns: bool,
}

/// The frames of an activation from its last call into the runtime on, innermost first.
pub(super) struct Walk {
    pc: usize,
    fp: usize,
    returns: bool,
    caller: usize,
    low: usize,
    top: usize,
    /// That of the frame before: most frames are in the same.
    text: Option<*const Text>,
}

impl Walk {
    /// The frames of an activation that is in the runtime, or was left there or by a signal.
    pub fn new(entry: &Entry) -> Walk {
        Walk {
            pc: entry.exit_pc,
            fp: entry.exit_fp,
            returns: !entry.stopped,
            caller: entry.caller,
            low: entry.exit_sp,
            top: entry.guest_sp,
            text: None,
        }
    }
}

impl Iterator for Walk {
    type Item = RawFrame;

    fn next(&mut self) -> Option<RawFrame> {
        // SAFETY: texts of frames live.
        let same = self.text.filter(|text| unsafe { (**text).has(self.pc) });
        let text = same.or_else(|| Text::find(self.pc))?;
        self.text = Some(text);
        let frame = RawFrame { text, pc: self.pc, fp: self.fp, returns: self.returns };
        if self.caller != 0 {
            // The frame pointer is still that of the caller.
            self.pc = mem::take(&mut self.caller);
            self.returns = true;
            return Some(frame);
        }
        let inside = self.low <= self.fp && self.fp.checked_add(16)? <= self.top;
        self.pc = 0;
        self.returns = true;
        if inside && self.fp.is_multiple_of(8) {
            // SAFETY: both words lie in the activation's part of the guest's stack, which is readable.
            let [fp, pc] = unsafe { *(self.fp as *const [usize; 2]) };
            self.low = self.fp + 16;
            self.fp = fp;
            self.pc = pc;
        }
        Some(frame)
    }
}

/// The frames of an activation that was left; because the innermost one does not fit on the stack if `unfit`. Then
/// they begin with the call, where there is one.
pub(super) fn frames(store: &Store, entry: &Entry, unfit: bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    let (mut unfit, mut taken) = (unfit && !entry.calling, false);
    let most = limits::BACKTRACE_FRAMES + usize::from(unfit);
    let mut last: Option<&Shared<Code>> = None;
    for raw in Walk::new(entry) {
        if frames.len() >= most {
            break;
        }
        let runs = |code: &&Shared<Code>| code.native().is_some_and(|native| native.is(raw.text));
        let Some(code) = last.filter(runs).or_else(|| codes(store).find(runs)) else { continue };
        last = Some(code);
        let Some(native) = code.native() else { continue };
        let frame = frame(code, native, &raw);
        // A stub that a signal stopped does not fit itself, other stubs tell the runtime of the function.
        taken |= unfit && frame.is_some();
        unfit &= !entry.stopped && frame.is_none();
        frames.extend(frame);
    }
    if taken && frames.len() > 1 {
        frames.remove(0);
    }
    frames
}

fn codes(store: &Store) -> impl Iterator<Item = &Shared<Code>> {
    store.instances.iter().map(|instance| {
        // SAFETY: instances live as long as the store, which is borrowed, and their modules never change.
        let instance: &Instance = unsafe { instance.as_ref() };
        &instance.code
    })
}

/// The frame as people see it; stubs are not seen.
fn frame(code: &Shared<Code>, native: &NativeCode, raw: &RawFrame) -> Option<Frame> {
    // SAFETY: the text belongs to the module, which lives.
    let pc = unsafe { (*raw.text).offset(raw.pc) };
    let within = if raw.returns { pc.checked_sub(1)? } else { pc };
    let artifact = native.artifact();
    let function = artifact.function_at(within)?;
    let func = code.module().imported_funcs + function as u32;
    code.module().funcs.get(func as usize)?;
    let site = match raw.returns {
        true => artifact.call_site(function, pc),
        false => artifact.site(function, pc),
    };
    let start = || code.whole_module().bodies.get(function).map_or(0, |body| body.start);
    Some(Frame { code: code.clone(), func, offset: site.map_or_else(start, |site| site.module) })
}
