//! The parameters of an Application, typed: each is a field of the spec under a name for people, but for `specs` and `desired-state`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path as FilePath};

use render::DesiredState;
use serde::{Deserialize, Serialize};
use spec::{Cluster, Complaint, Override, OverrideValue, Path};

use super::super::failure::Failure;
use super::outside::{self, Outside};

/// Where Argo CD says them. The variables `PARAM_…` say the same with names and keys bent, and are not read.
pub(crate) const VARIABLE: &str = "ARGOCD_APP_PARAMETERS";
/// The specs that are rendered unless a parameter names others: those of the Application's folder.
const HERE: &str = ".";

/// What an Application asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// Files and folders.
    pub(crate) specs: Vec<String>,
    pub(crate) overrides: Vec<Override>,
    pub(crate) form: Option<DesiredState>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { specs: vec![HERE.to_owned()], overrides: Vec::new(), form: None }
    }
}

/// A parameter as Argo CD says it.
#[derive(Debug, Deserialize)]
struct Given {
    name: String,
    string: Option<String>,
    array: Option<Vec<String>>,
    map: Option<BTreeMap<String, String>>,
}

/// What there is a parameter for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Parameter {
    Specs,
    DesiredState,
    Version,
    Shards,
    Replicas,
    Paused,
    Rebalance,
    Config,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Files,
    Form,
    Text,
    Number,
    Flag,
    Directives,
}

impl Parameter {
    const ALL: [Self; 8] = [
        Self::Specs,
        Self::DesiredState,
        Self::Version,
        Self::Shards,
        Self::Replicas,
        Self::Paused,
        Self::Rebalance,
        Self::Config,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Specs => "specs",
            Self::DesiredState => "desired-state",
            Self::Version => "version",
            Self::Shards => "shards",
            Self::Replicas => "replicas",
            Self::Paused => "paused",
            Self::Rebalance => "rebalance",
            Self::Config => "config",
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Specs | Self::DesiredState => "",
            Self::Version => "spec.version",
            Self::Shards => "spec.shards",
            Self::Replicas => "spec.replicasPerShard",
            Self::Paused => "spec.upgrade.paused",
            Self::Rebalance => "spec.rebalance.auto",
            Self::Config => "spec.config",
        }
    }

    const fn takes(self) -> Takes {
        match self {
            Self::Specs => Takes::Files,
            Self::DesiredState => Takes::Form,
            Self::Version => Takes::Text,
            Self::Shards | Self::Replicas => Takes::Number,
            Self::Paused | Self::Rebalance => Takes::Flag,
            Self::Config => Takes::Directives,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Specs => "Specs",
            Self::DesiredState => "Desired state",
            Self::Version => "Valkey version",
            Self::Shards => "Shards",
            Self::Replicas => "Replicas per shard",
            Self::Paused => "Restarts paused",
            Self::Rebalance => "Slots evened out",
            Self::Config => "Directives",
        }
    }

    const fn tooltip(self) -> &'static str {
        match self {
            Self::Specs => {
                "Files or folders of specs, from the Application's folder; all of that folder unless it is set"
            }
            Self::DesiredState => {
                "config-map, or custom-resource where its definition is installed: where the agent finds what should be"
            }
            Self::Version => "A series, such as 9.1, or a release of it. Restarts every pod, one after the other",
            Self::Shards => "From 3 to 500. Slots move while the cluster serves; nothing restarts",
            Self::Replicas => "From 0 to 5, besides each shard's primary. Nothing restarts",
            Self::Paused => "true to restart no pod for now",
            Self::Rebalance => "false to move no slots but those of shards that are taken away",
            Self::Config => {
                "Directives of valkey.conf, beside those of the spec and in place of those of the same name"
            }
        }
    }

    /// The parameter's value in a spec.
    fn value(self, cluster: &Cluster) -> String {
        match self {
            Self::Specs | Self::DesiredState | Self::Config => String::new(),
            Self::Version => cluster.version.to_string(),
            Self::Shards => cluster.shards.to_string(),
            Self::Replicas => cluster.replicas_per_shard.to_string(),
            Self::Paused => cluster.upgrade.paused.to_string(),
            Self::Rebalance => cluster.rebalance.auto.to_string(),
        }
    }
}

impl Parameters {
    /// What the environment says; whatever is wrong is said of all of them at once.
    pub(crate) fn read(outside: &Outside) -> Result<Self, Failure> {
        let text = outside.parameters.as_deref().unwrap_or("null");
        let given: Option<Vec<Given>> = serde_json::from_str(text).map_err(|error| {
            let complaint =
                Complaint::new(format!("is no list of parameters: {error}"), "it is Argo CD that writes it");
            outside::refused(VARIABLE, vec![complaint])
        })?;
        let mut parameters = Self::default();
        let mut complaints = Vec::new();
        let mut seen = BTreeSet::new();
        for given in given.into_iter().flatten() {
            let name = given.name.clone();
            let twice = || Err(Complaint::new("is there twice", "keep one of the two"));
            let taken = if seen.insert(name.clone()) { parameters.take(given) } else { twice() };
            complaints.extend(taken.err().map(|complaint| said_of(&name, complaint)));
        }
        if complaints.is_empty() { Ok(parameters) } else { Err(outside::refused(VARIABLE, complaints)) }
    }

    fn take(&mut self, given: Given) -> Result<(), Complaint> {
        let known = Parameter::ALL.into_iter().find(|known| known.name() == given.name);
        let parameter = known.ok_or_else(|| unknown(&given.name))?;
        let one = |given: Given| match given {
            Given { string: Some(text), array: None, map: None, .. } => Ok(text),
            _ => Err(Complaint::new("takes one value", format!("set its string: {}", parameter.tooltip()))),
        };
        let value = match parameter.takes() {
            Takes::Files => return self.take_specs(given),
            Takes::Directives => return self.take_directives(given),
            Takes::Form => {
                self.form = Some(form(&one(given)?)?);
                return Ok(());
            }
            Takes::Text => OverrideValue::Text(one(given)?),
            Takes::Number => number(&one(given)?)?,
            Takes::Flag => flag(&one(given)?)?,
        };
        let name = format!("parameter `{}`", parameter.name());
        self.overrides.push(Override { name, path: Path::of(parameter.field()), value });
        Ok(())
    }

    fn take_specs(&mut self, given: Given) -> Result<(), Complaint> {
        let Given { array: Some(files), string: None, map: None, .. } = given else {
            return Err(Complaint::new("takes a list", "set its array to files or folders of specs"));
        };
        if let Some(file) = files.iter().find(|file| !is_inside(file)) {
            let message = format!("`{file}` is not a file or folder inside of the Application's folder");
            return Err(Complaint::new(message, "write its path from there, without `..`"));
        }
        // A list that somebody has emptied says no more than one that is not there.
        if !files.is_empty() {
            self.specs = files;
        }
        Ok(())
    }

    fn take_directives(&mut self, given: Given) -> Result<(), Complaint> {
        let Given { map: Some(directives), string: None, array: None, .. } = given else {
            return Err(Complaint::new("takes a map", "set its map: directives of valkey.conf with their values"));
        };
        for (directive, value) in directives {
            let name = format!("parameter `config`, directive `{directive}`");
            let path = Path::of(Parameter::Config.field()).key(directive);
            self.overrides.push(Override { name, path, value: OverrideValue::Text(value) });
        }
        Ok(())
    }
}

/// The files and folders that the parameters ask for by name, a line for each; whether all else is right is told when they are rendered.
pub(crate) fn specs_of(text: &str) -> String {
    let given: Option<Vec<Given>> = serde_json::from_str(text).unwrap_or_default();
    let specs = given.into_iter().flatten().filter(|given| given.name == Parameter::Specs.name());
    specs.flat_map(|given| given.array.unwrap_or_default()).map(|file| format!("{file}\n")).collect()
}

fn said_of(name: &str, complaint: Complaint) -> Complaint {
    Complaint { message: format!("parameter `{name}`: {}", complaint.message), ..complaint }
}

fn unknown(name: &str) -> Complaint {
    let names = Parameter::ALL.into_iter().map(Parameter::name);
    let hint = match spec::closest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the parameters are {}; everything else is in the spec", names.collect::<Vec<_>>().join(", ")),
    };
    Complaint::new("there is no such parameter", hint)
}

fn number(text: &str) -> Result<OverrideValue, Complaint> {
    let number = text.parse().map(OverrideValue::Integer);
    number.map_err(|_| Complaint::new(format!("`{text}` is not a whole number"), "write digits alone, such as 6"))
}

fn form(text: &str) -> Result<DesiredState, Complaint> {
    let hint = || format!("write {}", DesiredState::ALL.map(DesiredState::as_str).join(" or "));
    DesiredState::named(text).ok_or_else(|| Complaint::new(format!("`{text}` is not one of its values"), hint()))
}

fn flag(text: &str) -> Result<OverrideValue, Complaint> {
    let flag = text.parse().map(OverrideValue::Bool);
    flag.map_err(|_| Complaint::new(format!("`{text}` is not true or false"), "write true or false"))
}

/// Whoever edits an Application must not read files of the plugin's container.
fn is_inside(path: &str) -> bool {
    let mut steps = FilePath::new(path).components();
    !path.is_empty() && path != "-" && steps.all(|step| matches!(step, Component::Normal(_) | Component::CurDir))
}

/// A parameter as people find it in the Application's form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Announcement {
    name: &'static str,
    title: &'static str,
    tooltip: &'static str,
    item_type: &'static str,
    collection_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    array: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<BTreeMap<String, String>>,
}

/// All parameters, with the values that they have in the one cluster that they speak of, and where its agent finds what should be
/// unless a parameter says it.
pub(crate) fn announcements(cluster: Option<&Cluster>, form: DesiredState) -> Vec<Announcement> {
    Parameter::ALL.into_iter().map(|parameter| Announcement::of(parameter, cluster, form)).collect()
}

impl Announcement {
    fn of(parameter: Parameter, cluster: Option<&Cluster>, form: DesiredState) -> Self {
        let mut announcement = Self {
            name: parameter.name(),
            title: parameter.title(),
            tooltip: parameter.tooltip(),
            item_type: "string",
            collection_type: "string",
            string: cluster.map(|cluster| parameter.value(cluster)),
            array: None,
            map: None,
        };
        match parameter.takes() {
            Takes::Text => announcement,
            Takes::Form => Self { string: Some(form.as_str().to_owned()), ..announcement },
            Takes::Number => Self { item_type: "number", ..announcement },
            Takes::Flag => Self { item_type: "boolean", ..announcement },
            Takes::Files => {
                announcement.array = Some(vec![HERE.to_owned()]);
                Self { collection_type: "array", string: None, ..announcement }
            }
            Takes::Directives => {
                announcement.map = cluster.map(directives);
                Self { collection_type: "map", string: None, ..announcement }
            }
        }
    }
}

fn directives(cluster: &Cluster) -> BTreeMap<String, String> {
    let set = cluster.config.directives.iter();
    set.map(|(directive, value)| (directive.name.to_owned(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Parameters, String> {
        let outside = Outside { parameters: Some(text.to_owned()), ..Outside::default() };
        Parameters::read(&outside).map_err(|failure| match failure {
            Failure::Refused(refused) => refused[0].1.iter().map(|problem| format!("{problem}\n")).collect(),
            other => other.to_string(),
        })
    }

    #[test]
    fn none_come_in_three_ways() {
        assert_eq!(Parameters::read(&Outside::default()).unwrap(), Parameters::default());
        for text in ["null", "[]"] {
            assert_eq!(read(text), Ok(Parameters::default()));
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let text = r#"[{"name":"shard","string":"4"},{"name":"shards","string":"four"},{"name":"paused","string":"yes"},
                       {"name":"replicas","array":["1"]},{"name":"config","string":"hz 20"},{"name":"replicas","string":"1"},
                       {"name":"version","string":"9.1","array":[]}]"#;
        let said = read(text).unwrap_err();
        let expected = "parameter `shard`: there is no such parameter\n\
                        parameter `shards`: `four` is not a whole number\n\
                        parameter `paused`: `yes` is not true or false\n\
                        parameter `replicas`: takes one value\n\
                        parameter `config`: takes a map\n\
                        parameter `replicas`: is there twice\n\
                        parameter `version`: takes one value\n";
        assert_eq!(said, expected);
    }

    #[test]
    fn specs_stay_inside_of_the_folder() {
        for outside in ["/etc/passwd", "../other.yaml", "a/../../b", "-", ""] {
            let text = serde_json::json!([{"name": "specs", "array": [outside]}]).to_string();
            assert!(read(&text).unwrap_err().contains("inside of the Application's folder"), "{outside}");
        }
        assert_eq!(read(r#"[{"name":"specs","array":["./a.yaml","b"]}]"#).unwrap().specs, ["./a.yaml", "b"]);
    }
}
