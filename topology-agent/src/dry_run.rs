//! What would be done now, and why.

use std::process::ExitCode;

use kube::Client;
use planner::Plan;
use spec::ClusterName;

use crate::access::Secrets;
use crate::agent::Agent;
use crate::cli::CommandError;
use crate::kubernetes::Leadership;

/// Prints the plan.
///
/// # Errors
/// There is nothing to plan upon.
pub(crate) async fn plan(client: Client, cluster: &ClusterName, secrets: Secrets) -> Result<ExitCode, CommandError> {
    let mut agent = Agent::new(&client, cluster, secrets, Leadership::none());
    agent.cache().ready().await?;
    let sighting = agent.look().await?;
    print(&sighting.plan);
    Ok(match sighting.plan {
        Plan::Done => ExitCode::SUCCESS,
        Plan::Do(..) | Plan::Wait(..) => ExitCode::from(1),
        Plan::Stuck(_) => ExitCode::from(2),
    })
}

#[allow(clippy::print_stdout, reason = "what the command is for")]
fn print(plan: &Plan) {
    if *plan == Plan::Done {
        println!("nothing to do: the cluster is as it should be");
    }
    plan.steps().iter().for_each(|step| println!("would {step}"));
    plan.matters().iter().for_each(|matter| println!("{matter}"));
}
