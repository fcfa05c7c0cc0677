//! Whatever bytes the program is fed, it renders or refuses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use proptest::prelude::*;
use support::{run_with_input, text};

/// Bytes of any kind, and specs that some bytes were put into.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let chance = proptest::collection::vec(any::<u8>(), 0..200);
    let at = any::<proptest::sample::Index>();
    let damaged = (at, proptest::collection::vec(any::<u8>(), 1..5)).prop_map(|(at, bytes)| {
        let mut spec = include_bytes!("../../examples/every-field.yaml").to_vec();
        let at = at.index(spec.len());
        spec.splice(at..at, bytes);
        spec
    });
    prop_oneof![chance, damaged]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_rendered_or_refused_with_a_word(bytes in bytes()) {
        let output = run_with_input(&["render"], &bytes);
        let (code, said) = (output.status.code(), text(&output.stderr));
        prop_assert!(matches!(code, Some(0 | 3)), "{code:?}: {said}");
        prop_assert_eq!((output.stdout.is_empty(), said.contains("error: ")), (code == Some(3), code == Some(3)));
    }
}
