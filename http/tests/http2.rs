//! HTTP/2 with prior knowledge, by hyper's client.

mod common;

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use common::{Running, config, start};
use http::{HeaderMap, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lithe_http::server::Config;
use tokio::runtime::Runtime;

type Sender = SendRequest<BoxBody<Bytes, Infallible>>;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn connect(server: &Running) -> Sender {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

fn get(path: &str) -> Request<BoxBody<Bytes, Infallible>> {
    Request::get(format!("http://test{path}")).body(Full::default().boxed()).unwrap()
}

#[test]
fn streams_are_answered_side_by_side() {
    let server = start(config());
    runtime().block_on(async {
        let sender = connect(&server).await;
        let mut tasks = Vec::new();
        for number in 0..50 {
            let mut sender = sender.clone();
            tasks.push(tokio::spawn(async move {
                let path = if number % 2 == 0 { "/sleep?ms=100" } else { "/headers" };
                let answer = sender.send_request(get(path)).await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap().to_bytes()
            }));
        }
        for (number, task) in tasks.into_iter().enumerate() {
            let wanted: &[u8] = match number % 2 {
                0 => b"slept 100 ms\n",
                _ => b"method GET\npath /headers\nscheme http\nauthority test\n",
            };
            assert_eq!(task.await.unwrap(), wanted);
        }
    });
}

#[test]
fn bodies_and_trailers_go_both_ways() {
    let server = start(config());
    runtime().block_on(async {
        let mut sender = connect(&server).await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", HeaderValue::from_static("yes"));
        let pieces = (0..40).map(|_| Ok(Frame::data(Bytes::from(vec![b'p'; 50_000]))));
        let frames: Vec<Result<_, Infallible>> =
            pieces.chain([Ok(Frame::trailers(trailers.clone()))]).collect();
        let stream = Frames(frames.into_iter());
        let body = BoxBody::new(StreamBody::new(stream));
        let request =
            Request::post("http://test/echo").header("trailer", "x-end").body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap();
        assert_eq!(body.trailers(), Some(&trailers));
        assert_eq!(body.to_bytes().len(), 2_000_000);
    });
}

/// An iterator as a stream.
struct Frames<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Frames<I> {
    type Item = I::Item;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[test]
fn half_a_body_resets_the_stream_and_no_other() {
    let server = start(config());
    runtime().block_on(async {
        let mut sender = connect(&server).await;
        for path in ["/half", "/half-trap"] {
            let answer = sender.send_request(get(path)).await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.into_body().collect().await.is_err(), "{path}");
        }
        assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    });
}

#[test]
fn a_stream_that_is_reset_ends_its_guest() {
    let server = start(Config { loops: 1, ..config() });
    runtime().block_on(async {
        let mut sender = connect(&server).await;
        let waiting = tokio::time::timeout(
            Duration::from_millis(200),
            sender.send_request(get("/sleep?ms=30000")),
        );
        assert!(waiting.await.is_err());
        let answer = sender.send_request(get("/big?bytes=100000000")).await.unwrap();
        drop(answer);
        for _ in 0..500 {
            if server.log.lock().unwrap().len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(server.log.lock().unwrap().len(), 2);
        assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    });
}

#[test]
fn a_request_names_one_host() {
    let server = start(config());
    runtime().block_on(async {
        let mut sender = connect(&server).await;
        for (host, status) in [("TEST", 200), ("other", 400)] {
            let mut request = get("/");
            request.headers_mut().insert("host", HeaderValue::from_static(host));
            assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{host}");
        }
    });
}

#[test]
fn heads_have_limits() {
    let server = start(Config { max_head: 16 << 10, ..config() });
    runtime().block_on(async {
        let mut sender = connect(&server).await;
        let mut request = get("/");
        request.headers_mut().insert("x", HeaderValue::try_from("a".repeat(17_000)).unwrap());
        let refused = sender.send_request(request).await;
        assert!(refused.is_err() || refused.unwrap().status() == 431);
        let mut sender = connect(&server).await;
        assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    });
}

#[test]
fn a_server_that_stops_finishes_streams() {
    let server = start(config());
    runtime().block_on(async {
        let mut sender = connect(&server).await;
        let answer = tokio::spawn(sender.send_request(get("/sleep?ms=400")));
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.handle.stop();
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "slept 400 ms\n");
    });
}
