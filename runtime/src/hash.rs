//! BLAKE2b with 256 bits (RFC 7693): what names the contents of modules and artifacts. Invariant: equal hashes mean
//! equal bytes, whoever made them.

/// A hash that is fed in pieces.
pub struct Hasher {
    state: [u64; 8],
    /// Bytes that were fed before those in `block`.
    length: u128,
    block: [u8; BLOCK],
    filled: usize,
}

const BLOCK: usize = 128;

const START: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

const ORDER: [[u8; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

impl Default for Hasher {
    fn default() -> Hasher {
        let mut state = START;
        // No key, 32 bytes of result.
        state[0] ^= 0x0101_0020;
        Hasher { state, length: 0, block: [0; BLOCK], filled: 0 }
    }
}

impl Hasher {
    /// Feeds more bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // The last block waits for the end.
            if self.filled == BLOCK {
                self.length += BLOCK as u128;
                compress(&mut self.state, &self.block, self.length, false);
                self.filled = 0;
            }
            let room = &mut self.block[self.filled..];
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
    }

    /// The hash of all that was fed.
    pub fn finish(mut self) -> [u8; 32] {
        self.block[self.filled..].fill(0);
        self.length += self.filled as u128;
        compress(&mut self.state, &self.block, self.length, true);
        let mut out = [0; 32];
        for (bytes, word) in out.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_le_bytes();
        }
        out
    }
}

/// The hash of bytes.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.finish()
}

fn compress(state: &mut [u64; 8], block: &[u8; BLOCK], length: u128, last: bool) {
    let (words, _) = block.as_chunks();
    let m: [u64; 16] = core::array::from_fn(|i| u64::from_le_bytes(words[i]));
    let mut v = [0; 16];
    v[..8].copy_from_slice(state);
    v[8..].copy_from_slice(&START);
    v[12] ^= length as u64;
    v[13] ^= (length >> 64) as u64;
    if last {
        v[14] = !v[14];
    }
    for round in 0..12 {
        let order = &ORDER[round % 10];
        let x = |i: usize| m[order[i] as usize];
        mix(&mut v, [0, 4, 8, 12], x(0), x(1));
        mix(&mut v, [1, 5, 9, 13], x(2), x(3));
        mix(&mut v, [2, 6, 10, 14], x(4), x(5));
        mix(&mut v, [3, 7, 11, 15], x(6), x(7));
        mix(&mut v, [0, 5, 10, 15], x(8), x(9));
        mix(&mut v, [1, 6, 11, 12], x(10), x(11));
        mix(&mut v, [2, 7, 8, 13], x(12), x(13));
        mix(&mut v, [3, 4, 9, 14], x(14), x(15));
    }
    for (i, word) in state.iter_mut().enumerate() {
        *word ^= v[i] ^ v[i + 8];
    }
}

#[inline(always)]
fn mix(v: &mut [u64; 16], [a, b, c, d]: [usize; 4], x: u64, y: u64) {
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(x);
    v[d] = (v[d] ^ v[a]).rotate_right(32);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(24);
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(y);
    v[d] = (v[d] ^ v[a]).rotate_right(16);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(63);
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    fn hex(hash: [u8; 32]) -> String {
        hash.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    #[test]
    fn known_hashes() {
        let bytes: Vec<u8> = (0..1000).map(|i| (i % 251) as u8).collect();
        for (len, expected) in KNOWN {
            assert_eq!(hex(hash(&bytes[..len])), expected, "{len}");
        }
    }

    #[test]
    fn pieces_do_not_matter() {
        let bytes: Vec<u8> = (0..1000).map(|i| (i % 251) as u8).collect();
        for step in [1, 3, 64, 127, 128, 129, 500] {
            let mut hasher = Hasher::default();
            bytes.chunks(step).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), hash(&bytes), "{step}");
        }
    }

    const KNOWN: [(usize, &str); 6] = [
        (0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
        (1, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"),
        (127, "f2fe67ff342e21b8f45e8f2e0bcd1d9243245d50ee6c78042e9c491388791c72"),
        (128, "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1"),
        (129, "f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9"),
        (1000, "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331"),
    ];
}
