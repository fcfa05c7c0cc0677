//! What Argo CD says in the environment.

use std::env::{self, VarError};

use spec::{Complaint, Namespace, Path, Problem};

use super::super::failure::{Failure, Source};
use super::parameters;

/// Where the Application goes; empty if it leaves that to its objects.
const NAMESPACE: &str = "ARGOCD_APP_NAMESPACE";

/// What is read of the environment. Revision, versions of the cluster and names are not: the same objects come of the same spec.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) namespace: Option<Namespace>,
    /// A list in JSON; none if it was not said.
    pub(crate) parameters: Option<String>,
}

impl Outside {
    pub(crate) fn read() -> Result<Self, Failure> {
        let namespace = variable(NAMESPACE)?.map(|text| text.parse::<Namespace>()).transpose();
        let namespace = namespace.map_err(|complaint| refused(NAMESPACE, vec![complaint]))?;
        Ok(Self { namespace, parameters: variable(parameters::VARIABLE)? })
    }

    /// The namespace that is asked for, which no two may ask for differently.
    pub(crate) fn agreed_namespace(&self, argument: Option<&Namespace>) -> Result<Option<Namespace>, Failure> {
        match (argument, &self.namespace) {
            (Some(argument), Some(destination)) if argument != destination => {
                let message = format!("`{destination}` is not `{argument}`, which --namespace asks for");
                let hint = "leave --namespace out of the plugin: the Application says where it goes";
                Err(refused(NAMESPACE, vec![Complaint::new(message, hint)]))
            }
            (argument, destination) => Ok(argument.or(destination.as_ref()).cloned()),
        }
    }

    /// Says from where a namespace came that a spec does not agree with.
    pub(crate) fn explain(&self, mut failure: Failure) -> Failure {
        if let (Failure::Refused(refused), Some(destination)) = (&mut failure, &self.namespace) {
            let problems = refused.iter_mut().flat_map(|(_, problems)| problems);
            for problem in problems.filter(|problem| problem.path == Path::of("metadata.namespace")) {
                let hint =
                    format!("the Application's destination is `{destination}`: make the two agree, or clear one");
                problem.complaint.hint = Some(hint);
            }
        }
        failure
    }
}

/// The value of a variable; none if it is not set, or empty.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(refused(name, vec![Complaint::new("is not text in UTF-8", "set it anew")])),
    }
}

/// What is wrong with a variable.
pub(crate) fn refused(variable: &str, complaints: Vec<Complaint>) -> Failure {
    let problem = |complaint| Problem { path: Path::default(), complaint, span: None };
    let source = Source { path: variable.to_owned(), text: String::new() };
    Failure::Refused(vec![(source, complaints.into_iter().map(problem).collect())])
}
