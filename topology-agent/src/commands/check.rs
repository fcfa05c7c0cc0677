//! Whether the cluster is sound, point by point: for smoke tests and CI.

use std::collections::BTreeSet;
use std::process::ExitCode;

use planner::laws::check_round;
use planner::{Plan, SLOTS, Survey, View, survey};
use spec::Spread;

use super::print;
use crate::cli::CommandError;
use crate::sighting::Sighting;

/// A point, and what is wrong about it, if anything is.
struct Point {
    name: &'static str,
    wrong: Vec<String>,
}

/// Prints each point; 0 if all hold, 1 if one does not.
///
/// # Errors
/// They cannot be printed.
pub(crate) fn check(sighting: &Sighting) -> Result<ExitCode, CommandError> {
    let points = points(sighting);
    print(points.iter().flat_map(told))?;
    let sound = points.iter().all(|point| point.wrong.is_empty());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn told(point: &Point) -> Vec<String> {
    if point.wrong.is_empty() {
        return vec![format!("ok    {}", point.name)];
    }
    point.wrong.iter().map(|wrong| format!("FAIL  {}: {wrong}", point.name)).collect()
}

fn points(sighting: &Sighting) -> Vec<Point> {
    let (desired, view) = (&sighting.wanted.desired, &sighting.look.view);
    let survey = survey(desired, view, sighting.now);
    let point = |name, wrong| Point { name, wrong };
    vec![
        point("every server answers", silent(sighting)),
        point("every slot is served", unserved(&survey)),
        point("servers agree on who owns which slot", disagreeing(view)),
        point("no slot stands open, and no key lies where its slot is not", astray(view)),
        point("every shard has its replicas, in sync", behind(&survey, usize::from(desired.replicas))),
        point("members of a shard stand on different hosts", crowded(sighting, &survey)),
        point("what would be done next keeps the laws", lawless(sighting)),
        point("the cluster is as it should be", unfinished(sighting)),
    ]
}

fn silent(sighting: &Sighting) -> Vec<String> {
    sighting.look.failures.iter().map(|(pod, error)| format!("{pod}: {error}")).collect()
}

fn unserved(survey: &Survey) -> Vec<String> {
    let missing = survey.served.complement();
    if missing.is_empty() { Vec::new() } else { vec![format!("{} of {SLOTS} are not ({missing})", missing.len())] }
}

fn disagreeing(view: &View) -> Vec<String> {
    let claims = |opinion: &planner::Opinion| {
        let owners = opinion.rows.iter().filter(|row| !row.slots.is_empty());
        owners.map(|row| (row.id, row.slots.clone())).collect::<Vec<_>>()
    };
    let different: BTreeSet<_> = view.opinions.iter().map(claims).collect();
    if different.len() <= 1 { Vec::new() } else { vec![format!("there are {} different views", different.len())] }
}

fn astray(view: &View) -> Vec<String> {
    let mut wrong = Vec::new();
    for (pod, _, server) in view.servers() {
        wrong.extend(server.open.iter().map(|open| format!("slot {} is open on {pod}", open.slot)));
        if !server.strays.is_empty() {
            wrong.push(format!("{pod} holds keys of slots that it does not own ({})", server.strays));
        }
    }
    wrong
}

fn behind(survey: &Survey, wanted: usize) -> Vec<String> {
    let lacks = survey.shards.iter().filter_map(|shard| {
        let in_sync = shard.replicas.iter().filter(|replica| replica.in_sync).count();
        let number = shard.number.filter(|_| in_sync < wanted)?;
        Some(format!("shard {number} has {in_sync} of {wanted}"))
    });
    lacks.collect()
}

fn crowded(sighting: &Sighting, survey: &Survey) -> Vec<String> {
    if sighting.wanted.desired.host_spread == Spread::Off {
        return Vec::new();
    }
    let host = |pod: planner::Ordinal| sighting.look.view.pods.get(&pod).and_then(|pod| pod.place.host.clone());
    let shares = survey.shards.iter().filter_map(|shard| {
        let members = shard.primary.into_iter().chain(shard.replicas.iter().map(|replica| replica.pod));
        let hosts: Vec<_> = members.filter_map(host).collect();
        let distinct: BTreeSet<_> = hosts.iter().collect();
        let number = shard.number.filter(|_| distinct.len() < hosts.len())?;
        Some(format!("shard {number} has {} members on {} hosts", hosts.len(), distinct.len()))
    });
    shares.collect()
}

fn lawless(sighting: &Sighting) -> Vec<String> {
    let checked = check_round(&sighting.wanted.desired, &sighting.look.view, sighting.plan.steps());
    checked.err().map(|broken| format!("{:?}: {}", broken.law, broken.why)).into_iter().collect()
}

fn unfinished(sighting: &Sighting) -> Vec<String> {
    let lack = sighting.lack().map(|lack| lack.to_string());
    let plan = match &sighting.plan {
        Plan::Done => Vec::new(),
        plan @ (Plan::Do(..) | Plan::Wait(..) | Plan::Stuck(_)) => {
            let steps = plan.steps().iter().map(|step| format!("would {step}"));
            steps.chain(plan.matters().iter().map(ToString::to_string)).collect()
        }
    };
    lack.into_iter().chain(plan).collect()
}
