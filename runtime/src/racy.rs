//! Accesses to bytes that other threads may access at the same time. Shared memories and the operations on
//! them call it. Invariant: with `std` every access is atomic, of one word where the place is aligned and byte
//! by byte elsewhere; without `std` there is one thread, and plain accesses suffice.
//!
//! Rust leaves open what atomic accesses of different sizes to the same bytes give. WebAssembly lets guests
//! race like this, and on all targets of Lithe each byte then holds one of the values written.

#[cfg(feature = "std")]
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();

/// An integer that guests access atomically. SAFETY of all its functions, and of this file's: the places are
/// valid for accesses of their width, and only accessed by functions of this file while others may do so.
/// Those whose name begins with `atomic` need an aligned place and are sequentially consistent.
#[allow(clippy::missing_safety_doc, reason = "the contract is the same for all, see above")]
pub trait Word: Copy + PartialEq {
    /// The value, in no order with other accesses.
    unsafe fn load(place: *const Self) -> Self;
    /// Replaces the value, in no order with other accesses.
    unsafe fn store(place: *mut Self, value: Self);
    /// The value.
    unsafe fn atomic_load(place: *mut Self) -> Self;
    /// Replaces the value.
    unsafe fn atomic_store(place: *mut Self, value: Self);
    /// Adds, and gives the old value.
    unsafe fn atomic_add(place: *mut Self, value: Self) -> Self;
    /// Subtracts, and gives the old value.
    unsafe fn atomic_sub(place: *mut Self, value: Self) -> Self;
    /// Clears bits, and gives the old value.
    unsafe fn atomic_and(place: *mut Self, value: Self) -> Self;
    /// Sets bits, and gives the old value.
    unsafe fn atomic_or(place: *mut Self, value: Self) -> Self;
    /// Flips bits, and gives the old value.
    unsafe fn atomic_xor(place: *mut Self, value: Self) -> Self;
    /// Replaces the value, and gives the old one.
    unsafe fn atomic_xchg(place: *mut Self, value: Self) -> Self;
    /// Replaces the value if it is `expected`, and gives the old one.
    unsafe fn atomic_cmpxchg(place: *mut Self, expected: Self, value: Self) -> Self;
}

#[cfg(feature = "std")]
macro_rules! words {
    ($($ty:ident $atomic:ident;)*) => {$(
        impl Word for $ty {
            #[inline(always)]
            unsafe fn load(place: *const $ty) -> $ty {
                // SAFETY: as the caller promises; one atomic access needs an aligned place, which is tested.
                unsafe {
                    match place.is_aligned() {
                        true => $atomic::from_ptr(place.cast_mut()).load(Ordering::Relaxed),
                        false => $ty::from_ne_bytes(bytes(place.cast())),
                    }
                }
            }
            #[inline(always)]
            unsafe fn store(place: *mut $ty, value: $ty) {
                // SAFETY: as in `load`.
                unsafe {
                    match place.is_aligned() {
                        true => $atomic::from_ptr(place).store(value, Ordering::Relaxed),
                        false => set_bytes(place.cast(), u64::from(value), size_of::<$ty>()),
                    }
                }
            }
            words! { @ $ty $atomic
                atomic_add fetch_add, atomic_sub fetch_sub, atomic_and fetch_and,
                atomic_or fetch_or, atomic_xor fetch_xor, atomic_xchg swap
            }
            #[inline(always)]
            unsafe fn atomic_load(place: *mut $ty) -> $ty {
                // SAFETY: as the caller promises.
                unsafe { $atomic::from_ptr(place).load(Ordering::SeqCst) }
            }
            #[inline(always)]
            unsafe fn atomic_store(place: *mut $ty, value: $ty) {
                // SAFETY: as the caller promises.
                unsafe { $atomic::from_ptr(place).store(value, Ordering::SeqCst) }
            }
            #[inline(always)]
            unsafe fn atomic_cmpxchg(place: *mut $ty, expected: $ty, value: $ty) -> $ty {
                const ORDER: Ordering = Ordering::SeqCst;
                // SAFETY: as the caller promises.
                let word = unsafe { $atomic::from_ptr(place) };
                match word.compare_exchange(expected, value, ORDER, ORDER) {
                    Ok(old) | Err(old) => old,
                }
            }
        }
    )*};
    (@ $ty:ident $atomic:ident $($name:ident $method:ident),*) => {$(
        #[inline(always)]
        unsafe fn $name(place: *mut $ty, value: $ty) -> $ty {
            // SAFETY: as the caller promises.
            unsafe { $atomic::from_ptr(place).$method(value, Ordering::SeqCst) }
        }
    )*};
}

#[cfg(feature = "std")]
words! {
    u8 AtomicU8;
    u16 AtomicU16;
    u32 AtomicU32;
    u64 AtomicU64;
}

/// The bytes from an unaligned place on.
#[cfg(feature = "std")]
#[cold]
#[inline(never)]
unsafe fn bytes<const N: usize>(from: *const u8) -> [u8; N] {
    // SAFETY: as the caller promises, for each byte.
    core::array::from_fn(|k| unsafe { u8::load(from.add(k)) })
}

/// Writes the low `len` bytes of `value` to an unaligned place.
#[cfg(feature = "std")]
#[cold]
#[inline(never)]
unsafe fn set_bytes(to: *mut u8, value: u64, len: usize) {
    for (k, byte) in value.to_le_bytes().into_iter().enumerate().take(len) {
        // SAFETY: as the caller promises, for each byte.
        unsafe { u8::store(to.add(k), byte) };
    }
}

#[cfg(not(feature = "std"))]
macro_rules! words {
    ($($ty:ident)*) => {$(
        impl Word for $ty {
            #[inline(always)]
            unsafe fn load(place: *const $ty) -> $ty {
                // SAFETY: as the caller promises.
                unsafe { place.read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(place: *mut $ty, value: $ty) {
                // SAFETY: as the caller promises.
                unsafe { place.write_unaligned(value) }
            }
            #[inline(always)]
            unsafe fn atomic_load(place: *mut $ty) -> $ty {
                // SAFETY: as the caller promises.
                unsafe { Self::load(place) }
            }
            #[inline(always)]
            unsafe fn atomic_store(place: *mut $ty, value: $ty) {
                // SAFETY: as the caller promises.
                unsafe { Self::store(place, value) }
            }
            words! { @ $ty
                atomic_add wrapping_add, atomic_sub wrapping_sub, atomic_and bitand,
                atomic_or bitor, atomic_xor bitxor
            }
            #[inline(always)]
            unsafe fn atomic_xchg(place: *mut $ty, value: $ty) -> $ty {
                // SAFETY: as the caller promises.
                unsafe {
                    let old = Self::load(place);
                    Self::store(place, value);
                    old
                }
            }
            #[inline(always)]
            unsafe fn atomic_cmpxchg(place: *mut $ty, expected: $ty, value: $ty) -> $ty {
                // SAFETY: as the caller promises.
                unsafe {
                    let old = Self::load(place);
                    if old == expected {
                        Self::store(place, value);
                    }
                    old
                }
            }
        }
    )*};
    (@ $ty:ident $($name:ident $method:ident),*) => {$(
        #[inline(always)]
        unsafe fn $name(place: *mut $ty, value: $ty) -> $ty {
            // SAFETY: as the caller promises.
            unsafe {
                let old = Self::load(place);
                Self::store(place, old.$method(value));
                old
            }
        }
    )*};
}

#[cfg(not(feature = "std"))]
use core::ops::{BitAnd, BitOr, BitXor};

#[cfg(not(feature = "std"))]
words! { u8 u16 u32 u64 }

/// Copies `to.len()` bytes out.
///
/// # Safety
/// As for [`Word`].
pub(crate) unsafe fn read(from: *const u8, to: &mut [u8]) {
    let head = from.align_offset(WORD).min(to.len());
    let (first, rest) = to.split_at_mut(head);
    let (words, last) = rest.as_chunks_mut::<WORD>();
    // SAFETY: as the caller promises; the parts follow each other.
    unsafe {
        for (k, byte) in first.iter_mut().enumerate() {
            *byte = u8::load(from.add(k));
        }
        let mut at = from.add(head);
        for word in words {
            *word = u64::load(at.cast()).to_ne_bytes();
            at = at.add(WORD);
        }
        for (k, byte) in last.iter_mut().enumerate() {
            *byte = u8::load(at.add(k));
        }
    }
}

/// Copies `from` in.
///
/// # Safety
/// As for [`Word`].
pub unsafe fn write(to: *mut u8, from: &[u8]) {
    let head = to.align_offset(WORD).min(from.len());
    let (first, rest) = from.split_at(head);
    let (words, last) = rest.as_chunks::<WORD>();
    // SAFETY: as the caller promises; the parts follow each other.
    unsafe {
        for (k, byte) in first.iter().enumerate() {
            u8::store(to.add(k), *byte);
        }
        let mut at = to.add(head);
        for word in words {
            u64::store(at.cast(), u64::from_ne_bytes(*word));
            at = at.add(WORD);
        }
        for (k, byte) in last.iter().enumerate() {
            u8::store(at.add(k), *byte);
        }
    }
}

/// Sets `len` bytes.
///
/// # Safety
/// As for [`Word`].
pub unsafe fn fill(to: *mut u8, value: u8, len: usize) {
    let head = to.align_offset(WORD).min(len);
    let words = (len - head) / WORD;
    let word = u64::from_ne_bytes([value; WORD]);
    // SAFETY: as the caller promises; the parts follow each other.
    unsafe {
        for k in 0..head {
            u8::store(to.add(k), value);
        }
        for k in 0..words {
            u64::store(to.add(head + k * WORD).cast(), word);
        }
        for k in head + words * WORD..len {
            u8::store(to.add(k), value);
        }
    }
}

/// Copies `len` bytes between places that may overlap: word by word where both have the same alignment.
///
/// # Safety
/// As for [`Word`].
pub unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    let alike = from.align_offset(WORD) == to.align_offset(WORD);
    let head = if alike { to.align_offset(WORD).min(len) } else { len };
    let words = (len - head) / WORD;
    let tail = head + words * WORD;
    // SAFETY: as the caller promises; offsets are below `len`.
    unsafe {
        let byte = |k: usize| u8::store(to.add(k), u8::load(from.add(k)));
        let word = |k: usize| {
            let at = head + k * WORD;
            u64::store(to.add(at).cast(), u64::load(from.add(at).cast()));
        };
        // Never write what is still to be read.
        if to.cast_const() <= from {
            (0..head).for_each(byte);
            (0..words).for_each(word);
            (tail..len).for_each(byte);
        } else {
            (tail..len).rev().for_each(byte);
            (0..words).rev().for_each(word);
            (0..head).rev().for_each(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    #[test]
    fn bulk_functions_do_what_slices_do() {
        let start: Vec<u8> = (0..96).collect();
        for from in 0..20 {
            for to in 0..20 {
                for len in [0, 1, 7, 8, 9, 31, 64] {
                    let (mut have, mut want) = (start.clone(), start.clone());
                    want.copy_within(from..from + len, to);
                    let base = have.as_mut_ptr();
                    // SAFETY: both ranges lie within the buffer.
                    unsafe { copy(base.add(from), base.add(to), len) };
                    assert_eq!(have, want, "copy {from} {to} {len}");

                    want[to..to + len].fill(7);
                    let base = have.as_mut_ptr();
                    // SAFETY: the range lies within the buffer.
                    unsafe { fill(base.add(to), 7, len) };
                    assert_eq!(have, want, "fill {to} {len}");

                    let mut part = vec![0; len];
                    // SAFETY: the range lies within the buffer.
                    unsafe { read(start.as_ptr().add(from), &mut part) };
                    assert_eq!(part, start[from..from + len], "read {from} {len}");
                    want[to..to + len].copy_from_slice(&part);
                    let base = have.as_mut_ptr();
                    // SAFETY: the range lies within the buffer.
                    unsafe { write(base.add(to), &part) };
                    assert_eq!(have, want, "write {to} {len}");
                }
            }
        }
    }
}
