//! Compiled functions to one text without relocations. The driver calls it when all are there. Invariant: the text
//! depends on the functions in order of their numbers only, not on the order in which they were compiled.
//!
//! ```text
//! [ function 0 ] .. [ function n ]( island )[ function n+1 ] .. [ table 0 ] .. [ table m ]
//! ```
//!
//! An island holds jumps to functions that calls from the functions before it cannot reach. Only a machine whose calls
//! reach less than the largest text has them, and only in large texts.

use std::collections::{BTreeMap, BTreeSet};

use lithe_runtime::{
    abi::Arch,
    artifact::{Function, Handler, NONE},
};

use crate::{
    Error, ErrorKind,
    function::Compiled,
    reloc::{Form, Symbol},
};

/// A table of indirect calls that never changes: class of the type and function number of each element. Null has the
/// class [`NONE`].
pub(crate) type Table = [Option<(u32, u32)>];

/// Tables begin at multiples of this.
const TABLE_ALIGN: u32 = 16;
/// How far calls of aarch64 reach, and a bit less.
const REACH: u32 = (1 << 27) - (1 << 20);
/// Jumps of an island: the address in a register that calls may change, then a jump to it.
const JUMP: [u32; 3] = [0x9000_0010, 0x9100_0210, 0xd61f_0200];

/// A text and what is known of it.
pub(crate) struct Linked {
    pub text: Text,
    pub functions: Vec<Function>,
    pub sites: Vec<u8>,
    pub handlers: Vec<Handler>,
}

/// A text in pieces.
pub(crate) struct Text {
    arch: Arch,
    /// Offset and bytes of each, in order.
    pieces: Vec<(u32, Box<[u8]>)>,
}

impl Text {
    pub(crate) fn len(&self) -> usize {
        self.pieces.last().map_or(0, |(start, bytes)| *start as usize + bytes.len())
    }

    /// Hands the bytes to `out`, and frees them on the way.
    pub(crate) fn write(&mut self, out: &mut dyn FnMut(&[u8])) {
        // `int3` between functions; elsewhere zeros are no instruction.
        let fill = [if self.arch == Arch::X86_64 { 0xcc } else { 0 }; 64];
        let mut at = 0;
        for (start, bytes) in self.pieces.drain(..) {
            let mut gap = start as usize - at;
            while gap > 0 {
                let now = gap.min(fill.len());
                out(&fill[..now]);
                gap -= now;
            }
            out(&bytes);
            at = start as usize + bytes.len();
        }
    }
}

/// Where everything lies.
struct Layout {
    functions: Vec<u32>,
    islands: Vec<Island>,
    tables: Vec<u32>,
    len: u32,
}

/// Jumps for the functions below a number, and from the island before on.
struct Island {
    until: u32,
    start: u32,
    targets: BTreeMap<u32, u32>,
}

/// Makes a text of functions, by number, and tables. Functions begin at multiples of `align`.
pub(crate) fn link(
    arch: Arch,
    align: u32,
    functions: Vec<Compiled>,
    tables: &[&Table],
) -> Result<Linked, Error> {
    let layout = Layout::new(arch, align, &functions, tables, REACH).ok_or_else(too_large)?;
    layout.link(arch, functions, tables)
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "the module's code is larger than the machine's calls reach")
}

impl Layout {
    /// Texts that are larger than `reach` have islands, on machines where that is how far calls go.
    fn new(
        arch: Arch,
        align: u32,
        functions: &[Compiled],
        tables: &[&Table],
        reach: u32,
    ) -> Option<Layout> {
        let mut layout =
            Layout { functions: Vec::new(), islands: Vec::new(), tables: Vec::new(), len: 0 };
        let room = |compiled: &Compiled| compiled.code.len() as u64 + u64::from(align.max(16));
        let total: u64 = functions.iter().map(room).sum();
        let islands = arch == Arch::Aarch64 && total > u64::from(reach);
        let mut region = (0, 0, BTreeSet::new());
        for (number, compiled) in (0..).zip(functions) {
            let (_, start, targets) = &mut region;
            if islands && u64::from(layout.len - *start) + room(compiled) > u64::from(reach / 2) {
                let targets = std::mem::take(targets);
                layout.island(region.0, number, targets)?;
                region = (number, layout.len, BTreeSet::new());
            }
            let start = layout.aligned(compiled.align.max(align))?;
            layout.functions.push(start);
            layout.advance(compiled.code.len())?;
            if islands {
                region.2.extend(calls(compiled));
            }
        }
        if islands {
            layout.island(region.0, functions.len() as u32, region.2)?;
        }
        for table in tables {
            let start = layout.aligned(TABLE_ALIGN)?;
            layout.tables.push(start);
            layout.advance(table.len().checked_mul(8)?)?;
        }
        Some(layout)
    }

    fn aligned(&mut self, align: u32) -> Option<u32> {
        self.len = self.len.checked_next_multiple_of(align)?;
        Some(self.len)
    }

    fn advance(&mut self, bytes: usize) -> Option<()> {
        self.len = self.len.checked_add(u32::try_from(bytes).ok()?)?;
        i32::try_from(self.len).ok().map(|_| ())
    }

    /// Room for jumps from the functions `from..until` to those outside.
    fn island(&mut self, from: u32, until: u32, targets: BTreeSet<u32>) -> Option<()> {
        let start = self.aligned(4)?;
        let outside = targets.into_iter().filter(|target| !(from..until).contains(target));
        let targets: BTreeMap<u32, u32> =
            outside.zip((start..).step_by(size_of_val(&JUMP))).collect();
        self.advance(targets.len() * size_of_val(&JUMP))?;
        self.islands.push(Island { until, start, targets });
        Some(())
    }

    fn address(&self, symbol: Symbol) -> Option<u32> {
        match symbol {
            Symbol::Function(number) => self.functions.get(number as usize).copied(),
            Symbol::Table(number) => self.tables.get(number as usize).copied(),
        }
    }

    fn link(
        &self,
        arch: Arch,
        functions: Vec<Compiled>,
        tables: &[&Table],
    ) -> Result<Linked, Error> {
        let unknown = |symbol: Symbol| {
            Error::new(ErrorKind::Internal, format!("the code refers to no {symbol:?}"))
        };
        let mut linked = Linked {
            text: Text { arch, pieces: Vec::with_capacity(functions.len()) },
            functions: Vec::with_capacity(functions.len()),
            sites: Vec::new(),
            handlers: Vec::new(),
        };
        let pieces = &mut linked.text.pieces;
        let mut islands = self.islands.iter();
        let mut island = islands.next();
        for (number, mut compiled) in functions.into_iter().enumerate() {
            let start = self.functions[number];
            if island.is_some_and(|island| island.until <= number as u32) {
                pieces.extend(island.map(|island| self.island_code(island)).transpose()?);
                island = islands.next();
            }
            for reloc in &compiled.relocs {
                let target = self.address(reloc.symbol).ok_or_else(|| unknown(reloc.symbol))?;
                let jump = || match (reloc.symbol, reloc.form) {
                    (Symbol::Function(number), Form::Branch26) => {
                        island?.targets.get(&number).copied()
                    }
                    _ => None,
                };
                let mut write =
                    |target| reloc.form.write(&mut compiled.code, reloc.at, start, target);
                let written = write(target);
                written.or_else(|| write(jump()?)).ok_or_else(too_large)?;
            }
            let end = start + compiled.code.len() as u32;
            linked.functions.push(Function { start, end, sites: linked.sites.len() as u32 });
            linked.sites.extend_from_slice(&compiled.sites);
            linked.handlers.extend(compiled.handlers.iter().map(|handler| Handler {
                call: start + handler.call,
                target: start + handler.target,
                ..*handler
            }));
            pieces.push((start, compiled.code));
        }
        pieces.extend(island.map(|island| self.island_code(island)).transpose()?);
        for (table, start) in tables.iter().zip(&self.tables) {
            let mut code = Vec::with_capacity(8 * table.len());
            for element in *table {
                let (class, offset) = match element {
                    None => (NONE, 0),
                    Some((class, number)) => {
                        let symbol = Symbol::Function(*number);
                        let function = self.address(symbol).ok_or_else(|| unknown(symbol))?;
                        (*class, function.wrapping_sub(*start))
                    }
                };
                code.extend(class.to_le_bytes());
                code.extend(offset.to_le_bytes());
            }
            pieces.push((*start, code.into()));
        }
        Ok(linked)
    }

    fn island_code(&self, island: &Island) -> Result<(u32, Box<[u8]>), Error> {
        let mut all = Vec::new();
        for (number, at) in &island.targets {
            let target = self.functions.get(*number as usize).copied();
            let mut code: Vec<u8> = JUMP.iter().flat_map(|word| word.to_le_bytes()).collect();
            let written = target.and_then(|target| {
                Form::Page21.write(&mut code, 0, *at, target)?;
                Form::PageOffset12.write(&mut code, 4, *at, target)
            });
            written.ok_or_else(too_large)?;
            all.extend(code);
        }
        Ok((island.start, all.into()))
    }
}

/// The functions that a function calls, where a call may not reach.
fn calls(compiled: &Compiled) -> impl Iterator<Item = u32> + '_ {
    compiled.relocs.iter().filter(|reloc| reloc.form == Form::Branch26).filter_map(|reloc| {
        match reloc.symbol {
            Symbol::Function(number) => Some(number),
            Symbol::Table(_) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reloc::Reloc;

    fn compiled(words: usize, calls: &[u32]) -> Compiled {
        let mut code = vec![0; 4 * words];
        let call = |(at, number): (usize, &u32)| {
            code[4 * at..][..4].copy_from_slice(&0x9400_0000u32.to_le_bytes());
            Reloc { at: 4 * at as u32, symbol: Symbol::Function(*number), form: Form::Branch26 }
        };
        let relocs = calls.iter().enumerate().map(call).collect();
        Compiled { code: code.into(), align: 4, relocs, sites: [].into(), handlers: [].into() }
    }

    fn word(text: &[u8], at: u32) -> u32 {
        u32::from_le_bytes(text[at as usize..][..4].try_into().unwrap())
    }

    /// Where the `bl` at an offset leads, jumps of islands followed.
    fn followed(text: &[u8], at: u32) -> (u32, bool) {
        let bl = word(text, at);
        assert_eq!(bl >> 26, 0b10_0101);
        let target = at.wrapping_add_signed((bl << 6) as i32 >> 4);
        let (adrp, add) = (word(text, target), word(text, target + 4));
        if adrp & 0x9f00_001f != JUMP[0] || word(text, target + 8) != JUMP[2] {
            return (target, false);
        }
        let pages = (adrp >> 5 & 0x7_ffff) << 2 | adrp >> 29 & 3;
        let page = (target & !0xfff).wrapping_add_signed((pages << 11) as i32 >> 11 << 12);
        (page + (add >> 10 & 0xfff), true)
    }

    #[test]
    fn calls_that_do_not_reach_go_by_islands() {
        let large = 12 << 20;
        let functions = || {
            vec![
                compiled(4, &[1, 4]),
                compiled(large, &[0, 4]),
                compiled(large, &[0, 4]),
                compiled(large, &[0, 4]),
                compiled(4, &[0, 3, 4]),
            ]
        };
        let mut linked = link(Arch::Aarch64, 16, functions(), &[&[Some((0, 4))]]).unwrap();
        let mut text = Vec::new();
        linked.text.write(&mut |bytes| text.extend_from_slice(bytes));
        let start = |number: u32| linked.functions[number as usize].start;
        let mut far = 0;
        for (number, calls) in [(0, &[1, 4][..]), (1, &[0, 4]), (3, &[0, 4]), (4, &[0, 3, 4])] {
            for (at, callee) in (0..).zip(calls) {
                let (target, island) = followed(&text, start(number) + 4 * at);
                assert_eq!(target, start(*callee), "{number} calls {callee}");
                far += u32::from(island);
            }
        }
        assert_eq!(far, 3);
        let table = start(4).wrapping_sub(word(&text, text.len() as u32 - 4));
        assert_eq!(table, (text.len() as u32 - 8));
    }

    #[test]
    fn too_much_code_is_refused() {
        let huge = || vec![compiled(1, &[1]), compiled(40 << 20, &[]), compiled(1, &[])];
        let error = link(Arch::Aarch64, 1 << 31, huge(), &[]).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}
