//! A program reaches the hosts and ports that its policy names, and is reached where it says; nothing else leaves the
//! sandbox, whichever way it is tried.
#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes the snapshots")]

mod addresses;
mod clients;
mod datagrams;
mod fetched;
mod host_network;
mod internet;
mod listening;
mod names;
mod native;
mod refused;
mod tls;
mod unix;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A server of the host that answers every request with `hello from outside`.
struct Server {
    address: SocketAddr,
}

impl Server {
    fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a port of the loopback device");
        let address = listener.local_addr().expect("it is bound");
        // Ends with the test's process: nobody can say before that nobody will connect any more.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Self { address }
    }

    fn new() -> Self {
        Self::at("127.0.0.1:0")
    }

    fn port(&self) -> u16 {
        self.address.port()
    }
}

fn serve(mut stream: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        if request.split(' ').nth(1)? == "/end" {
            return None;
        }
        let text = "hello from outside";
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).ok()?;
    }
}
