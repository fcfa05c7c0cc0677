//! A function of kustomize or kpt: a list of objects on standard input, another on standard output.

use std::process::ExitCode;

use render::function::{self, Finding, Severity};

use super::failure::{Failure, Source};
use super::report::Warnings;
use super::{input, output, report};

/// The name under which the program is a function and nothing else: kustomize 5.6 runs functions without arguments.
pub(crate) const PROGRAM: &str = "valkey-render-fn";

/// Answers the call. What standard error says stands between lines of others, and has to be short.
pub(crate) fn run() -> ExitCode {
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::briefly(&failure);
            failure.exit_code()
        }
    }
}

fn answer() -> Result<(), Failure> {
    let source = input::read_stdin(input::LONGEST_LIST)?;
    let answer = match function::call(&source.text)? {
        Ok(answer) => answer,
        Err(problem) => return Err(Failure::Refused(vec![(source, vec![problem])])),
    };
    output::to_stdout(&answer.list)?;
    let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) =
        answer.findings.iter().partition(|finding| finding.severity == Severity::Error);
    if !errors.is_empty() {
        let refused = errors.into_iter().map(|finding| (origin(finding), vec![finding.problem.clone()]));
        return Err(Failure::Refused(refused.collect()));
    }
    let mut told = Warnings::default();
    warnings.into_iter().for_each(|finding| told.add(&origin(finding), &finding.problem));
    told.say();
    Ok(())
}

fn origin(finding: &Finding) -> Source {
    Source { path: finding.to_string(), text: String::new() }
}
