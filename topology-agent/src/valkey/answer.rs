//! All that is asked of one server in a look.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::{join, try_join4};
use planner::{Link, NodeId, Ordinal, Role, Row, Server, SlotSet, Time};
use spec::names;

use super::connection::Connection;
use super::info::Info;
use super::jobs::Exports;
use super::reply::{AskError, Reply, pairs};
use super::settings::canonical;
use super::table::Table;

/// A replica that has confirmed nothing for so many seconds does not follow right now. Replicas confirm once a second.
const MOST_LAG: u64 = 3;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What it says of all nodes.
    pub rows: Vec<Row>,
    /// What it says of itself. Which opinion it holds, and its stray keys, are left open.
    pub server: Server,
    /// What nobody decides by, but people watch.
    pub gauges: Gauges,
}

/// What people watch of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Commands in a second.
    pub operations: u64,
    /// Connected clients.
    pub clients: u64,
    /// Keys evicted since it started.
    pub evicted: u64,
    /// Seconds since a replica heard of its primary; none for a primary.
    pub lag: Option<u64>,
    /// Bytes that it has yet to send for the migrations under way; none where there are none, or it does not say.
    pub migration: Option<u64>,
    /// Seconds until the certificate that it shows ends; none where it does not say.
    pub certificate: Option<i64>,
}

/// Asks a server all that a look needs, side by side. Of `settings`, the names tell what to ask for, and the values how to spell
/// what means the same.
///
/// # Errors
/// The server does not answer, or says what no Valkey says.
pub async fn ask_all(
    connection: &Connection,
    settings: &BTreeMap<String, String>,
    pod_of: impl Fn(&str) -> Option<Ordinal>,
    now: Time,
) -> Result<Answer, AskError> {
    let directives: Vec<&str> = ["GET", "io-threads"].into_iter().chain(settings.keys().map(String::as_str)).collect();
    let asked = try_join4(
        connection.ask("INFO", &[]),
        connection.ask("CLUSTER", &["NODES"]),
        connection.ask("CLUSTER", &["INFO"]),
        connection.ask("CONFIG", &directives),
    );
    let (asked, migrations) = join(asked, connection.ask("CLUSTER", &["GETSLOTMIGRATIONS"])).await;
    let (info, nodes, cluster, config) = asked?;
    let table = Table::read(&nodes.text("CLUSTER NODES")?, pod_of)
        .map_err(|odd| AskError::Odd { command: "CLUSTER NODES", what: odd.to_string() })?;
    let heard = Heard {
        info: Info::read(&info.text("INFO")?),
        cluster: Info::read(&cluster.text("CLUSTER INFO")?),
        config: pairs(config.list("CONFIG GET")?).collect(),
        exports: known(migrations)?.map(Exports::read).transpose()?.unwrap_or_default(),
        table,
    };
    heard.answer(settings, now)
}

/// Series before 9.0 refuse the command.
fn known(reply: Result<Reply, AskError>) -> Result<Option<Reply>, AskError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(AskError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Heard {
    info: Info,
    cluster: Info,
    config: BTreeMap<String, String>,
    exports: Exports,
    table: Table,
}

impl Heard {
    fn answer(self, settings: &BTreeMap<String, String>, now: Time) -> Result<Answer, AskError> {
        if self.info.get("loading") == Some("1") {
            return Err(AskError::Loading);
        }
        let role =
            self.table.own().and_then(|row| row.role).ok_or_else(|| odd("a replica of a node unknown to itself"))?;
        let server = Server {
            id: self.table.myself,
            version: self.info.version().ok_or_else(|| odd("no version of Valkey"))?,
            opinion: 0,
            role,
            epoch: self.cluster.number("cluster_current_epoch").ok_or_else(|| odd("no epoch"))?,
            history: self.info.get("master_replid").and_then(|id| id.parse().ok()).ok_or_else(|| odd("no history"))?,
            offset: self.offset(role).ok_or_else(|| odd("no offset"))?,
            link: self.link(role, now),
            followers: self.followers(role),
            paused: self.info.get("paused_actions").is_some_and(|actions| actions != "none"),
            refuses: self.cluster.get("cluster_state") != Some("ok"),
            disk_fails: self.disk_fails(),
            keys: self.info.over_databases("keys"),
            strays: SlotSet::EMPTY,
            open: self.table.open.clone(),
            jobs: self.exports.jobs.clone(),
            memory: self.info.number("used_memory").unwrap_or_default(),
            max_memory: self.info.number("maxmemory").filter(|bytes| *bytes > 0),
            io_threads: self.config.get("io-threads").and_then(|threads| threads.parse().ok()).unwrap_or(1),
            field_expiry: self.info.over_databases("keys_with_volatile_items") > 0,
            settings: Arc::new(self.settings(settings)),
        };
        Ok(Answer { gauges: self.gauges(role), rows: self.table.rows, server })
    }

    /// A snapshot that could not be written stops writes only where somebody asked for that, as is the default.
    fn disk_fails(&self) -> bool {
        let failed = |name| self.info.get(name) == Some("err");
        failed("aof_last_write_status") || failed("rdb_last_bgsave_status")
    }

    fn offset(&self, role: Role) -> Option<u64> {
        match role {
            Role::Primary => self.info.number("master_repl_offset"),
            // Before its first sync, a replica gives none.
            Role::Replica(_) => self.info.number("slave_repl_offset").or(Some(0)),
        }
    }

    fn link(&self, role: Role, now: Time) -> Link {
        let is = |name, value| self.info.get(name) == Some(value);
        let down: Option<u64> = self.info.number("master_link_down_since_seconds");
        match role {
            Role::Primary => Link::Never,
            Role::Replica(_) if is("master_link_status", "up") => Link::Up,
            Role::Replica(_) if is("master_sync_in_progress", "1") => Link::Syncing,
            Role::Replica(_) => {
                down.map_or(Link::Never, |seconds| Link::Down(Time(now.0.saturating_sub(seconds.saturating_mul(1000)))))
            }
        }
    }

    /// A primary lists its replicas by address; the table says who that is.
    fn followers(&self, role: Role) -> BTreeSet<NodeId> {
        if role != Role::Primary {
            return BTreeSet::new();
        }
        let follows = Some(Role::Replica(self.table.myself));
        let id_at = |address: IpAddr| {
            self.table.rows.iter().find(|row| row.address == Some(address) && row.role == follows).map(|row| row.id)
        };
        let in_sync = |replica: &BTreeMap<&str, &str>| {
            let lag = replica.get("lag").and_then(|lag| lag.parse::<u64>().ok());
            replica.get("state") == Some(&"online") && lag.is_some_and(|lag| lag <= MOST_LAG)
        };
        let addresses = self.info.replicas().filter(in_sync).filter_map(|replica| replica.get("ip")?.parse().ok());
        addresses.filter_map(id_at).collect()
    }

    fn settings(&self, wanted: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let series = self.info.version().map(|version| version.series);
        let spelled = |name: &String, reported: &String, wanted: &str| match series {
            Some(series) => canonical(series, name, wanted, reported),
            None => Some(reported.clone()),
        };
        // Its node time-out is left alone until it serves: see how slots are added.
        let is_ok = self.cluster.get("cluster_state") == Some("ok");
        let reported = self.config.iter().filter(|(name, _)| is_ok || *name != names::NODE_TIMEOUT);
        let both = reported.filter_map(|(name, reported)| Some((name, reported, wanted.get(name)?)));
        both.filter_map(|(name, reported, wanted)| Some((name.clone(), spelled(name, reported, wanted)?))).collect()
    }

    fn gauges(&self, role: Role) -> Gauges {
        let number = |name| self.info.number(name).unwrap_or_default();
        let down: Option<u64> = self.info.number("master_link_down_since_seconds");
        Gauges {
            operations: number("instantaneous_ops_per_sec"),
            clients: number("connected_clients"),
            evicted: number("evicted_keys"),
            lag: match role {
                Role::Primary => None,
                Role::Replica(_) => down.or_else(|| self.info.number("master_last_io_seconds_ago")),
            },
            migration: self.exports.remaining,
            certificate: self.info.number("tls_server_cert_expires_in_seconds"),
        }
    }
}

fn odd(what: &str) -> AskError {
    AskError::Odd { command: "INFO", what: what.to_owned() }
}
