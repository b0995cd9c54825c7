//! Places in code that name another function or a table, and how its address is written there. Functions are compiled
//! with them, the linker resolves them all. Invariant: addresses are differences within the text, so nothing is left
//! for the loader to do.

use cranelift_codegen::binemit;

/// What a place in code names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Symbol {
    /// A function by number.
    Function(u32),
    /// A table of indirect calls that never changes.
    Table(u32),
}

/// How an address is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Form {
    /// x86-64: a signed distance from the end of its own 32 bits.
    X86,
    /// aarch64: a branch.
    Branch26,
    /// aarch64: an `adrp`.
    Page21,
    /// aarch64: the `add` that follows an `adrp`.
    PageOffset12,
    /// riscv64: an `auipc` and the instruction with immediate operand that follows it.
    Pair,
}

impl Form {
    /// The form of a relocation of the code generator, or `None` when no code of Lithe should have it.
    pub(crate) fn of(kind: binemit::Reloc, addend: i64) -> Option<Form> {
        match (kind, addend) {
            (binemit::Reloc::X86CallPCRel4 | binemit::Reloc::X86PCRel4, -4) => Some(Form::X86),
            (binemit::Reloc::Arm64Call, 0) => Some(Form::Branch26),
            (binemit::Reloc::Aarch64AdrPrelPgHi21, 0) => Some(Form::Page21),
            (binemit::Reloc::Aarch64AddAbsLo12Nc, 0) => Some(Form::PageOffset12),
            (binemit::Reloc::RiscvCallPlt | binemit::Reloc::RiscvPCRelHi20, 0) => Some(Form::Pair),
            _ => None,
        }
    }

    /// Writes the address `target` at offset `at` of `code`, whose first byte has the address `base`. Addresses are
    /// offsets in the text, which begins at a page. `None` when the place cannot hold the distance.
    pub(crate) fn write(self, code: &mut [u8], at: u32, base: u32, target: u32) -> Option<()> {
        let place = i64::from(base) + i64::from(at);
        let target = i64::from(target);
        let distance = target - place;
        let at = at as usize;
        match self {
            Form::X86 => {
                let value = i32::try_from(distance - 4).ok()?;
                code.get_mut(at..at + 4)?.copy_from_slice(&value.to_le_bytes());
            }
            Form::Branch26 => {
                let reach = -(1 << 27)..1 << 27;
                let words = (distance >> 2) as u32 & 0x3ff_ffff;
                let whole = reach.contains(&distance) && distance & 3 == 0;
                change(code, at, 0x3ff_ffff, whole.then_some(words)?)?;
            }
            Form::Page21 => {
                let pages = (target >> 12) - (place >> 12);
                let bits = u32::try_from(pages + (1 << 20)).ok().filter(|bits| bits >> 21 == 0)?;
                let bits = bits ^ 1 << 20;
                change(code, at, 0x60ff_ffe0, (bits & 3) << 29 | (bits >> 2) << 5)?;
            }
            Form::PageOffset12 => change(code, at, 0xfff << 10, (target as u32 & 0xfff) << 10)?,
            Form::Pair => {
                let high = i32::try_from(distance + 0x800).ok()? as u32 & 0xffff_f000;
                let low = (distance as u32).wrapping_sub(high);
                change(code, at, 0xffff_f000, high)?;
                change(code, at + 4, 0xfff << 20, low << 20)?;
            }
        }
        Some(())
    }
}

/// Replaces bits of the instruction at an offset.
fn change(code: &mut [u8], at: usize, mask: u32, bits: u32) -> Option<()> {
    let word = code.get_mut(at..)?.first_chunk_mut::<4>()?;
    *word = (u32::from_le_bytes(*word) & !mask | bits & mask).to_le_bytes();
    Some(())
}

/// A place in a function's code that names something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reloc {
    /// Its offset in the function.
    pub at: u32,
    /// What it names.
    pub symbol: Symbol,
    /// How the address is written.
    pub form: Form,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, code: &[u32], base: u32, target: u32) -> Option<Vec<u32>> {
        let mut bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        form.write(&mut bytes, 0, base, target)?;
        let (words, _) = bytes.as_chunks::<4>();
        Some(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    #[test]
    fn distances_are_from_where_the_machine_counts() {
        assert_eq!(written(Form::X86, &[0], 100, 104), Some(vec![0]));
        assert_eq!(written(Form::X86, &[0], 100, 0), Some(vec![-104i32 as u32]));
        // bl .+8; bl .-4
        assert_eq!(written(Form::Branch26, &[0x9400_0000], 16, 24), Some(vec![0x9400_0002]));
        assert_eq!(written(Form::Branch26, &[0x9400_0000], 16, 12), Some(vec![0x97ff_ffff]));
        // adrp x0, two pages on; one page back
        assert_eq!(written(Form::Page21, &[0x9000_0000], 0xffc, 0x2004), Some(vec![0xd000_0000]));
        assert_eq!(written(Form::Page21, &[0x9000_0000], 0x1000, 4), Some(vec![0xf0ff_ffe0]));
        // add x0, x0, #0x234
        assert_eq!(written(Form::PageOffset12, &[0x9100_0000], 0, 0x1234), Some(vec![0x9108_d000]));
        // auipc ra, 0x1; jalr ra, -0x800(ra)
        assert_eq!(
            written(Form::Pair, &[0x0000_0097, 0x0000_80e7], 0, 0x800),
            Some(vec![0x0000_1097, 0x8000_80e7])
        );
    }

    #[test]
    fn what_is_out_of_reach_is_refused() {
        assert_eq!(written(Form::Branch26, &[0x9400_0000], 0, 1 << 27), None);
        assert!(written(Form::Branch26, &[0x9400_0000], 0, (1 << 27) - 4).is_some());
        assert!(written(Form::Branch26, &[0x9400_0000], 1 << 27, 0).is_some());
        assert_eq!(written(Form::Branch26, &[0x9400_0000], (1 << 27) + 4, 0), None);
        assert_eq!(written(Form::X86, &[0], 0, 0xffff_ffff), None);
        assert_eq!(written(Form::Pair, &[0, 0], 0, 0x7fff_f800), None);
        assert_eq!(written(Form::Pair, &[0], 0, 0), None);
    }
}
