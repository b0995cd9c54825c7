//! Requests of guests: what they may reach, what they get, and which connections they use. The other servers are threads
//! with raw sockets here.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Answer, Running, config, engine, program_of, start_with, wasm};
use lithe_http::Roots;
use lithe_http::server::Config;
use lithe_wasi::{Denials, Grants, NetPolicy};

/// Another server: what each of its connections does.
struct Other {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

fn other(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Other {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let connections = Arc::new(AtomicUsize::new(0));
    let (count, serve) = (connections.clone(), Arc::new(serve));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    Other { address, connections }
}

/// Reads the head of a request, and its body when it has a length; nothing at the end.
fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let mut body = Vec::new();
    let lower = head.to_lowercase();
    if let Some(length) = lower.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        body.resize(length.parse().unwrap(), 0);
        reader.read_exact(&mut body).ok()?;
    } else if lower.contains("transfer-encoding: chunked") {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let mut piece = vec![0; usize::from_str_radix(line.trim(), 16).unwrap() + 2];
            reader.read_exact(&mut piece).ok()?;
            if piece.len() == 2 {
                break;
            }
            body.extend_from_slice(&piece[..piece.len() - 2]);
        }
    }
    Some((head, body))
}

/// Answers every request with what it was.
fn mirror(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((head, body)) = request(&mut reader) {
        let text = format!("{head}\n{}", String::from_utf8_lossy(&body));
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Answers one request with these bytes, then ends.
fn says(answer: &'static str) -> impl Fn(TcpStream) + Send + Sync {
    move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        request(&mut reader);
        let _ = stream.write_all(answer.as_bytes());
    }
}

fn granted(rules: &[String]) -> (Running, Denials) {
    let mut grants = Grants::new();
    for rule in rules {
        grants = grants.http(rule.parse().unwrap());
    }
    let denials = grants.denials();
    let config = Config { loops: 1, ..config() };
    (start_with(config, program_of(&engine(), &wasm(), grants)), denials)
}

fn to(other: &Other) -> (Running, Denials) {
    granted(&[other.address.to_string()])
}

fn fetch(server: &Running, url: &str) -> Answer {
    server.get(&format!("/fetch?url={url}"))
}

#[test]
fn requests_are_made_and_connections_kept() {
    let other = other(mirror);
    let (server, _) = to(&other);
    let url = format!("http://{}/path?query", other.address);
    for _ in 0..5 {
        let answer = fetch(&server, &url);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text().to_lowercase();
        assert!(text.starts_with("get /path?query http/1.1\r\n"), "{text}");
        assert!(text.contains(&format!("host: {}\r\n", other.address)), "{text}");
    }
    assert_eq!(other.connections.load(Ordering::SeqCst), 1);
    let body = "b".repeat(200_000);
    let answer = server.ask("POST", &format!("/fetch?method=POST&url={url}"), "", body.as_bytes());
    assert!(answer.text().ends_with(&body));
    assert_eq!(answer.status, 200);
}

#[test]
fn a_kept_connection_that_was_closed_costs_no_request() {
    let other = other(|stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        request(&mut reader);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
    });
    let (server, _) = to(&other);
    for _ in 0..10 {
        let answer = fetch(&server, &format!("http://{}/", other.address));
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    }
}

#[test]
fn kept_connections_are_limited_however_many_servers_there_are() {
    // Every address of 127.0.0.0/8 leads here.
    let open = Arc::new(AtomicUsize::new(0));
    let count = open.clone();
    let other = other(move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        mirror(stream);
        count.fetch_sub(1, Ordering::SeqCst);
    });
    let port = other.address.port();
    let grants = Grants::new().network(NetPolicy::default().allow_http_everywhere());
    let config = Config { loops: 1, ..config() };
    let server = start_with(config, program_of(&engine(), &wasm(), grants));
    for number in 0..300 {
        let url = format!("http://127.0.{}.{}:{port}/", number / 100, number % 100 + 1);
        assert_eq!(fetch(&server, &url).status, 200);
    }
    let until = Instant::now() + Duration::from_secs(10);
    while open.load(Ordering::SeqCst) > 256 {
        assert!(Instant::now() < until, "{}", open.load(Ordering::SeqCst));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(other.connections.load(Ordering::SeqCst), 300);
}

#[test]
fn nothing_is_reached_that_is_not_granted() {
    let other = other(mirror);
    let port = other.address.port();
    let (server, denials) = granted(&[]);
    let answer = fetch(&server, &format!("http://127.0.0.1:{port}/"));
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("HttpRequestDenied"), "{}", answer.text());
    let flag = format!("--http 127.0.0.1:{port}");
    assert!(denials.list().iter().any(|denial| denial.grant.as_ref() == Some(&flag)));

    // Wildcards grant the Internet, not what is behind the firewall; and an address has many names.
    let (server, _) = granted(&[format!("*:{port}")]);
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "169.254.169.254",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "granted.com@127.0.0.1",
        "127.0.0.1%2f",
        "127.0.0.1%00",
    ] {
        let answer = fetch(&server, &format!("http://{host}:{port}/").replace('%', "%25"));
        assert_eq!(answer.status, 502, "{host}: {}", answer.text());
        let text = answer.text();
        // Not every resolver knows what `localhost.` is.
        let refused =
            ["HttpRequestDenied", "DestinationIpProhibited", "authority was refused", "DnsError"];
        assert!(refused.iter().any(|word| text.contains(word)), "{host}: {text}");
    }
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);

    // The grant of one port is none of another.
    let (server, _) = granted(&["127.0.0.1:1".into()]);
    assert_eq!(fetch(&server, &format!("http://127.0.0.1:{port}/")).status, 502);
    // A name that is granted by itself may lead anywhere.
    let (server, _) = granted(&[format!("localhost:{port}")]);
    assert_eq!(fetch(&server, &format!("http://localhost:{port}/")).status, 200);
}

#[test]
fn redirects_are_the_guests_business() {
    let other = other(says(
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
    ));
    let (server, _) = to(&other);
    let answer = fetch(&server, &format!("http://{}/", other.address));
    assert_eq!(answer.status, 302);
    assert!(answer.head.contains("location: http://169.254.169.254/"), "{}", answer.head);
}

#[test]
fn failures_have_their_codes() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = other(|stream| {
        std::thread::sleep(Duration::from_secs(20));
        drop(stream);
    });
    let rude = other(drop);
    let garbage = other(says("I am not HTTP\r\n\r\n"));
    let headers: &str =
        Box::leak(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(5000)).into());
    let bomb = other(says(headers));
    let bytes: &str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)).into());
    let large = other(says(bytes));
    let rules =
        [refused, silent.address, rude.address, garbage.address, bomb.address, large.address];
    let (server, _) = granted(&rules.map(|address| address.to_string()));
    for (address, code) in [
        (refused, "ConnectionRefused"),
        (silent.address, "HttpResponseTimeout"),
        (rude.address, "Connection"),
        (garbage.address, "HttpProtocolError"),
        (bomb.address, "HttpResponseHeaderSectionSize"),
        (large.address, "HttpResponseHeaderSectionSize"),
    ] {
        let began = Instant::now();
        let answer = fetch(&server, &format!("http://{address}/&timeout=300"));
        assert!(began.elapsed() < Duration::from_secs(5), "{code}: {:?}", began.elapsed());
        assert_eq!(answer.status, 502, "{code}");
        assert!(answer.text().contains(code), "{code}: {}", answer.text());
    }
    // A name that there is not; without a network it cannot even be asked for.
    let (server, _) = granted(&["no-such-host.invalid".into()]);
    let answer = fetch(&server, "http://no-such-host.invalid/");
    assert!(answer.text().contains("DnsError"), "{}", answer.text());
}

#[test]
fn half_an_answer_is_none() {
    let half = other(says("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"));
    let (server, _) = to(&half);
    let answer = fetch(&server, &format!("http://{}/", half.address));
    assert!(!answer.whole);
    let pause = other(|mut stream| {
        request(&mut BufReader::new(stream.try_clone().unwrap()));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        std::thread::sleep(Duration::from_secs(20));
    });
    let (server, _) = to(&pause);
    let began = Instant::now();
    let answer = fetch(&server, &format!("http://{}/&timeout=300", pause.address));
    let took = began.elapsed();
    assert!(!answer.whole && took < Duration::from_secs(5), "{took:?} {answer:?}");
}

#[test]
fn a_guest_that_is_gone_makes_no_more_requests() {
    let (ended, end) = std::sync::mpsc::channel();
    let ended = std::sync::Mutex::new(ended);
    let other = other(move |mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = ended.lock().unwrap().send(());
    });
    let (server, _) = to(&other);
    let mut client = server.connect();
    write!(client, "GET /fetch?url=http://{}/ HTTP/1.1\r\nhost: t\r\n\r\n", other.address).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    drop(client);
    end.recv_timeout(Duration::from_secs(10)).unwrap();
}

/// A server with TLS that answers with what it was asked, by HTTP/1.1 or HTTP/2.
fn secure(protocols: &[&[u8]]) -> SocketAddr {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
    let certificate = CertificateDer::from(&include_bytes!("data/localhost.cert.der")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("data/localhost.key.der")[..]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from(key))
        .unwrap();
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper::service::service_fn(
                        |request: http::Request<hyper::body::Incoming>| async move {
                            let text = format!("{:?} {}", request.version(), request.uri());
                            let body = http_body_util::Full::new(bytes::Bytes::from(text));
                            Ok::<_, std::convert::Infallible>(http::Response::new(body))
                        },
                    );
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let executor = hyper_util::rt::TokioExecutor::new();
                    let builder = hyper_util::server::conn::auto::Builder::new(executor);
                    let _ = builder.serve_connection(io, service).await;
                });
            }
        });
    });
    address
}

#[test]
fn requests_are_secured_and_certificates_verified() {
    let both = secure(&[b"h2", b"http/1.1"]);
    let old = secure(&[b"http/1.1"]);
    let serve = |trusted: bool| {
        let roots = match trusted {
            true => Roots::new([include_bytes!("data/localhost.cert.der").to_vec()]),
            false => Roots::default(),
        };
        let mut grants = Grants::new();
        for rule in [format!("localhost:{}", both.port()), old.to_string()] {
            grants = grants.http(rule.parse().unwrap());
        }
        let config = Config { loops: 1, roots, ..config() };
        start_with(config, program_of(&engine(), &wasm(), grants))
    };
    let server = serve(true);
    let url = format!("https://localhost:{}/a?b", both.port());
    for _ in 0..3 {
        let answer = fetch(&server, &url);
        let wanted = format!("HTTP/2.0 https://localhost:{}/a?b", both.port());
        assert_eq!((answer.status, answer.text()), (200, wanted));
    }
    let answer = fetch(&server, &format!("https://{old}/"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "HTTP/1.1 /"));
    // Nobody vouches for it.
    let server = serve(false);
    let answer = fetch(&server, &url);
    assert!(answer.text().contains("TlsCertificateError"), "{}", answer.text());
}

#[test]
fn a_client_may_have_a_thread_of_its_own() {
    // As for programs that are run, not served.
    let other = other(mirror);
    let grants = Grants::new().http(other.address.to_string().parse().unwrap());
    let program = common::program_with_own_client(&engine(), &wasm(), grants);
    let server = start_with(config(), program);
    for _ in 0..3 {
        assert_eq!(fetch(&server, &format!("http://{}/", other.address)).status, 200);
    }
    assert_eq!(other.connections.load(Ordering::SeqCst), 1);
}
