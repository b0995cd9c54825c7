//! The table of exception handlers that follows the operations of a function with try blocks. The translator
//! writes it, unwinding searches it, the disassembler prints it. Invariant: try blocks stand in the order in
//! which they end, so the first one whose cells contain an operation is the innermost one around it.
//!
//! ```text
//! table   [ cells that follow ] block ...
//! block   [ first cell | end ][ number | count of clauses ] clause ...
//! clause  [ kind | tag or 0 ][ landing pad or block | slot of the payload, slot of the reference ]
//! ```
//!
//! Cells are counted from the function's first operation.

use alloc::vec::Vec;

/// A try block.
pub(crate) struct Region {
    /// The first cell of its body.
    pub start: u32,
    /// One past the last cell of its body.
    pub end: u32,
    /// Its number in the function, from 1 on; 0 for a region that is no block.
    pub id: u32,
    /// Its clauses in order.
    pub clauses: Vec<Clause>,
}

/// What a try block does with an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clause {
    /// Exceptions with this tag, or with any, are caught.
    Catch { tag: Option<u32>, landing: Landing },
    /// Every exception is thrown on from the body of the block with this number, or to the caller for 0.
    Delegate { block: u32 },
}

/// Where a caught exception goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Landing {
    /// The cell of the landing pad.
    pub pad: u32,
    /// The first slot of the payload, where it is wanted.
    pub payload: Option<i16>,
    /// The slot of the reference to the exception, where it is wanted.
    pub reference: Option<i16>,
}

const CATCH: u32 = 0;
const CATCH_ALL: u32 = 1;
const DELEGATE: u32 = 2;

/// Stands for no slot: landing pads write operands, whose slots are not negative.
const NOWHERE: i16 = -1;

fn cell(lower: u32, upper: u32) -> u64 {
    u64::from(lower) | u64::from(upper) << 32
}

fn halves(cell: u64) -> (u32, u32) {
    (cell as u32, (cell >> 32) as u32)
}

impl Clause {
    fn encode(self) -> [u64; 2] {
        match self {
            Clause::Catch { tag, landing } => {
                let kind = if tag.is_some() { CATCH } else { CATCH_ALL };
                let slot = |slot: Option<i16>| u32::from(slot.unwrap_or(NOWHERE) as u16);
                let slots = slot(landing.payload) | slot(landing.reference) << 16;
                [cell(kind, tag.unwrap_or(0)), cell(landing.pad, slots)]
            }
            Clause::Delegate { block } => [cell(DELEGATE, 0), cell(block, 0)],
        }
    }

    fn decode(cells: [u64; 2]) -> Clause {
        let [(kind, tag), (target, slots)] = cells.map(halves);
        if kind == DELEGATE {
            return Clause::Delegate { block: target };
        }
        let slot = |bits: u32| Some(bits as u16 as i16).filter(|slot| *slot != NOWHERE);
        let landing = Landing { pad: target, payload: slot(slots), reference: slot(slots >> 16) };
        Clause::Catch { tag: (kind == CATCH).then_some(tag), landing }
    }
}

/// Appends the table of a function with these try blocks; nothing when there are none.
pub(crate) fn write(regions: &[Region], cells: &mut Vec<u64>) {
    if regions.is_empty() {
        return;
    }
    let length: usize = regions.iter().map(|region| 2 + 2 * region.clauses.len()).sum();
    cells.push(length as u64);
    for region in regions {
        cells.push(cell(region.start, region.end));
        cells.push(cell(region.id, region.clauses.len() as u32));
        cells.extend(region.clauses.iter().flat_map(|clause| clause.encode()));
    }
}

/// A block of an encoded table.
pub(crate) struct Block<'a> {
    pub start: u32,
    pub end: u32,
    pub id: u32,
    clauses: &'a [[u64; 2]],
}

impl<'a> Block<'a> {
    /// The clauses in order.
    pub(crate) fn clauses(&self) -> impl Iterator<Item = Clause> + use<'a> {
        self.clauses.iter().map(|cells| Clause::decode(*cells))
    }
}

/// The blocks of a table, which is given without its first cell.
pub(crate) struct Blocks<'a>(pub &'a [u64]);

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let ([range, about], rest) = self.0.split_first_chunk()?;
        let ((start, end), (id, count)) = (halves(*range), halves(*about));
        let (clauses, rest) = rest.split_at_checked(2 * count as usize)?;
        self.0 = rest;
        Some(Block { start, end, id, clauses: clauses.as_chunks().0 })
    }
}

/// Where an exception goes that is thrown at cell `at`; `has_tag` tells whether its tag has an index.
pub(crate) fn find(table: &[u64], at: u32, has_tag: impl Fn(u32) -> bool) -> Option<Landing> {
    // The only block that counts, once the exception was delegated to it.
    let mut sought = None;
    for block in Blocks(table) {
        let counts = match sought {
            Some(id) => block.id == id,
            None => block.start <= at && at < block.end,
        };
        if !counts {
            continue;
        }
        sought = None;
        for clause in block.clauses() {
            match clause {
                Clause::Catch { tag, landing } if tag.is_none_or(&has_tag) => return Some(landing),
                Clause::Catch { .. } => {}
                Clause::Delegate { block: 0 } => return None,
                Clause::Delegate { block } => sought = Some(block),
            }
        }
    }
    None
}
