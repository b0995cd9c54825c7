//! Backtraces: the frames of a stopped activation, innermost first. The embedding API calls it for traps.
//! Translations carry no positions; a frame's function is translated again, with positions, when somebody asks.

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
    /// The byte offset of the operator in the module.
    pub offset: u32,
}

impl Interpreter {
    /// The frames of a stopped activation, at most [`limits::BACKTRACE_FRAMES`].
    pub fn trace(&mut self, store: &Store, activation: &Activation) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut maps: BTreeMap<*const CodeSlot, Vec<(u32, u32)>> = BTreeMap::new();
        let (mut ip, mut sp) = (activation.ip, activation.sp);
        let mut instance: *mut Instance = activation.instance;
        let mut after = activation.after;
        let vm = store.vm();
        while sp > vm.stack_base && sp <= vm.stack_end && frames.len() < limits::BACKTRACE_FRAMES {
            // SAFETY: `sp` is slot 0 of a frame on the value stack, so a header precedes it whose words were
            // written by a call; instances and translations live as long as the store.
            let (slot, header, code) = unsafe {
                let slot = *sp.offset(HEADER_CODE) as usize as *const CodeSlot;
                (slot, (*slot).0.load(Ordering::Acquire), &(*instance).code)
            };
            let Some(func) = code.func_of_slot(slot) else { break };
            let map = maps.entry(slot).or_insert_with(|| positions(code, func, &mut self.buffers));
            // SAFETY: as above.
            let first = unsafe { (*header).ops.as_ptr() };
            let cell = ((ip as usize).wrapping_sub(first as usize) / 8) as u32;
            let cell = if after { cell.saturating_sub(1) } else { cell };
            let at = map.partition_point(|(start, _)| *start <= cell);
            let start = code.module().bodies[func as usize].start;
            let offset = at.checked_sub(1).map_or(start, |at| map[at].1);
            let func = code.module().imported_funcs + func;
            frames.push(Frame { code: code.clone(), func, offset });
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

fn positions(code: &Code, func: u32, buffers: &mut Buffers) -> Vec<(u32, u32)> {
    translate::translate(code, func, code.config(), true, buffers)
        .map_or_else(|_| Vec::new(), |translation| translation.map)
}
