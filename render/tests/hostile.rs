//! Nothing that can be fed to the binary makes it panic, hang, or take more than a second and a hundred mebibytes. Good specs of tens
//! of thousands of objects take longer, since there is that much to say, and no more memory. `VALKEY_RENDER` names the binary that is
//! shipped, to which the bounds apply; without it, they are wider.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use support::{root, text};

/// All memory that the process may map, in KiB: more than it may use.
const MEMORY_KIB: u32 = 100 * 1024;

fn survives(name: &str, input: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let output = ends(name, "render \"$1\"", &[file(&folder, "input.yaml", input)]);
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(3), "{name}: {code:?} {}", String::from_utf8_lossy(&output.stderr));
}

fn file(folder: &tempfile::TempDir, name: &str, input: &[u8]) -> PathBuf {
    let file = folder.path().join(name);
    std::fs::File::create(&file).unwrap().write_all(input).unwrap();
    file
}

/// Runs a command over files, within its bounds.
fn ends(name: &str, command: &str, files: &[PathBuf]) -> Output {
    ends_within(1, name, command, files)
}

fn ends_within(seconds: u32, name: &str, command: &str, files: &[PathBuf]) -> Output {
    let shipped = env::var_os("VALKEY_RENDER");
    // Without optimisation it is some twenty times slower, and the bound is for what is shipped. It bounds what the process does, so
    // that a busy machine changes nothing; one that only waits is ended two minutes later.
    let seconds = if cfg!(debug_assertions) && shipped.is_none() { 20 * seconds } else { seconds };
    let bounds = format!("ulimit -v {MEMORY_KIB}; ulimit -t {seconds}");
    let output = Command::new("sh")
        .args(["-c", &format!("{bounds}; exec timeout {} \"$0\" {command}", seconds + 120)])
        .arg(shipped.unwrap_or_else(|| env!("CARGO_BIN_EXE_valkey-render").into()))
        .args(files)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0..=5)), "{name}: ended by {}", output.status);
    assert!(!text(&output.stderr).contains("a mistake of"), "{name}");
    assert!(output.stderr.len() < 64 * 1024, "{name}: {} bytes of complaints", output.stderr.len());
    output
}

fn many(specs: u32, spec: &str) -> String {
    (0..specs).map(|number| spec.replace("name: minimal\n", &format!("name: minimal-{number}\n")) + "---\n").collect()
}

fn small() -> String {
    std::fs::read_to_string(root().join("examples/minimal.yaml")).unwrap()
}

#[test]
fn long_inputs() {
    survives("ten mebibytes of nothing", &vec![b'\n'; 10 << 20]);
    survives("ten mebibytes of one word", &vec![b'a'; 10 << 20]);
    survives("seven mebibytes of one word", &vec![b'a'; 7 << 20]);
    survives("seven mebibytes of lines", "a: b\n".repeat(1_400_000).as_bytes());
    survives("many documents", "---\na: 1\n".repeat(100_000).as_bytes());
    survives("many empty documents", "---\n".repeat(1_500_000).as_bytes());
    survives("a long value", format!("{}  clusterDomain: {}\n", small(), "x".repeat(7 << 20)).as_bytes());
    survives("a long key", format!("{}  {}: x\n", small(), "x".repeat(900)).as_bytes());
    survives(
        "many unknown fields",
        format!("{}{}", small(), (0..15_000).map(|n| format!("  f{n}: x\n")).collect::<String>()).as_bytes(),
    );
    survives(
        "many secrets",
        format!(
            "{}  image:\n    pullSecrets:\n{}",
            small(),
            (0..19_000).map(|n| format!("    - s{n}\n")).collect::<String>()
        )
        .as_bytes(),
    );
    survives(
        "many labels",
        small()
            .replace(
                "metadata:",
                &format!("metadata:\n  labels: {{{}}}", (0..9000).map(|n| format!("l{n}: x, ")).collect::<String>()),
            )
            .as_bytes(),
    );
}

#[test]
fn deep_inputs() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("a:\n ", ""), ("!!x ", ""), ("&a ", ""), ("? ", "")] {
        for depth in [300, 100_000] {
            survives(
                &format!("{depth} times {open:?}"),
                format!("{}x{}", open.repeat(depth), close.repeat(depth)).as_bytes(),
            );
        }
    }
    let nested = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    survives("nested blocks", nested.as_bytes());
}

#[test]
fn bombs() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    survives("an alias bomb", bomb.as_bytes());
    survives("an alias to itself", b"a: &a [*a]\n");
    survives("an unknown alias", b"a: *b\n");
    survives("a merge bomb", b"a: &a {<<: *a}\n");
}

#[test]
fn odd_bytes() {
    survives("zeros", &[0; 4096]);
    survives("all bytes", &(0..=255).collect::<Vec<u8>>());
    survives("a byte order mark", format!("\u{feff}{}", small()).as_bytes());
    survives("UTF-16", &small().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    survives("carriage returns", small().replace('\n', "\r\n").as_bytes());
    survives("old Mac line ends", small().replace('\n', "\r").as_bytes());
    survives("a surrogate", b"a: \"\\ud800\"\n");
    survives("separators of lines", "a: \u{2028}\u{2029}\u{85}\n".as_bytes());
    survives("half a character", b"a: \xe2\x82\n");
    survives("directives", b"%YAML 1.1\n%TAG ! tag:x,2000:\n---\na: 1\n");
    survives("an end and more", b"...\na: 1\n...\n");
}

#[test]
fn long_bytes_that_are_no_text() {
    survives("sixty mebibytes of no text", &vec![0xff; 60 << 20]);
    survives("seven mebibytes of no text", &vec![0xff; 7 << 20]);
    survives("a mistake after seven mebibytes", &[vec![b'\n'; 7 << 20], vec![0xff; 1 << 19]].concat());
    let folder = tempfile::tempdir().unwrap();
    let side = file(&folder, "side.yaml", &vec![0xff; 60 << 20]);
    let output = ends("no text to compare", "diff \"$1\" \"$1\"", &[side]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn many_warnings_are_counted_and_not_all_told() {
    let folder = tempfile::tempdir().unwrap();
    let specs = file(&folder, "specs.yaml", many(1000, &(small() + "  disruptionBudget: PerShard\n")).as_bytes());
    let output = ends("many warnings", "validate \"$1\"", &[specs]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr).matches("warning:").count(), 50);
    assert!(text(&output.stderr).ends_with("… and 950 more\n\n"));
}

#[test]
fn many_clusters_to_compare() {
    let folder = tempfile::tempdir().unwrap();
    let specs = many(1000, &small());
    let old = file(&folder, "old.yaml", specs.as_bytes());
    let new = file(&folder, "new.yaml", specs.replacen("\"9.1\"", "\"9.0\"", 10).as_bytes());
    let output = ends("many specs", "diff \"$1\" \"$2\"", &[old, new]);
    assert_eq!((output.status.code(), text(&output.stdout).matches("[downgrade]").count()), (Some(4), 10));
}

#[test]
fn many_shards_to_compare() {
    let folder = tempfile::tempdir().unwrap();
    let specs = many(60, &(small() + "  shards: 500\n  disruptionBudget: PerShard\n"));
    let old = file(&folder, "old.yaml", specs.as_bytes());
    let new = file(&folder, "new.yaml", specs.replace("PerShard", "PerCluster").as_bytes());
    let output = ends_within(6, "many budgets", "diff \"$1\" \"$2\"", &[old, new]);
    assert_eq!((output.status.code(), text(&output.stdout).matches(" goes ").count()), (Some(1), 60 * 500));
}

/// What is written to a file is held in memory no longer than what goes to standard output.
#[test]
fn more_than_the_memory_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let label = |number: u32| format!("{}{number:02}: {}, ", "l".repeat(60), "x".repeat(63));
    let labels = format!("metadata:\n  labels: {{{}}}\n", (0..60).map(label).collect::<String>());
    let spec = small().replace("metadata:\n", &labels) + "  shards: 500\n  disruptionBudget: PerShard\n";
    let specs = file(&folder, "specs.yaml", many(30, &spec).as_bytes());
    let out = folder.path().join("out.yaml");
    let output = ends_within(6, "one file", "render \"$1\" --output \"$2\"", &[specs, out.clone()]);
    let written = std::fs::metadata(out).unwrap().len();
    assert!(output.status.success() && written > u64::from(MEMORY_KIB) << 10, "{written} bytes");
}

#[test]
fn every_prefix_of_an_example() {
    let example = std::fs::read_to_string(root().join("examples/every-field.yaml")).unwrap();
    for end in (0..example.len()).step_by(97).filter(|end| example.is_char_boundary(*end)) {
        survives(&format!("the first {end} bytes"), &example.as_bytes()[..end]);
    }
}

#[test]
fn lists_of_objects() {
    let folder = tempfile::tempdir().unwrap();
    let head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n";
    let object = "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data:\n";
    let spec = small().replace('\n', "\n  ");
    let indented = spec.find("apiVersion").map(|start| spec[start..].trim_end()).unwrap();
    let inputs = [
        ("many values", format!("{head}{}", "- a\n".repeat(4_000_000))),
        ("many keys", format!("{head}{object}{}", (0..450_000).map(|n| format!("    k{n}: v\n")).collect::<String>())),
        ("a long text", format!("{head}{object}    a: |\n{}", "      line\n".repeat(1_400_000))),
        ("a longer text", format!("{head}{object}    a: {}\n", "x".repeat(20 << 20))),
        ("deep", format!("{head}- {}", "[".repeat(100_000))),
        ("many specs of one name", format!("{head}{}", format!("- {indented}\n").repeat(500))),
        ("zeros", "\0".repeat(4096)),
    ];
    for (name, input) in inputs {
        let list = file(&folder, "list.yaml", input.as_bytes());
        let output = ends(name, "fn < \"$1\"", &[list]);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{name}: {:?}", output.status);
    }
}
