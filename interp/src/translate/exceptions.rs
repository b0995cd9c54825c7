//! Try blocks of both encodings (`try_table`, and the withdrawn `try`), and what throws. A handler begins with
//! a landing pad, where unwinding has written the payload to the slots that the pad gives to its values.
//! Invariant: no operation before a block's body is changed by the body's translation, nor one of the body
//! afterwards, so that the block's range of cells is exact.

use alloc::vec::Vec;

use lithe_parser::{BlockType, Catch, TryTable};

use crate::{
    handlers::{Clause, Landing, Region},
    op::Op,
};

use super::{
    TranslateError, Translator,
    control::{Control, Kind},
};

/// What an open block knows when it is a try block.
pub(super) struct Try {
    id: u32,
    /// The first cell of the body.
    start: u32,
    /// One past the last cell of the body, once the body has ended.
    end: Option<u32>,
    /// Clauses of a `try_table`: their pads follow the body.
    catches: Vec<Catch>,
    /// Clauses that have their pads.
    clauses: Vec<Clause>,
    /// Whether exceptions are delegated to this block.
    targeted: bool,
}

impl Translator<'_> {
    /// The next cell, counted as unwinding counts it: from the first operation.
    fn here(&self) -> u32 {
        self.cells.len() as u32 - 1
    }

    fn open_try(&mut self, ty: &BlockType, catches: Vec<Catch>) {
        self.own_locals();
        self.own_top(self.params(Translator::sig(ty)).len());
        (self.last, self.previous) = (None, None);
        self.open(Kind::Block, ty, None);
        self.tries += 1;
        let (id, start) = (self.tries, self.here());
        let clauses = Vec::new();
        let try_ = Try { id, start, end: None, catches, clauses, targeted: false };
        if let Some(control) = self.controls.last_mut() {
            control.try_ = Some(try_);
        }
    }

    pub(super) fn try_table(&mut self, table: &TryTable) {
        self.open_try(&table.ty, table.catches.clone());
    }

    /// Whether landing pads follow the body of block `control`.
    pub(super) fn has_pads(&self, control: usize) -> bool {
        self.controls[control].try_.as_ref().is_some_and(|try_| !try_.catches.is_empty())
    }

    /// Ends the innermost block, which was taken from `controls`, when it is a try block: writes the landing pads
    /// of a `try_table`, each of which is a branch.
    pub(super) fn end_try(&mut self, control: &mut Control) -> Result<(), TranslateError> {
        let Some(mut try_) = control.try_.take() else { return Ok(()) };
        let end = try_.end.unwrap_or(self.here());
        for catch in try_.catches {
            self.dead = 0;
            self.forget();
            self.truncate(control);
            let (tag, reference, label) = match catch {
                Catch::One { tag, label } => (Some(tag), false, label),
                Catch::OneRef { tag, label } => (Some(tag), true, label),
                Catch::All { label } => (None, false, label),
                Catch::AllRef { label } => (None, true, label),
            };
            let pad = self.here();
            let payload = tag.map(|tag| self.push_payload(tag));
            let reference = reference.then(|| self.push(false));
            try_.clauses.push(Clause::Catch { tag, landing: Landing { pad, payload, reference } });
            self.br(label);
            self.check_size()?;
        }
        if !try_.clauses.is_empty() || try_.targeted {
            let (start, id, clauses) = (try_.start, try_.id, try_.clauses);
            self.regions.push(Region { start, end, id, clauses });
        }
        Ok(())
    }

    /// Pushes the payload of an exception with this tag; gives its first slot.
    fn push_payload(&mut self, tag: u32) -> i16 {
        let first = self.height as i16;
        let module = self.module;
        let ty = module.tags.get(tag as usize).and_then(|ty| module.func_type(*ty));
        for ty in ty.map_or(&[][..], |ty| &ty.params) {
            self.push(ty.slots() == 2);
        }
        first
    }

    pub(super) fn throw(&mut self, tag: u32) {
        let module = self.module;
        let ty = module.tags.get(tag as usize).and_then(|ty| module.func_type(*ty));
        let count = ty.map_or(0, |ty| ty.params.len());
        self.own_top(count);
        for _ in 0..count {
            self.pop();
        }
        self.emit_imm(Op::Throw, self.height as i16, 0, tag as i32);
        self.unreachable();
    }

    pub(super) fn throw_ref(&mut self) {
        let value = self.pop();
        let slot = self.slot_of(value);
        self.emit(Op::ThrowRef, [slot, 0, 0, 0]);
        self.unreachable();
    }

    /// Notes that the call just written, which leaves this frame, is outside of all try blocks: a host function
    /// that it calls runs while the frame still stands.
    pub(super) fn outside_tries(&mut self) {
        if self.tries > 0 {
            let end = self.here();
            let clauses = [Clause::Delegate { block: 0 }].into();
            self.regions.push(Region { start: end - 1, end, id: 0, clauses });
        }
    }

    pub(super) fn try_(&mut self, ty: &BlockType) {
        self.open_try(ty, Vec::new());
    }

    /// Begins a handler of the innermost block. A hidden value below its payload keeps the exception for
    /// `rethrow`.
    pub(super) fn catch(&mut self, tag: Option<u32>) {
        self.end_arm();
        let Some(mut control) = self.controls.pop() else { return };
        self.forget();
        self.truncate(&control);
        let pad = self.here();
        self.push(false);
        let payload = tag.map(|tag| self.push_payload(tag));
        if let Some(try_) = &mut control.try_ {
            try_.end.get_or_insert(pad);
            let landing = Landing { pad, payload, reference: None };
            try_.clauses.push(Clause::Catch { tag, landing });
        }
        self.controls.push(control);
        self.begin_region(false);
    }

    pub(super) fn rethrow(&mut self, depth: u32) {
        let index = self.index(depth);
        let control = &mut self.controls[index];
        let slot = control.base as i16;
        let clause = control.try_.as_mut().and_then(|try_| try_.clauses.last_mut());
        if let Some(Clause::Catch { landing, .. }) = clause {
            landing.reference = Some(slot);
        }
        self.emit(Op::ThrowRef, [slot, 0, 0, 0]);
        self.unreachable();
    }

    /// Ends the innermost block, whose exceptions go where one would that is thrown at label `depth`.
    pub(super) fn delegate(&mut self, depth: u32) -> Result<(), TranslateError> {
        let outer = self.index(depth.saturating_add(1));
        let mut outer = self.controls[..=outer].iter_mut().rev();
        let target = outer.find_map(|control| control.try_.as_mut().filter(|t| t.end.is_none()));
        let block = target.map_or(0, |target| {
            target.targeted = true;
            target.id
        });
        let own = self.controls.last_mut().and_then(|control| control.try_.as_mut());
        if let Some(try_) = own {
            try_.clauses.push(Clause::Delegate { block });
        }
        self.end()
    }
}
