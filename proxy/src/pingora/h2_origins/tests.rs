//! Connections whose other ends are servers in this process.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
    time::Instant,
};

use super::*;

const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A place with an origin that takes that many streams on a connection.
struct Origin {
    pool: Arc<Pool>,
    dialled: AtomicUsize,
    most: u32,
    ended: mpsc::UnboundedSender<()>,
}

impl Origin {
    /// Also what says that a connection has ended.
    fn new(most: u32) -> (Arc<Self>, mpsc::UnboundedReceiver<()>) {
        let (ended, ends) = mpsc::unbounded_channel();
        let origin = Self {
            pool: Arc::default(),
            dialled: AtomicUsize::new(0),
            most,
            ended,
        };
        (Arc::new(origin), ends)
    }

    async fn dial(&self) -> Result<Arc<Line>> {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let (near, far) = duplex(64 * 1024);
        tokio::spawn(serve(far, self.most, self.ended.clone()));
        Line::begin(near, &self.pool, KEEP_ALIVE, 1024).await
    }

    async fn place(&self) -> Place {
        let (place, _) = self.pool.place(|| self.dial()).await.unwrap();
        place
    }

    fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }
}

async fn serve(stream: DuplexStream, most: u32, ended: mpsc::UnboundedSender<()>) {
    let mut options = h2::server::Builder::new();
    options.max_concurrent_streams(most);
    let mut frames = options.handshake::<_, Bytes>(stream).await.unwrap();
    while let Some(Ok(_)) = frames.accept().await {}
    let _ = ended.send(());
}

#[tokio::test(start_paused = true)]
async fn a_connection_takes_as_many_as_the_origin_allows_and_there_are_so_many() {
    // CF-410
    let (origin, _ends) = Origin::new(2);
    let mut places = Vec::new();
    for n in 0..2 * MOST_LINES {
        places.push(origin.place().await);
        assert_eq!(origin.dialled(), n / 2 + 1);
        assert_eq!(places[n].reused, n % 2 == 1);
    }
    // Beyond that a call waits for one of them to end.
    let mut waiting = Box::pin(origin.place());
    let waited = timeout(Duration::from_secs(60), &mut waiting).await;
    assert!(waited.is_err());
    places.swap_remove(7);
    assert!(waiting.await.reused);
    assert_eq!(origin.dialled(), MOST_LINES);
}

#[tokio::test(start_paused = true)]
async fn one_connection_takes_no_more_than_its_windows_have_room_for() {
    // CF-410
    let (origin, _ends) = Origin::new(1_000);
    let mut places = Vec::new();
    for _ in 0..=MOST_STREAMS {
        places.push(origin.place().await);
    }
    assert_eq!(origin.dialled(), 2);
    assert_eq!(
        u64::from(CONNECTION_WINDOW),
        MOST_STREAMS as u64 * u64::from(STREAM_WINDOW)
    );
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_at_once_wait_for_one_connection() {
    // CF-410: how many streams there may be is not known when the second one asks
    let (origin, _ends) = Origin::new(100);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let origin = origin.clone();
        asking.spawn(async move { origin.place().await });
    }
    let places = asking.join_all().await;
    assert_eq!((places.len(), origin.dialled()), (20, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_one_that_is_used_is_not() {
    // CF-395
    let (origin, mut ends) = Origin::new(100);
    let place = origin.place().await;
    sleep(10 * KEEP_ALIVE).await;
    assert!(ends.try_recv().is_err());
    drop(place);
    let began = Instant::now();
    sleep(KEEP_ALIVE / 2).await;
    drop(origin.place().await);
    ends.recv().await.unwrap();
    assert_eq!(began.elapsed(), KEEP_ALIVE / 2 + KEEP_ALIVE);
    assert_eq!(origin.dialled(), 1);
    origin.place().await;
    assert_eq!(origin.dialled(), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_connect_leaves_it_to_the_next() {
    // CF-391
    let (origin, _ends) = Origin::new(100);
    let refused = || async { Error::e_explain(ErrorType::ConnectRefused, "nobody is there") };
    for _ in 0..2 {
        assert!(origin.pool.place(refused).await.is_err());
    }
    // Nor does one that is given up on the way keep others from it.
    let never = || std::future::pending();
    let given_up = timeout(Duration::from_secs(1), origin.pool.place(never));
    assert!(given_up.await.is_err());
    origin.place().await;
    assert_eq!(origin.dialled(), 1);
}
