//! Origins below HTTP: what goes over the wire is given byte by byte, and so is what came.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// One step of an answer.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Waits until the channel says true, or ends.
    Await(watch::Receiver<bool>),
    /// Says nothing more, until the other side hangs up.
    Hold,
}

impl Turn {
    /// Writes this text.
    pub fn send(text: &str) -> Self {
        Self::Send(text.as_bytes().to_vec())
    }
}

type Script = Arc<dyn Fn(usize) -> Vec<Turn> + Send + Sync>;

/// An origin that answers each request head with the turns of its script. Bodies of requests stay unread.
#[derive(Debug)]
pub struct RawOrigin {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<Vec<u8>>>>,
    count: watch::Receiver<usize>,
    accepted: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl RawOrigin {
    /// Starts an origin on a free port. The script is given the number of the request, from 1.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(script: impl Fn(usize) -> Vec<Turn> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port on the loopback interface");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let heads: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (counter, count) = watch::channel(0);
        let (accepts, accepted) = watch::channel(0);
        let state = (heads.clone(), Arc::new(counter), Arc::new(script) as Script);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepts.send_modify(|n| *n += 1);
                let (heads, counter, script) = state.clone();
                connections.spawn(async move { serve(stream, &heads, &counter, &script).await });
            }
        });
        Self {
            address,
            heads,
            count,
            accepted,
            task,
        }
    }

    /// Its URL, as a site file names it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many request heads it has received.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        *self.accepted.borrow()
    }

    /// Waits until it has received that many request heads.
    ///
    /// # Panics
    /// When the origin ends first.
    pub async fn received(&self, n: usize) {
        let mut count = self.count.clone();
        let reached = tokio::time::timeout(crate::PATIENCE, count.wait_for(|c| *c >= n)).await;
        reached
            .expect("the requests waited for arrive within a minute")
            .expect("the origin runs as long as its handle");
    }

    /// The request heads, as received.
    pub fn raw_heads(&self) -> Vec<Vec<u8>> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.clone()
    }

    /// The same as text.
    pub fn heads(&self) -> Vec<String> {
        let heads = self.raw_heads();
        let text = |head: &Vec<u8>| String::from_utf8_lossy(head).into_owned();
        heads.iter().map(text).collect()
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    heads: &Mutex<Vec<Vec<u8>>>,
    counter: &watch::Sender<usize>,
    script: &Script,
) {
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let end = loop {
            if let Some(end) = received.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut piece).await {
                Ok(n) if n > 0 => received.extend_from_slice(&piece[..n]),
                _ => return,
            }
        };
        let head: Vec<u8> = received.drain(..end).collect();
        heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(head);
        counter.send_modify(|n| *n += 1);
        let number = *counter.borrow();
        for turn in script(number) {
            match turn {
                Turn::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Turn::Close => return,
                Turn::Await(mut gate) => {
                    // A gate whose test has ended is open.
                    let _ = gate.wait_for(|open| *open).await;
                }
                Turn::Hold => {
                    while stream.read(&mut piece).await.is_ok_and(|n| n > 0) {}
                    return;
                }
            }
        }
    }
}
