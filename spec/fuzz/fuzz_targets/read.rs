//! Any text is read or refused with places inside it; what is read renders, and reads back from its own desired state.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match spec::read(text, None) {
        Err(problems) => {
            assert!(!problems.is_empty());
            for span in problems.into_iter().filter_map(|problem| problem.span) {
                assert!(span.start <= span.end && span.end <= text.len());
            }
        }
        Ok(clusters) => {
            for read in clusters {
                render::Manifest::of(&read.cluster).unwrap();
                let written = render::desired_state(&read.cluster).unwrap();
                assert_eq!(spec::read(&written, None).unwrap()[0].cluster, read.cluster);
            }
        }
    }
});
