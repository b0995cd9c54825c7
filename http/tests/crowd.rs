//! More connections than there is room for: thousands of idle ones, a loop that has no time for them, and a process that
//! may open no more files. The server is a process of its own, so that its memory, time and files are not the clients'.

mod common;

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Answer, config, connect, rest, start};
use lithe_http::server::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process of the server is told: numbers as in [`Orders`].
const ORDERS: &str = "LITHE_TEST_CROWD";

#[derive(Clone, Copy)]
struct Orders {
    /// How many files the process may open.
    files: u64,
    max_connections: usize,
    deadline_ms: u64,
    idle_ms: u64,
    /// How many of its files are left once it listens; 0 for all.
    spare: usize,
}

const USUAL: Orders =
    Orders { files: 1024, max_connections: 4096, deadline_ms: 10_000, idle_ms: 75_000, spare: 0 };

/// The process of the server. Without orders it is no test.
#[test]
fn child() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let numbers: Vec<u64> = orders.split(' ').map(|number| number.parse().unwrap()).collect();
    let &[files, max_connections, deadline, idle, spare] = &numbers[..] else { panic!("{orders}") };
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum }).unwrap();
    let server = start(Config {
        loops: 1,
        max_connections: max_connections.try_into().unwrap(),
        deadline: Some(Duration::from_millis(deadline)),
        idle_timeout: Duration::from_millis(idle),
        ..config()
    });
    // Now the loop is there, with what it needs.
    assert_eq!(server.get("/").status, 200);
    let mut held = Vec::new();
    if spare > 0 {
        while let Ok(file) = std::fs::File::open("/dev/null") {
            held.push(file);
        }
        held.truncate(held.len().saturating_sub(spare.try_into().unwrap()));
    }
    println!("\nserves {}", server.address);
    let _ = std::io::stdin().read_line(&mut String::new());
}

struct Crowded {
    process: Child,
    stdin: Option<ChildStdin>,
    /// Read no further, but open, as the process writes to it at its end.
    _stdout: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Crowded {
    fn start(orders: Orders) -> Crowded {
        let Orders { files, max_connections, deadline_ms, idle_ms, spare } = orders;
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(ORDERS, format!("{files} {max_connections} {deadline_ms} {idle_ms} {spare}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("serves ").map(|address| address.parse().unwrap()))
            .expect("the server tells its address");
        let stdin = process.stdin.take();
        let server = Crowded { process, stdin, _stdout: lines, address };
        server.alive();
        server
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).unwrap()
    }

    /// KiB of memory.
    fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// How much it computed, as far as the kernel tells.
    fn computed(&self) -> Duration {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// Asserts that it computes for at most a part of the time.
    fn rests(&self, during: Duration) {
        let before = self.computed();
        std::thread::sleep(during);
        let took = self.computed() - before;
        assert!(took < during / 3, "{took:?} of {during:?}");
    }

    /// Files that are open once answered connections are gone.
    fn quiet_files(&self) -> usize {
        let look = |_| {
            std::thread::sleep(Duration::from_millis(10));
            self.files()
        };
        (0..10).map(look).min().unwrap()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// How long it takes to answer.
    fn alive(&self) -> Duration {
        let began = Instant::now();
        let mut stream = self.ask("/");
        let answer = Answer::parse(&rest(&mut stream));
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello\n"));
        began.elapsed()
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = connect(self.address);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        stream
    }
}

impl Drop for Crowded {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}

/// Lets this process open as many files as it may, and says how many that are.
fn many_files() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = maximum.unwrap_or(1 << 20).min(1 << 20);
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum }).unwrap();
    limit
}

fn until(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Memory that an idle connection may cost, in KiB, of which the kernel's part is not counted.
const MAX_COST: u64 = 16;

#[test]
fn ten_thousand_idle_connections_cost_little_and_hold_nobody_up() {
    // Half of its files are for connections.
    let files = many_files();
    let count = 10_000.min(usize::try_from(files / 2).unwrap() - 100);
    let server = Crowded::start(Orders { files, max_connections: count + 50, ..USUAL });
    let (memory, open) = (server.memory(), server.quiet_files());
    let began = Instant::now();
    let idle: Vec<TcpStream> = (0..count).map(|_| connect(server.address)).collect();
    until("they are accepted", || server.files() >= open + count);
    let took = began.elapsed();
    let cost = (server.memory() - memory) as f64 / count as f64;
    println!("{count} connections in {took:?}, {cost:.1} KiB each");
    assert!(cost < MAX_COST as f64, "{cost} KiB");
    server.rests(Duration::from_millis(500));
    let slowest = (0..30).map(|_| server.alive()).max();
    println!("slowest answer of 30: {slowest:?}");
    assert!(slowest < Some(Duration::from_secs(1)), "{slowest:?}");
    // One connection too many costs one that is idle.
    let more: Vec<TcpStream> = (0..200).map(|_| connect(server.address)).collect();
    assert!(server.alive() < Duration::from_secs(1));
    assert!(server.files() <= open + count + 60, "{}", server.files());
    drop((idle, more));
    until("they are let go of", || server.files() < open + 10);
}

#[test]
fn idle_connections_end() {
    let server = Crowded::start(Orders { idle_ms: 700, ..USUAL });
    let open = server.quiet_files();
    let idle: Vec<TcpStream> = (0..300).map(|_| connect(server.address)).collect();
    until("they are accepted", || server.files() >= open + idle.len());
    let began = Instant::now();
    until("they end", || server.files() <= open);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.alive();
    drop(idle);
}

#[test]
fn a_loop_without_time_takes_no_more_connections_than_it_has_room_for() {
    let server = Crowded::start(Orders { max_connections: 20, deadline_ms: 1500, ..USUAL });
    let open = server.quiet_files();
    let mut computes = server.ask("/loop");
    std::thread::sleep(Duration::from_millis(100));
    let idle: Vec<TcpStream> = (0..400).map(|_| connect(server.address)).collect();
    std::thread::sleep(Duration::from_millis(300));
    // Those that it has, those that wait for it, and the one that is on its way.
    assert!(server.files() <= open + 20 + 128 + 4, "{} of {open}", server.files());
    assert_eq!(Answer::parse(&rest(&mut computes)).status, 504);
    server.alive();
    drop(idle);
}

#[test]
fn files_that_run_out_make_room_and_no_noise() {
    let server = Crowded::start(Orders { files: 200, spare: 6, ..USUAL });
    let open = server.quiet_files();
    // More idle ones than there are files: they end for others, be it one after the other.
    let idle: Vec<TcpStream> = (0..40).map(|_| connect(server.address)).collect();
    for _ in 0..3 {
        let took = server.alive();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    drop(idle);
    until("they are let go of", || server.files() <= open);
    // Busy ones do not, and whoever comes waits without making the server compute.
    let mut busy: Vec<TcpStream> = (0..6).map(|_| server.ask("/sleep?ms=1500")).collect();
    std::thread::sleep(Duration::from_millis(200));
    let others: Vec<TcpStream> = (0..20).map(|_| connect(server.address)).collect();
    server.rests(Duration::from_millis(800));
    for stream in &mut busy {
        assert_eq!(Answer::parse(&rest(stream)).status, 200);
    }
    drop(others);
    server.alive();
}
