//! The inner process: makes the network, starts everything, and tells that it is ready.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::sync::Arc;

use serde_json::json;
use tokio::runtime;

use crate::cluster::{Cluster, Error};
use crate::command::Start;
use crate::node::API_ADDRESS;
use crate::{api, control, node};

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) fn run(start: &Start) -> Result<(), Failure> {
    // Before anything is mounted over it.
    let kubeconfig = File::create(&start.kubeconfig)?;
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(start, listener, kubeconfig))?;
    Ok(())
}

async fn serve(start: &Start, listener: TcpListener, mut kubeconfig: File) -> Result<(), Error> {
    let cluster = Cluster::new(&start.settings())?;
    cluster.places.prepare()?;
    if cluster.has_clocks {
        cluster.places.prepare_clocks()?;
    }
    cluster.network.prepare().await?;
    ["default", "kube-system"].iter().for_each(|name| control::create_namespace(&cluster, name));
    control::create_machines(&cluster, start.hosts, start.zones);
    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
    let names = names.iter().map(|name| (*name).to_owned()).chain([API_ADDRESS.to_string()]).collect();
    let acceptor = cluster.authority.acceptor(names)?;
    let port = listener.local_addr()?.port();
    let outside = tokio::net::TcpListener::from_std(listener)?;
    let inside = api::listen(&format!("{API_ADDRESS}:443")).await?;
    tokio::spawn(api::serve(Arc::clone(&cluster), inside, acceptor.clone()));
    tokio::spawn(control::run(Arc::clone(&cluster)));
    tokio::spawn(node::run(Arc::clone(&cluster)));
    tokio::spawn(node::keep_partitions(Arc::clone(&cluster)));
    kubeconfig.write_all(kubeconfig_of(&cluster, port).as_bytes())?;
    kubeconfig.flush()?;
    writeln!(io::stdout(), "ready: KUBECONFIG={} (https://127.0.0.1:{port})", start.kubeconfig.display())?;
    api::serve(cluster, outside, acceptor).await;
    Ok(())
}

/// JSON is YAML, too.
fn kubeconfig_of(cluster: &Cluster, port: u16) -> String {
    use base64::Engine as _;
    let authority = base64::engine::general_purpose::STANDARD.encode(cluster.authority.certificate());
    let server = json!({"server": format!("https://127.0.0.1:{port}"), "certificate-authority-data": authority});
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "pocket", "cluster": server}],
        "users": [{"name": "pocket", "user": {"token": cluster.subjects.admin_token()}}],
        "contexts": [{"name": "pocket", "context": {"cluster": "pocket", "user": "pocket", "namespace": "default"}}],
        "current-context": "pocket",
    });
    format!("{config:#}\n")
}
