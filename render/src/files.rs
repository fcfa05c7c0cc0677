//! The texts that the servers' ConfigMap carries: `valkey.conf`, what changes live, and the scripts.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde::Serialize;
use spec::{Auth, Cluster, Series, Tls, names};

use crate::error::Error;
use crate::lines::lines;
use crate::templates;

/// How long a primary that lost its keys stays away. Others take it for failed after the node time-out of five seconds, and have elected
/// a replica within three seconds more; as much again is left for a slow machine.
const TAKEOVER_SECONDS: u32 = 15;
/// How long a planned failover may hold writes.
const MANUAL_FAILOVER_TIMEOUT_MS: u32 = 5000;
/// How long a stopping server waits for its replicas to catch up.
const SHUTDOWN_TIMEOUT_SECONDS: u32 = 10;
/// How long the stop script waits for a planned failover.
const FAILOVER_WAIT_SECONDS: u32 = MANUAL_FAILOVER_TIMEOUT_MS / 1000 + 1;
/// How often the stop script looks whether it is over.
const TRIES_PER_SECOND: u32 = 10;
/// What the steps of a stop may take besides their waits.
const STOP_MARGIN_SECONDS: u32 = 14;
/// A slow disk writes so much of a snapshot in a second.
const SLOW_DISK_BYTES_PER_SECOND: u64 = 20 << 20;
/// How often a server looks for a renewed certificate.
const CERTIFICATE_RELOAD_SECONDS: u32 = 10;

/// The texts, by the key under which the ConfigMap carries each.
#[derive(Debug, Clone)]
pub(crate) struct Files(BTreeMap<String, String>);

/// What the text templates see: strings in Valkey's own words.
#[derive(Debug, Serialize)]
struct FileContext {
    client_port: u16,
    manual_failover_timeout_ms: Option<u32>,
    failover_tries: u32,
    takeover_seconds: u32,
    shutdown_timeout_seconds: u32,
    shutdown_on_sigterm: &'static str,
    tls: Option<TlsFiles>,
    auth: bool,
    append_only: &'static str,
    max_memory_percent: Option<u8>,
    nodes_domain: String,
    directives: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TlsFiles {
    reload_seconds: Option<u32>,
}

/// The texts for a cluster.
pub(crate) fn render(cluster: &Cluster) -> Result<Files, Error> {
    let seen = |directives| Value::from(Serde(FileContext::of(cluster, directives)));
    let restarting = seen(cluster.config.restarting_lines().collect());
    let live_lines = cluster.live_directives().into_iter().map(|(directive, value)| directive.line(&value));
    let live = seen(live_lines.collect());
    let text = |name: &str| {
        let context = if name == "live.conf" { &live } else { &restarting };
        templates::render(name, context.clone()).map(|text| (name.to_owned(), text))
    };
    templates::FILES.iter().map(|(name, _)| text(name)).collect::<Result<_, _>>().map(Files)
}

/// How long Kubernetes waits between telling a pod to stop and killing it: the planned failover of the stop script, the wait for
/// replicas, and the last snapshot, where that is all there is on disk.
pub(crate) fn grace_seconds(cluster: &Cluster) -> u64 {
    let base = u64::from(FAILOVER_WAIT_SECONDS + SHUTDOWN_TIMEOUT_SECONDS + STOP_MARGIN_SECONDS);
    let snapshot = match (saves_at_stop(cluster), cluster.max_memory()) {
        (false, _) => 0,
        (true, Some(bytes)) => bytes.div_ceil(SLOW_DISK_BYTES_PER_SECOND),
        (true, None) => 600,
    };
    base + snapshot
}

/// A log is complete at every moment; where there is none, a snapshot is written at the end.
const fn saves_at_stop(cluster: &Cluster) -> bool {
    !cluster.persistence.append_only && cluster.persistence.keeps_keys()
}

impl Files {
    /// Changes when, and only when, a running server has to be restarted to have what is in the texts.
    pub(crate) fn restart_hash(&self) -> String {
        let texts = ["valkey.conf", "start.sh"].map(|name| self.0.get(name).map_or("", String::as_str));
        let all = texts.into_iter().flat_map(lines).map(str::trim);
        let counted = all.filter(|line| !line.is_empty() && !line.starts_with('#'));
        spec::digest(counted.flat_map(|line| [line, "\n"]).collect::<String>())
    }

    /// The data of the ConfigMap.
    pub(crate) fn into_data(self) -> BTreeMap<String, String> {
        self.0
    }
}

impl FileContext {
    fn of(cluster: &Cluster, directives: Vec<String>) -> Self {
        let series = cluster.version.series;
        Self {
            client_port: names::CLIENT_PORT,
            manual_failover_timeout_ms: (series >= Series::V8_1).then_some(MANUAL_FAILOVER_TIMEOUT_MS),
            failover_tries: FAILOVER_WAIT_SECONDS * TRIES_PER_SECOND,
            takeover_seconds: TAKEOVER_SECONDS,
            shutdown_timeout_seconds: SHUTDOWN_TIMEOUT_SECONDS,
            shutdown_on_sigterm: shutdown_on_sigterm(cluster),
            tls: TlsFiles::of(&cluster.tls, series),
            auth: cluster.auth != Auth::Disabled,
            append_only: yes_or_no(cluster.persistence.append_only),
            max_memory_percent: cluster.resources.memory_limit().map(|_| cluster.max_memory_percent),
            nodes_domain: names::nodes_domain(cluster),
            directives,
        }
    }
}

impl TlsFiles {
    fn of(tls: &Tls, series: Series) -> Option<Self> {
        let reload = Self { reload_seconds: (series >= Series::V9_1).then_some(CERTIFICATE_RELOAD_SECONDS) };
        (*tls != Tls::Disabled).then_some(reload)
    }
}

const fn shutdown_on_sigterm(cluster: &Cluster) -> &'static str {
    let can_fail_over = matches!(cluster.version.series, Series::V9_0 | Series::V9_1);
    match (saves_at_stop(cluster), can_fail_over) {
        (true, true) => "save failover",
        (true, false) => "save",
        (false, true) => "nosave failover",
        (false, false) => "nosave",
    }
}

const fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
