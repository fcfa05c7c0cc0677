//! What holds for any spec, and for anything that is taken for one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use serde_json::{Value, json};
use spec::{Series, directives};
use support::{clusters, manifest, small_with};

fn name() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,50}[a-z0-9])?".prop_filter("a derived name", |name| name.parse::<spec::ClusterName>().is_ok())
}

fn label_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
        Just("yes".to_owned()),
        Just("1_000".to_owned()),
        Just("0644".to_owned())
    ]
}

fn quantity() -> impl Strategy<Value = Value> {
    prop_oneof![
        (64_u32..4096).prop_map(|count| json!(format!("{count}Mi"))),
        (1_u32..64).prop_map(|count| json!(format!("{count}.5Gi")))
    ]
}

/// A directive of the series and its default, as a value that a spec may set it to.
fn directive(series: Series) -> impl Strategy<Value = (String, String)> {
    let settable = |directive: &directives::Directive| {
        let spec = small_with(&[
            ("/spec/version", json!(series.as_str())),
            ("/spec/config", json!({directive.name: directive.default})),
        ]);
        !directive.default.is_empty() && spec::read(&spec.to_string(), None).is_ok()
    };
    let all: Vec<(String, String)> = directives::all(series)
        .filter(settable)
        .map(|directive| (directive.name.to_owned(), directive.default.to_owned()))
        .collect();
    proptest::sample::select(all)
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(
    strategy: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(strategy)
}

prop_compose! {
    fn identity()(name in name(), namespace in "[a-z][a-z0-9]{0,20}", labels in proptest::collection::btree_map("[a-z]{1,10}", label_value(), 0..4)) -> Value {
        json!({"name": name, "namespace": namespace, "labels": labels})
    }
}

prop_compose! {
    fn changes()(
        metadata in identity(),
        version in proptest::sample::select(Series::ALL.to_vec()),
        sizes in (3_u16..=500, 1_u8..=5, 10_u8..=95),
        tls in proptest::sample::select(vec![
            json!({"issuerRef": {"name": "ca", "kind": "ClusterIssuer"}}), json!({"secretName": "own", "clientAuth": "Off"}), json!({"disabled": true}),
        ]),
        auth in proptest::sample::select(vec![json!({"passwordSecret": {"name": "s", "key": "k"}}), json!({"disabled": true})]),
        storage in prop_oneof![quantity().prop_map(|size| json!({"size": size})), maybe(quantity()).prop_map(|limit| match limit {
            Some(limit) => json!({"ephemeral": {"sizeLimit": limit}}),
            None => json!({"ephemeral": {}}),
        })],
        memory in quantity(),
        persistence in (any::<bool>(), proptest::collection::vec((1_u32..9999, 1_u32..9999), 0..3)),
        spreads in proptest::sample::select(vec!["Required", "Preferred", "Off"]),
        selector in proptest::collection::btree_map("[a-z]{1,10}", label_value(), 0..3),
        monitoring in (any::<bool>(), any::<bool>()),
        per_shard in any::<bool>(),
    ) -> Vec<(&'static str, Value)> {
        let snapshots: Vec<String> = persistence.1.iter().map(|(seconds, changes)| format!("{seconds} {changes}")).collect();
        vec![
            ("/metadata", metadata),
            ("/spec/version", json!(version.as_str())),
            ("/spec/shards", json!(sizes.0)),
            ("/spec/replicasPerShard", json!(sizes.1)),
            ("/spec/maxMemoryPercent", json!(sizes.2)),
            ("/spec/tls", tls),
            ("/spec/auth", auth),
            ("/spec/storage", storage),
            ("/spec/resources", json!({"limits": {"memory": memory}})),
            ("/spec/persistence", json!({"appendOnly": persistence.0, "snapshots": snapshots})),
            ("/spec/placement/zoneSpread", json!(spreads)),
            ("/spec/access/clients", json!([{"podSelector": {"matchLabels": selector}}])),
            ("/spec/monitoring", json!({"podMonitor": monitoring.0, "prometheusRule": monitoring.1})),
            ("/spec/disruptionBudget", json!(if per_shard && sizes.0 < 20 { "PerShard" } else { "PerCluster" })),
        ]
    }
}

/// What is read can be rendered; the problems of what is not.
fn read_or_refused(text: &str) -> Vec<spec::Problem> {
    match spec::read(text, None) {
        Ok(read) => {
            let mut renderer = render::Renderer::default();
            for read in read {
                let _ = renderer.render(&read.cluster).unwrap();
            }
            Vec::new()
        }
        Err(problems) => problems,
    }
}

/// The free texts of a spec, in none of which may stand what would not arrive as it is.
const TEXTS: [&str; 15] = [
    "/metadata/labels/team",
    "/spec/podLabels/team",
    "/spec/image/repository",
    "/spec/image/tag",
    "/spec/tls/issuerRef/name",
    "/spec/tls/issuerRef/kind",
    "/spec/tls/issuerRef/group",
    "/spec/auth/passwordSecret/name",
    "/spec/auth/passwordSecret/key",
    "/spec/storage/className",
    "/spec/placement/nodeSelector",
    "/spec/placement/tolerations",
    "/spec/placement/priorityClassName",
    "/spec/config/proc-title-template",
    "/spec/clusterDomain",
];

fn spec_with_text(field: &str, text: &str) -> Value {
    let value = match field.rsplit('/').next().unwrap() {
        "nodeSelector" => json!({"disk": text}),
        "tolerations" => json!([{"key": "dedicated", "value": text}]),
        _ => json!(text),
    };
    small_with(&[(field, value)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_spec_renders_holds_the_laws_and_renders_again_from_its_desired_state(changes in changes()) {
        let cluster = clusters(&small_with(&changes).to_string()).remove(0);
        let rendered = manifest(&cluster).to_yaml();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
        let desired = documents.iter().find_map(|document| document.pointer("/data/cluster.yaml")?.as_str()).unwrap();
        prop_assert_eq!(&render::Renderer::default().objects(&cluster).unwrap(), &documents);
        let again = clusters(desired).remove(0);
        prop_assert_eq!(&again, &cluster);
        prop_assert_eq!(manifest(&again).to_yaml(), rendered);
    }

    #[test]
    fn any_directive_at_its_default_can_be_set(chosen in proptest::collection::btree_map(0_u8..4, directive(Series::V9_1), 0..4)) {
        let config: serde_json::Map<String, Value> = chosen.into_values().map(|(name, value)| (name, json!(value))).collect();
        let cluster = clusters(&small_with(&[("/spec/config", Value::Object(config))]).to_string()).remove(0);
        let _ = manifest(&cluster);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        read_or_refused(&text);
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(lines in proptest::collection::vec("[ ]{0,6}(- )?(spec|metadata|name|shards|tls|a|\\*a|&a b)?:?[ ]?[{}\\[\\]\"'|>#!%@,0-9a-z&*:-]{0,12}", 0..12)) {
        read_or_refused(&lines.join("\n"));
    }

    /// One place of a valid spec replaced by nonsense: read or refused, and where refused, the place is named.
    #[test]
    fn any_damage_to_a_valid_spec_is_read_or_refused(at in any::<proptest::sample::Index>(), damage in "[\\x00-\\x7fäß\u{2028}]{1,4}") {
        let text = include_str!("../examples/every-field.yaml");
        let position = (0..=text.len()).filter(|index| text.is_char_boundary(*index)).collect::<Vec<_>>()[at.index(text.chars().count())];
        let damaged = format!("{}{damage}{}", &text[..position], &text[position..]);
        for problem in read_or_refused(&damaged) {
            let span = problem.span.unwrap();
            prop_assert!(span.start <= span.end && span.end <= damaged.len(), "{span:?}");
        }
    }

    /// However documents are parted, each is read, or something is refused: a cluster that is dropped without a word is deleted.
    #[test]
    fn no_document_is_dropped(breaks in proptest::sample::select(vec!["\n", "\r\n", "\r"]), parts in proptest::collection::vec(proptest::sample::select(vec!["---", "...", "", "# a", "%YAML 1.2", "--- # b", "... # c", "---x", "\u{feff}---"]), 0..4)) {
        let documents = ["a", "b"].map(|name| small_with(&[("/metadata/name", json!(name))]).to_string());
        let text = [documents[0].as_str()].into_iter().chain(parts).chain([documents[1].as_str(), ""]).collect::<Vec<_>>().join(breaks);
        if let Ok(read) = spec::read(&text, None) {
            prop_assert_eq!(read.len(), 2, "{:?}", text);
        }
    }

    #[test]
    fn any_text_in_any_field_is_rendered_or_refused(field in proptest::sample::select(TEXTS.to_vec()), text in "[a-zA-Z0-9 ${}\t\n\"\\\\'#:%/.-]{0,6}") {
        read_or_refused(&spec_with_text(field, &text).to_string());
    }

    #[test]
    fn no_object_belongs_to_two_clusters(name in "[a-z]{1,3}", suffix in proptest::sample::select(vec!["-agent", "-nodes", "-tls", "-shard-0", "-b"]), per_shard in any::<bool>()) {
        let budget = if per_shard { "PerShard" } else { "PerCluster" };
        let with = |name: String| small_with(&[("/metadata/name", json!(name)), ("/spec/disruptionBudget", json!(budget))]).to_string();
        let one = manifest(&clusters(&with(name.clone())).remove(0));
        let Ok(other) = spec::read(&with(name + suffix), None) else { return Ok(()) };
        let other = manifest(&other[0].cluster);
        let taken: Vec<_> = one.documents().iter().map(render::Document::identity).collect();
        prop_assert!(other.documents().iter().all(|document| !taken.contains(&document.identity())));
    }
}
