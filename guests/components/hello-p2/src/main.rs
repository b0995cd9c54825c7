//! A command that uses what `wasi:cli` commands use, and prints what it saw. Nothing that differs between machines or
//! runs (times, sizes of folders, order of entries, random bytes) is printed, so that outputs can be compared with each
//! other, with those of the native build, and with the `.expected` files in ../out.

mod files;
mod system;

use std::env;
use std::io::{self, BufWriter, Read, Write};
use std::process::{ExitCode, exit};
use std::time::{Duration, Instant, SystemTime};

const USAGE: &str = "usage: hello-p2 [args ... | env | cat | clock | random | files FOLDER | big BYTES | stderr TEXT
    | exit CODE | exit-with-code CODE | fail | panic | all FOLDER ...]";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words[..] {
        [] => {
            println!("hello");
            Ok(())
        }
        ["args", ..] => arguments(&words[1..]),
        ["env"] => environment(),
        ["cat"] => cat(),
        ["clock"] => clock(),
        ["random"] => random(),
        ["files", folder] => files::exercise(folder),
        ["big", bytes] => big(bytes),
        ["stderr", text] => {
            eprintln!("{text}");
            Ok(())
        }
        ["exit", code] => exit(code.parse().unwrap_or(2)),
        ["exit-with-code", code] => system::exit_with_code(code.parse().unwrap_or(2)),
        ["fail"] => return ExitCode::FAILURE,
        ["panic"] => panic!("asked for"),
        ["all", folder, ..] => all(folder, &words[2..]),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {:?}", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn all(folder: &str, words: &[&str]) -> io::Result<()> {
    arguments(words)?;
    environment()?;
    input()?;
    clock()?;
    random()?;
    files::exercise(folder)
}

fn arguments(words: &[&str]) -> io::Result<()> {
    println!("{} arguments", words.len());
    for word in words {
        println!("argument {word:?}");
    }
    Ok(())
}

/// Only those that a test sets: an interpreter's or shell's own are different everywhere.
fn environment() -> io::Result<()> {
    let mut variables: Vec<_> =
        env::vars().filter(|(name, _)| name.starts_with("HELLO_")).collect();
    variables.sort();
    println!("{} variables", variables.len());
    for (name, value) in variables {
        println!("variable {name}={value:?}");
    }
    Ok(())
}

/// Standard input as it is.
fn cat() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::stdout().lock()).map(drop)
}

/// Facts of standard input.
fn input() -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    println!("input: {} bytes, {lines} lines, hash {:016x}", bytes.len(), hash(&bytes));
    Ok(())
}

fn clock() -> io::Result<()> {
    let (start, wall) = (Instant::now(), SystemTime::now());
    println!(
        "the year is after 2020: {}",
        wall > SystemTime::UNIX_EPOCH + Duration::from_secs(1_609_459_200)
    );
    std::thread::sleep(Duration::from_millis(20));
    println!("slept 20 ms: {}", start.elapsed() >= Duration::from_millis(20));
    println!("the wall clock goes on: {}", SystemTime::now() > wall);
    Ok(())
}

fn random() -> io::Result<()> {
    let (one, two) = (system::random(64)?, system::random(64)?);
    println!("random bytes: {} and {}, equal: {}", one.len(), two.len(), one == two);
    Ok(())
}

/// So many bytes of numbered lines.
fn big(bytes: &str) -> io::Result<()> {
    let mut left = bytes.parse::<usize>().map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut out = BufWriter::with_capacity(32 << 10, io::stdout().lock());
    for number in 0u64.. {
        let line = format!("line {number:010} of a big output, sixty-four bytes with its end..\n");
        let now = line.len().min(left);
        out.write_all(&line.as_bytes()[..now])?;
        left -= now;
        if left == 0 {
            break;
        }
    }
    out.flush()
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
