//! What the program can be asked for: a file for each.

pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod status;

use std::io::{self, ErrorKind, Write};

use kube::Client;
use spec::ClusterName;

use crate::access::Secrets;
use crate::agent::Agent;
use crate::cli::CommandError;
use crate::kubernetes::{Leadership, Source};
use crate::route::Route;
use crate::sighting::Sighting;

/// One look by somebody who changes nothing.
pub(crate) async fn one_look(
    client: &Client,
    cluster: &ClusterName,
    source: Source,
    secrets: Secrets,
    route: Route,
) -> Result<Sighting, CommandError> {
    let mut agent = Agent::new(client, cluster, source, secrets, route, Leadership::never());
    agent.cache().ready().await?;
    Ok(agent.look().await?)
}

/// Prints lines. Whoever reads no further has read enough.
fn print(lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let printed = lines.into_iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    printed.or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
