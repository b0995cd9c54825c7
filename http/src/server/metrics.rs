//! Figures about the server in the text format of Prometheus. Each event loop has its own, which are added up when they
//! are asked for. Invariant: nothing that a client chooses becomes a label.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::request::ServerBody;

/// Upper bounds of the latencies that are counted together, in microseconds.
const BOUNDS: [u64; 13] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000,
    10_000_000,
];
/// Connections that ask for figures at a time.
const MAX_READERS: usize = 16;

/// Figures of an event loop.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Answers by the first digit of their status; those to clients that went away are number 0.
    statuses: [AtomicU64; 6],
    latencies: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) instances: AtomicU64,
    pub(super) traps: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) received: Arc<AtomicU64>,
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Metrics {
    pub(super) fn request(&self, status: Option<u16>, duration: Duration, bytes: u64) {
        let class = usize::from(status.unwrap_or(0) / 100);
        if let Some(counter) = self.statuses.get(class) {
            add(counter, 1);
        }
        let microseconds = duration.as_micros().try_into().unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < microseconds);
        if let Some(counter) = self.latencies.get(bucket) {
            add(counter, 1);
        }
        add(&self.microseconds, microseconds);
        add(&self.sent, bytes);
    }
}

/// The figures of all event loops as text.
fn text(all: &[Arc<Metrics>]) -> String {
    let mut text = String::new();
    let sum = |figure: &dyn Fn(&Metrics) -> &AtomicU64| -> u64 {
        all.iter().map(|metrics| figure(metrics).load(Ordering::Relaxed)).sum()
    };
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Strings take everything.
        let _ = text.write_fmt(line);
        text.push('\n');
    };
    line(format_args!("# HELP lithe_requests_total Requests by the class of their status."));
    line(format_args!("# TYPE lithe_requests_total counter"));
    for (class, name) in ["none", "1xx", "2xx", "3xx", "4xx", "5xx"].iter().enumerate() {
        let count = sum(&|metrics| &metrics.statuses[class]);
        line(format_args!("lithe_requests_total{{status=\"{name}\"}} {count}"));
    }
    line(format_args!("# HELP lithe_request_seconds From the head of a request to its end."));
    line(format_args!("# TYPE lithe_request_seconds histogram"));
    let mut count = 0;
    for (bucket, bound) in BOUNDS.iter().enumerate() {
        count += sum(&|metrics| &metrics.latencies[bucket]);
        let seconds = *bound as f64 / 1e6;
        line(format_args!("lithe_request_seconds_bucket{{le=\"{seconds}\"}} {count}"));
    }
    count += sum(&|metrics| &metrics.latencies[BOUNDS.len()]);
    line(format_args!("lithe_request_seconds_bucket{{le=\"+Inf\"}} {count}"));
    let seconds = sum(&|metrics| &metrics.microseconds) as f64 / 1e6;
    line(format_args!("lithe_request_seconds_sum {seconds}"));
    line(format_args!("lithe_request_seconds_count {count}"));
    type Figure = fn(&Metrics) -> &AtomicU64;
    let rows: [(&str, &str, &str, Figure); 6] = [
        ("lithe_requests_in_flight", "gauge", "Requests under way.", |m| &m.in_flight),
        ("lithe_connections", "gauge", "Connections that are open.", |m| &m.connections),
        ("lithe_instances_total", "counter", "Instances that were made.", |m| &m.instances),
        ("lithe_guest_errors_total", "counter", "Guests that trapped or failed.", |m| &m.traps),
        ("lithe_response_bytes_total", "counter", "Bytes of bodies sent.", |m| &m.sent),
        ("lithe_request_bytes_total", "counter", "Bytes of bodies received.", |m| &m.received),
    ];
    for (name, kind, help, figure) in rows {
        line(format_args!("# HELP {name} {help}"));
        line(format_args!("# TYPE {name} {kind}"));
        line(format_args!("{name} {}", sum(&figure)));
    }
    text
}

fn answer(all: &[Arc<Metrics>], request: &Request<Incoming>) -> Response<ServerBody> {
    let found = request.uri().path() == "/metrics" || request.uri().path() == "/";
    let text = if found { text(all) } else { "the figures are at /metrics\n".into() };
    let mut response = Response::new(ServerBody::text(Bytes::from(text)));
    if !found {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Answers whoever wants the figures.
pub(super) async fn serve(listener: TcpListener, all: Vec<Arc<Metrics>>) {
    let all = Arc::new(all);
    // Every reader holds one of these.
    let readers = Arc::new(tokio::sync::Semaphore::new(MAX_READERS));
    loop {
        let Ok(reader) = readers.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let all = all.clone();
        spawn_local(async move {
            let _reader = reader;
            let service = service_fn(|request| {
                let response = answer(&all, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
            let connection =
                builder.keep_alive(false).serve_connection(TokioIo::new(stream), service);
            // A reader that went away needs no figures.
            drop(tokio::time::timeout(Duration::from_secs(20), connection).await);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_added_up() {
        let all = [Arc::new(Metrics::default()), Arc::new(Metrics::default())];
        all[0].request(Some(200), Duration::from_micros(300), 6);
        all[1].request(Some(204), Duration::from_secs(60), 0);
        all[1].request(None, Duration::ZERO, 0);
        let text = text(&all);
        for line in [
            "lithe_requests_total{status=\"2xx\"} 2",
            "lithe_requests_total{status=\"none\"} 1",
            "lithe_request_seconds_bucket{le=\"0.0001\"} 1",
            "lithe_request_seconds_bucket{le=\"0.0005\"} 2",
            "lithe_request_seconds_bucket{le=\"+Inf\"} 3",
            "lithe_request_seconds_count 3",
            "lithe_request_seconds_sum 60.0003",
            "lithe_response_bytes_total 6",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
