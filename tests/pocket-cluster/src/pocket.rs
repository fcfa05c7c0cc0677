//! A cluster for a test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::audit::Asked;
use crate::client::Client;
use crate::faults::{Exec, Fault};

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program `pocket-cluster`.
    pub program: PathBuf,
    /// How many hosts there are.
    pub hosts: usize,
    /// Over how many zones they are spread.
    pub zones: usize,
    /// Images, without their tags, and the folders with their programs, in which `{series}` and `{tag}` stand for parts of the tag.
    pub images: Vec<(String, PathBuf)>,
    /// Whether each pod has a clock of its own, which a fault can set.
    pub clocks: bool,
}

impl Options {
    /// Six hosts in three zones, without images.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), hosts: 6, zones: 3, images: Vec::new(), clocks: false }
    }

    /// The same with so many hosts and zones.
    #[must_use]
    pub fn with_hosts(mut self, hosts: usize, zones: usize) -> Self {
        (self.hosts, self.zones) = (hosts, zones);
        self
    }

    /// The same with a clock of its own for each pod.
    #[must_use]
    pub const fn with_clocks(mut self) -> Self {
        self.clocks = true;
        self
    }

    /// The same with one more image.
    #[must_use]
    pub fn with_image(mut self, image: &str, folder: impl Into<PathBuf>) -> Self {
        self.images.push((image.to_owned(), folder.into()));
        self
    }
}

/// Why something could not be done. Only [`Error::Lost`] may pass by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program does not start.
    #[error("the cluster does not start: {0}")]
    Start(String),
    /// The API server does not answer, or a fault is at work.
    #[error("{0}")]
    Lost(String),
    /// What is asked for is refused.
    #[error("{0}")]
    Refused(String),
}

impl From<crate::client::Error> for Error {
    fn from(error: crate::client::Error) -> Self {
        match error {
            crate::client::Error::Lost(_) => Self::Lost(error.to_string()),
            crate::client::Error::Config(_)
            | crate::client::Error::Refused { .. }
            | crate::client::Error::Manifest(_) => Self::Refused(error.to_string()),
        }
    }
}

fn unstarted(error: impl std::fmt::Display) -> Error {
    Error::Start(error.to_string())
}

/// What a command in a pod has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A cluster that runs until this is dropped. Its methods block: call them outside of an asynchronous runtime.
pub struct Pocket {
    process: Child,
    folder: TempDir,
    client: Client,
}

impl Pocket {
    /// Starts a cluster and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When the program does not start, or ends before it is ready.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let folder = TempDir::new().map_err(unstarted)?;
        let kubeconfig = folder.path().join("kubeconfig");
        let images = options.images.iter();
        let mut process = Command::new(&options.program)
            .arg("--until-stdin-closes")
            .args([format!("--hosts={}", options.hosts), format!("--zones={}", options.zones)])
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .args(images.map(|(image, folder)| format!("--image-folder={image}={}", folder.display())))
            .args(options.clocks.then_some("--clocks"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(unstarted)?;
        let mut line = String::new();
        let stdout = process.stdout.take().ok_or_else(|| unstarted("it has no output"))?;
        BufReader::new(stdout).read_line(&mut line).map_err(unstarted)?;
        if !line.starts_with("ready") {
            let status = process.wait().map_err(unstarted)?;
            return Err(unstarted(status));
        }
        let client = Client::of(&kubeconfig)?;
        Ok(Self { process, folder, client })
    }

    /// What leads clients to the cluster.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A folder that goes with the cluster.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Applies every object of a manifest.
    ///
    /// # Errors
    ///
    /// When an object is refused.
    pub fn apply(&self, manifest: &str) -> Result<(), Error> {
        Ok(self.client.apply(manifest)?)
    }

    /// Reads what stands at a path of the API, as `/api/v1/namespaces/default/pods/valkey-0`.
    ///
    /// # Errors
    ///
    /// When there is nothing.
    pub fn get(&self, path: &str) -> Result<Value, Error> {
        Ok(self.client.get(path)?)
    }

    /// Runs a command in the first container of a pod.
    ///
    /// # Errors
    ///
    /// When the pod does not run, or the command takes more than a minute.
    pub fn exec(&self, pod: &str, command: &[&str]) -> Result<Said, Error> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let patience_millis = u64::try_from(Duration::from_mins(1).as_millis()).unwrap_or(u64::MAX);
        let exec = Exec { pod: pod.to_owned(), container: None, command, input: String::new(), patience_millis };
        let crate::node::Said { code, stdout, stderr } = self.client.exec(&exec)?;
        Ok(Said { code, stdout, stderr })
    }

    /// Who has asked the API server for what, the oldest first.
    ///
    /// # Errors
    ///
    /// When the API server does not answer.
    pub fn requests(&self) -> Result<Vec<Asked>, Error> {
        Ok(self.client.requests()?)
    }

    /// Makes something go wrong.
    ///
    /// # Errors
    ///
    /// When it is about something that is not there.
    pub fn inject(&self, fault: &Fault) -> Result<(), Error> {
        Ok(self.client.inject(fault)?)
    }
}

impl Drop for Pocket {
    fn drop(&mut self) {
        // Everything ends with it; whoever is gone already needs no end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
