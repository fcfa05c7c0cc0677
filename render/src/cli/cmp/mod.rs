//! What Argo CD's plugin server runs, in the folder of an Application: all there is comes from files and from its environment.
//!
//! Standard output is objects and nothing else, and never just a part of them: what is missing there would be pruned.

mod discover;
mod outside;
mod parameters;

use std::process::ExitCode;

use spec::{Cluster, Complaint, Override};

use self::outside::Outside;
use self::parameters::Parameters;
use super::arguments::{CmpStep, FormArguments, GenerateArguments};
use super::failure::Failure;
use super::{input, output, report};

/// Runs a step of the plugin. Argo CD shows what standard error says when it fails, from its beginning and for long.
pub(crate) fn run(step: &CmpStep) -> ExitCode {
    let outcome = match step {
        CmpStep::Generate(arguments) => generate(arguments),
        CmpStep::Discover => discover::run(),
        CmpStep::Parameters(arguments) => announce(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::briefly(&failure);
            failure.exit_code()
        }
    }
}

fn generate(arguments: &GenerateArguments) -> Result<(), Failure> {
    let outside = Outside::read()?;
    let parameters = Parameters::read(&outside)?;
    let namespace = outside.agreed_namespace(arguments.namespace.as_ref())?;
    let clusters = input::clusters(&parameters.specs, namespace.as_ref(), &parameters.overrides);
    let clusters = clusters.map_err(|failure| outside.explain(failure))?;
    check_meaning(&parameters.overrides, &clusters)?;
    let form = parameters.form.unwrap_or(arguments.form.desired_state.into());
    let mut renderer = super::renderer(!arguments.no_argocd_waves).reading(form);
    let manifests = clusters.iter().map(|cluster| renderer.render(cluster)).collect::<Result<Vec<_>, _>>()?;
    output::to_stdout(&manifests.iter().map(render::Manifest::to_yaml).collect::<String>())
}

/// The same number of shards for all clusters of a folder is what nobody means.
fn check_meaning(overrides: &[Override], clusters: &[Cluster]) -> Result<(), Failure> {
    let complain = |given: &Override| {
        let message = format!("{} speaks of one cluster, and there are {} here", given.name, clusters.len());
        Complaint::new(message, "name one file in the parameter `specs`, or change the specs in Git")
    };
    match overrides {
        [first, ..] if clusters.len() > 1 => Err(outside::refused(parameters::VARIABLE, vec![complain(first)])),
        _ => Ok(()),
    }
}

/// What people find in the parameters' form. What is wrong with a spec is said when it is rendered; here they come to mend it.
fn announce(arguments: &FormArguments) -> Result<(), Failure> {
    let specs = Outside::read().ok().and_then(|outside| Parameters::read(&outside).ok()).unwrap_or_default().specs;
    // Their namespace is not told here; any will do where the spec leaves it to the Application.
    let anywhere = "default".parse().ok();
    let clusters = input::quietly(&specs, None).or_else(|_| input::quietly(&specs, anywhere.as_ref()));
    let cluster = match clusters.as_deref() {
        Ok([only]) => Some(only),
        Ok(_) | Err(_) => None,
    };
    output::to_stdout(&output::pretty(&parameters::announcements(cluster, arguments.desired_state.into()))?)
}
