//! The command line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::client::Client;
use crate::cluster::Settings;
use crate::faults::{Exec, Fault};
use crate::{inside, launch};

/// A pocket Kubernetes: runs manifests as real processes on this machine, without a container engine.
#[derive(Debug, Parser)]
#[command(name = "pocket-cluster", version, args_conflicts_with_subcommands = true)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: Start,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a command in a container of a pod.
    Exec {
        /// The kubeconfig of the pocket.
        #[arg(long, env = "KUBECONFIG")]
        kubeconfig: PathBuf,
        /// The container, where the pod has several.
        #[arg(long, short)]
        container: Option<String>,
        /// How long the command may take.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The pod: NAME or NAMESPACE/NAME.
        pod: String,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Asks for a fault, which is told as JSON: `{"freeze": {"pods": ["valkey-0"]}}`.
    Fault {
        /// The kubeconfig of the pocket.
        #[arg(long, env = "KUBECONFIG")]
        kubeconfig: PathBuf,
        /// The fault.
        #[arg(value_parser = read_fault)]
        fault: Box<Fault>,
    },
    /// The first process inside.
    #[command(hide = true)]
    Init(Start),
    /// The cluster itself, inside namespaces of its own.
    #[command(hide = true)]
    Inside(Start),
}

fn read_fault(text: &str) -> Result<Box<Fault>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Start {
    /// Where the kubeconfig is written to.
    #[arg(long, default_value = "kubeconfig")]
    pub(crate) kubeconfig: PathBuf,
    /// The port on 127.0.0.1; any that is free where it is 0.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How many hosts there are.
    #[arg(long, default_value_t = 6)]
    pub(crate) hosts: usize,
    /// Over how many zones they are spread.
    #[arg(long, default_value_t = 3)]
    pub(crate) zones: usize,
    /// The folder with the programs of an image: IMAGE=FOLDER, where {tag} is the tag and {series} its first two numbers.
    #[arg(long = "image-folder", value_name = "IMAGE=FOLDER", value_parser = read_image)]
    pub(crate) images: Vec<(String, PathBuf)>,
    /// Each pod gets a clock of its own, which a fault can set: needs a C compiler, and programs that are linked dynamically.
    #[arg(long)]
    pub(crate) clocks: bool,
    /// Ends when its standard input does, as when the program dies that has started it.
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
}

fn read_image(text: &str) -> Result<(String, PathBuf), String> {
    let (image, folder) = text.split_once('=').ok_or("IMAGE=FOLDER is expected")?;
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    Ok((image.to_owned(), folder))
}

impl Start {
    pub(crate) fn settings(&self) -> Settings {
        Settings { image_folders: self.images.clone(), has_clocks: self.clocks }
    }

    /// The same, as arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--kubeconfig={}", self.kubeconfig.display()),
            format!("--hosts={}", self.hosts),
            format!("--zones={}", self.zones),
        ];
        let images = self.images.iter();
        arguments.extend(images.map(|(image, folder)| format!("--image-folder={image}={}", folder.display())));
        arguments.extend(self.clocks.then(|| "--clocks".to_owned()));
        arguments
    }
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let line = Line::parse();
    let ended = match line.command {
        None => launch::start(&line.start),
        Some(Command::Init(start)) => launch::bury(&start),
        Some(Command::Inside(start)) => inside::run(&start),
        Some(Command::Exec { kubeconfig, container, seconds, pod, command }) => {
            let patience_millis = Duration::from_secs(seconds).as_secs() * 1_000;
            let exec = Exec { pod, container, command, input: String::new(), patience_millis };
            return exec_in(&kubeconfig, &exec).unwrap_or_else(|error| failed(&error));
        }
        Some(Command::Fault { kubeconfig, fault }) => ask_for(&kubeconfig, &fault),
    };
    ended.map_or_else(|error| failed(&*error), |()| ExitCode::SUCCESS)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn failed(error: &(impl std::fmt::Display + ?Sized)) -> ExitCode {
    // Where nothing can be said any more, the exit code says it.
    let _ = writeln!(io::stderr(), "pocket-cluster: {error}");
    ExitCode::FAILURE
}

fn exec_in(kubeconfig: &std::path::Path, exec: &Exec) -> Result<ExitCode, Failure> {
    let said = Client::of(kubeconfig)?.exec(exec)?;
    io::stdout().write_all(said.stdout.as_bytes())?;
    io::stderr().write_all(said.stderr.as_bytes())?;
    Ok(ExitCode::from(u8::try_from(said.code).unwrap_or(255)))
}

fn ask_for(kubeconfig: &std::path::Path, fault: &Fault) -> Result<(), Failure> {
    Ok(Client::of(kubeconfig)?.inject(fault)?)
}
