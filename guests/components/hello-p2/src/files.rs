//! Files: everything is made in FOLDER/hello-scratch and removed again, except for FOLDER/hello-scratch/kept.txt.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime};

use crate::{hash, system};

/// Prints what a call came to; errors by their kind.
fn outcome<T>(what: &str, result: io::Result<T>) {
    match result {
        Ok(_) => println!("{what}: ok"),
        Err(error) => println!("{what}: {:?}", error.kind()),
    }
}

pub fn exercise(folder: &str) -> io::Result<()> {
    let root = format!("{folder}/hello-scratch");
    let at = |name: &str| format!("{root}/{name}");
    fs::create_dir(&root)?;
    outcome("create the folder again", fs::create_dir(&root));

    let data: Vec<u8> =
        (0..10_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let path = at("data.bin");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    for piece in data.chunks(777) {
        file.write_all(piece)?;
    }
    file.sync_all()?;
    println!("written: {} bytes, hash {:016x}", file.metadata()?.len(), hash(&data));

    println!("seek to 5000: {}", file.seek(SeekFrom::Start(5000))?);
    let mut piece = [0; 100];
    file.read_exact(&mut piece)?;
    println!(
        "100 bytes there: hash {:016x}, right: {}",
        hash(&piece),
        piece[..] == data[5000..5100]
    );
    println!("seek 50 back: {}", file.seek(SeekFrom::Current(-50))?);
    file.write_all(&[0xAA; 50])?;
    println!("seek to 10 before the end: {}", file.seek(SeekFrom::End(-10))?);
    let mut rest = Vec::new();
    println!("read to the end: {}", file.read_to_end(&mut rest)?);
    outcome(
        "seek before the start",
        file.seek(SeekFrom::Start(0)).and_then(|_| file.seek(SeekFrom::Current(-1))),
    );
    file.set_len(12_000)?;
    println!("longer: {}", file.metadata()?.len());
    file.set_len(6000)?;
    println!("shorter: {}", file.metadata()?.len());
    drop(file);
    let read = fs::read(&path)?;
    println!("read back: {} bytes, hash {:016x}", read.len(), hash(&read));

    let mut appended = OpenOptions::new().append(true).open(&path)?;
    appended.write_all(b"appended\n")?;
    drop(appended);
    println!("appended: {}", fs::metadata(&path)?.len());
    outcome("create what exists", OpenOptions::new().write(true).create_new(true).open(&path));
    outcome("write to what was opened for reading", File::open(&path)?.write_all(b"x"));
    println!("truncated: {}", File::create(&path)?.metadata()?.len());

    fs::write(at("kept.txt"), "this file stays\n")?;
    fs::write(at("grüße.txt"), "ünïcödé\n")?;
    println!("a name beyond ASCII: {:?}", fs::read_to_string(at("grüße.txt"))?);
    fs::create_dir_all(at("a/b/c"))?;
    fs::write(at("a/b/c/deep"), "deep")?;
    list(&root)?;
    println!("up and down: {:?}", fs::read_to_string(at("a/../a/./b/c/deep"))?);

    let time = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    let file = OpenOptions::new().write(true).open(at("kept.txt"))?;
    file.set_modified(time)?;
    drop(file);
    let metadata = fs::metadata(at("kept.txt"))?;
    println!(
        "kept.txt: {} bytes, a file: {}, time as set: {}",
        metadata.len(),
        metadata.is_file(),
        metadata.modified()? == time
    );
    println!("a: a folder: {}", fs::metadata(at("a"))?.is_dir());

    fs::rename(at("a/b/c/deep"), at("moved"))?;
    println!("moved: {:?}", fs::read_to_string(at("moved"))?);
    outcome("read it where it was", fs::read(at("a/b/c/deep")));
    fs::rename(at("moved"), at("grüße.txt"))?;
    println!("moved over a file: {:?}", fs::read_to_string(at("grüße.txt"))?);
    fs::hard_link(at("kept.txt"), at("hard"))?;
    println!("hard link: {:?}", fs::read_to_string(at("hard"))?);

    system::symlink("kept.txt", &at("soft"))?;
    println!(
        "soft link to {:?}: {:?}",
        fs::read_link(at("soft"))?,
        fs::read_to_string(at("soft"))?
    );
    println!("soft is a link: {}", fs::symlink_metadata(at("soft"))?.is_symlink());
    system::symlink("loop", &at("loop"))?;
    println!("read a link to itself: {}", fs::read(at("loop")).is_err());
    outcome(
        "read what a link to nothing names",
        system::symlink("nothing", &at("dangling")).and_then(|()| fs::read(at("dangling"))),
    );

    // The kinds of these two errors are the standard library's for the target.
    println!("remove a full folder: {}", fs::remove_dir(at("a")).is_ok());
    println!("remove a folder as a file: {}", fs::remove_file(at("a")).is_ok());
    outcome("open what is not there", File::open(at("missing")));
    outcome("open through a file", File::open(at("kept.txt/below")));
    outcome("list a file", fs::read_dir(at("kept.txt")));
    for name in ["data.bin", "grüße.txt", "hard", "soft", "loop", "dangling"] {
        fs::remove_file(at(name))?;
    }
    fs::remove_dir_all(at("a"))?;
    list(&root)
}

/// The names and kinds in a folder, sorted.
fn list(folder: &str) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = if entry.file_type()?.is_dir() { "/" } else { "" };
        names.push(format!("{}{kind}", entry.file_name().to_string_lossy()));
    }
    names.sort();
    println!("{} entries: {}", names.len(), names.join(" "));
    Ok(())
}
