//! The vector value itself, its views as lanes, the loops over lanes that the operator tables in
//! the sibling files expand to, and the bitwise operators that see no lanes at all. The lane order
//! is little-endian on every host.

/// A `v128` value: 128 bits as two halves, the one with the lower lanes first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct V128(pub [u64; 2]);

/// Both directions between `V128` and an array of lanes.
///
/// The copies between byte arrays are written so that LLVM removes them; going through indexed
/// `u64`s instead would leave shifts and masks that its vectorizer does not see through.
macro_rules! views {
    ($($lane:ident $count:literal)*) => {$(
        impl From<V128> for [$lane; $count] {
            #[inline(always)]
            fn from(v: V128) -> Self {
                let halves = v.0.map(u64::to_le_bytes);
                let (lanes, _) = halves.as_flattened().as_chunks::<{ 16 / $count }>();
                core::array::from_fn(|i| <$lane>::from_le_bytes(lanes[i]))
            }
        }

        impl From<[$lane; $count]> for V128 {
            #[inline(always)]
            fn from(lanes: [$lane; $count]) -> Self {
                let mut halves = [[0; 8]; 2];
                halves
                    .as_flattened_mut()
                    .copy_from_slice(lanes.map(<$lane>::to_le_bytes).as_flattened());
                V128(halves.map(u64::from_le_bytes))
            }
        }
    )*};
}

views! { u8 16 i8 16 u16 8 i16 8 u32 4 i32 4 u64 2 i64 2 f32 4 f64 2 }

/// Applies `f` to each of the `N` lanes.
#[inline(always)]
pub(super) fn map1<A, R, const N: usize>(a: V128, f: impl Fn(A) -> R) -> V128
where
    [A; N]: From<V128>,
    V128: From<[R; N]>,
{
    V128::from(<[A; N]>::from(a).map(f))
}

/// Applies `f` to each of the `N` pairs of corresponding lanes.
#[inline(always)]
pub(super) fn map2<A, R, const N: usize>(a: V128, b: V128, f: impl Fn(A, A) -> R) -> V128
where
    A: Copy,
    [A; N]: From<V128>,
    V128: From<[R; N]>,
{
    let (a, b) = (<[A; N]>::from(a), <[A; N]>::from(b));
    V128::from(core::array::from_fn::<R, N, _>(|i| f(a[i], b[i])))
}

/// A table of operators on one vector: name, lane type and count, and the function of a lane.
macro_rules! unary {
    ($($name:ident: $lane:ident $count:literal, $f:expr;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`, lane by lane.")]
        #[inline(always)]
        pub fn $name(a: V128) -> V128 {
            map1::<$lane, $lane, $count>(a, $f)
        }
    )*};
}
pub(super) use unary;

/// A table of operators on two vectors: name, lane type and count, and the function of two lanes.
macro_rules! binary {
    ($($name:ident: $lane:ident $count:literal, $f:expr;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`, lane by lane.")]
        #[inline(always)]
        pub fn $name(a: V128, b: V128) -> V128 {
            map2::<$lane, $lane, $count>(a, b, $f)
        }
    )*};
}
pub(super) use binary;

/// A table of comparisons: name, lane type and count, the signed integer of the same width, and
/// the comparison. Each lane of the result is all ones where it holds, else zero.
macro_rules! compare {
    ($($name:ident: $lane:ident $count:literal $mask:ident, $op:tt;)*) => {$(
        #[doc = concat!("Operator `", stringify!($name), "`: all ones where it holds.")]
        #[inline(always)]
        pub fn $name(a: V128, b: V128) -> V128 {
            map2::<$lane, $mask, $count>(a, b, |a, b| -((a $op b) as $mask))
        }
    )*};
}
pub(super) use compare;

unary! {
    v128_not: u64 2, |a| !a;
}

binary! {
    v128_and: u64 2, |a, b| a & b;
    v128_andnot: u64 2, |a, b| a & !b;
    v128_or: u64 2, |a, b| a | b;
    v128_xor: u64 2, |a, b| a ^ b;
}

/// Operator `v128_bitselect`: the bits of `a` where `mask` is set, those of `b` elsewhere.
#[inline(always)]
pub fn v128_bitselect(a: V128, b: V128, mask: V128) -> V128 {
    v128_or(v128_and(a, mask), v128_andnot(b, mask))
}

/// Operator `v128_any_true`: 1 if any bit is set.
#[inline(always)]
pub fn v128_any_true(a: V128) -> u32 {
    ((a.0[0] | a.0[1]) != 0) as u32
}
