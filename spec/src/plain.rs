//! What an unquoted scalar means, to every reader of YAML.
//!
//! The same file is read here by the rules of YAML 1.2 and elsewhere (kubectl, Argo CD, Flux, Python) by those of 1.1. Where the
//! two disagree, as on `no`, `0644` or `1_000`, the scalar is [`Plain::Ambiguous`] and has to be quoted.

/// The meaning of an unquoted scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plain {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number in plain decimal digits.
    Integer(i64),
    /// A number with a fraction or an exponent.
    Float,
    /// A number that some readers cannot hold: they round it, make it infinite or take it for text.
    TooLarge,
    /// Text to every reader.
    Text,
    /// Text to some readers, and this to others.
    Ambiguous(&'static str),
}

/// What every reader takes the unquoted scalar for.
pub(crate) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        "=" | "<<" => return Plain::Ambiguous("a special key"),
        _ => {}
    }
    if is_old_boolean(text) {
        return Plain::Ambiguous("a boolean");
    }
    if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        number(text)
    } else {
        Plain::Text
    }
}

fn is_old_boolean(text: &str) -> bool {
    text.len() <= 3 && matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off")
}

fn number(text: &str) -> Plain {
    let digits = text.trim_start_matches(['+', '-']);
    let signs = text.len() - digits.len();
    if signs > 1 {
        return Plain::Text;
    }
    if is_decimal(digits) {
        return text.parse().map_or(Plain::TooLarge, Plain::Integer);
    }
    if is_number_of_old(digits) {
        return Plain::Ambiguous("a number");
    }
    if is_date(text) {
        return Plain::Ambiguous("a date");
    }
    float(text, digits)
}

fn is_decimal(digits: &str) -> bool {
    digits == "0"
        || (!digits.starts_with('0') && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Octal, hexadecimal, binary, with underscores, or in base sixty (`1:30`).
fn is_number_of_old(digits: &str) -> bool {
    let lower = digits.to_ascii_lowercase();
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| lower.strip_prefix(prefix).is_some_and(is_any_digits));
    let leading_zero = lower.starts_with('0') && is_any_decimal(&lower);
    let underscored =
        lower.contains('_') && lower.bytes().all(|byte| byte.is_ascii_digit() || b"_.e+-".contains(&byte));
    let sixties =
        lower.split(':').count() > 1 && lower.split(':').all(|part| is_any_decimal(part) || part.contains('.'));
    prefixed || leading_zero || underscored || (sixties && !lower.contains(|c: char| c.is_ascii_alphabetic()))
}

fn is_any_digits(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_')
}

fn is_any_decimal(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// `2026-11-20` and whatever follows it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let year = parts.next().is_some_and(|year| year.len() == 4 && is_any_decimal(year));
    let month = parts.next().is_some_and(|month| month.len() <= 2 && is_any_decimal(month));
    year && month && parts.next().is_some_and(|day| day.starts_with(|first: char| first.is_ascii_digit()))
}

fn float(text: &str, digits: &str) -> Plain {
    let special = matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    let shaped = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if special {
        return Plain::Ambiguous("a number");
    }
    match text.parse::<f64>() {
        Ok(number) if shaped && number.is_finite() => Plain::Float,
        Ok(_) if shaped => Plain::TooLarge,
        Ok(_) | Err(_) => Plain::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_reader_agrees_on_is_taken_as_it_stands() {
        for text in [
            "Ex",
            "9.1.2",
            "10Gi",
            "500m",
            "2160h",
            "3600 1",
            "allkeys-lru",
            "yes please",
            "sha256:ab",
            "-",
            "--",
            "1.2.3-4",
        ] {
            assert_eq!(resolve(text), Plain::Text, "{text}");
        }
        assert_eq!(resolve("12"), Plain::Integer(12));
        assert_eq!(resolve("-7"), Plain::Integer(-7));
        assert_eq!(resolve("9.1"), Plain::Float);
        assert_eq!(resolve("1e3"), Plain::Float);
        assert_eq!(resolve("true"), Plain::Bool(true));
        assert_eq!(resolve("~"), Plain::Null);
    }

    #[test]
    fn what_readers_disagree_on_is_ambiguous() {
        for text in
            ["yes", "No", "ON", "off", "y", "0644", "1_000", "0x1F", "0b1", "1:30", "2026-11-20", ".inf", "=", "<<"]
        {
            assert!(matches!(resolve(text), Plain::Ambiguous(_)), "{text}: {:?}", resolve(text));
        }
        for text in ["99999999999999999999", "-99999999999999999999", "1e400", "-1e400", "1E+999"] {
            assert_eq!(resolve(text), Plain::TooLarge, "{text}");
        }
    }
}
