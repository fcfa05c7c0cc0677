//! What Argo CD is told of a `ValkeyCluster`: its tests, in its own layout, run by an interpreter of Lua 5.1, which is that of
//! Argo CD, over objects as an agent left them. Argo CD gives a script no library but that of tables; here as there.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{kstatus, root, yaml_files};

fn folder() -> PathBuf {
    root().join("deploy/argocd/resource_customizations/valkey-gitops.dev/ValkeyCluster")
}

fn read(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(folder().join(path)).unwrap()).unwrap()
}

/// A value as Lua writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(elements) => format!("{{{}}}", elements.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| format!("[{}] = {}", quoted(key), literal(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text as Lua writes it: byte by byte, for 5.1 knows no other way to name what has no letter.
fn quoted(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' '..=b'~' if !matches!(byte, b'"' | b'\\') => char::from(byte).to_string(),
        _ => format!("\\{byte:03}"),
    };
    format!("\"{}\"", text.bytes().map(byte).collect::<String>())
}

/// Writes what a script returned, as JSON. An empty table is a list, as for the library that Argo CD has for it.
const WRITER: &str = r#"
local write, format, type, pairs, next, concat, tostring = io.write, string.format, type, pairs, next, table.concat, tostring
local replace = string.gsub
local function json(value)
  if type(value) == "string" then return '"' .. replace(replace(value, '\\', '\\\\'), '"', '\\"') .. '"' end
  if type(value) ~= "table" then return tostring(value) end
  local parts, is_list = {}, #value > 0 or next(value) == nil
  for key, inner in pairs(value) do
    parts[#parts + 1] = is_list and json(inner) or format('"%s":%s', key, json(inner))
  end
  return (is_list and "[" or "{") .. concat(parts, ",") .. (is_list and "]" or "}")
end
getmetatable("").__index = nil
io, os, string, math, debug, require, module, package, coroutine, load, loadstring, loadfile, dofile = nil
"#;

/// What a script makes of an object.
fn run(script: &str, object: &Value) -> Value {
    let script = fs::read_to_string(folder().join(script)).unwrap();
    let text = format!("{WRITER}\nobj = {}\nwrite(json((function()\n{script}\nend)()))\n", literal(object));
    let mut lua = Command::new("lua5.1").arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    lua.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = lua.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// What Argo CD takes for the outcome of an action: Lua does not tell an empty list from an empty map, so that an empty list in the
/// place of a map is the map that was there before.
fn taken(made: Value, before: &Value) -> Value {
    match (made, before) {
        (Value::Array(elements), Value::Object(_)) if elements.is_empty() => before.clone(),
        (Value::Array(elements), Value::Array(earlier)) => {
            let pairs = elements.into_iter().zip(earlier.iter().chain(std::iter::repeat(&Value::Null)));
            pairs.map(|(element, earlier)| taken(element, earlier)).collect()
        }
        (Value::Object(fields), Value::Object(earlier)) => {
            let of = |key: &String| earlier.get(key).unwrap_or(&Value::Null);
            fields.into_iter().map(|(key, value)| (key.clone(), taken(value, of(&key)))).collect()
        }
        (other, _) => other,
    }
}

/// What `argocd-cm` holds of the scripts: health under one key, and all actions, in YAML once more, under another.
fn installed() -> String {
    let script = |path: &str, indent: usize| {
        let text = fs::read_to_string(folder().join(path)).unwrap();
        let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{:indent$}{line}\n", "") };
        text.lines().map(line).collect::<String>()
    };
    let key = |what: &str| format!("  resource.customizations.{what}.valkey-gitops.dev_ValkeyCluster: |\n");
    let action = |name: &str| {
        format!("    - name: {name}\n      action.lua: |\n{}", script(&format!("actions/{name}/action.lua"), 8))
    };
    "# What Argo CD knows of a ValkeyCluster, its health and two actions: made from the scripts in resource_customizations by a test.\n\
     apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\ndata:\n"
        .to_owned()
        + &key("health")
        + &script("health.lua", 4)
        + &key("actions")
        + "    discovery.lua: |\n"
        + &script("actions/discovery.lua", 6)
        + "    definitions:\n"
        + &action("pause")
        + &action("resume")
}

#[test]
fn what_is_installed_is_what_is_tested() {
    let path = root().join("deploy/argocd/argocd-cm.yaml");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, installed()).unwrap();
    }
    let shipped = fs::read_to_string(path).unwrap();
    assert!(shipped == installed(), "deploy/argocd/argocd-cm.yaml is out of date: run `make snapshots`");

    let map: Value = serde_saphyr::from_str(&shipped).unwrap();
    let at = |what: &str| {
        map["data"][format!("resource.customizations.{what}.valkey-gitops.dev_ValkeyCluster")].as_str().unwrap()
    };
    let script = |path: &str| json!(fs::read_to_string(folder().join(path)).unwrap());
    assert_eq!(json!(at("health")), script("health.lua"));
    let actions: Value = serde_saphyr::from_str(at("actions")).unwrap();
    assert_eq!(actions["discovery.lua"], script("actions/discovery.lua"));
    let names = actions["definitions"].as_array().unwrap().iter().map(|action| {
        let name = action["name"].as_str().unwrap();
        assert_eq!(action["action.lua"], script(&format!("actions/{name}/action.lua")));
        name
    });
    assert_eq!(names.collect::<Vec<_>>(), ["pause", "resume"], "each folder of actions");
}

#[test]
fn the_health_of_an_object_is_what_its_status_says() {
    let tests = read("health_test.yaml");
    for test in tests["tests"].as_array().unwrap() {
        let path = test["inputPath"].as_str().unwrap();
        assert_eq!(run("health.lua", &read(path)), test["healthStatus"], "{path}");
    }
    let tested = tests["tests"].as_array().unwrap().len();
    assert_eq!(tested, yaml_files(&folder().join("testdata")).len(), "each object is tested");
}

#[test]
fn health_and_kstatus_are_of_one_mind() {
    for path in yaml_files(&folder().join("testdata")) {
        let object = read(path.to_str().unwrap());
        let health = run("health.lua", &object)["status"].as_str().unwrap().to_owned();
        let wanted = match kstatus(&object) {
            "Current" => ["Healthy"].as_slice(),
            "Failed" => &["Degraded"],
            _ => &["Progressing", "Suspended"],
        };
        assert!(wanted.contains(&health.as_str()), "{}: {health}", path.display());
    }
}

/// An object of the tests whose condition says this.
fn with_condition(mut object: Value, kind: &str, status: &str) -> Value {
    let mut conditions = object["status"]["conditions"].as_array_mut().unwrap().iter_mut();
    conditions.find(|condition| condition["type"] == kind).unwrap()["status"] = json!(status);
    object
}

#[test]
fn only_restarts_are_held_back_and_whatever_else_is_missing_shows() {
    let health = |object: &Value| run("health.lua", object)["status"].clone();
    let by_annotation = read("testdata/paused.yaml");
    let mut by_spec = read("testdata/unrendered.yaml");
    assert_eq!(health(&by_spec), "Progressing");
    by_spec["spec"]["upgrade"]["paused"] = json!(true);
    for paused in [by_annotation, by_spec] {
        assert_eq!(health(&paused), "Suspended");
        for (kind, status) in [("SlotsCovered", "False"), ("ReplicasInSync", "Unknown"), ("UpToDate", "True")] {
            assert_eq!(health(&with_condition(paused.clone(), kind, status)), "Progressing", "{kind}");
        }
        let broken = with_condition(with_condition(paused, "Reconciling", "False"), "Stalled", "True");
        assert_eq!(health(&broken), "Degraded");
    }
}

#[test]
fn an_object_without_a_status_is_not_healthy() {
    for object in [json!({"metadata": {}}), json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1}})]
    {
        assert_eq!(run("health.lua", &object)["status"], "Progressing");
    }
}

#[test]
fn actions_are_offered_where_they_change_something() {
    let tests = read("actions/action_test.yaml");
    for test in tests["discoveryTests"].as_array().unwrap() {
        let path = format!("actions/{}", test["inputPath"].as_str().unwrap());
        let offered = run("actions/discovery.lua", &read(&path));
        let mut wanted = json!({});
        for action in test["result"].as_array().unwrap() {
            let mut action = action.clone();
            let name = action.as_object_mut().unwrap().remove("name").unwrap();
            wanted[name.as_str().unwrap()] = action;
        }
        assert_eq!(offered, wanted, "{path}");
    }
}

#[test]
fn an_action_changes_an_annotation_and_nothing_else() {
    let tests = read("actions/action_test.yaml");
    for test in tests["actionTests"].as_array().unwrap() {
        let at = |key: &str| read(&format!("actions/{}", test[key].as_str().unwrap()));
        let made = run(&format!("actions/{}/action.lua", test["action"].as_str().unwrap()), &at("inputPath"));
        assert_eq!(taken(made, &at("inputPath")), at("expectedOutputPath"), "{}", test["action"]);
    }
}
