//! A walk at random: specs change and things break, for as long as one likes, and nothing is lost.
//!
//! What destroys happens at rest and one at a time, for of two such faults at once Valkey itself would lose writes. Everything else
//! happens at any time. The same seed draws the same events for the same pods, one after the other.

use std::env;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pocket_cluster::{ApiFault, Fault};
use serde_json::json;

use crate::random::{Random, seed};
use crate::story::Story;
use crate::struck::{WITH_REPLICA, others, struck};
use crate::watched::nothing_is_lost;

/// How long a shard may be without writes that a replica has: a replica may have to be made anew meanwhile.
const LONGEST: Duration = Duration::from_mins(1);

/// The point of the agent's check that is about laws.
const LAWS: &str = "what would be done next keeps the laws";

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    OtherShards,
    OtherReplicas,
    OtherDirective,
    OtherDirectiveThatRestarts,
    AgentKilled,
    SlowApi,
    NoApi,
    Killed,
    Frozen,
    Deleted,
    Moved,
    HandedOver,
    CutOff,
    VolumeLost,
}

/// What happens at any time.
const ANY_TIME: [Event; 8] = [
    Event::OtherShards,
    Event::OtherReplicas,
    Event::OtherDirective,
    Event::OtherDirectiveThatRestarts,
    Event::AgentKilled,
    Event::SlowApi,
    Event::NoApi,
    Event::Killed,
];

/// What happens at rest.
const AT_REST: [Event; 6] =
    [Event::Frozen, Event::Deleted, Event::Moved, Event::HandedOver, Event::CutOff, Event::VolumeLost];

impl Event {
    fn draw(random: &mut Random, at_rest: bool) -> Self {
        if at_rest && random.below(2) == 0 { random.one_of(&AT_REST) } else { random.one_of(&ANY_TIME) }
    }

    fn happens(self, random: &mut Random, story: &mut Story) {
        // One of those that there are with any number of shards.
        let pod = format!("small-{}", random.below(6));
        let while_ = Duration::from_millis(500 + random.below(7_500));
        match self {
            Self::OtherShards => story.change(&[("/spec/shards", json!(3 + random.below(3)))]),
            Self::OtherReplicas => story.change(&[("/spec/replicasPerShard", json!(1 + random.below(2)))]),
            Self::OtherDirective => {
                story.change(&[("/spec/config/list-max-listpack-size", json!(100 + random.below(9)))]);
            }
            Self::OtherDirectiveThatRestarts => {
                story.change(&[("/spec/config/tcp-backlog", json!(500 + random.below(9)))]);
            }
            Self::AgentKilled => drop(story.place.inject(&Fault::Kill { pod: story.agent_pod(), container: None })),
            Self::SlowApi => api(story, while_, ApiFault { latency_millis: 2_000, ..ApiFault::default() }),
            Self::NoApi => api(story, while_, ApiFault { share: 0.5, code: 503, ..ApiFault::default() }),
            // It may be between two lives, and then there is nothing to kill.
            Self::Killed => drop(story.place.inject(&Fault::Kill { pod, container: None })),
            Self::Frozen => {
                story.inject(&Fault::Freeze { pods: vec![pod.clone()] });
                sleep(while_);
                story.inject(&Fault::Thaw { pods: vec![pod] });
            }
            Self::Deleted => drop(story.kubectl(&format!("delete pod {pod} --wait=false"))),
            Self::Moved => story.inject(&Fault::Move { pods: vec![pod] }),
            Self::HandedOver => drop(story.ask(&pod, "CLUSTER FAILOVER")),
            Self::CutOff => {
                story.inject(&Fault::Partition { pods: vec![pod.clone()], from: others(story, &pod) });
                sleep(while_);
                story.inject(&Fault::Heal);
            }
            Self::VolumeLost => story.inject(&Fault::LoseVolume { claim: format!("data-{pod}") }),
        }
    }
}

/// By the live state, nothing that the agent would do next breaks a law; while it is down, nobody can say.
fn laws_hold(story: &Story) {
    let said = story.agent("check").map(|said| said.stdout).unwrap_or_default();
    assert!(!said.contains(&format!("FAIL  {LAWS}")), "{said}");
}

fn api(story: &Story, period: Duration, fault: ApiFault) {
    story.inject(&Fault::Api(fault));
    sleep(period);
    story.inject(&Fault::Mend);
}

#[test]
#[ignore = "takes as long as one likes: make soak"]
#[allow(clippy::print_stdout, reason = "a walk that went wrong is to be walked again")]
fn whatever_happens_in_whatever_order_nothing_is_lost() {
    let (seed, minutes) = (seed(), env::var("MINUTES").map_or(1, |minutes| minutes.parse().unwrap()));
    let mut random = Random::from(seed);
    let begun = Instant::now();
    let sentence = format!("{minutes} minutes of anything");
    let report = struck(&sentence, WITH_REPLICA, |story| {
        let mut at_rest = true;
        while begun.elapsed() < Duration::from_mins(minutes) {
            let event = Event::draw(&mut random, at_rest);
            println!("SEED={seed} {:.1?} {event:?}", begun.elapsed());
            event.happens(&mut random, story);
            laws_hold(story);
            at_rest = AT_REST.contains(&event) || random.below(2) == 0;
            if at_rest {
                story.until_checked();
                assert!(story.agent("check").unwrap().stdout.contains(&format!("ok    {LAWS}")));
            } else {
                sleep(Duration::from_millis(random.below(3_000)));
            }
        }
    });
    nothing_is_lost(&report, LONGEST);
}
