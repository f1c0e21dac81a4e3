//! Any bytes as an earlier run's state: used only where they are what we write.

use leasehold::handoff::{Binding, Loaded};

/// Whom `fuzz/corpus/handoff` was written for.
pub fn binding() -> Binding {
    Binding { digest: [7; 32], pod: "pod u-1".to_owned(), boot: "b-1".to_owned() }
}

/// The bytes of the file.
pub fn run(input: &[u8]) {
    let binding = binding();
    match Loaded::parse(input, &binding) {
        Loaded::Found { kept, .. } => {
            let bytes = kept.to_bytes(&Binding { boot: String::new(), ..binding.clone() });
            let again = Loaded::parse(&bytes, &binding);
            assert_eq!(again, Loaded::Found { kept, same_boot: false }, "what we write, we read");
        }
        Loaded::Absent => unreachable!("there are bytes"),
        Loaded::Unusable(why) => {
            assert!(!why.to_string().contains(char::is_control), "one line");
        }
    }
}
