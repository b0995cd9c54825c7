//! Operators of wide arithmetic, the only ones with two results. Called by `ops`. Invariant: both results
//! stand in their own slots, which are consecutive, and nothing may redirect one of them alone.

use crate::op::{Class, Op};

use super::Translator;

impl Translator<'_> {
    /// An operator that takes `count` operands, at most four, and gives the two halves of a number.
    pub(super) fn wide(&mut self, op: Op, count: usize) {
        let mut operands = [0; 5];
        for k in (1..=count).rev() {
            operands[k] = self.pop_slot();
        }
        let dst = self.push(false);
        let upper = self.push(false);
        let [_, a, b, c, d] = operands;
        self.emit(op, [dst, a, b, c]);
        if count > 3 {
            self.cells.push(u64::from(d as u16));
        }
        self.clobber(dst);
        self.clobber(upper);
        self.hold(Class::Int, upper);
    }
}
