//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use render::diff::Rule;
use render::{DesiredState, Identity};
use spec::Namespace;

/// Renders ValkeyCluster specs into plain Kubernetes YAML.
///
/// Pure: same bytes for the same input, without network, clock or cluster. Exit codes: 0 done, 1 differences, 2 usage, 3 refused
/// spec, 4 dangerous change, 5 input or output failed.
#[derive(Debug, Parser)]
#[command(name = "valkey-render", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print or write the Kubernetes objects of specs
    Render(RenderArguments),
    /// Check specs and say what is wrong with them
    Validate(ValidateArguments),
    /// Say what a change restarts, moves, exposes or breaks
    Diff(DiffArguments),
    /// Print the JSON Schema of a spec, for editors and CI
    Schema,
    /// Print the definition of the custom resource, for `--desired-state=custom-resource`
    Crd,
    /// Explain a field, such as `spec.storage`
    Explain {
        /// The field; the whole spec if it is left out
        field: Option<String>,
    },
    /// Print a spec to start from
    Init {
        /// The cluster's name
        #[arg(default_value = "my-valkey")]
        name: spec::ClusterName,
        /// The cluster's namespace
        #[arg(long, short, default_value = "default")]
        namespace: Namespace,
    },
    /// Be a plugin of Argo CD, in the folder of an Application
    Cmp {
        /// What Argo CD asks for
        #[command(subcommand)]
        step: CmpStep,
    },
    /// Be a function of kustomize or kpt: a list of objects on standard input, and on standard output with specs rendered
    #[command(name = "fn")]
    Function,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version, and what this version knows
    Version {
        /// For people or for programs
        #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RenderArguments {
    /// Files or folders of specs, or `-` for standard input
    #[arg(value_name = "FILE|DIR|-", default_value = "-")]
    pub(crate) specs: Vec<String>,
    /// Write to this file (`-` is standard output) or, with a `/` at its end or if it exists as one, into this folder, from which
    /// files of an earlier run that this one does not write are removed
    #[arg(long, short, value_name = "FILE|DIR/", conflicts_with = "check")]
    pub(crate) output: Option<PathBuf>,
    /// How objects are written
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    pub(crate) format: Format,
    /// How the files of a folder stand
    #[arg(long, value_enum, default_value_t = LayoutName::Flat)]
    pub(crate) layout: LayoutName,
    /// Also write a `kustomization.yaml` that lists the files of a folder; one for each stage, where they stand in stages
    #[arg(long, conflicts_with = "only")]
    pub(crate) emit_kustomization: bool,
    /// Only objects of this kind, or only this object; may be repeated. The other files of a folder stay as they are
    #[arg(long, value_name = "KIND[/NAME]")]
    pub(crate) only: Vec<String>,
    /// The namespace of specs that name none
    #[arg(long, short)]
    pub(crate) namespace: Option<Namespace>,
    /// Where the agent finds what should be
    #[arg(long, value_enum, default_value_t = Form::ConfigMap)]
    pub(crate) desired_state: Form,
    /// Say in which order Argo CD applies the objects
    #[arg(long)]
    pub(crate) argocd_waves: bool,
    /// Write nothing; compare with what this folder holds, and exit with 1 if it differs
    #[arg(long, value_name = "DIR")]
    pub(crate) check: Option<PathBuf>,
}

/// What Argo CD asks a plugin for.
#[derive(Debug, Subcommand)]
pub(crate) enum CmpStep {
    /// Print the Kubernetes objects of the folder's specs
    Generate(GenerateArguments),
    /// Print the names of the folder's specs; nothing if it is no folder of specs
    Discover,
    /// Print the parameters that an Application may set
    Parameters(FormArguments),
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// The namespace of specs that name none; the Application's destination has to be the same
    #[arg(long, short)]
    pub(crate) namespace: Option<Namespace>,
    /// Do not say in which order Argo CD applies the objects
    #[arg(long)]
    pub(crate) no_argocd_waves: bool,
    #[command(flatten)]
    pub(crate) form: FormArguments,
}

#[derive(Debug, Args)]
pub(crate) struct FormArguments {
    /// Where the agent finds what should be, for Applications whose parameters do not say it
    #[arg(long, value_enum, default_value_t = Form::ConfigMap)]
    pub(crate) desired_state: Form,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArguments {
    /// Files or folders of specs, or `-` for standard input
    #[arg(value_name = "FILE|DIR|-", default_value = "-")]
    pub(crate) specs: Vec<String>,
    /// The namespace of specs that name none
    #[arg(long, short)]
    pub(crate) namespace: Option<Namespace>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// What there is: specs or rendered objects, in a file or folder, or `-` for standard input
    pub(crate) old: String,
    /// What shall be: the same
    pub(crate) new: String,
    /// For people, for programs, or for a comment on a pull request
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub(crate) format: DiffFormat,
    /// The namespace of specs that name none
    #[arg(long, short)]
    pub(crate) namespace: Option<Namespace>,
    /// Where the agent finds what should be, for specs that are rendered in order to be compared
    #[arg(long, value_enum, default_value_t = Form::ConfigMap)]
    pub(crate) desired_state: Form,
    /// Take a side without objects as it is: before the first cluster, or after the last one
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Do not block on changes judged by this rule; may be repeated
    #[arg(long, value_name = "RULE", value_parser = rule)]
    pub(crate) allow: Vec<Rule>,
}

/// Where the agent finds what should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// In a ConfigMap: nothing has to be installed for the whole Kubernetes cluster
    ConfigMap,
    /// In a ValkeyCluster, in whose status it reports; `valkey-render crd` prints the definition
    CustomResource,
}

impl From<Form> for DesiredState {
    fn from(form: Form) -> Self {
        match form {
            Form::ConfigMap => Self::ConfigMap,
            Form::CustomResource => Self::CustomResource,
        }
    }
}

/// How objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Yaml,
    Json,
}

/// How the files of a folder stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// Side by side
    Flat,
    /// In `00-base`, `10-cluster` and `20-observability`, each of which can be applied when the one before is ready
    Staged,
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

fn rule(text: &str) -> Result<Rule, String> {
    let find = |wanted: &str| Rule::ALL.iter().copied().find(|rule| rule.id() == wanted);
    find(text).ok_or_else(|| {
        let ids = Rule::ALL.iter().map(|rule| rule.id());
        let near = spec::closest(text, ids.clone()).map_or(String::new(), |near| format!("did you mean {near}? "));
        format!("{near}the rules are {}", ids.collect::<Vec<_>>().join(", "))
    })
}

impl RenderArguments {
    /// Whether `--only` lets the object through.
    pub(crate) fn wants(&self, identity: &Identity) -> bool {
        let matches = |wanted: &String| {
            let (kind, name) =
                wanted.split_once('/').map_or((wanted.as_str(), None), |(kind, name)| (kind, Some(name)));
            identity.kind.eq_ignore_ascii_case(kind) && name.is_none_or(|name| name == identity.name)
        };
        self.only.is_empty() || self.only.iter().any(matches)
    }
}
