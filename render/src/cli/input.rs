//! Reads specs and rendered objects from files, folders and standard input.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use render::Stage;
use spec::{Cluster, Complaint, Namespace, Override, Problem};

use super::failure::{Failure, Source};
use super::folder;
use super::report::Warnings;

/// More than any file of specs has.
pub(crate) const LONGEST_SPECS: u64 = 8 << 20;
/// More than any file of rendered objects has.
pub(crate) const LONGEST_OBJECTS: u64 = 64 << 20;
/// More than any list of objects has that is passed on whole.
pub(crate) const LONGEST_LIST: u64 = 16 << 20;
/// What `-` is called where people read it.
pub(crate) const STANDARD_INPUT: &str = "standard input";
/// As much of what is not text as tells people where it stands.
const SHOWN: usize = 128;

/// Some editors write it; it is no part of the text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The clusters of all specs, with every problem of every file if there is one. What may be meant otherwise is told if there is none.
pub(crate) fn clusters(
    paths: &[String],
    namespace: Option<&Namespace>,
    overrides: &[Override],
) -> Result<Vec<Cluster>, Failure> {
    let mut warnings = Warnings::default();
    let clusters = read_clusters(paths, namespace, overrides, &mut warnings)?;
    warnings.say();
    Ok(clusters)
}

/// The same, without a word of what may be meant otherwise.
pub(crate) fn quietly(paths: &[String], namespace: Option<&Namespace>) -> Result<Vec<Cluster>, Failure> {
    read_clusters(paths, namespace, &[], &mut Warnings::default())
}

fn read_clusters(
    paths: &[String],
    namespace: Option<&Namespace>,
    overrides: &[Override],
    warnings: &mut Warnings,
) -> Result<Vec<Cluster>, Failure> {
    let mut found = Vec::new();
    let mut refused = Vec::new();
    for source in sources(paths, LONGEST_SPECS)? {
        let source = Rc::new(source?);
        match spec::read_with(&source.text, namespace, overrides) {
            Ok(read) => {
                read.iter().flat_map(|read| &read.warnings).for_each(|warning| warnings.add(&source, warning));
                found.extend(read.into_iter().map(|read| Found::of(read, &source, 0)));
            }
            Err(problems) => refused.push((Source::clone(&source), problems)),
        }
    }
    if !refused.is_empty() {
        return Err(Failure::Refused(refused));
    }
    check_no_twins(&found)?;
    Ok(found.into_iter().map(|found| found.cluster).collect())
}

/// A cluster, and where it stands.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) cluster: Cluster,
    source: Rc<Source>,
    start: usize,
}

impl Found {
    /// What was read from the part of the source that begins at `offset`.
    pub(crate) fn of(read: spec::Read, source: &Rc<Source>, offset: usize) -> Self {
        Self { cluster: read.cluster, source: Rc::clone(source), start: offset + read.span.start }
    }

    pub(crate) fn path(&self) -> &str {
        &self.source.path
    }

    fn also(&self, other: &Self) -> Problem {
        let Cluster { name, namespace, .. } = &self.cluster;
        let message =
            format!("`{name}` in namespace `{namespace}` stands in {} as well", other.source.place(other.start));
        let complaint = Complaint::new(message, "rename one of the two, or remove it");
        Problem { path: spec::Path::of("metadata.name"), complaint, span: Some(self.start..self.start) }
    }
}

/// Two files with a cluster of one name in one namespace would be rendered over each other.
pub(crate) fn check_no_twins(found: &[Found]) -> Result<(), Failure> {
    let mut seen: BTreeMap<_, &Found> = BTreeMap::new();
    let mut refused: Vec<(Source, Vec<Problem>)> = Vec::new();
    for one in found {
        match seen.entry((&one.cluster.namespace, &one.cluster.name)) {
            Entry::Vacant(place) => {
                place.insert(one);
            }
            Entry::Occupied(other) => match refused.last_mut() {
                Some((source, problems)) if source.path == one.source.path => problems.push(one.also(other.get())),
                _ => refused.push((Source::clone(&one.source), vec![one.also(other.get())])),
            },
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::Refused(refused)) }
}

/// The texts of files, of the YAML and JSON files in folders, and of standard input, read one after the other.
pub(crate) fn sources(
    paths: &[String],
    longest: u64,
) -> Result<impl Iterator<Item = Result<Source, Failure>>, Failure> {
    let mut files = Vec::new();
    for path in paths.iter().map(Path::new) {
        if path.is_dir() {
            files.extend(files_in(path)?);
        } else {
            files.push(path.to_owned());
        }
    }
    Ok(files.into_iter().map(move |file| read_file(&file, longest)))
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = documents_in(folder)?;
    // What was rendered may stand in stages.
    if folder.join(folder::INDEX).exists() {
        let stages = Stage::ALL.map(|stage| folder.join(stage.folder())).into_iter().filter(|stage| stage.is_dir());
        for stage in stages {
            files.extend(documents_in(&stage)?);
        }
    }
    if files.is_empty() {
        return Err(Failure::Unreadable {
            path: folder.display().to_string(),
            reason: "there is no YAML or JSON file in it".to_owned(),
        });
    }
    Ok(files)
}

/// The YAML and JSON files in a folder, in order. A link that leads nowhere is an error: without what it stood for, something that
/// runs would be gone from what is rendered.
fn documents_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named_as_documents(folder)? {
        let there = fs::metadata(&path).map_err(|error| Failure::io("read", &path, error))?;
        files.extend(there.is_file().then_some(path));
    }
    Ok(files)
}

/// What has the name of a YAML or JSON file in a folder, in order, whatever it is.
pub(crate) fn named_as_documents(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| Failure::io("read", folder, error))?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| has_name_of_document(path));
    paths.sort();
    Ok(paths)
}

fn has_name_of_document(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["yaml", "yml", "json"].contains(&extension)
        && !name.starts_with('.')
        && !["kustomization.yaml", "kustomization.yml"].contains(&name)
}

pub(crate) fn read_file(path: &Path, longest: u64) -> Result<Source, Failure> {
    if path == Path::new("-") {
        return read_stdin(longest);
    }
    let file = File::open(path).map_err(|error| Failure::io("read", path, error))?;
    read(&path.display().to_string(), file, longest)
}

/// The text on standard input.
pub(crate) fn read_stdin(longest: u64) -> Result<Source, Failure> {
    read(STANDARD_INPUT, io::stdin().lock(), longest)
}

fn read(path: &str, reader: impl Read, longest: u64) -> Result<Source, Failure> {
    let mut bytes = Vec::new();
    reader.take(longest + 1).read_to_end(&mut bytes).map_err(|error| Failure::io("read", path, error))?;
    let source = |text| Source { path: path.to_owned(), text };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > longest) {
        let message = format!("is longer than {} MiB", longest >> 20);
        let complaint = Complaint::new(message, "split the file, or check that it is the one you mean");
        return Err(refused(source(String::new()), complaint, None));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    String::from_utf8(bytes).map(source).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let complaint = Complaint::new("is not text in UTF-8", "save the file as UTF-8");
        refused(source(up_to_the_mistake(error.into_bytes(), valid)), complaint, Some(valid..valid))
    })
}

/// What is text, and the rest of the line at which it ends: with all that follows, it could be three times as long.
fn up_to_the_mistake(mut bytes: Vec<u8>, valid: usize) -> String {
    let rest = bytes.iter().copied().skip(valid).take(SHOWN);
    let shown: Vec<u8> = rest.take_while(|byte| *byte != b'\n').collect();
    bytes.truncate(valid);
    String::from_utf8(bytes).unwrap_or_default() + &String::from_utf8_lossy(&shown)
}

fn refused(source: Source, complaint: Complaint, span: Option<std::ops::Range<usize>>) -> Failure {
    Failure::Refused(vec![(source, vec![Problem { path: spec::Path::default(), complaint, span }])])
}
