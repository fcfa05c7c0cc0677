//! What the renderer writes runs as it is, with real servers.

use std::path::Path;

use crate::support::{Story, begin_with, options, root, wait};

/// Every kind that is rendered or follows from it.
const DESCRIBED: &str =
    "all,configmaps,secrets,pvc,pdb,netpol,roles,rolebindings,sa,nodes,events,certificates,namespaces";

fn servers() -> String {
    let folder = std::env::var("VALKEY_SERVERS").unwrap_or_else(|_| root().join("target/valkey").display().to_string());
    assert!(Path::new(&folder).join("9.1/valkey-server").exists(), "{folder} has no servers: run `make servers`");
    format!("{folder}/{{series}}")
}

/// The cluster of an example, with a stand-in for the agent.
fn rendered(example: &str) -> Story {
    let agent = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("agent");
    std::fs::create_dir_all(&agent).unwrap();
    std::fs::write(agent.join("valkey-topology-agent"), "#!/bin/sh\nexec sleep 1000\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(agent.join("valkey-topology-agent"), executable).unwrap();
    let options =
        options().with_image("valkey/valkey", servers()).with_image("valkey-gitops/valkey-topology-agent", agent);
    let story = begin_with(&options);
    let text = std::fs::read_to_string(root().join("examples").join(example)).unwrap();
    let read = spec::read(&text, None).unwrap().remove(0);
    story.apply(&render::Manifest::of(&read.cluster).unwrap().to_yaml());
    story
}

#[test]
fn real_servers_run_from_the_rendered_example_and_wait_for_somebody_to_form_the_cluster() {
    let story = rendered("minimal.yaml");
    story.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: minimal-auth}\nstringData: {password: hush}\n");
    let set = story.names("sts").remove(0);
    story.kubectl(&format!("scale sts/{set} --replicas=3"));
    let pod = format!("{set}-2");
    story.until(&format!("pod/{pod}"), ".status.containerStatuses[0].started", "true");
    story.until(&format!("pod/{pod}"), ".status.phase", "Running");
    assert_eq!(story.field(&format!("pod/{pod}"), ".status.conditions[?(@.type=='Ready')].status"), "False");
    wait("the reason", || {
        let events = story.kubectl("get events");
        if events.contains("not part of a working cluster") { Ok(()) } else { Err(events) }
    });
    for object in story.kubectl(&format!("get {DESCRIBED} -o name")).lines() {
        let said = story.kubectl(&format!("describe {object}"));
        let name = object.rsplit('/').next().unwrap();
        assert!(said.starts_with("Name:") && said.contains(name), "{object}: {said}");
    }
}
