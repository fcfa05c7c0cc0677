//! Quantities: `10Gi`, `500m`, `1e3`.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

/// Longer suffixes first.
const SUFFIXES: [(&str, f64); 14] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("", 1.0),
];

/// A quantity as a number.
pub(crate) fn number(text: &str) -> Option<f64> {
    SUFFIXES.iter().find_map(|(suffix, factor)| Some(text.strip_suffix(suffix)?.parse::<f64>().ok()? * factor))
}

/// A quantity in whole units, rounded up: of bytes, mostly.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and sizes are positive")]
pub(crate) fn bytes(text: &str) -> Option<u64> {
    number(text).map(|number| number.ceil() as u64)
}
