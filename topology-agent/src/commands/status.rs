//! How the cluster stands, as a table for people or an object for programs.

use std::process::ExitCode;

use planner::{Ordinal, Shard, survey};
use spec::names;

use super::print;
use crate::arguments::OutputFormat;
use crate::cli::CommandError;
use crate::report::stand;
use crate::sighting::Sighting;

const HEAD: [&str; 6] = ["SHARD", "PRIMARY", "COUNT", "KEYS", "REPLICAS", "SLOTS"];

/// Prints how the cluster stands.
///
/// # Errors
/// It cannot be printed.
pub(crate) fn status(sighting: &Sighting, format: OutputFormat) -> Result<ExitCode, CommandError> {
    let survey = survey(&sighting.wanted.desired, &sighting.look.view, sighting.now);
    let status = stand(sighting, &survey);
    let text = match format {
        OutputFormat::Json => serde_json::to_string_pretty(&status).map_err(std::io::Error::other)?,
        OutputFormat::Table => table(sighting, &status.summary, &survey.shards),
    };
    print([text])?;
    Ok(ExitCode::SUCCESS)
}

fn table(sighting: &Sighting, summary: &str, shards: &[Shard]) -> String {
    let rows: Vec<[String; 6]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(shards.iter().map(|shard| row(sighting, shard))).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    let cluster = &sighting.wanted.cluster;
    format!("{} in {}: {summary}\n\n{}", cluster.name, cluster.namespace, lines.join("\n"))
}

fn row(sighting: &Sighting, shard: &Shard) -> [String; 6] {
    let name = |pod: Ordinal| names::pod(&sighting.wanted.cluster.name, pod.0);
    let server = shard.primary.and_then(|pod| sighting.look.view.pods.get(&pod)).and_then(planner::Pod::server);
    let replicas = shard.replicas.iter().map(|replica| {
        let doubt = if replica.in_sync { "" } else { " (not in sync)" };
        format!("{}{doubt}", name(replica.pod))
    });
    [
        shard.number.map_or_else(|| "leaving".to_owned(), |number| number.to_string()),
        shard.primary.map_or_else(|| "none".to_owned(), name),
        shard.slots.len().to_string(),
        server.map_or_else(|| "?".to_owned(), |server| server.keys.to_string()),
        replicas.collect::<Vec<_>>().join(", "),
        shard.slots.to_string(),
    ]
}
