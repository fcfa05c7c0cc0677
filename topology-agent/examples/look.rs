//! How long one look at 200 nodes takes, and how much memory the agent then has. The answers are simulated, over real connections:
//! another process listens on 200 addresses of this machine and says what servers of a cluster of that size say.
//!
//! ```text
//! look           measures
//! look serve     answers
//! ```

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use agent::access::Access;
use agent::agent::now;
use agent::kubernetes::PodFacts;
use agent::look::Servers;
use agent::route::Route;
use planner::{Desired, Labels, Ordinal, Place, Pod, Sight, Template, Time};
use spec::{Cluster, names};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const NODES: u32 = 200;
const LOOKS: u32 = 20;

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        _ => measure(),
    }
}

fn cluster() -> Result<Cluster, Failure> {
    let spec = format!(
        "{{apiVersion: valkey-gitops.dev/v1alpha1, kind: ValkeyCluster, metadata: {{name: large, namespace: default}}, \
         spec: {{version: '9.1', shards: {}, tls: {{disabled: true}}, auth: {{disabled: true}}}}}}",
        NODES / 2
    );
    let read = spec::read(&spec, None).map_err(|problems| format!("{problems:?}"))?;
    Ok(read.into_iter().next().ok_or("no cluster")?.cluster)
}

fn address(node: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 77, 1, 0).to_bits() + node)
}

/// The other process, which ends with this one.
struct Simulation(Child);

impl Drop for Simulation {
    fn drop(&mut self) {
        drop(self.0.kill());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure() -> Result<(), Failure> {
    let mut child = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let ready = child.stdout.take().ok_or("no output")?;
    let _simulation = Simulation(child);
    BufReader::new(ready).read_line(&mut String::new())?;
    let cluster = cluster()?;
    let desired = Desired::of(&cluster);
    let mut servers = Servers::by(Route::Straight);
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let begun = Instant::now();
        let pods = (0..NODES).map(facts).collect();
        let look = servers.look(&cluster, &desired, &Access::default(), NODES, pods, now()).await;
        assert_eq!(look.view.servers().count(), 200, "{:?}", look.failures);
        times.push(begun.elapsed().as_millis());
    }
    let first = times.first().copied().unwrap_or_default();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    print(&format!(
        "one look at {NODES} nodes: {median} ms, the first {first} ms (to reach: 1000), {} MiB (to reach: 80)",
        resident_mebibytes()?
    ));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "what the program is for")]
fn print(line: &str) {
    println!("{line}");
}

fn resident_mebibytes() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse::<u64>()? / 1024)
}

fn facts(node: u32) -> PodFacts {
    let pod = Pod {
        uid: Arc::from(node.to_string()),
        template: Template::Current,
        place: Place::default(),
        address: Some(IpAddr::V4(address(node))),
        unready: None,
        answered: Time(0),
        terminating: false,
        labels: Labels::default(),
        volume: None,
        memory_limit: None,
        sight: Sight::Down,
    };
    PodFacts { ordinal: Ordinal(node), pod, runs: true }
}

/// Answers for all nodes, each connection in a thread of its own.
fn serve() -> Result<(), Failure> {
    let cluster = cluster()?;
    let table: Arc<Vec<String>> = Arc::new((0..NODES).map(|node| row(&cluster, node)).collect());
    for node in 0..NODES {
        let listener = TcpListener::bind((address(node), names::CLIENT_PORT))?;
        let table = Arc::clone(&table);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let table = Arc::clone(&table);
                std::thread::spawn(move || drop(converse(stream, node, &table)));
            }
        });
    }
    print("ready");
    loop {
        std::thread::park();
    }
}

/// The first half leads, with its share of the slots each; the other half follows.
fn row(cluster: &Cluster, node: u32) -> String {
    let shards = NODES / 2;
    let place = format!("{}:6379@16379,{}", address(node), names::host_name(cluster, node));
    let share = |shard: u32| shard * 16_384 / shards;
    if node < shards {
        let slots = format!("{}-{}", share(node), share(node + 1) - 1);
        format!("{node:040x} {place} master - 0 0 {} connected {slots}", node + 1)
    } else {
        let primary = node - shards;
        format!("{node:040x} {place} slave {primary:040x} 0 0 {} connected", primary + 1)
    }
}

fn converse(stream: TcpStream, node: u32, table: &[String]) -> Result<(), Failure> {
    let mut answers = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(first) = lines.next() {
        let words: usize = first?.trim_start_matches('*').parse()?;
        let mut command = Vec::new();
        for _ in 0..words {
            lines.next().ok_or("cut short")??;
            command.push(lines.next().ok_or("cut short")??.to_ascii_uppercase());
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        answers.write_all(answer(&command, node, table).as_bytes())?;
    }
    Ok(())
}

fn answer(command: &[&str], node: u32, table: &[String]) -> String {
    let bulk = |text: String| format!("${}\r\n{text}\r\n", text.len());
    match command {
        ["INFO", ..] => bulk(info(node)),
        ["CLUSTER", "NODES"] => {
            let own = format!("{node:040x} ");
            let row = |row: &String| {
                if row.starts_with(&own) {
                    row.replace(" master", " myself,master").replace(" slave", " myself,slave")
                } else {
                    row.clone()
                }
            };
            bulk(table.iter().map(row).collect::<Vec<_>>().join("\n"))
        }
        ["CLUSTER", "INFO"] => bulk(format!("cluster_state:ok\r\ncluster_current_epoch:{NODES}\r\n")),
        ["CONFIG", "GET", ..] | ["CLUSTER", ..] => "*0\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    }
}

fn info(node: u32) -> String {
    let history = node % (NODES / 2);
    let common = format!(
        "valkey_version:9.1.2\r\nused_memory:1000000\r\nmaxmemory:0\r\npaused_actions:none\r\nmaster_replid:{history:040x}\r\nmaster_repl_offset:100\r\n"
    );
    if node < NODES / 2 {
        let replica = address(node + NODES / 2);
        format!(
            "{common}role:master\r\nslave0:ip={replica},port=6379,state=online,offset=100,lag=0\r\ndb0:keys=0,expires=0\r\n"
        )
    } else {
        format!("{common}role:slave\r\nmaster_link_status:up\r\nslave_repl_offset:100\r\n")
    }
}
