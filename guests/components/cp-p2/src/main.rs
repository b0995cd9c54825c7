//! Reads and writes files in pieces, for the measurements of files: built for WASI 0.2 (cp-p2), for preview 1 (cp-p1)
//! and natively. Standard output says what was done, standard error the milliseconds that it took within the program.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str =
    "usage: cp-p2 write FILE TOTAL PIECE | cp-p2 read FILE PIECE | cp-p2 copy FROM TO PIECE
    (TOTAL and PIECE in bytes, or with k or m behind)";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let start = Instant::now();
    let result = match words[..] {
        ["write", file, total, piece] => {
            sizes(total, piece).and_then(|(total, piece)| write(file, total, piece))
        }
        ["read", file, piece] => sizes("0", piece).and_then(|(_, piece)| read(file, piece)),
        ["copy", from, to, piece] => sizes("0", piece).and_then(|(_, piece)| copy(from, to, piece)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(done) => {
            println!("{done}");
            eprintln!("{:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn sizes(total: &str, piece: &str) -> io::Result<(usize, usize)> {
    let size = |word: &str| {
        let (digits, unit) = match word.as_bytes().last() {
            Some(b'k') => (&word[..word.len() - 1], 1 << 10),
            Some(b'm') => (&word[..word.len() - 1], 1 << 20),
            _ => (word, 1),
        };
        digits.parse::<usize>().ok()?.checked_mul(unit)
    };
    match (size(total), size(piece)) {
        (Some(total), Some(piece)) if piece > 0 => Ok((total, piece)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn write(file: &str, total: usize, piece: usize) -> io::Result<String> {
    let mut file = File::create(file)?;
    let bytes: Vec<u8> =
        (0..piece).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut left = total;
    while left > 0 {
        let now = left.min(piece);
        file.write_all(&bytes[..now])?;
        left -= now;
    }
    Ok(format!("wrote {total} bytes"))
}

fn read(file: &str, piece: usize) -> io::Result<String> {
    let mut file = File::open(file)?;
    let mut bytes = vec![0; piece];
    let (mut total, mut sum) = (0, 0);
    loop {
        let read = file.read(&mut bytes)?;
        if read == 0 {
            return Ok(format!("read {total} bytes, checksum {sum:016x}"));
        }
        total += read;
        sum = checksum(sum, &bytes[..read]);
    }
}

fn copy(from: &str, to: &str, piece: usize) -> io::Result<String> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut bytes = vec![0; piece];
    let mut total = 0;
    loop {
        let read = from.read(&mut bytes)?;
        if read == 0 {
            return Ok(format!("copied {total} bytes"));
        }
        to.write_all(&bytes[..read])?;
        total += read;
    }
}

/// The sum of all bytes, the same for all sizes of pieces; it takes little of the time next to the reading.
fn checksum(sum: u64, bytes: &[u8]) -> u64 {
    let mut eights = bytes.chunks_exact(8);
    let mut sum = sum;
    for eight in &mut eights {
        let word = u64::from_le_bytes(eight.try_into().unwrap());
        let pairs = (word & 0x00ff_00ff_00ff_00ff) + (word >> 8 & 0x00ff_00ff_00ff_00ff);
        sum += pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48;
    }
    eights.remainder().iter().fold(sum, |sum, &byte| sum + u64::from(byte))
}
