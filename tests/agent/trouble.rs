//! Something is wrong that the agent cannot mend: it says so, does nothing on a guess, and goes on when it is over.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use pocket_cluster::{ApiFault, Fault};
use serde_json::{Value, json};
use support::small_with;

use crate::forming::every_server_says_so;
use crate::story::{PASSWORD, Story, open, without_password, without_tls};
use crate::wait::{hold, wait};

/// What the agent has done to anything but its own report.
fn acts(story: &Story) -> Vec<String> {
    let mut writes = story.writes();
    writes.retain(|write| !write.contains(" configmaps ") && !write.contains(" events"));
    writes
}

/// Nothing is done while the agent says this.
fn says_and_does_nothing(story: &Story, wanted: &str) {
    let before = acts(story);
    story.until_said("Ready", wanted);
    story.until_condition("Ready", "False");
    hold(Duration::from_secs(3), || assert_eq!(acts(story), before));
}

/// An agent that has been there before goes on with the password before.
#[test]
fn a_password_that_servers_do_not_take_is_told_and_nothing_is_done_until_it_is_right() {
    let story = Story::begin(&[without_tls()]);
    story.until_at_rest();
    story.set_password("two\nlines");
    story.kill(&story.agent_pod());
    says_and_does_nothing(&story, "its server does not take the password");
    story.until_told("Stuck");
    story.set_password(PASSWORD);
    story.until_at_rest();
    every_server_says_so(&story);
}

/// The certificate of an authority that has signed nothing.
fn stranger() -> String {
    let arguments =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 2 -subj /CN=stranger";
    let output = Command::new("openssl").args(arguments.split(' ')).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_authority_that_has_not_signed_the_servers_is_told_and_nothing_is_done_until_it_is_right() {
    let story = Story::begin(&[without_password(), ("/spec/version", json!("8.1"))]);
    story.until_at_rest();
    let metadata = json!({"name": story.name("tls"), "namespace": story.namespace()});
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"ca.crt": stranger()}});
    story.place.apply(&secret.to_string()).unwrap();
    says_and_does_nothing(&story, "certificate");
    wait("an event that says so", || {
        let events = story.events();
        if events.iter().any(|(_, note)| note.contains("certificate is refused")) {
            Ok(())
        } else {
            Err(format!("{events:?}"))
        }
    });
    story.inject(&Fault::Renew { certificate: story.cluster.name.to_string() });
    story.until_at_rest();
    every_server_says_so(&story);
}

/// What a Secret with a certificate holds, as it would be written.
fn pair(story: &Story, secret: &str) -> Result<Value, String> {
    let data = story.get("api/v1", &format!("secrets/{secret}"))?["data"].clone();
    if data["tls.key"].is_string() {
        Ok(json!({"tls.crt": data["tls.crt"], "tls.key": data["tls.key"]}))
    } else {
        Err(data.to_string())
    }
}

#[test]
fn a_certificate_for_another_name_is_told_and_nothing_is_done_until_it_is_right() {
    let story = Story::begin(&[without_password(), ("/spec/version", json!("8.1"))]);
    story.until_at_rest();
    let own = story.get("apis/cert-manager.io/v1", &format!("certificates/{}", story.cluster.name)).unwrap();
    let metadata = json!({"name": "elsewhere", "namespace": story.namespace()});
    let spec = json!({"secretName": "elsewhere", "dnsNames": ["elsewhere.example.com"], "issuerRef": own["spec"]["issuerRef"]});
    let other = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "spec": spec});
    story.place.apply(&other.to_string()).unwrap();
    let data = wait("another certificate", || pair(&story, "elsewhere"));
    let metadata = json!({"name": story.name("tls"), "namespace": story.namespace()});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
    story.place.apply(&secret.to_string()).unwrap();
    says_and_does_nothing(&story, "it lacks the host name of the pod");
    story.until_told("Stuck");
    story.inject(&Fault::Renew { certificate: story.cluster.name.to_string() });
    story.until_at_rest();
    every_server_says_so(&story);
}

#[test]
fn no_cluster_is_formed_while_one_of_its_servers_never_answers() {
    let story = Story::prepare(small_with(&open()));
    story.apply_all_but("Deployment");
    story.kubectl("scale sts/small --replicas=6");
    let frozen = Fault::Freeze { pods: vec!["small-3".to_owned()] };
    wait("a server to freeze", || {
        let said = story.ask("small-3", "PING");
        if said.trim() == "PONG" { Ok(()) } else { Err(said) }
    });
    story.inject(&frozen);
    story.apply();
    story.until_said("Ready", "5 of 6 pods answer");
    story.until_told("Silent");
    hold(Duration::from_secs(3), || {
        assert_eq!(story.told(), ["Silent".to_owned()].into());
        assert!(story.ask("small-0", "CLUSTER INFO").contains("cluster_known_nodes:1\n"));
    });
    story.inject(&Fault::Thaw { pods: vec!["small-3".to_owned()] });
    story.until_at_rest();
    every_server_says_so(&story);
}

/// The agent's own requests; whoever tells the story is spared.
pub(crate) fn requests(mut fault: ApiFault) -> Fault {
    fault.service_account = Some("small-agent".to_owned());
    Fault::Api(fault)
}

/// A cluster that begins when this has gone wrong already.
pub(crate) fn begin_with(changes: &[(&str, Value)], fault: &Fault) -> Story {
    let story = Story::prepare(small_with(changes));
    story.inject(fault);
    story.apply();
    story
}

fn form_with(fault: ApiFault) -> Story {
    let story = begin_with(&open(), &requests(fault));
    story.until_condition("Ready", "True");
    story.inject(&Fault::Mend);
    story
}

fn formed(story: &Story) {
    story.until_at_rest();
    every_server_says_so(story);
}

#[test]
fn a_cluster_forms_though_every_answer_of_the_api_server_takes_three_seconds() {
    formed(&form_with(ApiFault { latency_millis: 3_000, ..ApiFault::default() }));
}

#[test]
fn a_cluster_forms_though_three_of_ten_requests_to_the_api_server_fail() {
    for code in [503, 0] {
        formed(&form_with(ApiFault { share: 0.3, code, ..ApiFault::default() }));
    }
}

#[test]
fn a_cluster_forms_though_the_api_server_is_away_for_a_while() {
    forms_without_api_server_for(Duration::from_secs(5));
}

/// Whatever was begun is finished by whoever holds the lease then.
#[test]
fn a_cluster_forms_though_the_api_server_is_away_for_a_minute() {
    forms_without_api_server_for(Duration::from_mins(1));
}

fn forms_without_api_server_for(period: Duration) {
    let story = Story::begin(&open());
    sleep(Duration::from_millis(500));
    story.inject(&Fault::Outage { millis: period.as_millis().try_into().unwrap() });
    sleep(period);
    formed(&story);
    if period > Duration::from_secs(30) {
        story.until_told("Unheard");
    }
}

/// For longer than its lease is good for.
#[test]
fn at_rest_nobody_notices_that_the_api_server_was_away() {
    let story = Story::begin(&open());
    story.until_at_rest();
    let pods = |story: &Story| story.pods().iter().map(|pod| pod["metadata"]["uid"].clone()).collect::<Vec<Value>>();
    let before = (pods(&story), acts(&story));
    story.inject(&Fault::Outage { millis: 16_000 });
    sleep(Duration::from_millis(16_500));
    formed(&story);
    story.until_told("Unheard");
    assert_eq!((pods(&story), acts(&story)), before);
}

#[test]
fn a_change_is_seen_after_every_watch_has_ended_with_gone() {
    let mut story = Story::begin(&open());
    story.until_at_rest();
    story.inject(&Fault::Compact);
    story.change(&[("/spec/config", json!({"maxmemory-policy": "allkeys-lru"}))]);
    story.until_at_rest();
    assert_eq!(story.ask("small-0", "CONFIG GET maxmemory-policy"), "maxmemory-policy\nallkeys-lru\n");
}
