//! What would be done now, and why.

use std::process::ExitCode;

use planner::Plan;

use crate::agent::Sighting;

/// Prints the plan; 0 if there is nothing to do, 1 if there is something, 2 if it needs help.
pub(crate) fn plan(sighting: &Sighting) -> ExitCode {
    print(&sighting.plan);
    match &sighting.plan {
        Plan::Done => ExitCode::SUCCESS,
        plan if plan.needs_help() => ExitCode::from(2),
        Plan::Do(..) | Plan::Wait(..) | Plan::Stuck(_) => ExitCode::from(1),
    }
}

#[allow(clippy::print_stdout, reason = "what the command is for")]
fn print(plan: &Plan) {
    if *plan == Plan::Done {
        println!("nothing to do: the cluster is as it should be");
    }
    plan.steps().iter().for_each(|step| println!("would {step}"));
    plan.matters().iter().for_each(|matter| println!("{matter}"));
}
