//! "Did you mean".

/// The candidate that a reader would take `word` for, if there is one.
pub fn closest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_ascii_lowercase();
    let likeness = |candidate: &str| strsim::jaro_winkler(&word, &candidate.to_ascii_lowercase());
    let scored = candidates.map(|candidate| (likeness(candidate), candidate)).filter(|(score, _)| *score > 0.85);
    scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, candidate)| candidate)
}

/// What to write instead of `word` where only `words` are taken.
pub(crate) fn one_of(word: &str, words: &[&str]) -> String {
    match (words, closest(word, words.iter().copied())) {
        ([only], _) => format!("write {only}"),
        (_, Some(near)) => format!("did you mean {near}? It takes {}", words.join(", ")),
        (_, None) => format!("write one of {}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let fields = ["shards", "replicasPerShard", "storage"];
        assert_eq!(closest("shard", fields.into_iter()), Some("shards"));
        assert_eq!(closest("replicaspershard", fields.into_iter()), Some("replicasPerShard"));
        assert_eq!(closest("backup", fields.into_iter()), None);
    }
}
