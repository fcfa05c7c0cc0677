//! Situations, and what the planner makes of them, as prose. Adding a file to `stories/` adds one.
//!
//! A line begins with `cluster`, what there is at first; `spec`, what is asked for next; or `fault`, what goes wrong. All but the last
//! spec are carried out before the next line.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;

use planner::Desired;
use spec::Series;
use world::calm::calm;
use world::fault::strike;
use world::kubernetes::Template;
use world::scenario::{BROKEN, Fault, NEW, OLD, OTHER, Scenario, desired};
use world::story::narrate;
use world::world::World;

fn read_spec(words: &[&str]) -> (Desired, Template) {
    let number = |name: &str| {
        let at =
            words.iter().position(|word| word.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {words:?}"));
        words[at - 1].parse::<u8>().unwrap()
    };
    let has = |word: &str| words.contains(&word);
    let template = match words.iter().skip_while(|word| **word != "template").nth(1) {
        None | Some(&"new") => NEW,
        Some(&"old") => OLD,
        Some(&"other") => OTHER,
        Some(&"broken") => BROKEN,
        Some(other) => panic!("no template {other}"),
    };
    let series = if template == OLD { Series::V8_1 } else { Series::V9_1 };
    let all = desired(u16::from(number("shard")), number("replica"));
    let desired =
        Desired { paused: has("paused"), downgrade: has("downgrade"), persistent: !has("ephemeral"), series, ..all };
    (desired, template)
}

fn read_fault(word: &str) -> Fault {
    use Fault::{Crash, Cut, FailOver, Freeze, LoseVolume, Mend, Move, MoveSlots, Reset};
    let all = [Crash, Move, LoseVolume, Freeze, Cut, Mend, FailOver, Reset, MoveSlots];
    all.into_iter().find(|fault| format!("{fault:?}") == word).unwrap_or_else(|| panic!("no fault {word}"))
}

fn story(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let specs: Vec<(Desired, Template)> =
        lines.iter().filter(|line| line[0] != "fault" && line[1] != "none").map(|line| read_spec(line)).collect();
    let pods = specs.iter().map(|(desired, _)| desired.pods()).max().unwrap();
    let scenario = Scenario { name: "story", specs, wanders: false, hosts: 3, faults: Vec::new(), stuck: Vec::new() };
    let mut world = World::blank(usize::try_from(pods).unwrap());
    let mut told = false;
    for line in &lines {
        match line[..] {
            ["cluster", "none"] => told = true,
            ["cluster", ..] => drop(calm(&mut world, &scenario, 60)),
            ["spec", ..] if told => told = false,
            ["spec", ..] => {
                drop(calm(&mut world, &scenario, 60));
                world.spec += 1;
            }
            ["fault", fault, pod] => strike(&mut world, read_fault(fault), pod.parse().unwrap()),
            _ => panic!("what is {line:?}?"),
        }
    }
    let told = narrate(&mut world, &scenario);
    assert_eq!(world.harm, None, "{told}");
    format!("{text}\n{told}")
}

#[test]
fn every_story_goes_as_it_was_told() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root.join("../../snapshots/stories"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let mut files: Vec<_> =
            std::fs::read_dir(root.join("stories")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 15);
        for file in files {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            insta::assert_snapshot!(name, story(&std::fs::read_to_string(&file).unwrap()));
        }
    });
}
