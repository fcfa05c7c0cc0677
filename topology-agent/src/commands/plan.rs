//! What would be done now, and why.

use std::process::ExitCode;

use planner::Plan;

use super::print;
use crate::cli::CommandError;
use crate::sighting::Sighting;

/// Prints the plan; 0 if there is nothing to do, 1 if there is something, 2 if it needs help.
///
/// # Errors
/// It cannot be printed.
pub(crate) fn plan(sighting: &Sighting) -> Result<ExitCode, CommandError> {
    print(told(sighting))?;
    Ok(match &sighting.plan {
        _ if sighting.is_as_desired() => ExitCode::SUCCESS,
        plan if plan.needs_help() => ExitCode::from(2),
        Plan::Done | Plan::Do(..) | Plan::Wait(..) | Plan::Stuck(_) => ExitCode::from(1),
    })
}

fn told(sighting: &Sighting) -> Vec<String> {
    let plan = &sighting.plan;
    let outcome = match sighting.lack() {
        None if *plan == Plan::Done => Some("nothing to do: the cluster is as it should be".to_owned()),
        lack => lack.map(|lack| lack.to_string()),
    };
    let steps = plan.steps().iter().map(|step| format!("would {step}"));
    outcome.into_iter().chain(steps).chain(plan.matters().iter().map(ToString::to_string)).collect()
}
