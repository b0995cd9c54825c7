//! A server with the handler `http-hello` and raw clients, for the tests. Invariant: a server is stopped when its test
//! ends, and no client waits for ever.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lithe::{Engine, Store};
use lithe_component::{Component, Linker};
use lithe_http::server::{Config, Handle, Program, Serve, Server};
use lithe_http::{Http, HttpView};
use lithe_wasi::p2::{P2, View};
use lithe_wasi::{Ctx, Grants};

/// The data of a guest.
pub struct Data {
    pub p2: P2,
    pub http: Http,
}

impl View for Data {
    fn p2(&mut self) -> &mut P2 {
        &mut self.p2
    }
}

impl HttpView for Data {
    fn http(&mut self) -> &mut Http {
        &mut self.http
    }
}

/// The engines that there are.
pub fn engines() -> Vec<Engine> {
    let strategies = [
        lithe::Strategy::Interpreter,
        #[cfg(feature = "native")]
        lithe::Strategy::Native,
    ];
    strategies
        .into_iter()
        .map(|strategy| Engine::new(&lithe::Config::new().strategy(strategy)))
        .collect()
}

/// The interpreter.
pub fn engine() -> Engine {
    engines().remove(0)
}

pub fn wasm() -> Vec<u8> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    std::fs::read(manifest.join("../guests/components/out/http-hello.wasm")).unwrap()
}

pub fn program_of(engine: &Engine, component: &[u8], grants: Grants) -> Arc<dyn Serve> {
    program(engine, component, grants, None)
}

/// A program whose requests are made by a thread of their own.
pub fn program_with_own_client(
    engine: &Engine,
    component: &[u8],
    grants: Grants,
) -> Arc<dyn Serve> {
    program_with_http(engine, component, grants, Http::default())
}

/// A program whose requests are made by this client.
pub fn program_with_http(
    engine: &Engine,
    component: &[u8],
    grants: Grants,
    http: Http,
) -> Arc<dyn Serve> {
    program(engine, component, grants, Some(http))
}

fn program(
    engine: &Engine,
    component: &[u8],
    grants: Grants,
    http: Option<Http>,
) -> Arc<dyn Serve> {
    let component = Component::new(engine, component).unwrap();
    let mut linker = Linker::<Data>::new(engine);
    lithe_wasi::p2::add_to_linker(&mut linker).unwrap();
    lithe_http::add_to_linker(&mut linker).unwrap();
    let pre = linker.link(&component).unwrap();
    let engine = engine.clone();
    let store = move |guest: lithe_http::server::Guest| {
        let ctx = Ctx::new(grants.clone()).map_err(lithe::Error::host)?;
        let p2 = P2::with_waiter(ctx, guest.waiter);
        Ok(Store::new(&engine, Data { p2, http: http.clone().unwrap_or(guest.http) }))
    };
    Arc::new(Program::new(&component, pre, store).unwrap())
}

/// A server in a thread.
pub struct Running {
    pub address: SocketAddr,
    pub metrics: Option<SocketAddr>,
    pub handle: Handle,
    pub log: Arc<Mutex<Vec<String>>>,
    pub errors: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

/// Small and quick.
pub fn config() -> Config {
    Config {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        loops: 2,
        grace: Duration::from_secs(5),
        signals: false,
        ..Config::default()
    }
}

pub fn start(config: Config) -> Running {
    start_with(config, program_of(&engine(), &wasm(), Grants::new()))
}

pub fn start_with(mut config: Config, program: Arc<dyn Serve>) -> Running {
    let log = Arc::<Mutex<Vec<String>>>::default();
    let errors = Arc::<Mutex<Vec<String>>>::default();
    let (lines, reports) = (log.clone(), errors.clone());
    config.log = Some(Arc::new(move |access| lines.lock().unwrap().push(access.to_string())));
    config.errors = Some(Arc::new(move |report| reports.lock().unwrap().push(report.to_string())));
    let server = Server::bind(config, program).unwrap();
    let (address, metrics, handle) = (server.address(), server.metrics_address(), server.handle());
    let thread = Some(std::thread::spawn(move || server.run().unwrap()));
    Running { address, metrics, handle, log, errors, thread }
}

impl Running {
    /// Stops it gracefully.
    pub fn stop(mut self) {
        self.handle.stop();
        self.thread.take().unwrap().join().unwrap();
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    /// One request on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let length = match body.is_empty() {
            true => String::new(),
            false => format!("content-length: {}\r\n", body.len()),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\n{length}{headers}connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let all = std::thread::scope(|scope| {
            // The server may have answered before it read everything.
            scope.spawn(move || drop(stream.write_all(body)));
            rest(&mut reader)
        });
        Answer::parse(&all)
    }

    /// What was reported of guests, joined.
    pub fn reports(&self) -> String {
        self.errors.lock().unwrap().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.handle.stop();
            self.handle.stop();
            let _ = thread.join();
        }
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Everything until the connection ends.
pub fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset ends it too.
    let _ = stream.read_to_end(&mut all);
    all
}

/// An answer in parts. The body is without its coding.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether the body is whole, as far as that can be told.
    pub whole: bool,
    pub trailers: String,
}

impl Answer {
    pub fn parse(all: &[u8]) -> Answer {
        let end = all.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else { panic!("no answer: {:?}", String::from_utf8_lossy(all)) };
        let head = String::from_utf8_lossy(&all[..end + 2]).to_lowercase();
        let status = head[9..12].parse().unwrap();
        let raw = &all[end + 4..];
        let field = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
        };
        let (mut body, mut whole, mut trailers) = (raw.to_vec(), true, String::new());
        if field("transfer-encoding").is_some() {
            (body, whole, trailers) = dechunk(raw);
        } else if let Some(length) = field("content-length") {
            whole = raw.len() == length.parse::<usize>().unwrap();
        }
        Answer { status, head, body, whole, trailers }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool, String) {
    let mut body = Vec::new();
    loop {
        let Some(line) = raw.windows(2).position(|window| window == b"\r\n") else {
            return (body, false, String::new());
        };
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..line]).unwrap(), 16).unwrap();
        raw = &raw[line + 2..];
        if size == 0 {
            return (body, raw.ends_with(b"\r\n"), String::from_utf8_lossy(raw).into_owned());
        }
        if raw.len() < size + 2 {
            body.extend_from_slice(&raw[..raw.len().min(size)]);
            return (body, false, String::new());
        }
        body.extend_from_slice(&raw[..size]);
        raw = &raw[size + 2..];
    }
}
