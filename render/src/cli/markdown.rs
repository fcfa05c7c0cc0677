//! A comparison as a comment on a pull request: what is dangerous, what restarts, what moves; the fields themselves folded away.
//!
//! Whatever comes from a file stands in code, where it is neither markup nor a mention of somebody.

use std::collections::BTreeSet;

use render::diff::{Change, Class, ClusterDifference, Difference, Rule};

use super::diff::{is_short, lines};

/// By which the comment of an earlier run is found again.
const MARKER: &str = "<!-- valkey-render diff -->";
/// GitHub takes 65,536 characters, and forges that take fewer are rare.
const LONGEST: usize = 60_000;
/// More lines of one text than this are for the terminal.
const MOST_LINES: usize = 200;

/// The whole comment. What is too long loses its details first, and then clusters, the least dangerous first.
pub(super) fn comment(difference: &Difference, allowed: &[Rule]) -> String {
    let mut clusters: Vec<&ClusterDifference> = difference.clusters.iter().collect();
    clusters.sort_by_key(|cluster| worst(cluster));
    let head = format!("{MARKER}\n## Valkey: {}\n", verdict(difference, allowed));
    let mut text = head;
    let mut left_out = 0;
    for cluster in clusters {
        let section = section(cluster, allowed);
        let details = details(cluster);
        let fits = |more: usize| text.len() + more < LONGEST;
        if fits(section.len() + details.len()) {
            text += &format!("{section}{details}");
        } else if fits(section.len()) {
            text += &format!("{section}\nThe fields are too many to show here; `valkey-render diff` shows them.\n");
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        text += &format!("\n… and {left_out} more; `valkey-render diff` shows them.\n");
    }
    text
}

/// The class of the most dangerous change. Changes stand in that order.
fn worst(cluster: &ClusterDifference) -> Class {
    cluster.changes.first().map_or(Class::Info, |change| change.class)
}

fn verdict(difference: &Difference, allowed: &[Rule]) -> String {
    let dangers = difference.blocking(allowed).count();
    match (difference.clusters.len(), dangers) {
        (0, _) => "nothing changes".to_owned(),
        (1, 0) => "1 cluster changes".to_owned(),
        (clusters, 0) => format!("{clusters} clusters change"),
        (_, 1) => "1 dangerous change, do not merge".to_owned(),
        (_, dangers) => format!("{dangers} dangerous changes, do not merge"),
    }
}

fn section(cluster: &ClusterDifference, allowed: &[Rule]) -> String {
    let name = if cluster.name.is_empty() { "other objects" } else { &cluster.name };
    let mut text = format!("\n### {}\n\n", code(&format!("{}/{name}", cluster.namespace)));
    for rule in dangers(cluster) {
        let allowed = if allowed.contains(&rule) { " (allowed)" } else { "" };
        text += &format!("> **Dangerous{allowed}: {}.** {}\n\n", rule.id(), rule.remedy());
    }
    for line in &cluster.plan {
        text += &format!("- {}\n", escaped(line));
    }
    if cluster.plan.is_empty() {
        text += &format!("- {}\n", count(cluster.changes.len()));
    }
    text
}

fn dangers(cluster: &ClusterDifference) -> BTreeSet<Rule> {
    let dangerous = cluster.changes.iter().filter(|change| change.class == Class::Block);
    dangerous.map(|change| change.rule).collect()
}

fn count(changes: usize) -> String {
    if changes == 1 { "1 field or object changes".to_owned() } else { format!("{changes} fields or objects change") }
}

fn details(cluster: &ClusterDifference) -> String {
    let changes: String = cluster.changes.iter().map(detail).collect();
    let remedies: BTreeSet<Rule> = cluster.changes.iter().map(|change| change.rule).collect();
    let remedies = remedies.into_iter().filter(|rule| rule.class() != Class::Block && *rule != Rule::Other);
    let remedies = remedies.filter(|rule| !matches!(rule, Rule::ObjectAdded | Rule::ObjectRemoved));
    let remedies: String = remedies.map(|rule| format!("\n{}: {}\n", rule.id(), rule.remedy())).collect();
    let summary = count(cluster.changes.len());
    format!("\n<details><summary>{summary}</summary>\n\n{changes}{remedies}\n</details>\n")
}

fn detail(change: &Change) -> String {
    let place = code(format!("{} {}", change.object, change.path).trim_end());
    let head = format!("- {} {place} ({})", change.class.as_str(), change.rule.id());
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if is_short(before) && is_short(after) => {
            format!("{head}: {} → {}\n", code(&before.to_string()), code(&after.to_string()))
        }
        (None, Some(after)) if is_short(after) => format!("{head}: added {}\n", code(&after.to_string())),
        (Some(before), None) if is_short(before) => format!("{head}: removed {}\n", code(&before.to_string())),
        (None, None) => format!("{head}: {}\n", if change.comes { "comes" } else { "goes" }),
        _ => format!("{head}\n{}", fenced(&lines(change))),
    }
}

/// A block that no text can end from within, inside a list.
fn fenced(lines: &[String]) -> String {
    let shown = lines.iter().take(MOST_LINES);
    let fence = "`".repeat(lines.iter().map(|line| longest_run(line)).max().unwrap_or_default().max(2) + 1);
    let text: String = shown.map(|line| format!("  {}\n", line.replace(['\r', '\u{0}'], " "))).collect();
    let rest = lines.len().saturating_sub(MOST_LINES);
    let more = if rest == 0 { String::new() } else { format!("  … and {rest} more lines\n") };
    format!("  {fence}diff\n{text}{more}  {fence}\n")
}

/// Text in code, whatever is in it.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let fence = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Plans are words of ours, with names of directives in them.
fn escaped(text: &str) -> String {
    text.replace('_', "\\_").replace('*', "\\*").replace('<', "&lt;").replace('@', "&#64;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(object: &str, before: &str, after: &str) -> Difference {
        let side = |text: &str| {
            let mut side = render::diff::Side::default();
            let metadata = serde_json::json!({"name": object, "namespace": "shop"});
            side.add(serde_json::json!({"kind": "ConfigMap", "metadata": metadata, "data": {"a": text}})).unwrap();
            side
        };
        Difference::between(&side(before), &side(after))
    }

    #[test]
    fn nothing_that_is_compared_can_leave_its_code() {
        let comment = comment(&difference("a`b", "x", "<img src=x> @all ``` y"), &[]);
        assert!(comment.contains("``ConfigMap/a`b data.a``"), "{comment}");
        assert!(comment.contains("````\"<img src=x> @all ``` y\"````"), "{comment}");
    }

    #[test]
    fn a_text_of_many_lines_ends_no_block_either() {
        let comment = comment(&difference("a", "one\ntwo\n", "one\n```\n# head\n"), &[]);
        assert!(comment.contains("  ````diff\n  - two\n  + ```\n  + # head\n  ````\n"), "{comment}");
    }

    #[test]
    fn a_comment_that_is_too_long_loses_its_details_and_says_so() {
        let long = "x\n".repeat(100) + &"y".repeat(LONGEST);
        let comment = comment(&difference("a", "x", &long), &[]);
        assert!(comment.len() < LONGEST && comment.contains("too many to show"), "{comment}");
    }

    #[test]
    fn the_marker_comes_first() {
        assert!(comment(&difference("a", "x", "y"), &[]).starts_with(MARKER));
    }
}
