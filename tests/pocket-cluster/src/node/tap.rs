//! Commands on their way from a pod to servers, where faults can befall them one by one.
//!
//! ```text
//! pod --nft redirect--> tap, in the pod's network --> the server that was meant, from the node's address
//! ```
//!
//! It reads what Valkey's own protocol says, without TLS. <https://valkey.io/topics/protocol/>

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::sync::Arc;

use rustix::net::sockopt::ip_original_dst;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::{JoinSet, spawn_blocking};

use super::network::Sandbox;
use crate::api::Subject;
use crate::audit::Asked;
use crate::cluster::Cluster;
use crate::faults::{Passage, strike};

/// Where servers listen.
const SERVER_PORT: u16 = 6379;
/// Where a tap listens, on the pod's loopback.
const TAP_PORT: u16 = 16_380;

/// Commands that change nothing, by their first word or their first two. Whatever else is sent counts as a write.
const READS: [&str; 19] = [
    "auth",
    "client",
    "cluster countkeysinslot",
    "cluster getkeysinslot",
    "cluster getslotmigrations",
    "cluster info",
    "cluster links",
    "cluster myid",
    "cluster nodes",
    "cluster shards",
    "config get",
    "dbsize",
    "hello",
    "info",
    "ping",
    "role",
    "select",
    "wait",
    "waitaof",
];

/// The connections of one pod to servers, for as long as this is not dropped.
pub(super) struct Tap {
    _connections: JoinSet<()>,
}

impl Tap {
    /// Leads every connection that a pod opens to servers through a tap. Those that are open already are not.
    pub(super) async fn open(cluster: &Arc<Cluster>, sandbox: &Sandbox, subject: Subject) -> io::Result<Self> {
        let network = sandbox.file();
        let listener = spawn_blocking(move || listen_in(&network)).await??;
        redirect(&sandbox.file()).await?;
        let listener = TcpListener::from_std(listener)?;
        let mut connections = JoinSet::new();
        let cluster = Arc::clone(cluster);
        connections.spawn(async move {
            let mut under_way = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let carrier = Carrier { cluster: Arc::clone(&cluster), subject: subject.clone() };
                // Both ends see by themselves that a connection has ended.
                under_way.spawn(async move { drop(carrier.carry(client).await) });
                while under_way.try_join_next().is_some() {}
            }
        });
        Ok(Self { _connections: connections })
    }
}

/// A thread of its own goes there, and ends there.
fn listen_in(network: &str) -> io::Result<Listener> {
    let namespace = File::open(network)?;
    let bind = move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, TAP_PORT))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    std::thread::spawn(bind).join().unwrap_or_else(|_| Err(io::Error::other("the thread of a tap has ended")))
}

async fn redirect(network: &str) -> io::Result<()> {
    let rules = format!(
        "table ip tap {{\nchain output {{\ntype nat hook output priority -100\n\
         ip daddr != 127.0.0.0/8 tcp dport {SERVER_PORT} redirect to :{TAP_PORT}\n}}\n}}\n"
    );
    let mut command = Command::new("/usr/bin/nsenter");
    let command = command.arg(format!("--net={network}")).args(["nft", &rules]).stdin(Stdio::null());
    let output = command.kill_on_drop(true).output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("`nft` refuses: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

struct Carrier {
    cluster: Arc<Cluster>,
    subject: Subject,
}

impl Carrier {
    /// Carries what is said both ways, until one side ends it or a fault does.
    async fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        let meant = ip_original_dst(&client)?;
        let mut server = TcpStream::connect(SocketAddr::V4(meant)).await?;
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        loop {
            tokio::select! {
                read = client.read_buf(&mut asked) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some((words, length)) = first_command(&asked)? {
                        let command: Vec<u8> = asked.drain(..length).collect();
                        if !self.pass(&words, &command, &mut server).await? {
                            return Ok(());
                        }
                    }
                }
                read = server.read_buf(&mut answered) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    client.write_all(&answered).await?;
                    answered.clear();
                }
            }
        }
    }

    /// Passes a command on, unless a fault befalls it; whether the connection goes on.
    async fn pass(&self, words: &[String], command: &[u8], server: &mut TcpStream) -> io::Result<bool> {
        let is_write = !is_read(words);
        if is_write {
            self.note(words, server);
        }
        match self.cluster.faults.befall_command(&self.subject, is_write).await {
            Passage::Open => server.write_all(command).await.map(|()| true),
            Passage::Refused(_) => Ok(false),
            Passage::Lost(loss) => {
                if loss.is_performed {
                    server.write_all(command).await?;
                    server.readable().await?;
                }
                if loss.kills {
                    strike(&self.cluster, &self.subject);
                }
                Ok(false)
            }
        }
    }

    fn note(&self, words: &[String], server: &TcpStream) {
        let Subject::ServiceAccount { namespace, .. } = &self.subject else { return };
        self.cluster.audit.note(Asked {
            by: self.subject.to_string(),
            verb: "tell".to_owned(),
            resource: first(words, 2),
            namespace: namespace.clone(),
            name: server.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default(),
            code: 0,
        });
    }
}

/// So many of the first words, in small letters.
fn first(words: &[String], count: usize) -> String {
    words.iter().take(count).map(|word| word.to_lowercase()).collect::<Vec<_>>().join(" ")
}

fn is_read(words: &[String]) -> bool {
    let (one, two) = (first(words, 1), first(words, 2));
    READS.iter().any(|read| *read == one || *read == two)
}

/// The words of the first command of what was sent, and how many bytes it has; none before it is complete.
fn first_command(sent: &[u8]) -> io::Result<Option<(Vec<String>, usize)>> {
    let Some((count, mut at)) = number_after(b'*', sent, 0)? else { return Ok(None) };
    let mut words = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let Some((length, start)) = number_after(b'$', sent, at)? else { return Ok(None) };
        at = start.saturating_add(length).saturating_add(2);
        if sent.len() < at {
            return Ok(None);
        }
        let word = sent.get(start..start.saturating_add(length)).unwrap_or_default();
        words.push(String::from_utf8_lossy(word).into_owned());
    }
    Ok(Some((words, at)))
}

/// The number on the line that begins here with this mark, and where the next line begins.
fn number_after(mark: u8, sent: &[u8], at: usize) -> io::Result<Option<(usize, usize)>> {
    let rest = sent.get(at..).unwrap_or_default();
    let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let line = rest.get(..end).unwrap_or_default();
    let number = line.strip_prefix(&[mark]).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let odd = || io::Error::other("what was sent is no command of Valkey's protocol");
    Ok(Some((number.ok_or_else(odd)?, at.saturating_add(end).saturating_add(2))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_when_it_is_complete() {
        let sent = b"*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n*1\r\n$4\r\nPING\r\n";
        let (words, length) = first_command(sent).unwrap().unwrap();
        assert_eq!((words, length), (vec!["CLUSTER".to_owned(), "NODES".to_owned()], 28));
        assert!((0..28).all(|end| first_command(&sent[..end]).unwrap().is_none()));
        assert!(first_command(b"PING\r\n").is_err());
    }

    #[test]
    fn what_is_not_known_to_be_a_read_is_a_write() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_read(&words("CLUSTER NODES")) && is_read(&words("INFO")) && is_read(&words("config GET *")));
        assert!(!is_read(&words("CLUSTER MEET 1 2")) && !is_read(&words("CONFIG SET a b")) && !is_read(&words("X")));
    }
}
