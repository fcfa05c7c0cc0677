//! Writers and readers, side by side, until the end.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::{join, join_all, try_join_all};
use redis::RedisError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use crate::client::{Client, Failure};
use crate::count::{Count, millis};
use crate::judge::{Bulk, Verdict, judge};
use crate::ledger::{Entry, Reading};
use crate::options::Options;
use crate::patience::Patience;
use crate::report::{Report, ShardGap};
use crate::slots::{Ranges, has, shards, slot_of};

/// How long servers may take to let us in.
const BEGINNING: Duration = Duration::from_secs(10);
/// How far back a reading looks.
const TAIL: i64 = 16;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The library does not take what it is told.
    #[error(transparent)]
    Setup(#[from] RedisError),
    /// The cluster does not let us begin.
    #[error("cannot begin: {0}")]
    Begin(String),
    /// Signals cannot be listened to.
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Begin(failure.to_string())
    }
}

/// What writers and readers share.
struct Scene<'a> {
    options: &'a Options,
    begun: Instant,
    over: Cell<bool>,
    count: RefCell<Count>,
    books: Vec<Book>,
}

/// The keys of one writer, all of them in the slots of one shard.
struct Book {
    shard: usize,
    entries: RefCell<Vec<Entry>>,
}

impl Book {
    /// Keys whose names begin alike, each in one of the slots.
    fn of(writer: usize, shard: usize, ranges: &Ranges, options: &Options) -> Self {
        let names = (0_u32..).map(|number| format!("{}:{writer}:{number}", options.prefix));
        let fit = names.filter(|name| has(ranges, slot_of(name))).take(options.keys);
        Self { shard, entries: RefCell::new(fit.map(Entry::of).collect()) }
    }

    /// The key and the number of the write with this turn.
    fn next(&self, turn: usize) -> Option<(usize, String, u64)> {
        let mut entries = self.entries.borrow_mut();
        let index = turn % entries.len().max(1);
        entries.get_mut(index).map(|entry| (index, entry.key.clone(), entry.next()))
    }

    fn acknowledge(&self, index: usize, number: u64) {
        self.entries.borrow_mut().get_mut(index).into_iter().for_each(|entry| entry.acknowledge(number));
    }
}

/// Watches until told to end; says when it has begun.
///
/// # Errors
/// It could not begin.
pub async fn watch(options: &Options, begun: impl FnOnce()) -> Result<Report, Error> {
    let open = || async { Patience::of(BEGINNING).insist(|| Client::open(options)).await };
    let mut client = open().await?;
    let shards = shards(&client.slots().await?);
    if shards.is_empty() {
        return Err(Error::Begin("no server has slots".to_owned()));
    }
    let bulk = Bulk::load(&client, options.load).await?;
    let writers = options.writers.max(shards.len());
    let clients = try_join_all((0..writers + options.readers).map(|_| open())).await?;
    let assigned = (0..writers).zip(shards.iter().enumerate().cycle());
    let books = assigned.map(|(writer, (shard, ranges))| Book::of(writer, shard, ranges, options)).collect();
    let scene = Scene {
        options,
        begun: Instant::now(),
        over: Cell::new(false),
        count: RefCell::new(Count::of(shards.len())),
        books,
    };
    begun();
    let end = scene.play(clients).await?;
    let entries: Vec<Entry> = scene.books.into_iter().flat_map(|book| book.entries.into_inner()).collect();
    let verdict = judge(options, &entries, &bulk).await;
    Ok(report(scene.count.into_inner(), verdict, &shards, end))
}

impl Scene<'_> {
    /// Plays until told to end; tells when that was.
    async fn play(&self, clients: Vec<Client>) -> Result<Duration, Error> {
        let mut clients = clients.into_iter();
        let writers = self.books.iter().enumerate().zip(clients.by_ref());
        let writers = join_all(writers.map(|((number, book), client)| self.write(number, book, client)));
        let readers = join_all(clients.enumerate().map(|(number, client)| self.read(number, client)));
        let end = async {
            told_to_end(self.options.seconds).await?;
            self.over.set(true);
            Ok(self.begun.elapsed())
        };
        let (end, _) = join(end, join(writers, readers)).await;
        end
    }

    /// Pauses so that writers take turns.
    fn pauses(&self, number: usize) -> tokio::time::Interval {
        let pause = self.options.pause();
        let share = u32::try_from(number).unwrap_or_default();
        let first = self.begun + pause / u32::try_from(self.books.len()).unwrap_or(u32::MAX) * share;
        let mut pauses = interval_at(first, pause);
        pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pauses
    }

    async fn write(&self, number: usize, book: &Book, mut client: Client) {
        let mut pauses = self.pauses(number);
        for turn in 0.. {
            pauses.tick().await;
            if self.over.get() {
                return;
            }
            self.renew(&mut client).await;
            let Some((index, key, number)) = book.next(turn) else { return };
            match client.append(&key, number, self.options.wait).await {
                Ok(()) => {
                    book.acknowledge(index, number);
                    self.count.borrow_mut().success(book.shard, self.begun.elapsed());
                }
                Err(failure) => self.count.borrow_mut().error(&failure.kind),
            }
        }
    }

    async fn read(&self, number: usize, mut client: Client) {
        let mut pauses = self.pauses(number);
        for turn in number.. {
            pauses.tick().await;
            if self.over.get() {
                return;
            }
            self.renew(&mut client).await;
            let Some(book) = self.books.get(turn % self.books.len()) else { return };
            match self.look(book, turn / self.books.len(), &mut client).await {
                Ok(reading) => self.count.borrow_mut().reading(reading),
                Err(failure) => self.count.borrow_mut().error(&failure.kind),
            }
        }
    }

    async fn look(&self, book: &Book, turn: usize, client: &mut Client) -> Result<Reading, Failure> {
        let index = turn % self.options.keys.max(1);
        let asked = book.entries.borrow().get(index).map(|entry| (entry.key.clone(), entry.latest()));
        let Some((key, before)) = asked else { return Ok(Reading::Right) };
        let found = client.latest(&key, TAIL).await?;
        let entries = book.entries.borrow();
        Ok(entries.get(index).map_or(Reading::Right, |entry| entry.judge(before, &found)))
    }

    /// A client whose password is another by now begins anew; where no server takes the new one yet, it goes on with the old one.
    async fn renew(&self, client: &mut Client) {
        if client.is_outdated(self.options)
            && let Ok(fresh) = Client::open(self.options).await
        {
            *client = fresh;
        }
    }
}

/// By a signal, or by the time that has passed.
async fn told_to_end(seconds: Option<u64>) -> Result<(), Error> {
    let mut terminated = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let passed = async {
        match seconds {
            Some(seconds) => sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = passed => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}

fn report(count: Count, verdict: Verdict, shards: &[Ranges], end: Duration) -> Report {
    let name = |ranges: &Ranges| {
        let each: Vec<String> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        each.join(" ")
    };
    let gaps = shards.iter().zip(&count.shards);
    Report {
        millis: millis(end),
        acknowledged: count.acknowledged,
        lost: verdict.lost,
        lost_ones: verdict.lost_ones,
        unread: verdict.unread,
        reads: count.reads,
        stale: count.stale,
        wrong: count.wrong + verdict.strange,
        rate: count.rate(end),
        overall: count.overall.close(end),
        shards: gaps.map(|(ranges, pause)| ShardGap { slots: name(ranges), gap: pause.clone().close(end) }).collect(),
        errors: count.errors,
    }
}
