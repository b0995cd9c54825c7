//! Branch hints (the custom section `metadata.code.branch_hint`): which way a compiler should lay out a branch.
//! Read on demand. Invariant: a damaged section gives fewer hints, never an error.

use alloc::vec::Vec;

use wasmparser::{BinaryReader, BranchHintSectionReader};

use crate::Module;

/// What is said about one branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BranchHint {
    /// The function, by its index among all.
    pub func: u32,
    /// The byte offset of the branch in the module.
    pub offset: u32,
    /// Whether it is likely taken; else it likely is not.
    pub taken: bool,
}

impl Module {
    /// All branch hints, in the order of the section; those of functions that do not exist are left out.
    pub fn branch_hints(&self) -> Vec<BranchHint> {
        let Some(data) = self.custom("metadata.code.branch_hint") else { return Vec::new() };
        let Ok(functions) = BranchHintSectionReader::new(BinaryReader::new(data, 0)) else {
            return Vec::new();
        };
        let mut hints = Vec::new();
        for function in functions.into_iter().map_while(Result::ok) {
            let defined = function.func.checked_sub(self.imported_funcs);
            let Some(body) = defined.and_then(|func| self.bodies.get(func as usize)) else {
                continue;
            };
            for hint in function.hints.into_iter().map_while(Result::ok) {
                let offset = body.start.saturating_add(hint.func_offset);
                if offset < body.end {
                    hints.push(BranchHint { func: function.func, offset, taken: hint.taken });
                }
            }
        }
        hints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one function `(func (param i32) (br_if 0 (local.get 0)))` and these hints.
    fn module(hints: &[u8]) -> Module {
        const NAME: &[u8] = b"metadata.code.branch_hint";
        let mut bytes = b"\0asm\x01\0\0\0\x01\x05\x01\x60\x01\x7f\0\x03\x02\x01\0\0".to_vec();
        bytes.push((1 + NAME.len() + hints.len()) as u8);
        bytes.push(NAME.len() as u8);
        bytes.extend_from_slice(NAME);
        bytes.extend_from_slice(hints);
        bytes.extend_from_slice(b"\x0a\x08\x01\x06\0\x20\0\x0d\0\x0b");
        crate::parse(bytes).unwrap()
    }

    #[test]
    fn hints_have_places_and_directions() {
        let module = module(&[1, 0, 2, 3, 1, 1, 5, 1, 0]);
        let start = module.bodies[0].start;
        let hint = |offset, taken| BranchHint { func: 0, offset: start + offset, taken };
        assert_eq!(module.branch_hints(), [hint(3, true), hint(5, false)]);
    }

    #[test]
    fn damaged_hints_are_left_out() {
        for hints in [
            &[][..],
            &[1],
            &[1, 0, 1, 3, 2, 1],
            &[1, 0, 1, 3, 1, 7],
            &[1, 9, 1, 3, 1, 1],
            &[1, 0, 1, 6, 1, 1],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
        ] {
            assert_eq!(module(hints).branch_hints(), [], "{hints:?}");
        }
    }
}
