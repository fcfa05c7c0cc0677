//! What a status says is held against the algorithm by which tools wait: kstatus.
//!
//! <https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus>

use std::sync::Arc;

use planner::{Desired, Matter, Plan, Round, Scope, Time, Trouble, Waiting, survey};
use spec::status::{ConditionType, Status};

use super::status::{stand, without_sight};
use crate::access::AccessError;
use crate::agent::Blind;
use crate::look::Look;
use crate::sighting::{Sighting, Wanted};

#[derive(Debug, PartialEq)]
enum Kstatus {
    Current,
    InProgress,
    Failed,
}

fn kstatus(status: &Status, generation: i64) -> Kstatus {
    if status.observed_generation != generation || status.holds(ConditionType::Reconciling) {
        Kstatus::InProgress
    } else if status.holds(ConditionType::Stalled) {
        Kstatus::Failed
    } else if status.holds(ConditionType::Ready) {
        Kstatus::Current
    } else {
        Kstatus::InProgress
    }
}

fn sighting(plan: &Plan, settled: bool, rendered: bool, are_ready: bool) -> Sighting {
    let spec = "{apiVersion: valkey-gitops.dev/v1alpha1, kind: ValkeyCluster, metadata: {name: a, namespace: b}, \
                spec: {version: '9.1', tls: {disabled: true}, auth: {disabled: true}}}";
    let cluster = spec::read(spec, None).unwrap().remove(0).cluster;
    let wanted = Arc::new(Wanted { desired: Desired::of(&cluster), cluster });
    let (mut look, plan, hindrance) = (Look::default(), plan.clone(), None);
    look.view.rendered = rendered;
    Sighting { wanted, revision: None, generation: 7, settled, are_ready, look, plan, hindrance, now: Time(0) }
}

fn status(sighting: &Sighting) -> Status {
    stand(sighting, &survey(&sighting.wanted.desired, &sighting.look.view, sighting.now))
}

fn plans() -> [Plan; 6] {
    let waiting = Matter::Waiting { scope: Scope::Cluster, why: Waiting::Silent, until: Time(9) };
    let stuck = Matter::Stuck { scope: Scope::Cluster, why: Trouble::LockedOut };
    let paused = Matter::Stuck { scope: Scope::Cluster, why: Trouble::Paused { pods: 6 } };
    [
        Plan::Done,
        Plan::Do(Round::default(), vec![waiting.clone()]),
        Plan::Wait(vec![waiting.clone()], Time(9)),
        Plan::Wait(vec![waiting, stuck.clone()], Time(9)),
        Plan::Stuck(vec![paused]),
        Plan::Stuck(vec![stuck]),
    ]
}

#[test]
fn current_is_only_what_is_as_desired_by_the_latest_generation() {
    for plan in plans() {
        for bits in 0..8 {
            let [settled, rendered, are_ready] = [1, 2, 4].map(|bit| bits & bit != 0);
            let sighting = sighting(&plan, settled, rendered, are_ready);
            let status = status(&sighting);
            let is_done = plan == Plan::Done && settled && rendered && are_ready;
            assert_eq!(kstatus(&status, 7) == Kstatus::Current, is_done, "{status:?}");
            assert_eq!(kstatus(&status, 8), Kstatus::InProgress, "{status:?}");
            assert_eq!(kstatus(&status, 7) == Kstatus::Failed, plan.needs_help(), "{status:?}");
        }
    }
}

#[test]
fn restarts_that_people_hold_back_are_no_failure() {
    let [.., paused, stuck] = plans();
    let kstatus = |plan: &Plan| kstatus(&status(&sighting(plan, true, true, true)), 7);
    assert_eq!([kstatus(&paused), kstatus(&stuck)], [Kstatus::InProgress, Kstatus::Failed]);
}

#[test]
fn every_condition_is_there_about_one_generation_and_work_is_no_failure() {
    for plan in plans() {
        let status = status(&sighting(&plan, true, true, true));
        assert_eq!(status.conditions.len(), 7);
        assert!(status.conditions.iter().all(|condition| condition.observed_generation == status.observed_generation));
        assert!(!(status.holds(ConditionType::Reconciling) && status.holds(ConditionType::Stalled)), "{status:?}");
        assert!(!(status.holds(ConditionType::Ready) && status.holds(ConditionType::Reconciling)), "{status:?}");
    }
}

#[test]
fn what_was_refused_is_said_before_what_is_planned() {
    let hindrance = Some("not done: a step: the server refused".to_owned());
    let status = status(&Sighting { hindrance, ..sighting(&plans()[1], true, true, true) });
    assert!(status.summary.starts_with("not done: a step: the server refused; "), "{}", status.summary);
    assert_eq!(kstatus(&status, 7), Kstatus::InProgress);
}

#[test]
fn blindness_that_passes_is_work_and_one_that_needs_a_change_is_a_failure() {
    let before = status(&sighting(&Plan::Done, true, true, true));
    let missing = AccessError::Content { place: "/etc/valkey-tls/tls.crt".to_owned(), what: "half renewed".to_owned() };
    for (blind, wanted) in [
        (Blind::NoSet("a".to_owned()), Kstatus::InProgress),
        (Blind::NoDesired("ValkeyCluster a".to_owned()), Kstatus::InProgress),
        (Blind::Access(missing), Kstatus::InProgress),
        (Blind::OddDesired("spec.shards: …".to_owned()), Kstatus::Failed),
    ] {
        let status = without_sight(&before, &blind, Some(8));
        assert_eq!(kstatus(&status, 8), wanted, "{status:?}");
        assert_eq!(kstatus(&status, 9), Kstatus::InProgress);
        assert_eq!(status.endpoints, before.endpoints, "what was known stays");
    }
}
