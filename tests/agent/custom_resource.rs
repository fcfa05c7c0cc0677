//! What should be stands in a `ValkeyCluster`, and whoever waits for it by the rules of kstatus is never told too early.

use std::env;
use std::fs;
use std::time::Duration;

use render::DesiredState;
use serde_json::{Value, json};
use support::{kstatus, root, small_with};

use crate::forming::every_server_says_so;
use crate::story::{Story, open};
use crate::wait::{hold, wait};

fn begin() -> Story {
    Story::prepare_in(small_with(&open()), DesiredState::CustomResource)
}

/// What Argo CD's own tests are run on: written where `UPDATE` is set, and otherwise such an object still.
pub(crate) fn keep(name: &str, object: &Value) {
    let folder = "deploy/argocd/resource_customizations/valkey-gitops.dev/ValkeyCluster/testdata";
    let path = root().join(folder).join(format!("{name}.yaml"));
    if env::var_os("UPDATE").is_some() {
        let mut object = object.clone();
        object["metadata"].as_object_mut().unwrap().remove("managedFields");
        fs::write(&path, serde_saphyr::to_string(&object).unwrap()).unwrap();
    }
    let kept: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(outline(&kept), outline(object), "{} is out of date: run this test with UPDATE=1", path.display());
}

/// The fields of its spec, and what its conditions are about and say by a word.
fn outline(object: &Value) -> (Vec<String>, Vec<[String; 2]>) {
    let spec = object["spec"].as_object().unwrap().keys().cloned().collect();
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let words = |condition: &Value| ["type", "status"].map(|field| condition[field].to_string());
    (spec, conditions.map(words).collect())
}

/// That nothing is told too early, is seen during every story of a custom resource.
fn first_at_work_and_current_in_the_end(seen: &[Value]) {
    assert_eq!(kstatus(&seen[0]), "InProgress", "{}", seen[0]);
    assert!(seen.iter().all(|object| kstatus(object) != "Failed"), "{seen:?}");
    assert_eq!(kstatus(seen.last().unwrap()), "Current");
}

#[test]
fn a_cluster_forms_and_grows_by_its_custom_resource_and_is_never_called_current_too_early() {
    let mut story = begin();
    story.apply();
    story.until_at_rest();
    every_server_says_so(&story);
    let seen = story.observed();
    first_at_work_and_current_in_the_end(&seen);
    keep("new", &seen[0]);
    keep("forming", seen.iter().find(|object| object["status"]["conditions"].is_array()).unwrap());
    keep("healthy", seen.last().unwrap());
    what_people_ask_for_is_told(&story);
    what_is_applied_again_changes_nothing(&story);

    story.change(&[("/spec/shards", json!(4)), ("/spec/config", json!({"databases": 4}))]);
    wait("a new generation that is as it should be", || {
        let object = story.object()?;
        if object["metadata"]["generation"] == 2 && kstatus(&object) == "Current" {
            Ok(())
        } else {
            Err(object["status"].to_string())
        }
    });
    every_server_says_so(&story);
    assert!(story.ask("small-0", "CONFIG GET databases").contains('4'));
    let seen = story.observed();
    let changed = seen.iter().position(|object| object["metadata"]["generation"] == 2).unwrap();
    keep("changed", &seen[changed]);
    first_at_work_and_current_in_the_end(&seen[changed..]);
}

fn what_people_ask_for_is_told(story: &Story) {
    let said = story.kubectl("get vkc");
    let words: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "READY", "SHARDS", "SLOTS", "VERSION", "AGE"], "{said}");
    assert_eq!(words[1][..5], ["small", "True", "3", "16384", "9.1.2"], "{said}");
    let said = story.kubectl("wait --for=condition=Ready vkc/small --timeout=10s");
    assert!(said.contains("condition met"), "{said}");
    let said = story.kubectl("explain vkc.spec.storage.expandTo");
    assert!(said.contains("GROUP:      valkey-gitops.dev") && said.contains("FIELD: expandTo <string>"), "{said}");
    let status = story.status().unwrap();
    assert_eq!(status["endpoints"]["any"], "small.default.svc.cluster.local:6379");
    assert_eq!(status["selector"], "valkey-gitops.dev/cluster=small,app.kubernetes.io/component=valkey");
}

/// Neither the server nor the agent writes into what Git says; and the agent leaves no ConfigMap behind.
fn what_is_applied_again_changes_nothing(story: &Story) {
    let before = story.object().unwrap();
    story.apply();
    hold(Duration::from_secs(2), || {
        let object = story.object().unwrap();
        assert_eq!((&object["spec"], &object["metadata"]["generation"]), (&before["spec"], &json!(1)));
    });
    let managers: Vec<&Value> = before["metadata"]["managedFields"].as_array().unwrap().iter().collect();
    let agent: Vec<_> = managers.iter().filter(|manager| manager["manager"] == "valkey-topology-agent").collect();
    assert_eq!(agent.len(), 1, "{managers:?}");
    assert_eq!(agent[0]["subresource"], "status", "{managers:?}");
    for map in ["status", "desired"] {
        assert!(story.get("api/v1", &format!("configmaps/small-{map}")).is_err());
    }
}

#[test]
fn a_spec_that_was_not_rendered_is_told_and_one_that_is_wrong_is_a_failure() {
    let story = begin();
    story.apply();
    story.until_at_rest();
    story.kubectl("patch vkc small --type=merge --patch {\"spec\":{\"maxMemoryPercent\":50}}");
    story.until_said("Ready", "was rendered from another spec");
    keep("unrendered", &story.object().unwrap());
    // As the definition of another version would let it pass.
    story.kubectl("patch vkc small --type=merge --patch {\"spec\":{\"config\":{\"hz\":\"fast\"}}}");
    story.until_condition("Stalled", "True");
    assert_eq!(kstatus(&story.object().unwrap()), "Failed");
    keep("wrong", &story.object().unwrap());
    story.apply();
    story.kubectl("patch vkc small --type=merge --patch {\"spec\":{\"config\":null}}");
    story.until_at_rest();
    assert_eq!(kstatus(&story.object().unwrap()), "Current");
    story.kubectl("delete vkc small");
    story.apply();
    story.until_at_rest();
    assert_eq!(kstatus(&story.object().unwrap()), "Current");
}

/// What a newer renderer makes of the same spec: one more annotation of the pods, and with it another hash of their template.
fn rendered_by_a_newer(story: &Story) -> String {
    let object = story.object().unwrap();
    let told = object["spec"]["renderedTemplate"].as_str().unwrap();
    let annotation = format!("        {}: ", spec::names::CONFIG_HASH_ANNOTATION);
    let rendered = story.rendered().replace(told, "0123456789abcdef");
    rendered.replace(&annotation, &format!("        example.com/newer: \"yes\"\n{annotation}"))
}

/// A template can change without the spec: that is a new generation as well.
#[test]
fn a_template_that_is_rendered_anew_is_waited_for() {
    let story = begin();
    story.apply();
    story.until_at_rest();
    let (before, lives) = (story.object().unwrap(), story.lives());
    story.place.apply(&rendered_by_a_newer(&story)).unwrap();
    assert_eq!(kstatus(&story.object().unwrap()), "InProgress");
    story.kubectl("wait --for=condition=Ready vkc/small --timeout=2m");
    let (after, spec) = (story.object().unwrap(), |object: &Value| {
        let mut spec = object["spec"].clone();
        spec.as_object_mut().unwrap().remove("renderedTemplate");
        spec
    });
    assert_eq!((kstatus(&after), spec(&after)), ("Current", spec(&before)));
    assert!(story.lives().iter().all(|life| !lives.contains(life)), "every pod has restarted");
    assert!(story.pods().iter().all(|pod| pod["metadata"]["annotations"]["example.com/newer"] == "yes"));
}

/// Nothing is rendered for it.
#[test]
fn a_cluster_grows_by_kubectl_scale() {
    let mut story = begin();
    story.apply();
    story.until_at_rest();
    story.kubectl("scale vkc/small --replicas=4");
    story.write(&[("/spec/shards", json!(4))]);
    wait("a fourth shard", || {
        let object = story.object()?;
        let is_there = object["status"]["shardCount"] == 4 && kstatus(&object) == "Current";
        if is_there { Ok(()) } else { Err(object["status"].to_string()) }
    });
    every_server_says_so(&story);
}
