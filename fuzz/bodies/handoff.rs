//! Any bytes as an earlier run's state: used only where they are what we write.

use leasehold::handoff::{Binding, Loaded};
use leasehold_base::time::Moment;

/// Nothing lies ahead of it.
pub const NOW: Moment = Moment::new(std::time::Duration::MAX);

/// Whom `fuzz/corpus/handoff` was written for.
pub fn binding() -> Binding {
    Binding {
        digest: [7; 32],
        pod: "pod u-1".to_owned(),
        boot: "b-1".to_owned(),
        server: "s-1".to_owned(),
        owns: true,
    }
}

/// The bytes of the file.
pub fn run(input: &[u8]) {
    let binding = binding();
    match Loaded::parse(input, &binding, NOW) {
        Loaded::Found { kept, .. } => {
            let bytes = kept.to_bytes(&Binding { boot: String::new(), ..binding.clone() });
            let again = Loaded::parse(&bytes, &binding, NOW);
            assert_eq!(again, Loaded::Found { kept, same_clock: false }, "what we write, we read");
        }
        Loaded::Strays { kept, why, .. } => {
            assert!(kept.snapshot.tokens.iter().all(|token| token.leaving), "nobody goes on from them");
            assert!(kept.responses.is_empty() && !why.to_string().contains(char::is_control));
        }
        Loaded::Absent => unreachable!("there are bytes"),
        Loaded::Unusable(why) => {
            assert!(!why.to_string().contains(char::is_control), "one line");
        }
    }
}
