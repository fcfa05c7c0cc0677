//! The custom resource takes what the reader takes, and refuses what it refuses: by its schema, and by its rules, which are run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod custom_resource;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use custom_resource::{Definition, complaints, filled};
use render::diff::{Difference, Side};
use serde_json::{Value, json};
use spec::Series;
use spec::directives::{Directive, DirectiveKind};
use support::{clusters, examples, manifest, root, small_with, yaml_files};

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What the renderer would write: everything filled in, and in its final form.
fn rendered(written: &Value) -> Value {
    let cluster = clusters(&written.to_string()).remove(0);
    serde_json::to_value(spec::ValkeyCluster::from(cluster)).unwrap()
}

#[test]
fn every_example_is_taken_as_it_is_written_and_as_it_is_rendered() {
    let definition = Definition::ours();
    for path in examples() {
        let written = read(&path);
        assert_eq!(complaints(&definition, &written, None), Vec::<String>::new(), "{}", path.display());
        assert_eq!(complaints(&definition, &rendered(&written), None), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn what_was_rendered_stays_as_it_is() {
    let definition = Definition::ours();
    for path in examples() {
        let rendered = rendered(&read(&path));
        assert_eq!(filled(definition.schema(), &rendered)["spec"], rendered["spec"], "{}", path.display());
    }
}

#[test]
fn what_is_filled_in_is_what_the_reader_fills_in() {
    let definition = Definition::ours();
    for path in examples() {
        let written = read(&path);
        let filled = filled(definition.schema(), &written);
        let filled = json!({"apiVersion": filled["apiVersion"], "kind": filled["kind"], "metadata": filled["metadata"], "spec": filled["spec"]});
        assert_eq!(rendered(&filled), rendered(&written), "{}", path.display());
    }
}

/// Left to the reader, which the agent is as well, for no rule sees labels or the namespace: which labels are somebody else's, and how
/// long names become together. What a label may be at all, the API server says of every object.
const LEFT: [&str; 5] =
    ["host-name-too-long", "label-number", "labels-invalid", "labels-of-nodes", "namespace-missing"];
/// No objects: nothing reaches the API server, or it is another kind, or fine by itself.
const NONE: [&str; 28] = [
    "alias-bomb",
    "deep-nesting",
    "duplicate-key",
    "empty-file",
    "merge-key",
    "name-missing",
    "not-a-map",
    "not-utf-8",
    "octal-and-underscores",
    "one-of-two-documents-malformed",
    "only-comments",
    "plain-text",
    "same-cluster-twice",
    "tab-indentation",
    "tag",
    "unclosed-quote",
    "wrong-api-version",
    "wrong-kind",
    "yes-for-text",
    "windows-line-ends",
    "spec-missing",
    "name-upper-case",
    "nothing-for-text",
    "number-for-text",
    "numbers-too-large",
    "rendered-objects",
    "tab-below-a-value",
    "two-documents-behind-an-end",
];

#[test]
fn what_the_reader_refuses_is_refused() {
    let definition = Definition::ours();
    for path in yaml_files(&root().join("examples/refused")) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !NONE.contains(&name) {
            let is_refused = !complaints(&definition, &read(&path), None).is_empty();
            assert_eq!(is_refused, !LEFT.contains(&name), "{name}");
        }
    }
}

fn side(written: &Value) -> Side {
    let mut side = Side::default();
    for document in serde_saphyr::from_multiple(&manifest(&clusters(&written.to_string())[0]).to_yaml()).unwrap() {
        side.add(document).unwrap();
    }
    side
}

/// The rules by which `diff` blocks the change, and those by which the API server would.
fn both(definition: &Definition, before: &Value, after: &Value) -> [BTreeSet<String>; 2] {
    let difference = Difference::between(&side(before), &side(after));
    let blocked = difference.blocking(&[]).map(|change| change.rule.id().to_owned()).collect();
    let complaints = complaints(definition, after, Some(before));
    [blocked, complaints.iter().map(|said| said.split(':').next().unwrap_or_default().to_owned()).collect()]
}

#[test]
fn a_change_that_diff_calls_dangerous_is_refused_by_the_same_rule() {
    let definition = Definition::ours();
    let folder = root().join("examples/changes");
    let mut seen = BTreeSet::new();
    for path in yaml_files(&folder) {
        let own = folder.join("from").join(path.file_name().unwrap());
        let before = if own.exists() { own } else { root().join("examples/production.yaml") };
        // A rename is another object.
        if path.ends_with("rename.yaml") {
            continue;
        }
        let [mut blocked, refused] = both(&definition, &read(&before), &read(&path));
        // A review can allow it; the API server would keep the cluster from ever shrinking.
        blocked.remove("volumes-scaled-in");
        assert_eq!(refused, blocked, "{}", path.display());
        seen.extend(refused);
    }
    let all = definition.transitions();
    assert_eq!(seen, all, "each is tried by an example");
}

#[test]
fn storage_of_another_kind_or_class_is_another_cluster() {
    let definition = Definition::ours();
    let volume = small_with(&[("/spec/storage", json!({"size": "10Gi", "className": "fast"}))]);
    for storage in
        [json!({"ephemeral": {}}), json!({"size": "20Gi", "className": "fast"}), json!({"className": "slow"})]
    {
        let other = small_with(&[("/spec/storage", storage)]);
        let [blocked, refused] = both(&definition, &volume, &other);
        assert!(blocked.contains("immutable-field") && refused.contains("immutable-field"), "{other}");
    }
    let same = small_with(&[("/spec/storage", json!({"size": "10240Mi", "className": "fast"}))]);
    assert_eq!(both(&definition, &volume, &same), [BTreeSet::new(), BTreeSet::new()]);
}

#[test]
fn a_short_lived_certificate_needs_no_other_word() {
    let tls = json!({"issuerRef": {"name": "ca"}, "duration": "24h"});
    let written = small_with(&[("/spec/tls", tls)]);
    assert_eq!(complaints(&Definition::ours(), &written, None), Vec::<String>::new());
    assert_eq!(rendered(&written)["spec"]["tls"]["renewBefore"], "8h0m0s");
}

#[test]
fn a_downgrade_that_is_wanted_is_let_through() {
    let definition = Definition::ours();
    let (new, old) = (small_with(&[]), json!("8.1"));
    let unwanted = small_with(&[("/spec/version", old.clone())]);
    let wanted = small_with(&[("/spec/version", old), ("/spec/upgrade", json!({"allowDowngrade": true}))]);
    assert!(complaints(&definition, &unwanted, Some(&new))[0].starts_with("downgrade: "));
    assert_eq!(complaints(&definition, &wanted, Some(&new)), Vec::<String>::new());
}

/// The directives that a spec of a series may set.
fn settable(series: Series) -> impl Iterator<Item = Directive> {
    spec::directives::all(series).filter(move |directive| spec::settable(directive.name, series).is_ok())
}

/// What values look like, and what they almost look like.
const VALUES: [&str; 42] = [
    "",
    "?",
    "yes",
    "YES",
    "no",
    "0",
    "-0",
    "1",
    "-1",
    "-2",
    "+5",
    "010",
    "5",
    "100",
    "1000",
    "70000",
    "3000000000",
    "5000000000",
    "9223372036854775807",
    "9223372036854775808",
    "10mb",
    "10MB",
    "64kb",
    "1048575B",
    "1Mb",
    "1m",
    "8g",
    "9000000000gb",
    "00010k",
    "1.5gb",
    "2 gb",
    "-5mb",
    "50%",
    "101%",
    "allkeys-lru",
    "KEx",
    "C.UTF-8",
    "normal 0 0 0",
    "normal 0 0 0 slave 1gb 1mb 60",
    "50 99.9",
    "${x}",
    "a\tb",
];

#[test]
fn a_value_of_a_directive_is_refused_as_it_is_by_the_reader() {
    let definition = Definition::ours();
    let (mut tried, mut is_refused) = (BTreeSet::new(), [0, 0]);
    for series in Series::ALL {
        // Once for each that takes something else than in the series before.
        for directive in settable(series).filter(|one| tried.insert((one.name, one.kind.to_string()))) {
            for value in VALUES {
                let takes = directive.check(value).is_ok();
                let is_taken = definition.takes(series.as_str(), directive.name, value);
                assert_eq!(is_taken, takes, "{series} {} {value:?}", directive.name);
                is_refused[usize::from(is_taken)] += 1;
            }
        }
    }
    assert!(is_refused.iter().all(|number| *number > 500), "{is_refused:?}");
}

#[test]
fn each_rule_refuses_something() {
    let definition = Definition::ours();
    let mut broken = BTreeSet::new();
    let names = ["name-of-a-derived-object", "name-of-a-shard-budget"];
    let mut wrong: Vec<Value> = yaml_files(&root().join("examples/refused"))
        .iter()
        .filter(|path| !NONE.contains(&path.file_stem().unwrap().to_str().unwrap()))
        .map(|path| read(path))
        .collect();
    assert!(names.iter().all(|name| root().join(format!("examples/refused/{name}.yaml")).exists()));
    wrong.extend([
        small_with(&[("/spec/storage", json!({"expandTo": "16"}))]),
        small_with(&[("/spec/storage", json!({"ephemeral": {"sizeLimit": "16"}}))]),
        small_with(&[("/spec/tls/duration", json!("30m")), ("/spec/tls/renewBefore", json!("1m"))]),
    ]);
    wrong.extend(Series::ALL.map(|series| {
        let wrong = |directive: &Directive| match &directive.kind {
            DirectiveKind::Integer(range) => (range.start() - 1).to_string(),
            _ => "?".to_owned(),
        };
        let config = settable(series).map(|directive| (directive.name.to_owned(), json!(wrong(&directive))));
        let config: Value = config.collect();
        small_with(&[("/spec/version", json!(series.as_str())), ("/spec/config", config)])
    }));
    for object in &wrong {
        broken.extend(definition.broken(object, None));
    }
    let unbroken: Vec<String> = definition.static_rules().difference(&broken).cloned().collect();
    assert_eq!(unbroken, Vec::<String>::new(), "no example breaks these");
}

#[test]
fn the_schema_is_structural() {
    let definition = Definition::ours();
    assert_eq!(definition.what_is_not_structural(), Vec::<String>::new());
}
