//! `tcp-p2 client ADDRESS TEXT` sends the text, closes its side and prints all that comes back. `tcp-p2 server ADDRESS
//! [CONNECTIONS]` prints where it listens (port 0 is any) and sends back what each of its connections (1) sends.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    net::end(match words[..] {
        ["client", address, text] => client(address, text),
        ["server", address] => server(address, "1"),
        ["server", address, connections] => server(address, connections),
        _ => {
            eprintln!("usage: tcp-p2 client ADDRESS TEXT | tcp-p2 server ADDRESS [CONNECTIONS]");
            return ExitCode::from(2);
        }
    })
}

fn client(address: &str, text: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    println!("connected to {}", stream.peer_addr()?);
    stream.set_nodelay(true)?;
    println!("no delay: {}", stream.nodelay()?);
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("received {} bytes: {answer}", answer.len());
    Ok(())
}

fn server(address: &str, connections: &str) -> io::Result<()> {
    let connections: usize = connections.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for _ in 0..connections {
        let (mut stream, peer) = listener.accept()?;
        println!("accepted one from {}", peer.ip());
        let mut bytes = [0; 4096];
        let mut total = 0;
        loop {
            let read = stream.read(&mut bytes)?;
            if read == 0 {
                break;
            }
            stream.write_all(&bytes[..read])?;
            total += read;
        }
        println!("sent back {total} bytes");
    }
    Ok(())
}
