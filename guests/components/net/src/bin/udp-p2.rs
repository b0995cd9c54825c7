//! `udp-p2 client ADDRESS TEXT` sends a datagram and prints the one that comes back; `connected-client` does so with a
//! connected socket. `udp-p2 server ADDRESS [DATAGRAMS]` prints where it listens and sends back each datagram (1).

use std::env;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    net::end(match words[..] {
        ["client", address, text] => client(address, text, false),
        ["connected-client", address, text] => client(address, text, true),
        ["server", address] => server(address, "1"),
        ["server", address, datagrams] => server(address, datagrams),
        _ => {
            eprintln!(
                "usage: udp-p2 [connected-]client ADDRESS TEXT | udp-p2 server ADDRESS [DATAGRAMS]"
            );
            return ExitCode::from(2);
        }
    })
}

fn client(address: &str, text: &str, connected: bool) -> io::Result<()> {
    let to: SocketAddr = address.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    let mut answer = vec![0; 65536];
    let (length, from) = if connected {
        socket.connect(to)?;
        socket.send(text.as_bytes())?;
        (socket.recv(&mut answer)?, socket.peer_addr()?)
    } else {
        socket.send_to(text.as_bytes(), to)?;
        socket.recv_from(&mut answer)?
    };
    println!("received {length} bytes from {from}: {}", String::from_utf8_lossy(&answer[..length]));
    Ok(())
}

fn server(address: &str, datagrams: &str) -> io::Result<()> {
    let datagrams: usize = datagrams.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    let socket = UdpSocket::bind(address)?;
    println!("listening on {}", socket.local_addr()?);
    let mut bytes = vec![0; 65536];
    for _ in 0..datagrams {
        let (length, from) = socket.recv_from(&mut bytes)?;
        let sent = socket.send_to(&bytes[..length], from)?;
        println!("sent {sent} bytes back to {}", from.ip());
    }
    Ok(())
}
