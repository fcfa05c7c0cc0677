//! What would be done now, and why.

use std::process::ExitCode;

use planner::Plan;

use crate::sighting::Sighting;

/// Prints the plan; 0 if there is nothing to do, 1 if there is something, 2 if it needs help.
pub(crate) fn plan(sighting: &Sighting) -> ExitCode {
    print(sighting);
    match &sighting.plan {
        _ if sighting.is_as_desired() => ExitCode::SUCCESS,
        plan if plan.needs_help() => ExitCode::from(2),
        Plan::Done | Plan::Do(..) | Plan::Wait(..) | Plan::Stuck(_) => ExitCode::from(1),
    }
}

#[allow(clippy::print_stdout, reason = "what the command is for")]
fn print(sighting: &Sighting) {
    let plan = &sighting.plan;
    match sighting.lack() {
        None if *plan == Plan::Done => println!("nothing to do: the cluster is as it should be"),
        Some(lack) => println!("{lack}"),
        None => {}
    }
    plan.steps().iter().for_each(|step| println!("would {step}"));
    plan.matters().iter().for_each(|matter| println!("{matter}"));
}
