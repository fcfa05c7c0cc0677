//! How long a plan takes for large clusters, at rest and at work: the median of many runs, in milliseconds.

#![allow(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::time::{Duration, Instant};

use planner::{Desired, Plan, Template, View, plan};
use world::large::view;
use world::look::NOW;
use world::scenario::desired;

fn median(desired: &Desired, view: &View) -> (Duration, Plan) {
    let mut times: Vec<Duration> = Vec::new();
    let mut last = Plan::Done;
    for _ in 0..31 {
        let started = Instant::now();
        last = std::hint::black_box(plan(std::hint::black_box(desired), std::hint::black_box(view), NOW));
        times.push(started.elapsed());
    }
    times.sort_unstable();
    (times.get(times.len() / 2).copied().unwrap_or_default(), last)
}

/// A cluster of so many shards, and what it should be.
type Case<'a> = dyn Fn(u32) -> (Desired, View) + 'a;

fn main() {
    println!("{:<28} {:>10} {:>10}  plan", "plan() for", "500 × 2", "1,000 × 2");
    let old = |mut view: View| {
        view.pods.values_mut().for_each(|pod| pod.template = Template::Old);
        view
    };
    let grown = |shards: u32| {
        let mut view = view(shards, true);
        view.scale += 2;
        view
    };
    let of = |shards: u32| desired(u16::try_from(shards).unwrap_or(1), 1);
    let cases: [(&str, &Case<'_>); 4] = [
        ("a cluster at rest", &|shards| (of(shards), view(shards, true))),
        ("nodes that know nobody", &|shards| (of(shards), view(shards, false))),
        ("a new template", &|shards| (of(shards), old(view(shards, true)))),
        ("one shard more", &|shards| (of(shards + 1), grown(shards))),
    ];
    for (name, case) in cases {
        let measured: Vec<(Duration, Plan)> =
            [500, 1000].map(case).map(|(desired, view)| median(&desired, &view)).into();
        let figures: Vec<String> =
            measured.iter().map(|(time, _)| format!("{:>7.2} ms", time.as_secs_f64() * 1000.0)).collect();
        let steps = measured.last().map_or(0, |(_, plan)| plan.steps().len());
        println!("{name:<28} {}  {steps} steps", figures.join(" "));
    }
}
