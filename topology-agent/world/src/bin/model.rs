//! Checks every world: `model [brief|full]`. Prints how many states each has, and tells a broken law as a story.

#![allow(clippy::print_stdout, reason = "what it found is what it is for")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};
use world::model::Checked;
use world::story::tell;
use world::worlds::{Depth, all};

/// How many states each world has: its name, and their number when it is explored briefly and in full. A change of the planner or
/// of the world changes them, and whoever makes it looks whether it should.
const PINNED: &str = include_str!("../../states.tsv");

fn pinned(name: &str, depth: Depth) -> Option<usize> {
    let row = PINNED.lines().map(|line| line.split('\t').collect::<Vec<_>>()).find(|row| row.first() == Some(&name))?;
    let column = match depth {
        Depth::Brief => 1,
        Depth::Full => 2,
    };
    row.get(column).and_then(|states| states.parse().ok())
}

/// What came of one world.
struct Report {
    states: usize,
    text: String,
    sound: bool,
}

fn check(world: &Checked, depth: Depth) -> Report {
    let started = Instant::now();
    let name = world.scenario.name;
    // What comes after the first mistake has nothing to say.
    let builder = world.clone().checker().finish_when(HasDiscoveries::AnyFailures);
    // One thread: the same states are found in the same order, so that their number can be pinned.
    let checker = builder.threads(1).spawn_bfs().join();
    let states = checker.unique_state_count();
    let mut text = format!("{name}: {states} states, {:.0?}", started.elapsed());
    let (laws, signs): (Vec<_>, Vec<_>) =
        world.properties().into_iter().partition(|property| property.expectation == Expectation::Always);
    let broken = laws.iter().filter_map(|law| Some((law.name, checker.discovery(law.name)?)));
    let mut wrong: Vec<String> =
        broken.map(|(name, path)| format!("NOT SO: {name}{}", tell(world, &path.into_vec()))).collect();
    if wrong.is_empty() {
        let missing = signs.iter().filter(|sign| checker.discovery(sign.name).is_none());
        wrong.extend(missing.map(|sign| format!("NEVER SO: {}", sign.name)));
        let pinned = pinned(name, depth).filter(|pinned| *pinned != states);
        wrong.extend(pinned.map(|pinned| format!("ANOTHER NUMBER OF STATES: pinned are {pinned}")));
    }
    wrong.iter().for_each(|wrong| text += &format!("\n  {wrong}"));
    Report { states, text, sound: wrong.is_empty() }
}

/// Two worlds at a time, each on a thread of its own.
fn main() -> ExitCode {
    let depth = if std::env::args().nth(1).as_deref() == Some("full") { Depth::Full } else { Depth::Brief };
    let chosen = std::env::args().nth(2);
    let worlds =
        all(depth).into_iter().filter(|world| chosen.as_deref().is_none_or(|name| name == world.scenario.name));
    let queue: Mutex<Vec<Checked>> = Mutex::new(worlds.collect());
    let reports: Mutex<Vec<Report>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(world) = queue.lock().ok().and_then(|mut queue| queue.pop()) {
                    let report = check(&world, depth);
                    println!("{}", report.text);
                    reports
                        .lock()
                        .into_iter()
                        .for_each(|mut reports| reports.push(Report { text: String::new(), ..report }));
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap_or_default();
    println!("{} states in {} worlds", reports.iter().map(|report| report.states).sum::<usize>(), reports.len());
    if reports.iter().all(|report| report.sound) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
