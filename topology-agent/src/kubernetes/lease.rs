//! Who is at work: one agent at a time, by a Lease.
//!
//! The holder renews it every few seconds. It takes itself for the holder only until a moment that it reckons from before it sent its
//! last renewal, by a clock that does not jump; others wait longer than that after they have seen the renewal, by their own clocks. So no
//! two act at once, however late answers are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::api::{ApiError, bounded};

/// How long a lease holds that is not renewed.
const LENGTH: Duration = Duration::from_secs(15);
/// How long its holder acts on it: a little less.
const TRUSTED: Duration = Duration::from_secs(12);
/// How often it is renewed, and looked at by others; time that an answer takes is part of it.
const PAUSE: Duration = Duration::from_secs(2);
/// At least between an answer and the next request.
const SOON: Duration = Duration::from_millis(200);

/// Whether this agent is the one at work.
#[derive(Debug, Clone, Default)]
pub struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
    changed: Arc<Notify>,
}

impl Leadership {
    /// That of somebody who never leads, as a command that changes nothing.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Whether it is right now. Asked before everything that changes anything.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// Waits until it is not: what it was begun by is then broken off.
    pub async fn lost(&self) {
        while self.holds() {
            sleep(SOON).await;
        }
    }

    /// Waits for it to begin or end.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn set(&self, until: Option<Instant>) {
        let before = self.holds();
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        if before != self.holds() {
            self.changed.notify_one();
        }
    }
}

/// Tries for the lease of this name, and keeps it, until `stop`; then gives it back.
pub async fn lead(client: Client, name: String, holder: String, leadership: Leadership, stop: Arc<Notify>) {
    let mut candidate = Candidate { leases: Api::default_namespaced(client), name, holder, ours: None, seen: None };
    loop {
        let asked = Instant::now();
        match candidate.try_for_it().await {
            Ok(until) => leadership.set(until),
            // What was held is held on to until its end.
            Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
        }
        tokio::select! {
            () = stop.notified() => break,
            () = sleep(PAUSE.saturating_sub(asked.elapsed()).max(SOON)) => {}
        }
    }
    if leadership.holds() {
        leadership.set(None);
        if let Err(error) = candidate.give_back().await {
            tracing::warn!(%error, "the lease could not be given back; it ends by itself");
        }
    }
}

struct Candidate {
    leases: Api<Lease>,
    name: String,
    holder: String,
    /// The lease as we wrote it last: renewed without being asked for, a slow API server costs half as much.
    ours: Option<Lease>,
    /// The version of somebody else's lease, and when it was first seen by our own clock.
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// Until when the lease is ours after this, if it is.
    async fn try_for_it(&mut self) -> Result<Option<Instant>, ApiError> {
        if let Some(ours) = self.ours.take() {
            return self.write(Some(ours)).await;
        }
        let Some(lease) = bounded(self.leases.get_opt(&self.name)).await? else {
            return self.write(None).await;
        };
        // It is as old as that at most, so that nobody is outwaited too early.
        if self.is_free(&lease, Instant::now()) { self.write(Some(lease)).await } else { Ok(None) }
    }

    /// Ours, given back, or unchanged for longer than its holder may act on it.
    fn is_free(&mut self, lease: &Lease, now: Instant) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        if holder.is_empty() || holder == self.holder {
            return true;
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => now.duration_since(*since) > LENGTH,
            Some(_) | None => {
                self.seen = Some((version, now));
                false
            }
        }
    }

    /// Writes our name into the lease, unless someone else was faster.
    async fn write(&mut self, lease: Option<Lease>) -> Result<Option<Instant>, ApiError> {
        let (asked, parameters, ours) = (Instant::now(), PostParams::default(), self.renewed(lease.as_ref()));
        let written = match &lease {
            None => bounded(self.leases.create(&parameters, &ours)).await,
            Some(_) => bounded(self.leases.replace(&self.name, &parameters, &ours)).await,
        };
        match written {
            Ok(written) => {
                self.ours = Some(written);
                Ok(Some(asked + TRUSTED))
            }
            Err(ApiError::Conflict | ApiError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn renewed(&self, lease: Option<&Lease>) -> Lease {
        let before = lease.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let renewal = before.holder_identity.as_deref() == Some(&self.holder);
        let now = MicroTime(Timestamp::now());
        let transitions = before.lease_transitions.unwrap_or_default() + i32::from(!renewal);
        let spec = LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(LENGTH.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| renewal).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..before
        };
        self.named(lease, spec)
    }

    fn named(&self, lease: Option<&Lease>, spec: LeaseSpec) -> Lease {
        let fresh = || ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        Lease { metadata: lease.map_or_else(fresh, |lease| lease.metadata.clone()), spec: Some(spec) }
    }

    async fn give_back(&self) -> Result<(), ApiError> {
        let Some(lease) = bounded(self.leases.get_opt(&self.name)).await? else { return Ok(()) };
        let spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref() != Some(&self.holder) {
            return Ok(());
        }
        let free = LeaseSpec { holder_identity: None, ..spec };
        bounded(self.leases.replace(&self.name, &PostParams::default(), &self.named(Some(&lease), free)))
            .await
            .map(drop)
    }
}
