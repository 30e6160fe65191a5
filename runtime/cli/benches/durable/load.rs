//! A client that costs little: one request after the other on each connection, over plain sockets.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How hard to press.
pub struct Load {
    /// Keep-alive connections, each waiting for its answer before it asks again.
    pub connections: usize,
    /// For how long.
    pub duration: Duration,
}

impl Load {
    /// Sends the request over and over; how many were answered with 200.
    pub fn run(&self, address: &str, request: &str) -> std::result::Result<usize, Box<dyn Error>> {
        // One thread: the client shares the cores with what it measures.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answered = runtime.block_on(async {
            let until = Instant::now() + self.duration;
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..self.connections {
                tasks.spawn(one_connection(address.to_owned(), request.to_owned(), until));
            }
            let mut answered = 0;
            while let Some(result) = tasks.join_next().await {
                answered += result.map_err(|error| error.to_string())??;
            }
            Ok::<usize, Box<dyn Error + Send + Sync>>(answered)
        });
        answered.map_err(|error| error.to_string().into())
    }
}

async fn one_connection(address: String, request: String, until: Instant) -> Result<usize> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    let mut answered = 0;
    while Instant::now() < until {
        stream.write_all(request.as_bytes()).await?;
        read_answer(&mut stream, &mut buffer).await?;
        answered += 1;
    }
    Ok(answered)
}

/// Reads one whole answer, whose status must be 200.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server hung up".into());
        }
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .unwrap_or("0");
        let length: usize = length.trim().parse()?;
        if buffer.len() >= head + 4 + length {
            if !text.starts_with("http/1.1 200") {
                return Err(String::from_utf8_lossy(buffer).into());
            }
            return Ok(());
        }
    }
}
