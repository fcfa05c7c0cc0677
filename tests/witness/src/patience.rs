//! Trying again, with a bound.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::client::Failure;

/// Between two tries of the same.
const PAUSE: Duration = Duration::from_millis(100);

/// Lasts as long as something succeeds: many keys on a slow machine take longer than a cluster that is gone is waited for.
pub(crate) struct Patience {
    span: Duration,
    end: Cell<Instant>,
}

impl Patience {
    /// For so long nothing may succeed.
    pub(crate) fn of(span: Duration) -> Self {
        Self { span, end: Cell::new(Instant::now() + span) }
    }

    /// Tries until it succeeds, or until nothing has succeeded for too long.
    pub(crate) async fn insist<T, F>(&self, again: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        while Instant::now() < self.end.get() {
            if let Ok(Ok(success)) = timeout_at(self.end.get(), again()).await {
                self.end.set(Instant::now() + self.span);
                return Ok(success);
            }
            sleep(PAUSE).await;
        }
        Err(Failure::new("timeout", "nothing is answered any more"))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn it_lasts_for_as_long_as_something_succeeds_and_ends_when_nothing_does() {
        let span = Duration::from_secs(2);
        let patience = Patience::of(span);
        for _ in 0..2 {
            sleep(span * 3 / 5).await;
            assert_eq!(patience.insist(|| ready(Ok(()))).await, Ok(()));
        }
        let begun = Instant::now();
        assert!(patience.insist(pending::<Result<(), Failure>>).await.is_err());
        assert!(begun.elapsed() >= span);
        let refused = || ready(Err::<(), _>(Failure::new("refused", "")));
        assert!(patience.insist(refused).await.is_err());
    }
}
