//! Arguments and environment: `args_*` and `environ_*`.
//!
//! Both are arrays of NUL-terminated strings that [`Ctx`] holds. Invariant: the sizes reported are
//! those written, and totals that do not fit 32 bits are `overflow`.

use super::{Failure, take};
use crate::{Ctx, Errno, GuestMemory};

pub(super) fn args_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    write_strings(&ctx.args, memory, args)
}

pub(super) fn args_sizes_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    write_sizes(&ctx.args, memory, args)
}

pub(super) fn environ_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    write_strings(&ctx.env, memory, args)
}

pub(super) fn environ_sizes_get(
    ctx: &mut Ctx,
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    write_sizes(&ctx.env, memory, args)
}

/// The number of strings and the bytes they need with their terminators.
fn sizes(strings: &[Vec<u8>]) -> Result<(u32, u32), Errno> {
    let bytes: u64 = strings.iter().map(|string| string.len() as u64 + 1).sum();
    let count = u32::try_from(strings.len()).map_err(|_| Errno::Overflow)?;
    Ok((count, u32::try_from(bytes).map_err(|_| Errno::Overflow)?))
}

fn write_sizes(
    strings: &[Vec<u8>],
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [count_ptr, bytes_ptr] = take(args)?;
    let (count, bytes) = sizes(strings)?;
    memory.write_u32(count_ptr.u32(), count)?;
    Ok(memory.write_u32(bytes_ptr.u32(), bytes)?)
}

fn write_strings(
    strings: &[Vec<u8>],
    memory: &mut GuestMemory<'_>,
    args: &[u64],
) -> Result<(), Failure> {
    let [pointers, buffer] = take(args)?;
    let (pointers, buffer) = (pointers.u32(), buffer.u32());
    let (count, bytes) = sizes(strings)?;
    memory.check_array(pointers, count, 4)?;
    memory.check_array(buffer, bytes, 1)?;
    let (mut pointer, mut at) = (pointers, buffer);
    for string in strings {
        memory.write_u32(pointer, at)?;
        memory.write(at, string)?;
        memory.write_u8(at + string.len() as u32, 0)?;
        // Checked above: both stay within the 32 bits of the guest's memory, except at its end.
        pointer = pointer.wrapping_add(4);
        at = at.wrapping_add(string.len() as u32 + 1);
    }
    Ok(())
}
