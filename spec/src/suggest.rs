//! "Did you mean".

use crate::problem::Complaint;

/// The candidate that a reader would take `word` for, if there is one.
pub fn closest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_ascii_lowercase();
    let likeness = |candidate: &str| strsim::jaro_winkler(&word, &candidate.to_ascii_lowercase());
    let scored = candidates.map(|candidate| (likeness(candidate), candidate)).filter(|(score, _)| *score > 0.85);
    scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, candidate)| candidate)
}

/// Against `word`, where only `words` are taken.
pub(crate) fn not_one_of(word: &str, words: &[&str]) -> Complaint {
    let near = match words {
        [only] => Some(*only),
        _ => closest(word, words.iter().copied()),
    };
    let hint = match (words, near) {
        ([only], _) => format!("write {only}"),
        (_, Some(near)) => format!("did you mean {near}? It takes {}", words.join(", ")),
        (_, None) => format!("write one of {}", words.join(", ")),
    };
    let instead = near.map(str::to_owned);
    Complaint { instead, ..Complaint::new(format!("`{word}` is not one of its values"), hint) }
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
