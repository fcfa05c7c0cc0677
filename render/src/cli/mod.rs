//! The command line: everything that reads, writes or ends with an exit code. Standard output is data only.

mod arguments;
mod cmp;
mod diff;
mod explain;
mod failure;
mod file;
mod folder;
mod function;
mod init;
mod input;
mod layout;
mod markdown;
mod output;
mod report;
mod side;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use render::Renderer;
use serde_json::json;

use arguments::{Arguments, Command, RenderArguments, ReportFormat};
use failure::Failure;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let asked = Arguments::parse_from(words()).command;
    let writes = matches!(asked, Command::Render(_));
    let outcome = command(asked);
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            report::failure(&failure, writes);
            failure.exit_code()
        }
    }
}

/// What was typed; the name alone says which command it is where it says so.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.first().map(Path::new).and_then(Path::file_name).is_some_and(|name| name == function::PROGRAM) {
        words.insert(1, "fn".into());
    }
    words
}

fn command(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Render(arguments) => render(&arguments),
        Command::Validate(arguments) => validate(&arguments.specs, arguments.namespace.as_ref()),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Schema => print(&output::pretty(&spec::json_schema())?),
        Command::Crd => print(&render::custom_resource_definition()?),
        Command::Explain { field } => explain::run(field.as_deref().unwrap_or_default()),
        Command::Init { name, namespace } => print(&init::starter(&name, &namespace)),
        Command::Cmp { step } => Ok(cmp::run(&step)),
        Command::Function => Ok(function::run()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "valkey-render", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Version { format } => version(format),
    }
}

fn print(text: &str) -> Result<ExitCode, Failure> {
    output::to_stdout(text)?;
    Ok(ExitCode::SUCCESS)
}

fn render(arguments: &RenderArguments) -> Result<ExitCode, Failure> {
    let clusters = input::clusters(&arguments.specs, arguments.namespace.as_ref(), &[])?;
    let mut renderer = renderer(arguments.argocd_waves).reading(arguments.desired_state.into());
    let mut sink = output::Sink::open(arguments)?;
    for cluster in &clusters {
        let manifest = renderer.render(cluster)?;
        manifest.documents().iter().try_for_each(|document| sink.take(document))?;
    }
    sink.close()
}

/// One that tells Argo CD about order, or does not.
fn renderer(waves: bool) -> Renderer {
    if waves { Renderer::with_waves() } else { Renderer::default() }
}

fn validate(specs: &[String], namespace: Option<&spec::Namespace>) -> Result<ExitCode, Failure> {
    let clusters = input::clusters(specs, namespace, &[])?;
    let mut renderer = Renderer::default();
    let mut lines = String::new();
    for cluster in &clusters {
        renderer.render(cluster)?;
        lines += &format!("{}/{}: valid\n", cluster.namespace, cluster.name);
    }
    print(&lines)
}

fn version(format: ReportFormat) -> Result<ExitCode, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match format {
        ReportFormat::Text => print(&format!("valkey-render {version}\n")),
        ReportFormat::Json => {
            let series = spec::Series::ALL.map(spec::Series::as_str);
            let facts = json!({"version": version, "apiVersions": ["valkey-gitops.dev/v1alpha1"], "valkeySeries": series, "oldestKubernetes": "1.32"});
            print(&output::pretty(&facts)?)
        }
    }
}
