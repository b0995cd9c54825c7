//! `lithe serve` from its first line to its end: a file that changes, a signal, and what was denied meanwhile.
#![cfg(feature = "http")]

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A server whose program is a file of its own.
struct Server {
    folder: PathBuf,
    process: Child,
    said: Lines<BufReader<ChildStderr>>,
    address: String,
}

fn component() -> Vec<u8> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/components/out");
    fs::read(guests.join("http-hello.wasm")).expect("it is committed")
}

impl Server {
    fn start(name: &str) -> Server {
        let folder =
            std::env::temp_dir().join(format!("lithe-serve-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("handler.wasm"), component()).expect("a file");
        let mut process = Command::new(env!("CARGO_BIN_EXE_lithe"))
            .args(["serve", "--watch", "--addr", "127.0.0.1:0", "--loops", "1", "handler.wasm"])
            .env("XDG_CACHE_HOME", &folder)
            .current_dir(&folder)
            .stderr(Stdio::piped())
            .spawn()
            .expect("lithe runs");
        let mut said = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let line = said.next().expect("a line").expect("a line");
        let address = line.trim_end_matches('/').rsplit('/').next().expect("an address").to_owned();
        Server { folder, process, said, address }
    }

    /// Another file takes the place of the program.
    fn replace(&self, bytes: &[u8]) {
        fs::write(self.folder.join("next"), bytes).expect("a file");
        fs::rename(self.folder.join("next"), self.folder.join("handler.wasm")).expect("a file");
    }

    /// Waits for a line with these words.
    fn says(&mut self, words: &str) {
        let found = self.said.by_ref().map_while(Result::ok).any(|line| line.contains(words));
        assert!(found, "the server ended without saying {words}");
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
            .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_file_that_changes_is_served_when_it_links() {
    let mut server = Server::start("watch");
    assert!(server.get("/").ends_with("hello\n"));
    server.replace(b"garbage");
    server.says("the program from before goes on serving");
    assert!(server.get("/").ends_with("hello\n"));
    // The same component with a custom section, which tells it apart.
    let next = [&component()[..], &[0, 2, 1, b'x']].concat();
    server.replace(&next);
    server.says("`handler.wasm` was loaded again");
    assert!(server.get("/").ends_with("hello\n"));
    // What the later program was denied is told as well.
    assert!(server.get("/fetch?url=http://192.0.2.1/").starts_with("HTTP/1.1 502"));
    let pid = Pid::from_raw(server.process.id().cast_signed()).expect("a process");
    kill_process(pid, Signal::TERM).expect("it is there");
    server.says("not granted");
    server.says("http request to 192.0.2.1:80, denied once; grant it with --http 192.0.2.1");
    assert_eq!(server.process.wait().expect("an end").code(), Some(0));
}
