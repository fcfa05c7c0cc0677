//! From arguments to a command and its exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kube::config::Kubeconfig;
use kube::{Client, Config};
use tracing::level_filters::LevelFilter;

use crate::access::Secrets;
use crate::arguments::{Arguments, Command, LogFormat, Place};
use crate::commands::{check, doctor, one_look, plan, run, status};
use crate::route::Route;
use crate::sighting::Sighting;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no way to the API server.
    #[error("no way to the API server: {0}; run in a pod, or set KUBECONFIG")]
    NoKubernetes(String),
    /// The API server does not answer as it should.
    #[error(transparent)]
    Api(#[from] crate::kubernetes::ApiError),
    /// There is nothing to see.
    #[error(transparent)]
    Blind(#[from] crate::agent::Blind),
    /// The dumps are of no use.
    #[error(transparent)]
    Dump(#[from] doctor::DumpError),
    /// The system does not give what is needed.
    #[error("the system refuses: {0}")]
    System(#[from] std::io::Error),
}

/// How long the API server may say nothing on a connection.
const SILENCE: Duration = Duration::from_secs(90);
/// The exit code of a command that could not be carried out.
const FAILED: u8 = 3;

/// Runs the program.
#[must_use]
pub fn start() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    // One thread is enough: nearly all time is spent waiting for answers.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CommandError::from(error)),
    };
    // Only the first provider counts; that there is one already is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.block_on(obey(arguments.command)).unwrap_or_else(|error| fail(&error))
}

async fn obey(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Run { place, log_level, log_format, port, identity } => {
            log(log_level, log_format);
            let client = client(&place).await?;
            run::run(client, &place.cluster, place.source(), folders(&place), identity, port).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Plan { place } => plan::plan(&look(&place).await?),
        Command::Status { place, output } => status::status(&look(&place).await?, output),
        Command::Doctor { from } => doctor::doctor(&from),
        Command::Check { place } => check::check(&look(&place).await?),
    }
}

/// In a pod, servers and Secrets are at hand. Elsewhere, where there is a kubeconfig, they are behind the API server.
async fn look(place: &Place) -> Result<Sighting, CommandError> {
    let client = client(place).await?;
    let is_inside = is_inside();
    let route = if is_inside { Route::Straight } else { Route::through(&client) };
    let secrets = if is_inside || place.secrets.is_some() { folders(place) } else { Secrets::stored(&client) };
    one_look(&client, &place.cluster, place.source(), secrets, route).await
}

/// Where there is no kubeconfig, only a pod has a way to the API server.
fn is_inside() -> bool {
    Kubeconfig::read().is_err()
}

/// Help and version are what was asked for. A mistake in the words is no answer of a command, some of which end with 2.
fn usage(error: &clap::Error) -> ExitCode {
    // Whom it cannot be told, it cannot be told either that it was not.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

#[allow(clippy::print_stderr, reason = "the one place where a command says why it failed")]
fn fail(error: &CommandError) -> ExitCode {
    eprintln!("valkey-topology-agent: {error}");
    ExitCode::from(FAILED)
}

async fn client(place: &Place) -> Result<Client, CommandError> {
    let mut config = Config::infer().await.map_err(|error| CommandError::NoKubernetes(error.to_string()))?;
    // What is refused for now is asked for again at the next look, when it may no longer be wanted.
    config.default_retry = false;
    // Longer than a watch is left open without a word: whoever says nothing for so long is not there.
    config.read_timeout = Some(SILENCE);
    config.reset_reader_on_write = true;
    if let Some(namespace) = &place.namespace {
        config.default_namespace.clone_from(namespace);
    }
    Client::try_from(config).map_err(|error| CommandError::NoKubernetes(error.to_string()))
}

fn folders(place: &Place) -> Secrets {
    place.secrets.as_deref().map_or_else(Secrets::default, Secrets::at)
}

fn log(level: LevelFilter, format: LogFormat) {
    let logs = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_the_words_is_no_answer_of_a_command() {
        let code = |words: &[&str]| format!("{:?}", usage(&Arguments::try_parse_from(words).unwrap_err()));
        assert_eq!(code(&["agent", "plan", "--clutser", "a"]), format!("{:?}", ExitCode::from(3)));
        assert_eq!(code(&["agent", "--help"]), format!("{:?}", ExitCode::SUCCESS));
    }
}
