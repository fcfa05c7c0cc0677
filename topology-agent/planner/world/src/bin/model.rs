//! wip
#![allow(clippy::print_stdout, missing_docs)]
use std::sync::Arc;
use std::time::{Duration, Instant};
use stateright::{Checker, Model};
use world::{calm, model::*, scenario::*, world::*, kubernetes::Template};

fn checked(name: &'static str, specs: Vec<(planner::Desired, Template)>, pods: usize, faults: u8, kinds: Vec<Fault>, formed: bool) -> Checked {
    let scenario = Scenario { name, specs, wanders: false, hosts: 3, faults: kinds, stuck: vec![] };
    let mut start = World { spec: 0, scale: 1, pods: vec![Pod::default(); pods], next_id: 1, pending: vec![], faults: 0, used: false, lost: Arc::default(), harm: None };
    if formed { let o = calm(&mut start, &scenario, 40); assert!(o.plan == planner::Plan::Done); }
    start.faults = faults;
    Checked { scenario, start, bound: 40, sample: 64 }
}

fn main() {
    let which = std::env::args().nth(1).unwrap_or_default();
    let secs: u64 = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(20);
    let faults: u8 = std::env::args().nth(3).and_then(|s| s.parse().ok()).unwrap_or(1);
    use Fault::*;
    let all = vec![Crash, Move, LoseVolume, Freeze, Thaw, FailOver];
    let worlds = vec![
        checked("form", vec![(desired(3,1), NEW)], 6, faults, vec![Crash, Move, LoseVolume], false),
        checked("roll", vec![(desired(3,1), NEW), (desired(3,1), OLD2)], 6, faults, all.clone(), true),
        checked("out", vec![(desired(3,1), NEW), (desired(4,1), NEW)], 8, faults, all.clone(), true),
        checked("in", vec![(desired(4,1), NEW), (desired(3,1), NEW)], 8, faults, all.clone(), true),
        checked("heal", vec![(desired(3,1), NEW)], 6, faults, all.clone(), true),
    ];
    for world in worlds.into_iter().filter(|w| which == "all" || w.scenario.name == which) {
        let name = world.scenario.name;
        let t = Instant::now();
        if std::env::args().nth(4).is_some() {
            let mut worst: Option<Box<world::walk::Fall>> = None;
            let (mut walks, mut falls) = (0, 0);
            while t.elapsed().as_secs() < secs {
                walks += 1;
                let mut w = world.clone(); w.sample = 16;
                if let Err(fall) = world::walk::walk(&w, walks, 150) {
                    falls += 1;
                    if worst.as_ref().is_none_or(|w| w.actions.len() > fall.actions.len()) { worst = Some(fall); }
                }
            }
            println!("{name}: {walks} walks, {falls} falls");
            if let Some(fall) = worst {
                let mut state = world.start.clone();
                for action in &fall.actions {
                    let pending = state.pending.clone();
                    state = world.next_state(&state, action.clone()).unwrap();
                    match action { Action::Perform(i) => println!("   Perform {}", pending[*i]), Action::Look{..} => println!("   {action:?} -> {}", state.pending.iter().map(|s| s.to_string()).collect::<Vec<_>>().join("; ")), _ => println!("   {action:?}") }
                }
                let mut end = fall.end.clone(); end.faults = 0;
                println!("   harm {:?} lost {}", end.harm, end.lost);
                let o = calm(&mut end, &world.scenario, 40);
                for s in o.steps.iter().take(60) { println!("        calm: {s}"); }
                println!("   end harm {:?} plan {:?}", end.harm, o.plan);
                for m in o.plan.matters() { println!("     {m}"); }
                if end.harm.is_none() { for (i, p) in end.pods.iter().enumerate() { println!("     pod {i} {:?} gen {} tmpl {}", p.phase, p.generation, p.template); if let Some(n) = &p.node { println!("        id {} epoch {} fresh {} synced {} job {:?}", n.id, n.epoch, n.fresh, n.synced(), n.job); for r in n.table.iter() { println!("          {} pod{} a{} p{:?} e{} l{} {:?} [{}]", r.id, r.pod, r.address, r.primary, r.epoch, r.linked, r.health, r.slots); } } } }
            }
            continue;
        }
        let builder = world.checker().threads(2).timeout(Duration::from_secs(secs));
        let checker = builder.spawn_bfs().join();
        report(&checker, name, t);
    }
}

fn report(checker: &impl Checker<Checked>, name: &str, t: Instant) {
    {
        println!("{name}: {} unique, {} generated, depth {}, {:?}, done {}", checker.unique_state_count(), checker.state_count(), checker.max_depth(), t.elapsed(), checker.is_done());
        for (property, path) in checker.discoveries() {
            println!("  {property}: {} steps", path.clone().into_vec().len());
            if property == "no law is broken" || property.starts_with("everything") {
                for (state, action) in path.into_vec() { println!("     {action:?} harm {:?} pending {}", state.harm, state.pending.iter().map(|s| s.to_string()).collect::<Vec<_>>().join("; ")); 
                if action.is_none() { let mut end = state.clone(); end.faults = 0; let o = calm(&mut end, &checker.model().scenario, 40);
                    for s in o.steps.iter().take(40) { println!("        calm: {s}"); }
                    println!("     end harm {:?} plan {:?} lost {}", end.harm, o.plan.matters().iter().map(|m| m.to_string()).collect::<Vec<_>>(), end.lost); 
                    } }
            }
        }
    }
}
