//! Backtraces: the frames of a stopped activation, innermost first. The embedding API calls it for traps and
//! exceptions. Translations carry no positions; a frame's function is translated again, with positions, when
//! somebody asks, so taking a trace that nobody reads is cheap.

use alloc::{collections::BTreeMap, vec::Vec};
use core::sync::atomic::Ordering;

use lithe_runtime::{
    Code, CodeSlot, Instance, Shared, Store,
    layout::{HEADER_CODE, HEADER_INSTANCE, HEADER_IP, HEADER_SP},
};
use lithe_types::limits;

use crate::{
    Activation, Interpreter,
    translate::{self, Buffers},
};

/// A frame of a backtrace.
pub struct Frame {
    /// The module.
    pub code: Shared<Code>,
    /// The function's index in its module.
    pub func: u32,
    /// The operation, counted from the function's first one.
    cell: u32,
}

impl Interpreter {
    /// The frames of a stopped activation, at most [`limits::BACKTRACE_FRAMES`].
    pub fn trace(&self, store: &Store, activation: &Activation) -> Vec<Frame> {
        let mut frames = Vec::new();
        let (mut ip, mut sp) = (activation.ip, activation.sp);
        let mut instance: *mut Instance = activation.instance;
        let mut after = activation.after;
        // A tail call replaces the frame, though it is there until a host function returns.
        let mut hidden = activation.tail;
        let vm = store.vm();
        while sp > vm.stack_base && sp <= vm.stack_end && frames.len() < limits::BACKTRACE_FRAMES {
            // SAFETY: `sp` is slot 0 of a frame on the value stack, so a header precedes it whose words were
            // written by a call; instances and translations live as long as the store.
            let (slot, header, code) = unsafe {
                let slot = *sp.offset(HEADER_CODE) as usize as *const CodeSlot;
                (slot, (*slot).0.load(Ordering::Acquire), &(*instance).code)
            };
            let Some(func) = code.func_of_slot(slot) else { break };
            // SAFETY: as above.
            let first = unsafe { (*header).ops.as_ptr() };
            let cell = ((ip as usize).wrapping_sub(first as usize) / 8) as u32;
            let cell = if after { cell.saturating_sub(1) } else { cell };
            let func = code.module().imported_funcs + func;
            if !core::mem::take(&mut hidden) {
                frames.push(Frame { code: code.clone(), func, cell });
            }
            // SAFETY: as above.
            unsafe {
                ip = *sp.offset(HEADER_IP) as usize as *const u64;
                instance = *sp.offset(HEADER_INSTANCE) as usize as *mut Instance;
                sp = *sp.offset(HEADER_SP) as usize as *mut u64;
            }
            after = true;
        }
        frames
    }
}

/// The byte offsets in their modules of the operators that frames were at. Each function is translated once.
pub fn offsets<'a>(frames: impl Iterator<Item = &'a Frame>) -> Vec<u32> {
    let mut buffers = Buffers::default();
    let mut maps: BTreeMap<(*const Code, u32), Vec<(u32, u32)>> = BTreeMap::new();
    let offset = |frame: &Frame| {
        let code = &*frame.code;
        let func = frame.func - code.module().imported_funcs;
        let key = (core::ptr::from_ref(code), func);
        let map = maps.entry(key).or_insert_with(|| positions(code, func, &mut buffers));
        let at = map.partition_point(|(start, _)| *start <= frame.cell);
        let start = code.whole_module().bodies.get(func as usize).map_or(0, |body| body.start);
        at.checked_sub(1).map_or(start, |at| map[at].1)
    };
    frames.map(offset).collect()
}

fn positions(code: &Code, func: u32, buffers: &mut Buffers) -> Vec<(u32, u32)> {
    translate::translate(code, func, code.config(), true, buffers)
        .map_or_else(|_| Vec::new(), |translation| translation.map)
}
