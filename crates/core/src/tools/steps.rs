//! Counts the steps of walks through files, secrets and leases. Tests compare the counts for two sizes: twice as many
//! must not cost four times as much. Outside of these tests nothing is counted.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts one step of a walk.
pub(crate) fn step() {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

/// Returns how many steps `what` takes.
#[cfg(test)]
pub(crate) fn counted<T>(what: impl FnOnce() -> T) -> (u64, T) {
    let before = STEPS.get();
    let result = what();
    (STEPS.get() - before, result)
}
