//! `dns-p2 NAME` prints the addresses of a name, sorted, one a line.

use std::env;
use std::net::ToSocketAddrs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(name) = env::args().nth(1) else {
        eprintln!("usage: dns-p2 NAME");
        return ExitCode::from(2);
    };
    net::end((name.as_str(), 80).to_socket_addrs().map(|found| {
        let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
        addresses.sort();
        addresses.dedup();
        for address in addresses {
            println!("{address}");
        }
    }))
}
