//! Reads everything back.

use std::time::Duration;

use futures::stream::{self, StreamExt};

use crate::client::{Client, Failure};
use crate::ledger::Entry;
use crate::options::Options;
use crate::patience::Patience;

/// How many questions are under way at once.
const SIDE_BY_SIDE: usize = 512;
/// For how long no answer at all may come.
const PATIENCE: Duration = Duration::from_mins(1);
/// How many lost writes are named.
const NAMED: usize = 10;

/// What was found in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) lost: u64,
    pub(crate) lost_ones: Vec<String>,
    pub(crate) strange: u64,
    pub(crate) unread: u64,
}

impl Verdict {
    fn lose(&mut self, what: String) {
        self.lost += 1;
        if self.lost_ones.len() < NAMED {
            self.lost_ones.push(what);
        }
    }

    fn of_entry(&mut self, entry: &Entry, found: Result<Vec<u64>, Failure>) {
        let Ok(found) = found else {
            self.unread += 1;
            return;
        };
        self.strange += u64::try_from(entry.strange(&found)).unwrap_or(u64::MAX);
        entry.lost(&found).into_iter().for_each(|number| self.lose(format!("{} {number}", entry.key)));
    }

    /// A loaded key is written once: it is as it was, or lost, or nobody's.
    fn of_bulk(&mut self, key: &str, value: &str, found: Result<Option<String>, Failure>) {
        match found {
            Err(_) => self.unread += 1,
            Ok(None) => self.lose(key.to_owned()),
            Ok(Some(found)) => self.strange += u64::from(found != value),
        }
    }
}

/// Keys that were there before everything else.
pub(crate) struct Bulk {
    count: usize,
}

impl Bulk {
    /// Keys as many as these, over all slots.
    pub(crate) async fn load(client: &Client, count: usize) -> Result<Self, Failure> {
        let patience = &Patience::of(PATIENCE);
        let write = |number| async move {
            let (key, value) = pair(number);
            patience
                .insist(|| {
                    let (mut client, key, value) = (client.clone(), key.clone(), value.clone());
                    async move { client.set(&key, &value).await }
                })
                .await
        };
        let mut written = stream::iter(0..count).map(write).buffer_unordered(SIDE_BY_SIDE);
        while let Some(result) = written.next().await {
            result?;
        }
        Ok(Self { count })
    }
}

fn pair(number: usize) -> (String, String) {
    (format!("bulk:{number}"), format!("{number:064}"))
}

/// Reads every key, as a client does that has just come.
pub(crate) async fn judge(options: &Options, entries: &[Entry], bulk: &Bulk) -> Verdict {
    let patience = &Patience::of(PATIENCE);
    let mut verdict = Verdict::default();
    let Ok(client) = patience.insist(|| Client::open(options)).await else {
        verdict.unread = u64::try_from(entries.len() + bulk.count).unwrap_or(u64::MAX);
        return verdict;
    };
    let client = &client;
    let read = |entry| async move { (entry, all(client, entry, patience).await) };
    let mut found = stream::iter(entries).map(read).buffer_unordered(SIDE_BY_SIDE);
    while let Some((entry, numbers)) = found.next().await {
        verdict.of_entry(entry, numbers);
    }
    let read = |number| async move { (pair(number), value(client, number, patience).await) };
    let mut found = stream::iter(0..bulk.count).map(read).buffer_unordered(SIDE_BY_SIDE);
    while let Some(((key, value), found)) = found.next().await {
        verdict.of_bulk(&key, &value, found);
    }
    verdict
}

async fn all(client: &Client, entry: &Entry, patience: &Patience) -> Result<Vec<u64>, Failure> {
    let read = || {
        let mut client = client.clone();
        async move { client.all(&entry.key).await }
    };
    patience.insist(read).await
}

async fn value(client: &Client, number: usize, patience: &Patience) -> Result<Option<String>, Failure> {
    let read = || {
        let mut client = client.clone();
        async move { client.get(&pair(number).0).await }
    };
    patience.insist(read).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_lost_and_named_and_what_cannot_be_read_is_neither_lost_nor_there() {
        let mut entry = Entry::of("key".to_owned());
        for _ in 0..3 {
            let number = entry.next();
            entry.acknowledge(number);
        }
        let mut verdict = Verdict::default();
        let silent = || Failure::new("timeout", "");
        verdict.of_entry(&entry, Ok(vec![1, 3, 9]));
        verdict.of_entry(&entry, Err(silent()));
        verdict.of_bulk("a", "x", Ok(None));
        verdict.of_bulk("b", "x", Ok(Some("y".to_owned())));
        verdict.of_bulk("c", "x", Err(silent()));
        verdict.of_bulk("d", "x", Ok(Some("x".to_owned())));
        let lost_ones = vec!["key 2".to_owned(), "a".to_owned()];
        assert_eq!(verdict, Verdict { lost: 2, lost_ones, strange: 2, unread: 2 });
    }
}
