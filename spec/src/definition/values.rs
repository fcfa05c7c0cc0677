//! What the values of directives may be, in CEL: one rule for all directives that take the same values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::rules::{Rule, since, words};
use crate::config::settable;
use crate::directives::{self, Directive, DirectiveKind, LOCALES};
use crate::text::Series;

/// More names are counted.
const NAMED: usize = 6;
/// A number is as good as the text of one.
const VALUE: &str = "string(self.config[name])";
const BYTES: &str = "[0-9]{1,19}[kKmMgG]?[bB]?";
const PERCENT: &str = "[+]?0*([1-9][0-9]?|100)%";

/// What the API server holds every value against by itself: one line, in which nothing is to be substituted.
pub(super) const PATTERN: &str = r"^([^$\x00-\x1f\x7f-\x9f]|\$[^{$\x00-\x1f\x7f-\x9f])*\$?$";
/// The longest value.
pub(super) const LONGEST: u32 = 1024;

/// The rules, by what a value has to be.
pub(super) fn rules() -> Vec<Rule> {
    let mut groups: BTreeMap<(String, String), BTreeMap<&str, Vec<Series>>> = BTreeMap::new();
    for series in Series::ALL {
        let known = directives::all(series).filter(|directive| settable(directive.name, series).is_ok());
        for (directive, holds) in known.filter_map(|directive| Some((directive.clone(), condition(&directive)?))) {
            let takes = (meaning(&directive), holds);
            groups.entry(takes).or_default().entry(directive.name).or_default().push(series);
        }
    }
    let rule = |((takes, holds), names): ((String, String), BTreeMap<&str, Vec<Series>>)| rule(&takes, &holds, &names);
    groups.into_iter().map(rule).collect()
}

fn rule(takes: &str, holds: &str, names: &BTreeMap<&str, Vec<Series>>) -> Rule {
    let mut by_series: BTreeMap<&[Series], Vec<&str>> = BTreeMap::new();
    for (name, series) in names {
        by_series.entry(series).or_default().push(name);
    }
    let parts = by_series.iter().map(|(series, names)| {
        let each = format!("{}.all(name, !(name in self.config) || {holds})", words(names));
        since(series).map_or_else(|| each.clone(), |is_series| format!("(!({is_series}) || {each})"))
    });
    let holds = format!("!has(self.config) || ({})", parts.collect::<Vec<_>>().join(" && "));
    let mut shown: Vec<&str> = names.keys().copied().take(NAMED).collect();
    let rest = names.len() - shown.len();
    let more = format!("{rest} others");
    if rest > 0 {
        shown.push(&more);
    }
    let otherwise = format!("a value of config has to be {takes}: that of {}", shown.join(", "));
    Rule { at: &["spec"], holds: Cow::Owned(holds), otherwise: Cow::Owned(otherwise) }
}

fn meaning(directive: &Directive) -> String {
    if directive.kind == DirectiveKind::Words {
        format!("what {} takes", directive.name)
    } else if directive.name == "locale-collate" {
        format!("one of {}", LOCALES.join(", "))
    } else {
        directive.kind.to_string()
    }
}

/// What has to hold of `self.config[name]`; none where any text will do.
fn condition(directive: &Directive) -> Option<String> {
    let matches = |pattern: String| Some(format!("{VALUE}.matches('^({pattern})$')"));
    let one_of = |words_of: &[&str]| Some(format!("self.config[name] in {}", words(words_of)));
    match &directive.kind {
        DirectiveKind::YesNo => one_of(&["yes", "no"]),
        DirectiveKind::Choice(words) => one_of(words),
        DirectiveKind::Text if directive.name == "locale-collate" => one_of(&[&[""], &LOCALES[..]].concat()),
        DirectiveKind::Integer(range) => Some(between(*range.start(), *range.end())),
        DirectiveKind::Memory(range) => Some(memory(range)),
        DirectiveKind::MemoryOrPercent => {
            Some(format!("({VALUE}.matches('^{PERCENT}$') || {})", memory(&(0..=i64::MAX))))
        }
        DirectiveKind::Flags(flags) => matches(format!("[{flags}]*")),
        DirectiveKind::Words => words_of(directive.name).and_then(|pattern| matches(pattern.to_owned())),
        DirectiveKind::Choices(_) | DirectiveKind::Octal | DirectiveKind::Text => None,
    }
}

/// An amount in Valkey's notation, brought into that of Kubernetes: there, it is `Ki` that is 1024, and `m` a thousandth. What is more
/// than fits into 63 bits of `Ki`, `Mi` or `Gi` counts as all 63 there. Amounts below zero have no unit.
fn memory(range: &RangeInclusive<i64>) -> String {
    let units = [("kb", "Ki"), ("mb", "Mi"), ("gb", "Gi"), ("b", ""), ("m", "M"), ("g", "G")];
    let brought: String = units.map(|(ours, theirs)| format!(".replace('{ours}', '{theirs}')")).concat();
    let bound = |sign: &str, bytes: i64| {
        format!("quantity({VALUE}.lowerAscii(){brought}).compareTo(quantity('{bytes}')) {sign} 0")
    };
    let above = if *range.start() > 0 { bound(">=", *range.start()) + " && " } else { String::new() };
    let below = match *range.end() {
        i64::MAX => format!("({} || {VALUE} == '{}')", bound("<", i64::MAX), i64::MAX),
        greatest => bound("<=", greatest),
    };
    let amount = format!("{VALUE}.matches('^{BYTES}$') && {above}{below}");
    if *range.start() >= 0 {
        return format!("({amount})");
    }
    let below_zero = format!("int({VALUE}) >= {} && int({VALUE}) < 0", range.start());
    format!("({VALUE}.startsWith('-') ? {below_zero} : {amount})")
}

fn between(least: i64, greatest: i64) -> String {
    let number = "int(self.config[name])";
    let plain = format!("{VALUE} == string(int(self.config[name]))");
    let above = format!("{plain} && {number} >= {least}");
    if greatest == i64::MAX { above } else { format!("{above} && {number} <= {greatest}") }
}

/// The grammars of several words, as far as a pattern goes.
fn words_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "client-output-buffer-limit" => {
            r"\\s*((normal|replica|slave|pubsub)(\\s+[0-9]{1,19}[kKmMgG]?[bB]?){2}\\s+[+]?[0-9]{1,10}(\\s+|$))+"
        }
        "oom-score-adj-values" => r"\\s*[-+]?[0-9]{1,4}\\s+[-+]?[0-9]{1,4}\\s+[-+]?[0-9]{1,4}\\s*",
        "latency-tracking-info-percentiles" => {
            r"\\s*(-0+([.]0*)?(\\s+|$)|[+]?0*(100([.]0*)?|[0-9]{1,2}([.][0-9]*)?|[.][0-9]+|[.0-9]+[eE][-+]?[0-9]+)(\\s+|$))*"
        }
        _ => return None,
    })
}
