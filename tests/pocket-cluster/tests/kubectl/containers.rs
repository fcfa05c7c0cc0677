//! Containers: what they find, how they are asked, and how they end.

use std::time::{Duration, Instant};

use crate::support::{begin, pod, wait};

#[test]
fn a_container_finds_its_environment_and_its_files() {
    let story = begin();
    story.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {plain: 'from config', file.txt: 'in a file'}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {name: secret}\nstringData: {word: hush}\n",
    );
    let more = "workingDir: /work\nresources: {limits: {memory: 128Mi}}\nenv:\n\
        - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n\
        - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n\
        - {name: APP, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}\n\
        - {name: BYTES, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: '1'}}}\n\
        - {name: PLAIN, valueFrom: {configMapKeyRef: {name: config, key: plain}}}\n\
        - {name: WORD, valueFrom: {secretKeyRef: {name: secret, key: word}}}\n\
        - {name: BOTH, value: '$(NAME)-$(WORD)'}\n\
        envFrom: [{prefix: ALL_, secretRef: {name: secret}}]\n\
        volumeMounts: [{name: config, mountPath: /etc/config}, {name: secret, mountPath: /etc/secret}, {name: work, mountPath: /work}]";
    let volumes = "  volumes: [{name: config, configMap: {name: config, items: [{key: file.txt, path: sub/renamed}]}}, \
         {name: secret, secret: {secretName: secret, defaultMode: 256}}, {name: work, emptyDir: {}}]\n  securityContext: {runAsUser: 999, \
         runAsGroup: 998}\n";
    story.apply(&(pod("one", "sleep 1000", more) + volumes));
    story.ready("one");
    let address = story.field("pod/one", ".status.podIP");
    let said = story.sh("one", "echo $NAME $IP $APP $BYTES $PLAIN $WORD $BOTH $ALL_word $HOSTNAME");
    assert_eq!(said, format!("one {address} one 134217728 from config hush one-hush hush one"));
    assert_eq!(story.sh("one", "cat /etc/config/sub/renamed; ls /etc/config"), "in a filesub");
    assert_eq!(story.sh("one", "cat /etc/secret/word; stat -Lc %a /etc/secret/word"), "hush400");
    assert_eq!(
        story.sh("one", "pwd; id -u; id -g; hostname; touch /usr/x 2>/dev/null || echo read-only"),
        "/work\n999\n998\none\nread-only"
    );
}

#[test]
fn a_read_only_root_takes_no_files() {
    let story = begin();
    story.apply(&pod("one", "sleep 1000", "securityContext: {readOnlyRootFilesystem: true}"));
    story.ready("one");
    assert_eq!(story.sh("one", "touch /x /tmp/x /etc/x 2>&1 | grep -c 'Read-only\\|No such'"), "3");
}

#[test]
fn a_changed_config_map_arrives_in_a_running_container_as_a_whole() {
    let story = begin();
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: '1', b: '1'}\n";
    story.apply(config);
    let volumes = "  volumes: [{name: config, configMap: {name: config}}]\n";
    let script = "while :; do d=$(readlink /c/..data); a=$(cat /c/$d/a 2>/dev/null) && b=$(cat /c/$d/b 2>/dev/null) && \
                  [ \"$a\" != \"$b\" ] && echo torn; done";
    story.apply(&(pod("one", script, "volumeMounts: [{name: config, mountPath: /c}]") + volumes));
    story.ready("one");
    for round in 2..6 {
        story.apply(&config.replace("'1'", &format!("'{round}'")));
        wait("the new content", || {
            let found = story.sh("one", "cat /c/a /c/b");
            if found == format!("{round}{round}") { Ok(()) } else { Err(found) }
        });
    }
    story.apply(&config.replace(", b: '1'", ""));
    wait("the old file to go", || {
        let found = story.sh("one", "ls /c");
        if found == "a" { Ok(()) } else { Err(found) }
    });
    assert_eq!(story.kubectl("logs one"), "");
}

#[test]
fn a_pod_waits_for_the_config_map_that_it_mounts() {
    let story = begin();
    let volumes = "  volumes: [{name: config, configMap: {name: late}}]\n";
    story.apply(&(pod("one", "sleep 1000", "volumeMounts: [{name: config, mountPath: /c}]") + volumes));
    wait("an event", || {
        let events = story.kubectl("get events");
        if events.contains("FailedMount") && events.contains("late not found") { Ok(()) } else { Err(events) }
    });
    assert_eq!(story.field("pod/one", ".status.phase"), "Pending");
    story.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n");
    story.ready("one");
}

#[test]
fn an_image_that_does_not_exist_is_waited_for() {
    let story = begin();
    story.apply(&pod("one", "sleep 1000", "").replace("image: busybox", "image: nothing/like:it"));
    story.until("pod/one", ".status.containerStatuses[0].state.waiting.reason", "ImagePullBackOff");
    assert!(story.kubectl("get pods").contains("ImagePullBackOff"));
    story.kubectl("set image pod/one main=busybox");
}

#[test]
fn a_container_that_ends_is_started_again_later_and_later() {
    let story = begin();
    story.apply(&pod("one", "echo once more; exit 3", ""));
    story.until("pod/one", ".status.containerStatuses[0].state.waiting.reason", "CrashLoopBackOff");
    story.until("pod/one", ".status.containerStatuses[0].restartCount", "3");
    assert_eq!(story.field("pod/one", ".status.containerStatuses[0].lastState.terminated.exitCode"), "3");
    assert_eq!(story.kubectl("logs one --previous"), "once more");
}

#[test]
fn a_container_that_need_not_come_back_has_succeeded_or_failed() {
    let story = begin();
    for (name, code, phase) in [("good", 0, "Succeeded"), ("bad", 1, "Failed")] {
        story.apply(&pod(name, &format!("exit {code}"), "").replace("spec:\n", "spec:\n  restartPolicy: Never\n"));
        story.until(&format!("pod/{name}"), ".status.phase", phase);
    }
}

#[test]
fn init_containers_run_before_the_others_and_to_their_end() {
    let story = begin();
    let init = "  initContainers: [{name: first, image: busybox, command: [sh, -c, 'sleep 0.5; echo made >/w/file'], volumeMounts: \
                [{name: work, mountPath: /w}]}]\n  volumes: [{name: work, emptyDir: {}}]\n";
    story.apply(&(pod("one", "cat /w/file; sleep 1000", "volumeMounts: [{name: work, mountPath: /w}]") + init));
    story.ready("one");
    assert_eq!(story.kubectl("logs one -c main"), "made");
}

#[test]
fn readiness_comes_and_goes_with_the_probe() {
    let story = begin();
    let probe = "readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1, failureThreshold: 1}";
    story.apply(&pod("one", "sleep 1000", probe));
    story.until("pod/one", ".status.phase", "Running");
    story.until("pod/one", ".status.conditions[?(@.type=='Ready')].status", "False");
    story.sh("one", "touch /tmp/ready");
    story.ready("one");
    story.sh("one", "rm /tmp/ready");
    story.until("pod/one", ".status.conditions[?(@.type=='Ready')].status", "False");
    assert_eq!(story.field("pod/one", ".status.containerStatuses[0].restartCount"), "0");
}

#[test]
fn probes_by_http_and_tcp_ask_the_pod_at_its_address() {
    let story = begin();
    let server = "cd /tmp && mkdir -p www && echo hi >www/ok && cd www && exec python3 -m http.server 8000";
    let probes = "ports: [{name: web, containerPort: 8000}]\nreadinessProbe: {httpGet: {path: /ok, port: web}, periodSeconds: 1}\n\
                  livenessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1, failureThreshold: 30}";
    story.apply(&pod("one", server, probes));
    story.ready("one");
    story.sh("one", "rm /tmp/www/ok");
    story.until("pod/one", ".status.conditions[?(@.type=='Ready')].status", "False");
    assert!(story.kubectl("get events").contains("statuscode: 404"));
}

#[test]
fn a_container_whose_liveness_fails_is_started_again() {
    let story = begin();
    let probes = "startupProbe: {exec: {command: [test, -e, /run/started]}, periodSeconds: 1, failureThreshold: 30}\n\
                  livenessProbe: {exec: {command: [test, '!', -e, /run/dead]}, periodSeconds: 1, failureThreshold: 2}";
    story.apply(&pod("one", "trap 'exit 0' TERM; sleep 1000 & wait", probes));
    story.until("pod/one", ".status.containerStatuses[0].started", "false");
    story.sh("one", "touch /run/started");
    story.until("pod/one", ".status.containerStatuses[0].started", "true");
    story.sh("one", "touch /run/dead");
    story.until("pod/one", ".status.containerStatuses[0].restartCount", "1");
    assert!(story.kubectl("get events").contains("Liveness probe failed"));
}

#[test]
fn a_probe_that_hangs_counts_as_failed_and_leaves_no_process() {
    let story = begin();
    let probe =
        "readinessProbe: {exec: {command: [sleep, '777']}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1}";
    story.apply(&pod("one", "sleep 1000", probe));
    wait("a failed probe", || {
        let events = story.kubectl("get events");
        if events.contains("longer than 1s") { Ok(()) } else { Err(events) }
    });
    std::thread::sleep(Duration::from_secs(5));
    assert!(story.sh("one", "ps ax -o args | grep -c '^[s]leep 777'").parse::<u32>().unwrap() <= 1);
    story.kubectl("delete pod one --grace-period=1");
}

/// A container that writes down in what order it is ended, into a volume that another one reads.
fn telling(trap: &str, hook: &str, grace: u32) -> String {
    let more = format!(
        "lifecycle: {{preStop: {{exec: {{command: [sh, -c, '{hook}']}}}}}}\nvolumeMounts: [{{name: w, mountPath: /w}}]"
    );
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: w}\nspec: {accessModes: [ReadWriteOnce], resources: \
                 {requests: {storage: 1Mi}}}\n";
    let volumes = format!(
        "  terminationGracePeriodSeconds: {grace}\n  volumes: [{{name: w, persistentVolumeClaim: {{claimName: w}}}}]\n"
    );
    let reader = pod("reader", "sleep 1000", "volumeMounts: [{name: w, mountPath: /w}]") + &volumes;
    format!("{claim}---\n{}{volumes}---\n{reader}", pod("one", trap, &more))
}

#[test]
fn the_hook_comes_before_the_signal_and_the_signal_before_the_end() {
    let story = begin();
    let trap = "trap 'echo term >>/w/log; exit 0' TERM; sleep 1000 & wait";
    story.apply(&telling(trap, "echo hook >>/w/log; sleep 0.3; echo done >>/w/log", 30));
    story.ready("one");
    story.ready("reader");
    story.kubectl("delete pod one");
    assert_eq!(story.sh("reader", "cat /w/log"), "hook\ndone\nterm");
}

#[test]
fn what_does_not_end_within_the_grace_is_killed() {
    let story = begin();
    story.apply(
        &pod("deaf", "trap '' TERM; while :; do sleep 1; done", "")
            .replace("spec:\n", "spec:\n  terminationGracePeriodSeconds: 1\n"),
    );
    story.ready("deaf");
    let began = Instant::now();
    story.kubectl("delete pod deaf");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_deletion_by_force_waits_for_nothing() {
    let story = begin();
    story.apply(&pod("deaf", "trap '' TERM; while :; do sleep 1; done", ""));
    story.ready("deaf");
    let began = Instant::now();
    story.kubectl("delete pod deaf --grace-period=0 --force");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(story.names("pods"), Vec::<String>::new());
}

#[test]
fn a_pod_without_the_token_finds_none() {
    let story = begin();
    story.apply(&pod("one", "sleep 1000", "").replace("spec:\n", "spec:\n  automountServiceAccountToken: false\n"));
    story.ready("one");
    assert_eq!(story.sh("one", "ls /var/run/secrets 2>&1 | grep -c 'No such'"), "1");
}

#[test]
fn pods_find_each_other_by_name() {
    let story = begin();
    story.apply("apiVersion: v1\nkind: Service\nmetadata: {name: set}\nspec: {clusterIP: None, selector: {app: set}, ports: [{port: 80}]}\n");
    story.apply(&crate::support::stateful_set("set", 2, ""));
    story.ready("set-0");
    story.ready("set-1");
    let address = story.field("pod/set-1", ".status.podIP");
    for name in ["set-1.set", "set-1.set.default.svc", "set-1.set.default.svc.cluster.local"] {
        wait(name, || {
            let found = story.sh("set-0", &format!("getent ahostsv4 {name} | head -n1 | cut -d ' ' -f 1"));
            if found == address { Ok(()) } else { Err(found) }
        });
    }
    wait("both addresses", || {
        let found = story.sh("set-0", "getent ahostsv4 set | grep -c STREAM");
        if found == "2" { Ok(()) } else { Err(found) }
    });
}

#[test]
fn a_hook_that_takes_all_the_grace_leaves_two_seconds_for_the_signal() {
    let story = begin();
    let trap = "trap 'sleep 1; echo term >>/w/log; exit 0' TERM; sleep 1000 & wait";
    story.apply(&telling(trap, "echo hook >>/w/log; sleep 60; echo never >>/w/log", 1));
    story.ready("one");
    story.ready("reader");
    story.kubectl("delete pod one");
    assert_eq!(story.sh("reader", "cat /w/log"), "hook\nterm");
}

#[test]
fn a_second_deletion_can_shorten_the_grace() {
    let story = begin();
    story.apply(&pod("deaf", "trap '' TERM; while :; do sleep 1; done", ""));
    story.ready("deaf");
    story.kubectl("delete pod deaf --wait=false");
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    story.kubectl("delete pod deaf --grace-period=1");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
