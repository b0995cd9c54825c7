//! Bytecode as text, for `inspect --bytecode` and file tests. Derived from the formats in the table of
//! operations.

use alloc::string::String;
use core::fmt::Write;

use lithe_runtime::{Code, CodeConfig};

use crate::{
    handlers::{Block, Blocks, Clause},
    op::{ALL, Op},
    translate::{self, Buffers, TranslateError},
};

/// The bytecode of defined function `func`, one operation a line: cell, byte offset in the module, name and
/// operands.
pub fn disassemble(code: &Code, func: u32) -> Result<String, TranslateError> {
    let config = CodeConfig { threaded: false, ..code.config() };
    let translation = translate::translate(code, func, config, true, &mut Buffers::default())?;
    let (header, cells) = translation.cells.split_first().unwrap_or((&0, &[]));
    let (ops, table) = match (header >> 32) as usize {
        0 => (cells, &[][..]),
        handlers => (&cells[..handlers], &cells[handlers + 1..]),
    };
    let mut text = String::new();
    let mut map = translation.map.iter().peekable();
    let mut at = 0;
    while let Some(op) = ops.get(at).and_then(|number| ALL.get(*number as usize)) {
        let mut offset = 0;
        while let Some((_, position)) = map.next_if(|(cell, _)| *cell as usize <= at) {
            offset = *position;
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{at:5}  {offset:#08x}  ");
        at += operation(&mut text, *op, ops, at);
        text.push('\n');
    }
    for block in Blocks(table) {
        handler(&mut text, &block);
    }
    Ok(text)
}

/// Writes one try block: a line for each clause, with the landing pad or the end of the block as its cell.
fn handler(text: &mut String, block: &Block<'_>) {
    let (start, end) = (block.start, block.end);
    for clause in block.clauses() {
        // Writing to a string does not fail.
        let _ = match clause {
            Clause::Catch { tag, landing } => {
                let _ = write!(text, "{:5}  {:#08x}  ", landing.pad, 0);
                let _ = match tag {
                    Some(tag) => write!(text, "catch {start}..{end}, tag {tag}"),
                    None => write!(text, "catch_all {start}..{end}"),
                };
                let slots = [("payload", landing.payload), ("ref", landing.reference)];
                for (name, slot) in slots {
                    let _ = slot.map(|slot| write!(text, ", {name} s{slot}"));
                }
                writeln!(text)
            }
            Clause::Delegate { block } => {
                writeln!(text, "{end:5}  {:#08x}  delegate {start}..{end}, block {block}", 0)
            }
        };
    }
}

/// Writes one operation and gives its size in cells.
fn operation(text: &mut String, op: Op, ops: &[u64], at: usize) -> usize {
    let (name, format, mut cells) = op.format();
    text.push_str(name);
    let operands = ops.get(at + 1).copied().unwrap_or(0);
    let imm = (operands >> 32) as i32;
    let mut extra = 2;
    for (i, token) in format.split_whitespace().enumerate() {
        text.push_str(if i == 0 { " " } else { ", " });
        let field = token.as_bytes().get(1).map_or(0, |k| u32::from(k - b'0'));
        let fields = match field / 4 {
            0 => operands,
            more => {
                extra = extra.max(2 + more as usize);
                ops.get(at + 1 + more as usize).copied().unwrap_or(0)
            }
        };
        let value = (fields >> (16 * (field & 3))) as i16;
        let mut wide = || {
            let cell = ops.get(at + extra).copied().unwrap_or(0);
            extra += 1;
            cell
        };
        let _ = match token.as_bytes()[0] {
            b'd' | b's' => write!(text, "s{value}"),
            b'n' => write!(text, "{value}"),
            b'a' => write!(text, "acc"),
            b'i' if field == 2 => write!(text, "{}", wide() as i64),
            b'i' => write!(text, "{imm}"),
            b'o' => write!(text, "{}", imm as u32),
            b'j' => write!(text, "-> {}", at as i64 + i64::from(imm)),
            b't' => {
                let count = imm as u32 as usize + 1;
                cells += count.div_ceil(2);
                let targets = (0..count).map(|k| {
                    let cell = ops.get(at + 2 + k / 2).copied().unwrap_or(0);
                    at as i64 + i64::from((cell >> (32 * (k % 2))) as i32)
                });
                for (k, target) in targets.enumerate() {
                    let _ = write!(text, "{}{target}", if k == 0 { "-> " } else { " " });
                }
                Ok(())
            }
            // The address of a function's code: it differs from run to run.
            b'x' if matches!(op, Op::Call | Op::ReturnCall) => write!(text, "code"),
            _ => write!(text, "{:#x}", wide()),
        };
    }
    cells
}
